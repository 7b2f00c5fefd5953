#include "bench/traffic.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "net/clock.h"
#include "net/socket_address.h"

namespace turnpike::bench {
namespace {

/// After so long without a packet, those that are missing are lost.
constexpr milliseconds quiet{300};
constexpr milliseconds tick{20};
constexpr int reads_max = 4;

}  // namespace

Traffic::Traffic(const Plan& plan, const std::vector<FlowEnds>& flows, Links& links,
                 UdpSocket& peers, bool spins, Upkeep* upkeep)
    : plan_(plan),
      links_(links),
      peers_(peers),
      spins_(spins),
      upkeep_(upkeep),
      ledger_(flows.size()) {
  const bool pads = is_stream(plan.transport);
  flows_.reserve(flows.size());
  for (const FlowEnds& ends : flows) {
    Flow flow{ends, Envelope{plan.framing, ends.peer, plan.payload_bytes, pads}, std::nullopt,
              net::to_socket_address(ends.relayed)};
    if (ends.peer_client) {
      flow.back = Envelope{plan.framing, ends.relayed, plan.payload_bytes, pads};
    }
    flows_.push_back(std::move(flow));
  }
}

void Traffic::run(Pacer pacer, nanoseconds duration) {
  ledger_.start_over();
  latency_ = {};
  const Instant start = net::read_clock().instant;
  Instant now = start;
  Instant next_tick = start + tick;
  on_their_way_.start(start);
  pacer.start(start);
  for (; now < start + duration; now = net::read_clock().instant) {
    const std::uint64_t trains_on_their_way =
        (on_their_way_.count(now) + plan_.train - 1) / plan_.train;
    std::uint64_t due = pacer.due(now, trains_on_their_way);
    const bool has_sent = due > 0;
    for (; due > 0; --due) send_train(now);
    const bool has_received = turn(now);
    if (now >= next_tick) {
      links_.on_tick();
      if (upkeep_ != nullptr) upkeep_->on_tick(now);
      next_tick = now + tick;
    }
    if (!has_sent && !has_received) wait(pacer.next());
  }
  sending_ = now - start;
  last_received_ = now;
  while (ledger_.outstanding() > 0 && now - last_received_ < quiet) {
    if (!turn(now)) wait(std::nullopt);
    now = net::read_clock().instant;
  }
  elapsed_ = last_received_ - start;
  left_out_ = pacer.left_out() * plan_.train;
}

/// Sends what was prepared, takes what has come. False: nothing had come.
bool Traffic::turn(Instant now) {
  links_.flush();
  peers_.flush();
  bool any = links_.receive(*this);
  any |= receive_from_peers();
  if (any) last_received_ = now;
  return any;
}

void Traffic::send_train(Instant now) {
  const std::size_t number = next_flow_;
  next_flow_ = (next_flow_ + 1) % flows_.size();
  const Flow& flow = flows_[number];
  if (plan_.mode == Mode::peer_to_client) {
    const std::size_t bytes = plan_.payload_bytes * plan_.train;
    put_train(peers_.add(flow.relayed, bytes, plan_.payload_bytes), nullptr, number, now);
  } else {
    const std::size_t message_bytes = flow.there.message_bytes();
    put_train(links_.add(flow.ends.client, message_bytes * plan_.train, message_bytes), &flow.there,
              number, now);
  }
  on_their_way_.on_sent(plan_.train, now);
}

void Traffic::put_train(MutableByteView room, const Envelope* envelope, std::size_t flow,
                        Instant now) {
  const std::size_t packet_bytes = room.size() / plan_.train;
  for (std::size_t i = 0; i < plan_.train; ++i) {
    MutableByteView packet = room.subspan(i * packet_bytes, packet_bytes);
    if (envelope != nullptr) {
      copy_bytes(envelope->header(), packet);
      packet = packet.subspan(envelope->header().size());
    }
    put_stamp(packet, {static_cast<std::uint32_t>(flow), ledger_.on_sent(flow), now, false});
  }
}

bool Traffic::receive_from_peers() {
  bool any = false;
  for (int i = 0; i < reads_max; ++i) {
    const auto trains = peers_.receive();
    if (trains.empty()) break;
    any = true;
    const Instant now = net::read_clock().instant;
    for (const IncomingTrain& train : trains) {
      if (plan_.mode == Mode::echo) {
        echo(train);
      } else {
        train.each([&](ByteView payload) { on_payload(payload, now); });
      }
    }
  }
  return any;
}

void Traffic::on_message(ByteView message, Instant now) {
  if (const auto payload = payload_of(plan_.framing, message)) return on_payload(*payload, now);
  if (upkeep_ != nullptr) upkeep_->on_message(message, now);
}

void Traffic::on_payload(ByteView payload, Instant now) {
  const auto stamp = read_stamp(payload);
  if (!stamp || stamp->flow >= flows_.size()) return;
  if (plan_.mode == Mode::echo && !stamp->is_returning) return send_back(*stamp, payload);
  if (payload.size() != plan_.payload_bytes) return;
  if (!ledger_.on_received(*stamp, payload.size())) return;
  on_their_way_.on_received(stamp->sent);
  latency_.add(now - stamp->sent);
}

/// An echo by a peer that is a client.
void Traffic::send_back(const Stamp& stamp, ByteView payload) {
  const Flow& flow = flows_[stamp.flow];
  if (!flow.back || payload.size() != plan_.payload_bytes) return;
  const std::size_t bytes = flow.back->message_bytes();
  const MutableByteView room = links_.add(*flow.ends.peer_client, bytes, bytes);
  copy_bytes(flow.back->header(), room);
  const MutableByteView copy = room.subspan(flow.back->header().size());
  copy_bytes(payload, copy);
  mark_as_returning(copy);
}

/// An echo by a peer on the open network: the train goes back as it came.
void Traffic::echo(const IncomingTrain& train) {
  const MutableByteView room = peers_.add(train.from, train.bytes.size(), train.segment_bytes);
  copy_bytes(train.bytes, room);
  for (std::size_t at = 0; at + stamp_bytes <= room.size(); at += train.segment_bytes) {
    mark_as_returning(room.subspan(at));
  }
}

/// Until something comes, `until`, or the next tick.
void Traffic::wait(std::optional<Instant> until) const {
  if (spins_) return;
  std::array<pollfd, 2> waiting{pollfd{links_.descriptor(), POLLIN, 0},
                                pollfd{peers_.descriptor(), POLLIN, 0}};
  nanoseconds left = tick;
  if (until) left = std::clamp(*until - net::read_clock().instant, nanoseconds{0}, left);
  const timespec timeout{0, static_cast<long>(left.count())};
  ::ppoll(waiting.data(), waiting.size(), &timeout, nullptr);
}

}  // namespace turnpike::bench
