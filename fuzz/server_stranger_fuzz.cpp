// Datagrams from senders without credentials: nothing is kept, nothing is opened or relayed, and no
// more comes back than the amplification bounds allow (HOSTILE.md I-2, I-3, I-11).
//
// Input: repeated { u8: sender and pause, u16: size, that many bytes }.
#include <map>

#include "server_bench.h"

namespace turnpike::fuzz {
namespace {

constexpr std::size_t senders = 8;

constexpr std::uint32_t challenges_a_second = 20;

/// Senders 4 to 6: a reflector's port, 6to4 and Teredo (HOSTILE.md P07, M08).
bool is_unanswerable(std::size_t index) { return index >= 4 && index <= 6; }

turn::ClientFlow stranger(std::size_t index) {
  if (index < 4) return Bench::flow(index);
  turn::ClientFlow flow = Bench::flow(0);
  constexpr std::array<std::string_view, 4> odd{"198.51.100.9:53", "[2002:c633:6407::1]:40000",
                                                "[2001:0:c633:6407::1]:40000", "203.0.113.1:3478"};
  flow.tuple.client = endpoint(odd.at(index - 4));
  return flow;
}

bool is_request(ByteView datagram) {
  const auto message = stun::MessageView::parse(datagram);
  return message && message->message_class() == stun::Class::request;
}

/// The answer belongs to the request and gives nothing away.
void check_answer(ByteView request, ByteView answer) {
  const auto asked = stun::MessageView::parse(request).value();
  const auto message = stun::MessageView::parse(answer);
  PROMISE(message);
  PROMISE(message->transaction_id() == asked.transaction_id());
  PROMISE(message->method() == asked.method());
  PROMISE(message->has_fingerprint() == asked.has_fingerprint());
  PROMISE(!message->message_integrity() && !message->message_integrity_sha256());
  const auto answer_class = message->message_class();
  const bool is_binding = asked.method() == stun::Method::binding;
  PROMISE(answer_class == stun::Class::error ||
          (is_binding && answer_class == stun::Class::success));
}

void run(ByteView bytes) {
  turn::Limits limits;
  limits.challenge_rate = challenges_a_second;
  Bench bench{limits};
  const std::size_t free_ports = bench.ledger.free_ports();
  std::size_t bytes_in = 0;
  std::size_t bytes_out = 0;
  std::size_t datagrams = 0;
  std::map<IpAddress, std::int64_t> challenges;
  const Instant start = bench.now.instant;

  Input input{bytes};
  while (!input.empty()) {
    const std::uint8_t control = input.byte();
    constexpr std::array<std::int64_t, 4> pauses_ms{0, 5, 1000, 700'000};
    bench.advance(milliseconds{pauses_ms.at(control >> 6)});
    const turn::ClientFlow flow = stranger(control % senders);
    const std::vector<std::uint8_t> datagram = input.bytes(input.u16());
    bytes_in += datagram.size();
    ++datagrams;

    bench.effects.clear();
    const turn::Handled handled =
        bench.server.on_client_datagram(flow, datagram, bench.now, bench.effects);
    PROMISE(!handled.forward);
    PROMISE(!turn::to_string(handled.reason).empty());
    const auto& effects = bench.effects.list();
    PROMISE(effects.size() <= 1);
    const bool is_answered = turn::to_string(handled.reason).substr(0, 8) != "dropped_";
    PROMISE(is_answered == (effects.size() == 1));
    if (!effects.empty()) {
      const auto* answer = std::get_if<turn::SendToClient>(&effects[0]);
      PROMISE(answer != nullptr);
      PROMISE(answer->flow.tuple == flow.tuple && answer->flow.listener == flow.listener);
      PROMISE(is_request(datagram));
      check_answer(datagram, bench.effects.bytes_of(*answer));
      bytes_out += answer->size;
      PROMISE(!is_unanswerable(control % senders));
      const bool is_binding = stun::MessageView::parse(datagram)->method() == stun::Method::binding;
      if (!is_binding) {
        const milliseconds elapsed =
            std::chrono::duration_cast<milliseconds>(bench.now.instant - start);
        const std::int64_t most = challenges_a_second * (1000 + elapsed.count());
        PROMISE(++challenges[flow.tuple.client.address] * 1000 <= most);
      }
    }
    PROMISE(bench.server.allocation_count() == 0);
    PROMISE(!bench.server.next_deadline());
    PROMISE(bench.ledger.allocations() == 0);
    PROMISE(bench.ledger.free_ports() == free_ports);
  }
  // A 20-byte Allocate draws a challenge of 92 bytes; with IP and UDP headers on both that is 2.5
  // times as much (HOSTILE.md M02 counts from the smallest valid one).
  PROMISE(bytes_out <= 3 * bytes_in + 40 * datagrams);
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  turnpike::fuzz::run({bytes, size});
  return 0;
}
