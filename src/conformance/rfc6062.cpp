// RFC 6062: TCP allocations, connections to and from peers, and what is carried on them.
#include <array>
#include <set>

#include "conformance/catalogue.h"
#include "conformance/tcp_relay.h"

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

constexpr std::uint16_t bad_request = 400;
constexpr std::uint16_t unknown_attribute = 420;
constexpr std::uint16_t allocation_mismatch = 437;
constexpr std::uint16_t unsupported_transport = 442;
constexpr std::uint16_t connection_exists = 446;
constexpr std::uint16_t connection_failed = 447;

/// What the server must wait, at least, for a peer and for a ConnectionBind.
constexpr seconds timeout{30};
constexpr seconds a_little{2};

// --- Allocate, §5.1 ------------------------------------------------------------------------------

void over_datagrams_is_400(Session& session) {
  const Reply reply = session.open().request(
      Method::allocate, [&](MessageBuilder& message) { put_tcp_relay(session, message); });
  if (reply.error() == bad_request) return;
  // 442 is right for who has no TCP relays at all.
  if (reply.error() == unsupported_transport) need_tcp_relays(session);
  expect_error(reply, bad_request);
}

void success_is_complete(Session& session) {
  Flow& flow = session.open();
  const Reply reply = flow.request(
      Method::allocate, [&](MessageBuilder& message) { put_tcp_relay(session, message); });
  if (reply.error() == unsupported_transport) not_supported("the server has no TCP relays (442)");
  expect_success(reply);
  static_cast<void>(Session::relayed(reply));
  expect(reply.lifetime().has_value(), "LIFETIME in the success", "none");
  expect(reply.has(AttributeType::xor_mapped_address), "XOR-MAPPED-ADDRESS in the success", "none");
  expect(!reply.has(AttributeType::reservation_token), "no RESERVATION-TOKEN", "one");
}

void refuses(Session& session, AttributeType type, const Body& wish) {
  static_cast<void>(open_tcp_relay(session));
  const Reply reply = session.open().request(Method::allocate, [&](MessageBuilder& message) {
    put_tcp_relay(session, message);
    wish(message);
  });
  session.note_reservation(reply);
  if (reply.error() == unknown_attribute) {
    not_supported("the server does not know " + std::string{stun::name_of(type)} + " (420)");
  }
  expect_error(reply, bad_request);
}

void even_port_is_400(Session& session) {
  refuses(session, AttributeType::even_port,
          [](MessageBuilder& message) { message.put_even_port(false); });
}

void dont_fragment_is_400(Session& session) {
  refuses(session, AttributeType::dont_fragment,
          [](MessageBuilder& message) { message.put_empty(AttributeType::dont_fragment); });
}

void reservation_token_is_400(Session& session) {
  const std::uint64_t token = load_be64(session.random_bytes(8));
  refuses(session, AttributeType::reservation_token, [token](MessageBuilder& message) {
    message.put_u64(AttributeType::reservation_token, token);
  });
}

void allocation_is_refreshed(Session& session) {
  const TcpRelay relay = open_tcp_relay(session);
  const Reply reply = relay.flow.request(Method::refresh);
  expect_success(reply);
  expect(reply.lifetime() && *reply.lifetime() > seconds{0}, "a LIFETIME above 0", "none");
}

// --- Connect, §5.2 -------------------------------------------------------------------------------

void connect_without_allocation_is_437(Session& session) {
  static_cast<void>(open_tcp_relay(session));
  Flow& other = session.open();
  const Endpoint peer{session.peer_address(), 9};
  const Reply reply = other.request(Method::connect, [&](MessageBuilder& message) {
    message.put_xor_address(AttributeType::xor_peer_address, peer);
  });
  expect_error(reply, allocation_mismatch);
}

void connect_without_peer_is_400(Session& session) {
  const TcpRelay relay = open_tcp_relay(session);
  expect_error(relay.flow.request(Method::connect), bad_request);
}

void connect_to_malformed_peer_is_400(Session& session) {
  const TcpRelay relay = open_tcp_relay(session);
  const std::array<std::uint8_t, 5> value{0, static_cast<std::uint8_t>(session.family()), 0x12,
                                          0x34, 0x56};
  const Reply reply = relay.flow.request(Method::connect, [&](MessageBuilder& message) {
    message.put(AttributeType::xor_peer_address, value);
  });
  expect_error(reply, bad_request);
}

