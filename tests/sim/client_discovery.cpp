// How clients find out what their NATs are like (RFC 5780 §4), and what else the same requests can
// be used for. All of it is drawn apart, and goes on beside what else a client does.
#include <algorithm>

#include "sim/client.h"
#include "sim/simulation.h"

namespace turnpike::sim {

using stun::AttributeType;
using stun::Class;
using stun::MessageBuilder;
using stun::Method;

namespace {

constexpr std::size_t room_for_a_message = 8192;
constexpr std::ptrdiff_t header_size = 20;
constexpr std::uint32_t change_ip = 4;
constexpr std::uint32_t change_port = 2;
constexpr std::size_t largest_padding = 3000;

/// Some that one is answered at, and some that nobody may be sent to.
constexpr std::array<std::uint16_t, 12> response_ports{4000, 1024, 65535, 40000, 0,    53,
                                                       123,  1023, 1900,  5353,  3478, 11211};

Bytes copy_of(const MessageBuilder& message) {
  const ByteView bytes = message.bytes();
  return Bytes(bytes.begin(), bytes.end());
}

/// Without attributes yet.
MessageBuilder begin_request(Bytes& buffer, SeededRandom& random) {
  buffer.resize(room_for_a_message);
  stun::TransactionId id{};
  random.fill(id);
  return {buffer, Class::request, Method::binding, id};
}

/// With the two bytes that RFC 5780 §7.5 pads it with, or without them.
void put_response_port(MessageBuilder& message, std::uint16_t port, bool is_padded) {
  Bytes value(is_padded ? 4 : 2);
  store_be16(MutableByteView{value}, port);
  message.put(AttributeType::response_port, value);
}

}  // namespace

void Client::discover() {
  const Settings& settings = world_.settings();
  if (may_misbehave() && happens(discovery_random_, settings.malice)) {
    return discover_in_others_names();
  }
  const bool is_reckless = may_misbehave() && happens(discovery_random_, settings.recklessness);
  const turn::ClientFlow flow = probing_flow();
  ask(flow, is_reckless ? reckless_probe() : probe());
}

/// From a socket of its own to any address of the server, or over what it has.
turn::ClientFlow Client::probing_flow() {
  turn::ClientFlow flow = flow_;
  if (discovery_random_.below(6) == 0) return flow;
  FiveTuple& tuple = flow.tuple;
  tuple.transport = Transport::udp;
  tuple.client.port = port_of_its_own();
  const auto servers = server_addresses(tuple.client.family(), world_.settings());
  tuple.server = servers[discovery_random_.below(servers.size())];
  flow.listener = listener_of(tuple.server);
  flow.worker = world_.worker_of(tuple.client);
  return flow;
}

std::uint16_t Client::port_of_its_own() {
  return static_cast<std::uint16_t>(10000 + 1000 * number_ + discovery_random_.below(3));
}

/// What the tests of RFC 5780 §4 send.
Bytes Client::probe() {
  Bytes buffer;
  MessageBuilder message = begin_request(buffer, discovery_random_);
  const auto kind = discovery_random_.below(8);
  if (kind > 1) {
    const auto flags = static_cast<std::uint32_t>(discovery_random_.below(4)) * change_port;
    message.put_u32(AttributeType::change_request, flags);
  }
  if (kind == 6) {
    const std::uint16_t port = port_of_its_own();
    put_response_port(message, port, discovery_random_.below(2) == 0);
  } else if (kind == 7) {
    message.put(AttributeType::padding, Bytes(discovery_random_.below(1500)));
  }
  if (with_fingerprint_) message.put_fingerprint();
  return copy_of(message);
}

/// All of it at once, malformed, among attributes that nobody knows, or where it must not count.
Bytes Client::reckless_probe() {
  Bytes buffer;
  MessageBuilder message = begin_request(buffer, discovery_random_);
  if (discovery_random_.below(8) == 0) message.put_u32(AttributeType{0x7ffe}, 0);
  if (discovery_random_.below(16) == 0) message.put_message_integrity(HmacSha1Key{Bytes(16)});
  if (discovery_random_.below(2) == 0) {
    const std::size_t size = discovery_random_.below(4) == 0 ? discovery_random_.below(9) : 4;
    message.put(AttributeType::change_request, discovery_random_.bytes(size));
  }
  if (discovery_random_.below(3) == 0) {
    const std::size_t size = discovery_random_.below(4) == 0 ? discovery_random_.below(7) : 2;
    message.put(AttributeType::response_port, discovery_random_.bytes(size));
  }
  if (discovery_random_.below(3) == 0) {
    message.put(AttributeType::padding, Bytes(discovery_random_.below(largest_padding)));
  }
  if (discovery_random_.below(4) == 0) message.put_u32(AttributeType::change_request, change_ip);
  if (discovery_random_.below(4) == 0) message.put_fingerprint();
  return copy_of(message);
}

/// The largest answer that can be had, or one to somebody else's door.
Bytes Client::harmful_probe(std::uint16_t response_port) {
  Bytes buffer;
  MessageBuilder message = begin_request(buffer, discovery_random_);
  if (discovery_random_.below(2) == 0) {
    message.put_u32(AttributeType::change_request, change_ip | change_port);
  }
  if (discovery_random_.below(2) == 0) {
    put_response_port(message, response_port, false);
  } else if (discovery_random_.below(2) == 0) {
    message.put(AttributeType::padding, Bytes(discovery_random_.below(largest_padding)));
  }
  return copy_of(message);
}

/// Requests that come from a victim, as far as one can see, or from a relay of the server; many.
/// The intruder sends them in its own name, since the answers would be events of the victim's.
void Client::discover_in_others_names() {
  turn::ClientFlow flow = probing_flow();
  const auto& others = world_.clients();
  const Client& other = *others[discovery_random_.below(others.size())];
  auto port = response_ports.at(discovery_random_.below(response_ports.size()));
  const bool is_relay = discovery_random_.below(2) == 0 && !other.relayed_.empty();
  if (!is_intruder_) {
    flow.tuple.transport = Transport::udp;
    flow.tuple.client = other.flow_.tuple.client;
    if (is_relay) {  // its own port, or the one beside it
      flow.tuple.client = other.relayed_.front();
      port = flow.tuple.client.port;
      flow.tuple.client.port ^= static_cast<std::uint16_t>(discovery_random_.below(4));
    }
    const auto servers = server_addresses(flow.tuple.client.family(), world_.settings());
    flow.tuple.server = servers[discovery_random_.below(servers.size())];
    flow.listener = listener_of(flow.tuple.server);
    flow.worker = world_.worker_of(flow.tuple.client);
  }
  const bool is_flood = discovery_random_.below(4) == 0;
  const unsigned count = is_flood ? 60 : 1;
  for (unsigned i = 0; i < count; ++i) world_.transmit(flow, harmful_probe(port));
}

// --- transactions --------------------------------------------------------------------------------

void Client::ask(const turn::ClientFlow& flow, const Bytes& request) {
  const Bytes id(request.begin() + 8, request.begin() + header_size);
  probes_[id] = {flow, request};
  world_.liveness().on_request(flow.tuple, request, world_.now().instant + patience);
  ask_again(id);
}

void Client::ask_again(const Bytes& id) {
  const auto found = probes_.find(id);
  if (found == probes_.end()) return;
  Probe& probe = found->second;
  const Transport transport = probe.flow.tuple.transport;
  if (is_stopped_ || probe.sent == most_transmissions(transport)) {
    const FiveTuple tuple = probe.flow.tuple;
    probes_.erase(found);
    if (!is_stopped_) world_.on_given_up(tuple, id);
    return;
  }
  world_.transmit(probe.flow, probe.request);
  world_.later(wait_after(++probe.sent, transport), [this, id] { ask_again(id); });
}

/// Whatever comes of it from elsewhere or to another port has to get through its NAT.
bool Client::hears_of_probe(const FiveTuple& tuple, const Bytes& datagram) {
  if (std::ssize(datagram) < header_size) return false;
  const auto found = probes_.find(Bytes(datagram.begin() + 8, datagram.begin() + header_size));
  if (found == probes_.end()) return false;
  const auto message = wire::read(datagram);
  const bool is_answer =
      message && (message->message_class == wire::success || message->message_class == wire::error);
  if (!is_answer) return false;
  const FiveTuple& asked = found->second.flow.tuple;
  if (tuple.client.address != asked.client.address) return false;
  if (is_behind_filter_ && !(tuple == asked)) return false;
  world_.liveness().on_answered(message->id);
  probes_.erase(found);
  return true;
}

}  // namespace turnpike::sim
