#include "conformance/tcp_relay.h"

#include <algorithm>

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

/// For what a connection through the server takes, its three handshakes included.
constexpr seconds patience{10};
/// For bytes, and for the end of them, on a connection that stands.
constexpr seconds data_patience{3};

bool is_refused_by_policy(const Reply& reply) {
  constexpr std::uint16_t forbidden = 403;
  return reply.error() == forbidden;
}

bool is_without_tcp_relays(const Reply& reply) {
  constexpr std::uint16_t unsupported_transport = 442;
  return reply.error() == unsupported_transport;
}

Reply allocate_tcp(Session& session, Flow& flow) {
  return flow.request(Method::allocate,
                      [&](MessageBuilder& message) { put_tcp_relay(session, message); });
}

/// Takes from `next` until all of `expected` has come.
template <class Next>
void expect_next(Next next, ByteView expected, const std::string& where) {
  const Instant until = clock_now() + data_patience;
  Bytes come;
  while (come.size() < expected.size()) {
    const auto piece = next(until);
    if (!piece) break;
    come.insert(come.end(), piece->begin(), piece->end());
    if (!std::equal(come.begin(), come.end(), expected.begin(),
                    expected.begin() +
                        static_cast<std::ptrdiff_t>(std::min(come.size(), expected.size())))) {
      break;
    }
  }
  if (std::equal(come.begin(), come.end(), expected.begin(), expected.end())) return;
  fail(where + ": " + describe(expected), come.empty() ? "nothing" : describe(come));
}

}  // namespace

void put_tcp_relay(const Session& session, MessageBuilder& message) {
  message.put_requested_transport(ip_protocol_tcp);
  if (session.family() == Family::ipv6) {
    message.put_family(AttributeType::requested_address_family, Family::ipv6);
  }
}

TcpRelay open_tcp_relay(Session& session) {
  Flow& flow = session.open();
  const Reply reply = allocate_tcp(session, flow);
  if (is_without_tcp_relays(reply)) not_supported("the server has no TCP relays (442)");
  if (reply.error() == 440) not_supported("the server has no relays of this family (440)");
  if (reply.error() == 486 || reply.error() == 508) {
    not_tried("the server makes no more allocations: " + reply.describe());
  }
  expect_success(reply);
  const auto mapped = reply.xor_address(AttributeType::xor_mapped_address);
  const bool is_behind_nat = mapped && mapped->address != flow.local().address;
  return {flow, Session::relayed(reply), is_behind_nat};
}

void need_tcp_relays(Session& session) {
  FlowOptions options;
  options.transport = session.transport() == Transport::udp ? Transport::tcp : Transport::tls;
  const auto flow = session.try_open(options);
  if (!flow) not_supported("no TCP relays are to be had here: there is no stream to ask over");
  const Reply reply = allocate_tcp(session, **flow);
  if (is_without_tcp_relays(reply)) not_supported("the server has no TCP relays (442)");
  if (!reply.is_success()) not_tried("no TCP relay can be made: " + reply.describe());
}

// --- Requests that take their time ---------------------------------------------------------------

Asked send_signed(Flow& flow, Method method, const Body& body, client::Signature signature,
                  ByteView behind) {
  Asked asked{{}, std::move(signature)};
  Bytes bytes = flow.build_signed(method, body, asked.signature);
  copy_bytes(ByteView{bytes}.subspan(8, asked.id.size()), asked.id);
  bytes.insert(bytes.end(), behind.begin(), behind.end());
  flow.send(bytes);
  return asked;
}

std::optional<Reply> await_answer(Flow& flow, const Asked& asked, Instant until) {
  while (auto frame = flow.next(until)) {
    auto reply = Reply::parse(std::move(*frame));
    if (!reply || reply->view().transaction_id() != asked.id) continue;
    reply->verified = client::verify(reply->view(), asked.signature);
    if (reply->is_success() && *reply->verified != client::Verified::good) {
      fail("an integrity attribute that matches the key", reply->describe() + " without one");
    }
    return reply;
  }
  return std::nullopt;
}

Asked send_connect(const TcpRelay& relay, const Endpoint& peer) {
  const Body body = [&](MessageBuilder& message) {
    message.put_xor_address(AttributeType::xor_peer_address, peer);
  };
  return send_signed(relay.flow, Method::connect, body, relay.flow.signature());
}

Reply connect_to(const TcpRelay& relay, const Endpoint& peer) {
  const Asked asked = send_connect(relay, peer);
  auto reply = await_answer(relay.flow, asked, clock_now() + patience);
  if (reply) return std::move(*reply);
  if (relay.is_behind_nat) not_tried("the suite's peer cannot be reached: it is behind a NAT");
  fail("an answer to Connect", "nothing within " + std::to_string(patience.count()) + " s");
}