/// Which peers are forbidden is the server's policy; nobody can connect to these.
void connect_to_nobody_is_refused(Session& session) {
  const TcpRelay relay = open_tcp_relay(session);
  const char* const group = session.family() == Family::ipv4 ? "224.0.0.1" : "ff02::1";
  constexpr std::uint16_t forbidden = 403;
  expect_error(connect_to(relay, {*IpAddress::parse(group), 9}),
               {forbidden, bad_request, connection_failed});
}

void connect_reaches_the_peer(Session& session) {
  const Waiting waiting = connect_out(session);
  if (waiting.relay.is_behind_nat) not_tried("a NAT stands between the server and the peer");
  expect(waiting.peer.remote() == waiting.relay.relayed, waiting.relay.relayed.to_string(),
         waiting.peer.remote().to_string());
}

void connection_ids_are_unique(Session& session) {
  const TcpRelay relay = open_tcp_relay(session);
  constexpr std::size_t count = 4;
  std::vector<Socket> peers;
  std::set<std::uint32_t> ids;
  for (std::size_t i = 0; i < count; ++i) {
    Socket& listener = peers.emplace_back(listen_as_peer(session));
    ids.insert(expect_connected(relay, connect_to(relay, listener.local())));
  }
  expect(ids.size() == count, std::to_string(count) + " different CONNECTION-IDs",
         std::to_string(ids.size()));
}

void same_peer_while_pending_is_446(Session& session) {
  const TcpRelay relay = open_tcp_relay(session);
  Socket listener = listen_as_peer(session);
  static_cast<void>(expect_connected(relay, connect_to(relay, listener.local())));
  expect_error(connect_to(relay, listener.local()), connection_exists);
}

void same_peer_while_active_is_446(Session& session) {
  const TcpRelay relay = open_tcp_relay(session);
  Socket listener = listen_as_peer(session);
  const std::uint32_t id = expect_connected(relay, connect_to(relay, listener.local()));
  expect_success(connection_bind(session, relay, id).reply);
  expect_error(connect_to(relay, listener.local()), connection_exists);
}

void refused_connection_is_447(Session& session) {
  const TcpRelay relay = open_tcp_relay(session);
  const Endpoint nobody = listen_as_peer(session).local();  // closed again
  const Reply reply = connect_to(relay, nobody);
  if (reply.error() == 403) not_tried("the server refuses the suite's peer (403)");
  expect_error(reply, connection_failed);
}

/// A listener whose queue is full: Linux ignores who comes then.
class DeafPeer {
 public:
  explicit DeafPeer(Session& session) : listener_(listen_as_peer(session)) {
    constexpr std::size_t more_than_any_queue = 64;
    constexpr milliseconds enough{200};
    while (queued_.size() < more_than_any_queue) {
      auto one = Socket::tcp(listener_.local(), clock_now() + enough);
      if (!one) return;
      queued_.push_back(std::move(*one));
    }
    not_tried("this host does not let a peer be deaf");
  }
  [[nodiscard]] Endpoint endpoint() const { return listener_.local(); }

 private:
  Socket listener_;
  std::vector<Socket> queued_;
};

void connecting_lasts_30_seconds(Session& session) {
  if (!session.settings().slow) not_tried("takes a minute or more; give --slow");
  const TcpRelay relay = open_tcp_relay(session);
  const DeafPeer peer{session};
  const Asked asked = send_connect(relay, peer.endpoint());
  const auto early = await_answer(relay.flow, asked, clock_now() + timeout - a_little);
  if (early) fail("no answer for 30 seconds", early->describe());
  constexpr seconds kernel_gives_up{150};
  const auto reply = await_answer(relay.flow, asked, clock_now() + kernel_gives_up);
  if (!reply) fail("447 in the end", "nothing");
  expect_error(*reply, connection_failed);
}

void same_peer_while_connecting_is_446(Session& session) {
  const TcpRelay relay = open_tcp_relay(session);
  const DeafPeer peer{session};
  static_cast<void>(send_connect(relay, peer.endpoint()));
  expect_error(connect_to(relay, peer.endpoint()), connection_exists);
}

// --- Connections of peers, §5.3 ------------------------------------------------------------------

void incoming_is_announced(Session& session) { static_cast<void>(connect_in(session)); }

