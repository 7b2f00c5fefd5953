// RFC 8656 §14, §15: what the IP headers of relayed datagrams say. The suite's own sockets show
// DSCP and ECN; the DF bit is seen by a raw socket only.
#include <algorithm>

#include "conformance/catalogue.h"

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::MessageBuilder;

// --- DSCP and ECN --------------------------------------------------------------------------------

constexpr unsigned ecn_bits = 3;

/// One datagram: the traffic class it was sent with and came with.
struct Marked {
  unsigned sent = 0;
  unsigned came = 0;
};

enum class Towards : std::uint8_t { peer, client };

/// Sends datagrams through the relay with each of `classes`.
std::vector<Marked> relay_marked(Session& session, Towards side,
                                 const std::vector<std::uint8_t>& classes) {
  const Session::Relay relay = session.open_relay();
  Socket& sender = side == Towards::peer ? *relay.flow.connection().socket() : relay.peer.socket();
  std::vector<Marked> all;
  for (const std::uint8_t traffic_class : classes) {
    if (!sender.mark(traffic_class)) not_tried("this host does not set the traffic class");
    const Bytes payload = session.random_bytes(16);
    const auto came = side == Towards::peer ? session.expect_sent(relay, payload).traffic_class
                                            : session.expect_received(relay, payload).traffic_class;
    if (!came) not_tried("this host does not tell the traffic class");
    all.push_back({traffic_class, *came});
  }
  return all;
}

std::string to_text(const std::vector<Marked>& all, unsigned shift, unsigned mask) {
  std::string text;
  for (const Marked& one : all) {
    text += (text.empty() ? "" : ", ") + std::to_string(one.sent >> shift & mask) + " became " +
            std::to_string(one.came >> shift & mask);
  }
  return text;
}

void dscp_is_copied_or_fixed(Session& session) {
  constexpr std::uint8_t expedited = 46 << 2;  // EF (RFC 3246)
  constexpr unsigned dscp_shift = 2;
  for (const Towards side : {Towards::peer, Towards::client}) {
    const auto all = relay_marked(session, side, {expedited, 0, expedited, 0, expedited});
    const auto is_copied = [](const Marked& one) {
      return one.sent >> dscp_shift == one.came >> dscp_shift;
    };
    const auto is_like_the_first = [&](const Marked& one) {
      return one.came >> dscp_shift == all.front().came >> dscp_shift;
    };
    const bool is_right = std::all_of(all.begin(), all.end(), is_copied) ||
                          std::all_of(all.begin(), all.end(), is_like_the_first);
    expect(is_right, "DSCP as it came, or the same for all", to_text(all, dscp_shift, 63));
  }
}

void ecn_is_copied_or_not_ect(Session& session) {
  constexpr std::uint8_t ect1 = 1;
  constexpr std::uint8_t ect0 = 2;
  constexpr unsigned congestion = 3;  // a router on the way may say so
  for (const Towards side : {Towards::peer, Towards::client}) {
    const auto all = relay_marked(session, side, {ect0, 0, ect1, 0});
    for (const Marked& one : all) {
      const unsigned came = one.came & ecn_bits;
      const bool is_right =
          came == 0 || (one.sent != 0 && (came == one.sent || came == congestion));
      expect(is_right, "ECN as it came, or 0 (Not-ECT)", to_text(all, 0, ecn_bits));
    }
  }
}

/// What the suite sends is Not-ECT, so a copy of it and the fixed choice come to the same.
void relayed_datagrams_are_not_ect(Session& session) {
  const Session::Relay relay = session.open_relay();
  const Received received = session.expect_sent(relay, session.random_bytes(16));
  if (!received.traffic_class) not_tried("this host does not tell the traffic class");
  const unsigned ecn = *received.traffic_class & ecn_bits;
  expect(ecn == 0, "ECN 0 (Not-ECT)", "ECN " + std::to_string(ecn));
}

// --- The DF bit ----------------------------------------------------------------------------------

