// What clients do with TCP allocations (RFC 6062 §4).
#include <algorithm>

#include "sim/client.h"
#include "sim/simulation.h"

namespace turnpike::sim {

using stun::AttributeType;
using stun::Class;
using stun::Method;

namespace {

constexpr std::size_t room_for_a_message = 2048;
constexpr seconds patience_for_an_answer{40};
constexpr std::size_t most_data_connections = 16;

}  // namespace

void Client::act_over_tcp() {
  switch (random_.below(8)) {
    case 0:
    case 1:
    case 2: {
      const Endpoint peer = some_peer();
      return request(Method::connect, [peer](stun::MessageBuilder& m) {
        m.put_xor_address(AttributeType::xor_peer_address, peer);
      });
    }
    case 3:
    case 4:
    case 5: {  // it tells a peer where it is
      if (relayed_.empty()) return;
      const Endpoint relayed = relayed_[random_.below(relayed_.size())];
      Endpoint peer = some_peer();
      if (random_.below(2) == 0) peer.port = static_cast<std::uint16_t>(random_.below(65536));
      return world_.later(milliseconds{random_.below(2000)},
                          [=, this] { world_.connect_from(peer, relayed); });
    }
    case 6:
      if (!data_.empty()) close_data(random_.below(data_.size()));
      return;
    default:
      if (!may_misbehave() || world_.connection_ids.empty()) return;
      return bind(world_.connection_ids[random_.below(world_.connection_ids.size())]);
  }
}

/// At once, just before or after the server has lost patience, or never.
void Client::bind_later(std::uint32_t number) {
  const auto draw = random_.below(10);
  if (draw == 0) return;
  const milliseconds delay{draw == 1 ? 25'000 + random_.below(10'000) : random_.below(500)};
  world_.later(delay, [this, number] { bind(number); });
}

void Client::bind(std::uint32_t number) {
  if (is_stopped_) return;
  if (data_.size() == most_data_connections) close_data(0);
  DataConnection data{flow_, number, nonce_};
  FiveTuple& tuple = data.flow.tuple;
  tuple.client.port = static_cast<std::uint16_t>(20000 + 1000 * number_ + ++last_data_ % 1000);
  const bool is_astray = random_.below(20) == 0 && tuple.client.family() == Family::ipv4;
  if (is_astray) tuple.server = at("20.0.2.2:3478");
  data.flow.worker = world_.worker_of(tuple.client);
  data_.push_back(data);
  send_bind(data_.back());
}

void Client::send_bind(DataConnection& data) {
  Bytes buffer(room_for_a_message);
  const auto id = new_id();
  stun::MessageBuilder message{buffer, Class::request, Method::connection_bind, id};
  message.put_u32(AttributeType::connection_id, data.number);
  // A nonce is for one address: the first one will be stale here.
  const std::string nonce = std::exchange(nonce_, data.nonce);
  if (!nonce_.empty()) sign(message);
  nonce_ = nonce;
  const ByteView bytes = message.bytes();
  const Bytes request(bytes.begin(), bytes.end());
  data.id.assign(id.begin(), id.end());
  ++data.tries;
  const FiveTuple tuple = data.flow.tuple;
  world_.liveness().on_request(tuple, request, world_.now().instant + patience_for_an_answer);
  world_.later(patience_for_an_answer, [this, tuple, id = data.id] {
    const bool waits = std::any_of(data_.begin(), data_.end(), [&](const DataConnection& each) {
      return each.flow.tuple == tuple && each.id == id;
    });
    if (waits && !is_stopped_) world_.on_given_up(tuple, id);
  });
  world_.transmit(data.flow, request);
}

void Client::on_bind_response(std::size_t which, const wire::Message& message) {
  DataConnection& data = data_[which];
  if (message.id != data.id) return;
  world_.liveness().on_answered(data.id);
  data.id.clear();
  if (message.message_class == wire::success) return;
  const Bytes* const nonce = message.find(0x0015);
  if (nonce == nullptr || data.tries == 3) return close_data(which);
  data.nonce = message.text(0x0015);
  send_bind(data);
}

void Client::close_data(std::size_t which) {
  const turn::ClientFlow flow = data_[which].flow;
  data_.erase(data_.begin() + static_cast<std::ptrdiff_t>(which));
  world_.close_data(flow);
}

}  // namespace turnpike::sim