void incoming_without_permission_is_closed(Session& session) {
  const TcpRelay relay = open_tcp_relay(session);
  auto peer =
      Socket::tcp(relay.relayed, clock_now() + a_little, Endpoint{session.peer_address(), 0});
  if (!peer && relay.is_behind_nat) not_tried("the relay cannot be reached: " + peer.error());
  if (peer) expect_closed(*peer, "when it has no permission");
  relay.flow.fence();
  while (const auto frame = relay.flow.next(session.briefly())) {
    const auto message = Reply::parse(*frame);
    expect(!message || message->view().method() != Method::connection_attempt,
           "nothing at the client", "ConnectionAttempt");
  }
}

void unbound_ends(Waiting waiting) {
  const auto early = waiting.peer.receive(clock_now() + timeout - a_little);
  if (!early) {
    expect(early.error() == Stop::deadline, "the peer's connection open for 30 seconds",
           "it was closed");
  }
  constexpr seconds generous{15};
  const Instant until = clock_now() + generous;
  while (waiting.peer.receive(until)) {
  }
  expect(clock_now() < until, "the peer's connection closed after 30 seconds", "it stays open");
}

void unbound_connect_ends(Session& session) {
  if (!session.settings().slow) not_tried("takes half a minute; give --slow");
  unbound_ends(connect_out(session));
}

void unbound_incoming_ends(Session& session) {
  if (!session.settings().slow) not_tried("takes half a minute; give --slow");
  unbound_ends(connect_in(session));
}

// --- ConnectionBind, §5.4 ------------------------------------------------------------------------

void bind_over_datagrams_is_400(Session& session) {
  need_tcp_relays(session);
  const std::uint32_t any = load_be32(session.random_bytes(4));
  const Reply reply = session.open().request(Method::connection_bind, [any](MessageBuilder& m) {
    m.put_u32(AttributeType::connection_id, any);
  });
  expect_error(reply, bad_request);
}

void bind_without_id_is_400(Session& session) {
  static_cast<void>(open_tcp_relay(session));
  expect_error(session.open().request(Method::connection_bind), bad_request);
}

void bind_of_unknown_id_is_400(Session& session) {
  const Waiting waiting = connect_out(session);
  expect_error(connection_bind(session, waiting.relay, ~waiting.connection).reply, bad_request);
  // The one that waits still does.
  expect_success(connection_bind(session, waiting.relay, waiting.connection).reply);
}

void id_serves_once(Session& session) {
  const Waiting waiting = connect_out(session);
  expect_success(connection_bind(session, waiting.relay, waiting.connection).reply);
  expect_error(connection_bind(session, waiting.relay, waiting.connection).reply, bad_request);
}

void bind_is_for_the_same_user(Session& session) {
  const Waiting waiting = connect_out(session);
  BindOptions options;
  options.as_second_user = true;
  // No sentence says which error, or that there must be one.
  const auto bind = try_connection_bind(session, waiting.relay, waiting.connection, options);
  expect(!bind || bind->reply.error() != 0, "no success for another user's connection",
         bind ? bind->reply.describe() : "");
}

// --- Data, §5.4, §5.5 ----------------------------------------------------------------------------

void carries_both_ways(Session& session, Joined joined) {
  const Bytes up = session.random_bytes(700);
  joined.data.send(up);
  expect_bytes(joined.peer, up);
  const Bytes down = session.random_bytes(700);
  joined.peer.send(down, clock_now() + a_little);
  expect_bytes(joined.data, down);
}

void data_of_a_connect(Session& session) {
  carries_both_ways(session, join(session, connect_out(session)));
}

void data_of_a_peer(Session& session) {
  carries_both_ways(session, join(session, connect_in(session)));
}