/// The DF bit of a UDP datagram to `port` with `payload`; nothing for any other one.
std::optional<bool> df_of(ByteView packet, std::uint16_t port, ByteView payload) {
  constexpr std::size_t ip_header_min = 20;
  constexpr std::size_t udp_header = 8;
  constexpr std::uint8_t df_bit = 0x40;
  if (packet.size() < ip_header_min) return std::nullopt;
  const std::size_t ip_header = (packet[0] & 15U) * std::size_t{4};
  if (packet.size() != ip_header + udp_header + payload.size()) return std::nullopt;
  if (load_be16(packet.subspan(ip_header + 2)) != port) return std::nullopt;
  const ByteView content = packet.subspan(ip_header + udp_header);
  if (!std::equal(content.begin(), content.end(), payload.begin())) return std::nullopt;
  return (packet[6] & df_bit) != 0;
}

Socket raw_socket(Session& session) {
  if (session.family() == Family::ipv6) not_tried("IPv6 has no DF bit");
  auto socket = Socket::raw_udp(session.peer_address());
  if (!socket) not_tried("the DF bit is seen by a raw socket only: needs CAP_NET_RAW");
  return std::move(*socket);
}

/// The DF bit with which `payload` has come to the peer.
bool seen_df(Session& session, Socket& raw, const Session::Relay& relay, ByteView payload) {
  while (const auto packet = raw.receive(session.soon())) {
    if (const auto df = df_of(packet->bytes, relay.peer.endpoint().port, payload)) return *df;
  }
  not_tried("the raw socket does not see what came to the peer");
}

void df_is_clear_unless_asked(Session& session) {
  if (session.transport() == Transport::dtls) {
    not_tried("the kernel sets DF on the suite's own datagrams, and the server may copy it");
  }
  Socket raw = raw_socket(session);
  const Session::Relay relay = session.open_relay();
  // A server may copy the bit of the client's datagram (§14).
  Socket* const client = relay.flow.connection().socket();
  if (session.is_datagram() && !client->allow_fragments()) not_tried("this host insists on DF");
  const Bytes payload = session.random_bytes(16);
  session.expect_sent(relay, payload);
  expect(!seen_df(session, raw, relay, payload), "DF 0 without DONT-FRAGMENT", "DF 1");
}

void dont_fragment_sets_df(Session& session) {
  Socket raw = raw_socket(session);
  const Session::Relay relay = session.open_relay();
  session.expect_sent(relay, session.random_bytes(16));
  const Bytes payload = session.random_bytes(16);
  const auto message =
      session.send_indication(relay.flow, relay.peer.endpoint(), payload,
                              [](MessageBuilder& m) { m.put_empty(AttributeType::dont_fragment); });
  relay.flow.send(message);
  relay.flow.fence();
  const auto came = relay.peer.receive(session.soon());
  if (!came) not_supported("the server discards Send with DONT-FRAGMENT, as it may");
  expect(seen_df(session, raw, relay, payload), "DF 1 with DONT-FRAGMENT", "DF 0");
}

}  // namespace

std::vector<Check> rfc8656_ip_header_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"dscp-is-copied-or-fixed", "55", "RFC 8656 §14",
       "DSCP is that of the datagram that came, or one fixed value.", should, udp,
       dscp_is_copied_or_fixed},
      {"ecn-is-copied-or-not-ect", "55", "RFC 8656 §14",
       "ECN is that of the datagram that came, or Not-ECT.", should, udp, ecn_is_copied_or_not_ect},
      {"relayed-datagrams-are-not-ect", "55", "RFC 8656 §14, §15",
       "ECN is copied, or Not-ECT: 0 for a client that sets none.", must, everywhere,
       relayed_datagrams_are_not_ect},
      {"df-is-clear-unless-asked", "55", "RFC 8656 §14, §15",
       "Without DONT-FRAGMENT DF is 0, or over UDP that of the datagram that came.", should,
       everywhere, df_is_clear_unless_asked},
      {"dont-fragment-sets-df", "34, 55", "RFC 8656 §14, §15",
       "A Send indication with DONT-FRAGMENT leaves with DF 1, if it leaves.", should, everywhere,
       dont_fragment_sets_df},
  };
}

}  // namespace turnpike::conformance
