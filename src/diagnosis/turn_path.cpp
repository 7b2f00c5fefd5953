#include "diagnosis/turn_path.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/binding.h"
#include "conformance/frame.h"

namespace turnpike::diagnosis {
namespace {

using client::Trial;
using conformance::Bytes;
using conformance::clock_now;
using conformance::Connection;
using conformance::Ended;
using conformance::Flow;
using conformance::Reply;
using conformance::Socket;
using conformance::Stop;
using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

constexpr std::uint16_t channel = 0x4000;
constexpr std::uint16_t unauthenticated = 401;
constexpr std::uint16_t forbidden = 403;
constexpr std::uint16_t mobility_forbidden = 405;
constexpr std::uint16_t wrong_credentials = 441;
constexpr std::uint16_t quota_reached = 486;
constexpr std::uint16_t insufficient_capacity = 508;

/// A conversation with the server, or why there is none.
struct Opened {
  std::unique_ptr<Flow> flow;
  PathState state = PathState::ok;
  std::string detail{};
};

std::string words_of(const Ended& ended) {
  if (!ended.outcome.why.empty()) return ended.outcome.why;
  return fmt::format("expected {}, got {}", ended.outcome.expected, ended.outcome.got);
}

Opened no_connection(const TurnPath& path, const conformance::ConnectError& error) {
  if (error.text.starts_with("certificate")) {
    return {nullptr, PathState::certificate, error.text};
  }
  if (error.handshake) return {nullptr, PathState::handshake, error.text};
  if (error.text.find("refused") != std::string::npos) {
    return {nullptr, PathState::nothing_listens, "nothing listens there, or a firewall rejects it"};
  }
  if (error.text.find("timed out") != std::string::npos) {
    return {nullptr, PathState::timed_out,
            path.transport == Transport::dtls ? "no answer to a DTLS handshake" : "no connection"};
  }
  return {nullptr, PathState::no_route, error.text};
}

/// Over UDP only an ICMP error tells that nothing listens.
bool is_refused_by_icmp(Connection& connection, const TurnTester& tester) {
  stun::TransactionId id{};
  tester.random.fill(id);
  connection.send(client::binding_request(id));
  const auto received = connection.receive(clock_now() + tester.rto);
  return !received && received.error() == Stop::closed;
}

Opened open_flow(const TurnPath& path, const TurnTester& tester) {
  conformance::ConnectionOptions options;
  options.transport = path.transport;
  options.server = path.server;
  options.tls.server_name = path.server_name;
  options.tls.verify = true;
  auto connection = Connection::open(options, clock_now() + tester.connect_timeout);
  if (!connection) return no_connection(path, connection.error());
  if (path.transport == Transport::udp && is_refused_by_icmp(**connection, tester)) {
    return {nullptr, PathState::nothing_listens, "nothing listens there, or a firewall rejects it"};
  }
  std::optional<client::LongTermClient> user;
  if (tester.user) user.emplace(tester.user->name, tester.user->password);
  conformance::Timing timing;
  timing.rto = tester.rto;
  return {std::make_unique<Flow>(std::move(*connection), path.transport, std::move(user),
                                 tester.random, timing)};
}

conformance::Body udp_relay(Family family) {
  return [family](MessageBuilder& message) {
    constexpr std::uint8_t udp = 17;
    message.put_requested_transport(udp);
    if (family == Family::ipv6) {
      message.put_family(AttributeType::requested_address_family, family);
    }
  };
}

PathState state_of_error(std::uint16_t code, bool has_user) {
  switch (code) {
    case unauthenticated:
      return has_user ? PathState::credentials_refused : PathState::wants_credentials;
    case wrong_credentials:
      return PathState::credentials_refused;
    case quota_reached:
    case insufficient_capacity:
      return PathState::no_capacity;
    default:
      return PathState::other_error;
  }
}

/// No answer to Allocate: is anybody there at all?
void explain_silence(Flow& flow, const TurnTester& tester, PathResult& result) {
  if (!flow.is_closed()) flow.send(flow.build_request(Method::binding));
  const bool answers = flow.next(clock_now() + tester.rto * 2).has_value();
  result.state = answers || flow.is_closed() ? PathState::no_turn : PathState::timed_out;
  result.detail = "no answer";
  if (flow.is_closed()) result.detail = "the server closed the connection";
  if (answers) result.detail = "answers STUN, but no TURN request";
}

void allocate_over(Flow& flow, const TurnTester& tester, PathResult& result) {
  const auto body = udp_relay(result.path.server.family());
  const Reply reply = tester.user ? flow.request(Method::allocate, body)
                                  : flow.request_unsigned(Method::allocate, body);
  if (reply.is_success()) {
    result.state = PathState::ok;
    if (tester.user) static_cast<void>(flow.delete_allocation());
    return;
  }
  result.state = state_of_error(reply.error(), tester.user.has_value());
  result.detail = reply.describe();
  if (result.state == PathState::wants_credentials) result.detail = "wants a user and a password";
  if (result.state == PathState::credentials_refused) {
    result.detail =
        "the server refuses this user or password (" + std::to_string(reply.error()) + ")";
  }
}

// --- The relay -----------------------------------------------------------------------------------

/// An allocation of its own flow.
struct Relay {
  std::unique_ptr<Flow> flow;
  Endpoint relayed;
  std::optional<Endpoint> mapped;
  bool is_mobile = false;
  std::string problem{};
};

Relay make_relay(const TurnPath& path, const TurnTester& tester, bool ask_for_mobility) {
  Opened opened = open_flow(path, tester);
  if (!opened.flow) return {nullptr, {}, {}, false, opened.detail};
  Relay relay{std::move(opened.flow), {}, {}};
  const auto plain = udp_relay(path.server.family());
  const auto with_ticket = [&plain](MessageBuilder& message) {
    plain(message);
    message.put_empty(AttributeType::mobility_ticket);
  };
  Reply reply = ask_for_mobility ? relay.flow->request(Method::allocate, with_ticket)
                                 : relay.flow->request(Method::allocate, plain);
  if (reply.error() == mobility_forbidden) reply = relay.flow->request(Method::allocate, plain);
  const auto relayed = reply.xor_address(AttributeType::xor_relayed_address);
  if (!reply.is_success() || !relayed) {
    relay.problem = reply.describe();
    return relay;
  }
  relay.relayed = *relayed;
  relay.mapped = reply.xor_address(AttributeType::xor_mapped_address);
  relay.is_mobile = reply.has(AttributeType::mobility_ticket);
  return relay;
}

/// Lets `from` send to `to` by channel. Empty, or why not.
std::string bind_channel(Flow& from, const Endpoint& to) {
  const Reply reply = from.request(Method::channel_bind, [&to](MessageBuilder& message) {
    message.put_channel_number({channel}).put_xor_address(AttributeType::xor_peer_address, to);
  });
  return reply.is_success() ? "" : reply.describe();
}

void send_on_channel(Flow& flow, ByteView payload) {
  const std::size_t padding = flow.is_datagram() ? 0 : padded_to_4(payload.size()) - payload.size();
  flow.send(conformance::make_channel_data(channel, payload, padding));
}

void measure_echo(Relay& a, Relay& b, const TurnTester& tester, RelayResult& result) {
  constexpr std::uint32_t echoes = 5;
  for (std::uint32_t i = 0; i < echoes; ++i) {
    Bytes payload(32);
    tester.random.fill(payload);
    const Instant sent = clock_now();
    send_on_channel(*a.flow, payload);
    ++result.echoes_sent;
    const Instant until = sent + milliseconds{600};
    while (const auto came = b.flow->next_from_peer(until)) {
      if (came->payload != payload) continue;
      result.echoes.push_back(clock_now() - sent);
      break;
    }
  }
  std::sort(result.echoes.begin(), result.echoes.end());
  if (result.echoes.empty()) {
    result.problem = "what one allocation sends does not come to another one on the same server";
  }
}

/// A second of packets of 1200 bytes, evenly spread: no more than a video call would send.
void measure_throughput(Relay& a, Relay& b, RelayResult& result) {
  constexpr std::size_t payload_bytes = 1200;
  constexpr std::uint32_t packets = 833;
  constexpr nanoseconds spacing = nanoseconds{seconds{1}} / packets;
  const Bytes payload(payload_bytes, 0x5a);
  const Instant begin = clock_now();
  std::uint32_t sent = 0;
  std::uint32_t received = 0;
  Instant last = begin;
  const auto count_until = [&](Instant until) {
    while (const auto came = b.flow->next_from_peer(until)) {
      if (!came->payload || came->payload->size() != payload_bytes) continue;
      ++received;
      last = clock_now();
      if (received == packets || clock_now() >= until) return;
    }
  };
  while (sent < packets && clock_now() < begin + seconds{2} && !a.flow->is_closed()) {
    send_on_channel(*a.flow, payload);
    ++sent;
    count_until(begin + spacing * sent);
  }
  if (received < sent) count_until(clock_now() + milliseconds{400});
  constexpr double mbit = payload_bytes * 8 / 1e6;
  const double took = std::max(std::chrono::duration<double>(last - begin).count(), 1.0);
  result.offered_mbit = sent * mbit;
  result.received_mbit = received * mbit / took;
}

/// This host as a peer without a relay: does what it sends to the relayed address come in?
void measure_reach(Relay& relay, const TurnTester& tester, RelayResult& result) {
  const auto doubt = [&result](std::string why) { result.reachable_doubt = std::move(why); };
  if (!relay.mapped) return doubt("the server does not tell this host's address");
  const Reply permission =
      relay.flow->request(Method::create_permission, [&relay](MessageBuilder& message) {
        message.put_xor_address(AttributeType::xor_peer_address, {relay.mapped->address, 0});
      });
  if (permission.error() == forbidden) {
    return doubt(
        fmt::format("the server relays to no peers at {}", relay.mapped->address.to_string()));
  }
  if (!permission.is_success()) return doubt(permission.describe());
  auto peer = Socket::udp({IpAddress::any(relay.relayed.family()), 0});
  if (!peer) return doubt(peer.error());
  Bytes payload(32);
  tester.random.fill(payload);
  constexpr int attempts = 4;
  for (int i = 0; i < attempts; ++i) {
    peer->send_to(payload, relay.relayed);
    const Instant until = clock_now() + milliseconds{300};
    while (const auto came = relay.flow->next_from_peer(until)) {
      if (came->payload != payload) continue;
      result.is_reachable = Trial::yes;
      return;
    }
  }
  // A permission has no port, so one may be granted where every datagram is refused. For a channel
  // the server has to say so.
  const Endpoint about{relay.mapped->address, peer->local().port};
  const Reply binding =
      relay.flow->request(Method::channel_bind, [&about](MessageBuilder& message) {
        message.put_channel_number({channel + 1})
            .put_xor_address(AttributeType::xor_peer_address, about);
      });
  if (binding.error() == forbidden) {
    return doubt("the server relays to no peers at " + relay.mapped->address.to_string());
  }
  result.is_reachable = Trial::no;
}

void give_back(Relay& relay) {
  try {
    if (relay.flow) static_cast<void>(relay.flow->delete_allocation());
  } catch (const Ended&) {
    // It ends by itself in ten minutes at most.
  }
}

void try_relays(Relay& a, Relay& b, const TurnPath& path, const TurnTester& tester,
                RelayResult& result) {
  a = make_relay(path, tester, true);
  if (!a.problem.empty()) {
    result.problem = a.problem;
    return;
  }
  result.relayed = a.relayed;
  result.mobility = a.is_mobile ? Trial::yes : Trial::no;
  b = make_relay(path, tester, false);
  if (!b.problem.empty()) {
    result.problem = "no second allocation for an echo: " + b.problem;
  } else {
    result.problem = bind_channel(*a.flow, b.relayed);
    if (result.problem.empty()) result.problem = bind_channel(*b.flow, a.relayed);
    if (result.problem.empty()) measure_echo(a, b, tester, result);
    if (result.problem.empty()) measure_throughput(a, b, result);
  }
  measure_reach(a, tester, result);
}

}  // namespace

std::string TurnPath::to_string() const {
  return fmt::format("{}:{}", turnpike::to_string(transport), server.port);
}

std::string_view to_string(PathState state) {
  switch (state) {
    case PathState::ok:
      return "ok";
    case PathState::wants_credentials:
      return "wants-credentials";
    case PathState::credentials_refused:
      return "credentials-refused";
    case PathState::nothing_listens:
      return "refused";
    case PathState::timed_out:
      return "timeout";
    case PathState::no_route:
      return "no-route";
    case PathState::certificate:
      return "certificate";
    case PathState::handshake:
      return "handshake";
    case PathState::no_turn:
      return "no-turn";
    case PathState::no_capacity:
      return "no-capacity";
    case PathState::other_error:
      break;
  }
  return "error";
}

PathResult try_path(const TurnPath& path, const TurnTester& tester) {
  PathResult result;
  result.path = path;
  const Instant begin = clock_now();
  Opened opened = open_flow(path, tester);
  if (!opened.flow) {
    result.state = opened.state;
    result.detail = opened.detail;
    return result;
  }
  try {
    allocate_over(*opened.flow, tester, result);
    result.took = clock_now() - begin;
  } catch (const Ended&) {
    explain_silence(*opened.flow, tester, result);
  }
  return result;
}

RelayResult try_relay(const TurnPath& path, const TurnTester& tester) {
  RelayResult result;
  Relay a;
  Relay b;
  try {
    try_relays(a, b, path, tester, result);
  } catch (const Ended& ended) {
    result.problem = words_of(ended);
  }
  give_back(a);
  give_back(b);
  return result;
}

}  // namespace turnpike::diagnosis