/// More than any buffer on the way holds a message's worth of, and nothing of it is looked at.
void data_is_not_framed(Session& session) {
  Joined joined = join(session, connect_out(session));
  const Bytes like_stun = joined.data.build_request(Method::binding);
  joined.data.send(like_stun);
  expect_bytes(joined.peer, like_stun);
  joined.peer.send(like_stun, clock_now() + a_little);
  expect_bytes(joined.data, like_stun);
  const Bytes much = session.random_bytes(100'000);
  joined.data.send(much);
  expect_bytes(joined.peer, much);
}

/// Data in the very segment of the ConnectionBind, before its response can have come.
void data_behind_the_bind(Session& session) {
  Waiting waiting = connect_out(session);
  const Bytes payload = session.random_bytes(64);
  BindOptions options;
  options.behind = payload;
  expect_success(connection_bind(session, waiting.relay, waiting.connection, options).reply);
  expect_bytes(waiting.peer, payload);
}

void keeps_early_data(Session& session, Waiting waiting) {
  const Bytes payload = session.random_bytes(3000);
  waiting.peer.send(payload, clock_now() + a_little);
  waiting.relay.flow.fence();
  expect_bytes(join(session, std::move(waiting)).data, payload);
}

void early_data_after_connect(Session& session) { keeps_early_data(session, connect_out(session)); }

void early_data_of_a_peer(Session& session) { keeps_early_data(session, connect_in(session)); }

void client_closes(Session& session) {
  Joined joined = join(session, connect_out(session));
  const Bytes payload = session.random_bytes(16);
  joined.data.send(payload);
  session.close(joined.data);
  expect_bytes(joined.peer, payload);  // what was sent before is not lost
  expect_closed(joined.peer, "when the client closes its own");
}

void peer_closes(Session& session) {
  Flow* data = nullptr;
  const Bytes payload = session.random_bytes(16);
  {
    Joined joined = join(session, connect_out(session));
    joined.peer.send(payload, clock_now() + a_little);
    data = &joined.data;
  }
  expect_bytes(*data, payload);
  expect_closed(*data, "when the peer closes its own");
}

void deleting_closes_data(Session& session) {
  Joined joined = join(session, connect_out(session));
  expect(joined.relay.flow.delete_allocation(), "the allocation is deleted", "it is not");
  expect_closed(joined.data, "when its allocation ends");
  expect_closed(joined.peer, "when its allocation ends");
}

void deleting_closes_what_waits(Session& session) {
  Waiting waiting = connect_out(session);
  expect(waiting.relay.flow.delete_allocation(), "the allocation is deleted", "it is not");
  expect_closed(waiting.peer, "when its allocation ends");
}

}  // namespace