std::optional<Bind> try_connection_bind(Session& session, const TcpRelay& relay,
                                        std::uint32_t connection, const BindOptions& options) {
  const Body body = [connection](MessageBuilder& message) {
    message.put_u32(AttributeType::connection_id, connection);
  };
  FlowOptions opening;
  opening.as_second_user = options.as_second_user;
  for (const bool with_controls_nonce : {true, false}) {
    Flow& flow = session.open(opening);
    client::Signature signature = flow.signature();
    if (with_controls_nonce) signature.nonce = relay.flow.signature().nonce;
    const Asked asked =
        send_signed(flow, Method::connection_bind, body, std::move(signature), options.behind);
    auto reply = await_answer(flow, asked, clock_now() + patience);
    if (!reply) return std::nullopt;
    constexpr std::uint16_t stale_nonce = 438;
    if (reply->error() != stale_nonce) return Bind{flow, std::move(*reply)};
  }
  fail("a nonce that lasts for one request", "438 again and again");
}

Bind connection_bind(Session& session, const TcpRelay& relay, std::uint32_t connection,
                     const BindOptions& options) {
  auto bind = try_connection_bind(session, relay, connection, options);
  if (bind) return std::move(*bind);
  fail("an answer to ConnectionBind", "none, or the connection was closed");
}

std::uint32_t connection_id(const Reply& message) {
  const auto value = message.view().find(AttributeType::connection_id);
  if (!value) fail("CONNECTION-ID", message.describe() + " without one");
  expect(value->size() == 4, "a CONNECTION-ID of 4 bytes", describe(*value));
  return load_be32(*value);
}

std::uint32_t expect_connected(const TcpRelay& relay, const Reply& reply) {
  if (is_refused_by_policy(reply)) {
    not_tried("the server refuses the suite's peer (403); give another --peer-address");
  }
  if (!reply.is_success() && relay.is_behind_nat) {
    not_tried("the suite's peer cannot be reached: it is behind a NAT");
  }
  expect_success(reply);
  return connection_id(reply);
}

// --- Peers ---------------------------------------------------------------------------------------

Socket listen_as_peer(Session& session) {
  auto listener = Socket::listen({session.peer_address(), 0});
  if (!listener) not_tried("no peer can listen: " + listener.error());
  return std::move(*listener);
}

Socket accept_as_peer(Socket& listener) {
  auto accepted = listener.accept(clock_now() + patience);
  if (!accepted) fail("a connection at the peer", "none");
  return std::move(*accepted);
}

Waiting connect_out(Session& session) {
  const TcpRelay relay = open_tcp_relay(session);
  Socket listener = listen_as_peer(session);
  const std::uint32_t connection = expect_connected(relay, connect_to(relay, listener.local()));
  return {relay, accept_as_peer(listener), connection};
}

Waiting connect_in(Session& session) {
  const TcpRelay relay = open_tcp_relay(session);
  const IpAddress own = session.peer_address();
  session.permit(relay.flow, own);
  auto peer = Socket::tcp(relay.relayed, clock_now() + patience, Endpoint{own, 0});
  if (!peer && relay.is_behind_nat) not_tried("the relay cannot be reached: " + peer.error());
  if (!peer) fail("the relayed address accepts a TCP connection", peer.error());
  while (auto frame = relay.flow.next(clock_now() + patience)) {
    const auto message = Reply::parse(std::move(*frame));
    if (!message || message->view().method() != Method::connection_attempt) continue;
    const auto from = message->xor_address(AttributeType::xor_peer_address);
    if (!from) fail("XOR-PEER-ADDRESS in the ConnectionAttempt", "none that can be read");
    if (!relay.is_behind_nat) {
      expect(*from == peer->local(), peer->local().to_string(), from->to_string());
    }
    return {relay, std::move(*peer), connection_id(*message)};
  }
  if (relay.is_behind_nat) not_tried("the suite's peer has another address for the server: NAT");
  fail("a ConnectionAttempt at the client", "nothing");
}

Joined join(Session& session, Waiting waiting) {
  const Bind bind = connection_bind(session, waiting.relay, waiting.connection);
  expect_success(bind.reply);
  return {waiting.relay, bind.flow, std::move(waiting.peer)};
}

// --- Data ----------------------------------------------------------------------------------------

void expect_bytes(Flow& data, ByteView expected) {
  expect_next([&](Instant until) { return data.next_bytes(until); }, expected, "at the client");
}

void expect_bytes(Socket& peer, ByteView expected) {
  const auto next = [&](Instant until) -> std::optional<Bytes> {
    auto received = peer.receive(until);
    if (!received) return std::nullopt;
    return std::move(received->bytes);
  };
  expect_next(next, expected, "at the peer");
}

void expect_closed(Flow& flow, const std::string& when) {
  const Instant until = clock_now() + data_patience;
  while (flow.next_bytes(until)) {
  }
  expect(flow.is_closed(), "the client's connection is closed " + when, "it stays open");
}

void expect_closed(Socket& peer, const std::string& when) {
  const Instant until = clock_now() + data_patience;
  for (;;) {
    const auto received = peer.receive(until);
    if (received) continue;
    expect(received.error() == Stop::closed, "the peer's connection is closed " + when,
           "it stays open");
    return;
  }
}

}  // namespace turnpike::conformance