std::vector<Check> rfc6062_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"tcp-allocation-over-datagrams-is-400", "58", "RFC 6062 §5.1",
       "TCP allocations are made over TCP and TLS only.", must, datagrams, over_datagrams_is_400},
      {"tcp-allocation-success-is-complete", "58", "RFC 6062 §5.1",
       "The success has relayed address, lifetime and mapped address, and no RESERVATION-TOKEN.",
       must, streams, success_is_complete},
      {"tcp-allocation-with-even-port-is-400", "58", "RFC 6062 §5.1",
       "EVEN-PORT is for UDP relays.", must, streams, even_port_is_400},
      {"tcp-allocation-with-dont-fragment-is-400", "58", "RFC 6062 §5.1",
       "DONT-FRAGMENT is for UDP relays.", must, streams, dont_fragment_is_400},
      {"tcp-allocation-with-reservation-token-is-400", "58", "RFC 6062 §5.1",
       "RESERVATION-TOKEN is for UDP relays.", must, streams, reservation_token_is_400},
      {"tcp-allocation-is-refreshed", "58", "RFC 6062 §4.2",
       "A TCP allocation is refreshed as any other, on its control connection.", must, streams,
       allocation_is_refreshed},
      {"connect-without-allocation-is-437", "59", "RFC 6062 §5.2",
       "Connect on a connection without an allocation.", must, streams,
       connect_without_allocation_is_437},
      {"connect-without-peer-is-400", "59", "RFC 6062 §5.2", "Connect without XOR-PEER-ADDRESS.",
       must, streams, connect_without_peer_is_400},
      {"connect-to-malformed-peer-is-400", "59", "RFC 6062 §5.2",
       "Connect with an XOR-PEER-ADDRESS that is no address.", must, streams,
       connect_to_malformed_peer_is_400},
      {"connect-to-multicast-is-refused", "57, 59", "RFC 6062 §5.2",
       "Nobody can connect to a group; 403 by policy, or 400, or 447.", must, streams,
       connect_to_nobody_is_refused},
      {"connect-comes-from-the-relayed-address", "59", "RFC 6062 §5.2",
       "The server connects from the relayed address, and tells a CONNECTION-ID.", must, streams,
       connect_reaches_the_peer},
      {"connection-ids-are-unique", "59", "RFC 6062 §5.2",
       "CONNECTION-ID identifies one peer data connection.", must, streams,
       connection_ids_are_unique},
      {"second-connect-while-connecting-is-446", "59", "RFC 6062 §5.2",
       "One Connect to a peer at a time.", must, streams, same_peer_while_connecting_is_446},
      {"second-connect-while-pending-is-446", "59", "RFC 6062 §5.2",
       "No second connection to a peer while one waits for its ConnectionBind.", must, streams,
       same_peer_while_pending_is_446},
      {"second-connect-while-active-is-446", "59", "RFC 6062 §5.2",
       "No second connection to a peer while one is in use.", must, streams,
       same_peer_while_active_is_446},
      {"connect-that-is-refused-is-447", "59", "RFC 6062 §5.2",
       "A peer that refuses the connection is told as 447.", must, streams,
       refused_connection_is_447},
      {"connect-waits-30-seconds", "59", "RFC 6062 §5.2",
       "A peer that does not answer is waited for 30 seconds at least, then 447.", must, streams,
       connecting_lasts_30_seconds},
      {"unbound-connect-ends-after-30-seconds", "60", "RFC 6062 §5.2",
       "Without ConnectionBind the connection to the peer is closed.", must, streams,
       unbound_connect_ends},
      {"incoming-connection-is-announced", "61", "RFC 6062 §5.3",
       "A permitted peer's connection gives a ConnectionAttempt with its address and an id.", must,
       streams, incoming_is_announced},
      {"incoming-connection-needs-permission", "61", "RFC 6062 §5.3",
       "Without permission it is closed at once, and the client hears nothing.", must, streams,
       incoming_without_permission_is_closed},
      {"unbound-incoming-ends-after-30-seconds", "60", "RFC 6062 §5.3",
       "Without ConnectionBind the peer's connection is closed.", must, streams,
       unbound_incoming_ends},
      {"connection-bind-over-datagrams-is-400", "62", "RFC 6062 §5.4",
       "ConnectionBind is for TCP and TLS.", must, datagrams, bind_over_datagrams_is_400},
      {"connection-bind-without-id-is-400", "62", "RFC 6062 §5.4",
       "ConnectionBind without CONNECTION-ID.", must, streams, bind_without_id_is_400},
      {"connection-bind-of-unknown-id-is-400", "62", "RFC 6062 §5.4",
       "A CONNECTION-ID that nobody was given.", must, streams, bind_of_unknown_id_is_400},
      {"connection-id-serves-once", "62", "RFC 6062 §5.4",
       "A connection that is bound is not pending any more.", must, streams, id_serves_once},
      {"connection-bind-is-for-the-same-user", "62", "RFC 6062 §4.3",
       "The data connection is authenticated with the control connection's credentials.", must,
       streams, bind_is_for_the_same_user},
      {"connected-data-both-ways", "62", "RFC 6062 §5.4",
       "Data is relayed as it is, after a Connect.", must, streams, data_of_a_connect},
      {"incoming-data-both-ways", "62", "RFC 6062 §5.4",
       "Data is relayed as it is, after a ConnectionAttempt.", must, streams, data_of_a_peer},
      {"data-connection-has-no-framing", "62", "RFC 6062 §5.4",
       "What looks like STUN is relayed as any other data.", must, streams, data_is_not_framed},
      {"data-behind-connection-bind-is-relayed", "62", "RFC 6062 §5.4",
       "Data right behind the ConnectionBind is the peer's.", must, streams, data_behind_the_bind},
      {"early-data-after-connect-is-kept", "61, 62", "RFC 6062 §5.4",
       "What the peer sends before the ConnectionBind comes after it.", must, streams,
       early_data_after_connect},
      {"early-data-of-incoming-is-kept", "61", "RFC 6062 §5.3, §5.4",
       "What a connecting peer sends before the ConnectionBind comes after it.", must, streams,
       early_data_of_a_peer},
      {"closing-the-data-connection-closes-the-peers", "63", "RFC 6062 §5.5",
       "When the client closes, the peer's connection is closed.", must, streams, client_closes},
      {"closing-the-peers-connection-closes-the-data", "63", "RFC 6062 §5.5",
       "When the peer closes, the client's data connection is closed.", must, streams, peer_closes},
      {"ended-tcp-allocation-closes-its-connections", "63", "RFC 6062 §5.5",
       "With the allocation end its data connections.", must, streams, deleting_closes_data},
      {"ended-tcp-allocation-closes-what-is-pending", "63", "RFC 6062 §5.5",
       "With the allocation end connections that were not bound yet.", must, streams,
       deleting_closes_what_waits},
  };
}

}  // namespace turnpike::conformance
