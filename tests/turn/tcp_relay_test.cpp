// TCP allocations (RFC 6062).
#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {
namespace {

using turn::ConnectOutcome;

constexpr std::string_view peer = "8.8.8.8:5000";

WorldSettings with_tcp_relays() {
  WorldSettings settings;
  settings.tcp_relays = true;
  return settings;
}

/// A world with relay.tcp, alice's control connection and her TCP allocation.
struct Scene {
  explicit Scene(const WorldSettings& settings = with_tcp_relays()) : world(settings) {
    REQUIRE(alice.allocate_tcp().code() == ok);
  }

  /// Connects alice to `to`; the CONNECTION-ID.
  std::uint32_t connect(std::string_view to = peer) {
    REQUIRE(alice.connect(to).reason == Reason::answered_connect);
    REQUIRE(world.answer_connect(ConnectOutcome::connected) == Reason::answered_connected);
    return answer().connection_id().value();
  }
  /// `from` connects to alice, who is told; the CONNECTION-ID.
  std::uint32_t accept(std::string_view from = peer) {
    REQUIRE(world.peer_connects(from, alice) == Reason::relayed_attempt);
    return answer().connection_id().value();
  }
  /// What has come to alice's control connection.
  Reply answer() { return alice.receive().value(); }
  /// A fresh connection of alice's, over TCP unless told otherwise.
  Client data_connection(Transport transport = Transport::tcp) {
    return world.client("198.51.100.7:" + std::to_string(++port), transport);
  }
  std::size_t peers() { return world.balance().peers; }

  World world;
  Client alice = world.client("198.51.100.7:4000", Transport::tcp);
  std::uint16_t port = 5000;
};

}  // namespace

// --- Allocate ------------------------------------------------------------------------------------

TEST_CASE("an Allocate for TCP gets a relay that listens", "[turn][rfc6062-5.1][c58]") {
  const auto transport = GENERATE(Transport::tcp, Transport::tls);
  World world{with_tcp_relays()};
  auto alice = world.client("198.51.100.7:4000", transport);
  const Reply reply = alice.allocate_tcp();
  CHECK(reply.code() == ok);
  CHECK(reply.types() == std::vector{AttributeType::xor_relayed_address, AttributeType::lifetime,
                                     AttributeType::xor_mapped_address});
  CHECK(reply.lifetime() == 600s);
  REQUIRE(world.opened().size() == 1);
  CHECK(world.opened()[0].transport == turn::PeerTransport::tcp);
  const auto& live = world.ledger().live_relays();
  CHECK(live.contains(alice.relayed(), turn::PeerTransport::tcp));
  CHECK_FALSE(live.contains(alice.relayed(), turn::PeerTransport::udp));
  CHECK(alice.refresh(1200s).lifetime() == 1200s);
  CHECK(alice.refresh(0s).code() == ok);
  CHECK_FALSE(live.contains(alice.relayed(), turn::PeerTransport::tcp));
}

TEST_CASE("without relay.tcp TCP is an unsupported transport and the methods are unknown",
          "[turn][rfc6062][c33][c58][P09]") {
  World world;
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  CHECK(alice.allocate_tcp().code() == 442);
  REQUIRE(alice.allocate().code() == ok);
  CHECK(alice.connect(peer).reason == Reason::dropped_method);
  CHECK(alice.bind_connection(1).reason == Reason::dropped_method);
}

TEST_CASE("a transport that is neither UDP nor TCP is unsupported", "[turn][rfc6062-5.1][c33]") {
  World world{with_tcp_relays()};
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  CHECK(alice.request(Method::allocate, [](auto& m) { m.put_requested_transport(132); }).code() ==
        442);
  CHECK(alice.request(Method::allocate).code() == 400);
}

TEST_CASE("a TCP relay is not for clients that send datagrams", "[turn][rfc6062-5.1][c58]") {
  const auto transport = GENERATE(Transport::udp, Transport::dtls);
  World world{with_tcp_relays()};
  auto alice = world.client("198.51.100.7:4000", transport);
  CHECK(alice.allocate_tcp().code() == 400);
  CHECK(alice.allocate().code() == ok);
}

TEST_CASE("what only UDP relays have is refused for TCP", "[turn][rfc6062-5.1][c58]") {
  World world{with_tcp_relays()};
  const Balance before = world.balance();
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  CHECK(alice.allocate_tcp(with_even_port(false)).code() == 400);
  CHECK(alice.allocate_tcp(with_even_port(true)).code() == 400);
  CHECK(alice.allocate_tcp(with_token(7)).code() == 400);
  CHECK(alice.allocate_tcp([](auto& m) { m.put_empty(AttributeType::dont_fragment); }).code() ==
        400);
  CHECK(world.balance() == before);
}

TEST_CASE("a TCP relay may be of either family or of both", "[turn][rfc6062-5.1]") {
  World world{with_tcp_relays()};
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  CHECK(alice.allocate_tcp(with_family(Family::ipv6)).code() == ok);
  CHECK(alice.relayed(Family::ipv6).family() == Family::ipv6);
  CHECK(alice.connect(peer).code() == 443);
  auto bob = world.client("198.51.100.8:4000", Transport::tls);
  CHECK(bob.allocate_tcp(with_additional(Family::ipv6)).code() == ok);
  CHECK(world.opened().size() == 3);
  CHECK(bob.connect(peer).reason == Reason::answered_connect);
  CHECK(bob.connect("[2606:4700::1]:5000").reason == Reason::answered_connect);
  CHECK(bob.refresh(0s).code() == ok);
}

TEST_CASE("a port that somebody else listens on is not insisted on", "[turn][rfc6062-5.1]") {
  World world{with_tcp_relays()};
  world.refuse_relays(turn::RelayOpenError::port_in_use);
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  alice.allocate_tcp();
  CHECK(world.opened().size() == world.settings().limits.port_attempts);
  for (const auto& open : world.opened()) CHECK(open.transport == turn::PeerTransport::tcp);
}

TEST_CASE("a TCP allocation has no channels and takes no Send", "[turn][rfc6062][c63]") {
  Scene scene;
  CHECK(scene.alice.bind_channel(0x4000, peer).code() == 400);
  REQUIRE(scene.alice.permit("8.8.8.8").code() == ok);
  CHECK(scene.alice.send(peer, "hello") == Reason::dropped_transport);
  CHECK(scene.alice.send_channel(0x4000, "hello") == Reason::dropped_unbound_channel);
}

// --- Connect -------------------------------------------------------------------------------------

TEST_CASE("Connect is answered when the peer has", "[turn][rfc6062-5.2][c59]") {
  Scene scene;
  scene.alice.with_fingerprint = true;
  scene.alice.uses(GENERATE(Algorithm::unnamed, Algorithm::sha256));
  const Reply asked = scene.alice.connect(peer);
  CHECK(asked.reason == Reason::answered_connect);
  CHECK(asked.code() == silence);
  REQUIRE(scene.world.connecting().size() == 1);
  const auto& effect = scene.world.connecting()[0];
  CHECK(effect.peer.endpoint() == endpoint(peer));
  CHECK(effect.relay == scene.world.opened()[0].relay);
  CHECK(scene.world.answer_connect(ConnectOutcome::connected) == Reason::answered_connected);
  const Reply reply = scene.answer();
  CHECK(reply.code() == ok);
  CHECK(reply.view().method() == Method::connect);
  CHECK(reply.view().transaction_id() ==
        stun::MessageView::parse(scene.alice.last_request).value().transaction_id());
  CHECK(reply.types() == std::vector{AttributeType::connection_id});
  CHECK(reply.has_fingerprint());
  CHECK(reply.signed_by ==
        (scene.alice.algorithm == Algorithm::unnamed ? SignedBy::sha1 : SignedBy::sha256));
}

TEST_CASE("Connect needs no permission", "[turn][rfc6062-5.2][c59]") {
  Scene scene;
  CHECK(scene.alice.connect(peer).reason == Reason::answered_connect);
  scene.world.answer_connect(ConnectOutcome::failed);
  CHECK(scene.answer().code() == 447);
}

TEST_CASE("Connect without a TCP allocation is a mismatch", "[turn][rfc6062-5.2][c59]") {
  World world{with_tcp_relays()};
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  CHECK(alice.connect(peer).code() == 437);
  REQUIRE(alice.allocate().code() == ok);
  CHECK(alice.connect(peer).code() == 437);
}

TEST_CASE("Connect of another user is refused", "[turn][rfc6062-5.2]") {
  Scene scene;
  scene.alice.is("bob", "builder");
  CHECK(scene.alice.connect(peer).code() == 441);
}

TEST_CASE("Connect without a peer, or with half of one, is a bad request",
          "[turn][rfc6062-5.2][c59]") {
  Scene scene;
  CHECK(scene.alice.request(Method::connect).code() == 400);
  CHECK(scene.alice.request(Method::connect, with_raw(0x0012, {0, 1, 2, 3})).code() == 400);
}

TEST_CASE("one connection a peer: 446 while it is being made, pending or active",
          "[turn][rfc6062-5.2][c59]") {
  Scene scene;
  REQUIRE(scene.alice.connect(peer).reason == Reason::answered_connect);
  CHECK(scene.alice.connect(peer).code() == 446);
  CHECK(scene.alice.connect("8.8.8.8:5001").reason == Reason::answered_connect);
  scene.world.answer_connect(ConnectOutcome::connected);
  const auto number = scene.answer().connection_id();
  CHECK(scene.alice.connect(peer).code() == 446);
  auto data = scene.data_connection();
  REQUIRE(data.bind_connection(number.value()).code() == ok);
  CHECK(scene.alice.connect(peer).code() == 446);
  REQUIRE(scene.world.deliver_streams());
  CHECK(scene.alice.connect(peer).code() == 446);
  scene.world.peer_closes(0);
  CHECK(scene.alice.connect(peer).reason == Reason::answered_connect);
}

TEST_CASE("a peer that has connected is not connected to", "[turn][rfc6062-5.2][c59]") {
  Scene scene;
  REQUIRE(scene.alice.permit("8.8.8.8").code() == ok);
  scene.accept();
  CHECK(scene.alice.connect(peer).code() == 446);
}

TEST_CASE("Connect asks the peer policy, port and transport included",
          "[turn][rfc6062-5.2][c59][P09][P13]") {
  auto settings = with_tcp_relays();
  settings.policy.allow = {
      {IpPrefix::parse("10.0.0.1/32").value(), std::nullopt, turn::PeerTransport::udp},
      {IpPrefix::parse("10.0.0.2/32").value(), std::nullopt, turn::PeerTransport::tcp}};
  Scene scene{settings};
  for (const std::string_view denied :
       {"127.0.0.1:80", "10.0.0.1:5000", "169.254.169.254:80", "192.0.2.1:3478", "192.0.2.1:5000",
        "8.8.8.8:22", "8.8.8.8:25", "8.8.8.8:80", "8.8.8.8:0", "0.0.0.0:5000", "224.0.0.1:5000"}) {
    INFO(denied);
    CHECK(scene.alice.connect(denied).code() == 403);
  }
  CHECK(scene.peers() == 0);
  CHECK(scene.alice.connect("10.0.0.2:5000").reason == Reason::answered_connect);
}

TEST_CASE("the TCP relay of another client is a peer, its UDP relay is none",
          "[turn][rfc6062][c57]") {
  Scene scene;
  auto bob = scene.world.client("198.51.100.8:4000", Transport::tcp);
  auto carol = scene.world.client("198.51.100.9:4000", Transport::tcp);
  REQUIRE(bob.allocate_tcp().code() == ok);
  REQUIRE(carol.allocate().code() == ok);
  CHECK(scene.alice.connect(bob.relayed().to_string()).reason == Reason::answered_connect);
  CHECK(scene.alice.connect(carol.relayed().to_string()).code() == 403);

  // The other way: who is let in is the relay, not what else runs here.
  REQUIRE(bob.permit("192.0.2.1").code() == ok);
  CHECK(scene.world.peer_connects("192.0.2.1:5000", bob) == Reason::dropped_peer_denied);
  CHECK(scene.world.peer_connects(carol.relayed().to_string(), bob) == Reason::dropped_peer_denied);
  CHECK(scene.world.peer_connects(scene.alice.relayed().to_string(), bob) ==
        Reason::relayed_attempt);
  CHECK(bob.receive().value().has(AttributeType::connection_id));
}

TEST_CASE("a TCP relay is no peer for UDP", "[turn][rfc6062][c57]") {
  Scene scene;
  auto bob = scene.world.client("198.51.100.8:4000");
  REQUIRE(bob.allocate().code() == ok);
  CHECK(bob.bind_channel(0x4000, scene.alice.relayed().to_string()).code() == 403);
}

TEST_CASE("a refused connect is answered at once with 447", "[turn][rfc6062-5.2][c59]") {
  Scene scene;
  const Balance before = scene.world.balance();
  scene.alice.connect(peer);
  CHECK(scene.world.answer_connect(ConnectOutcome::failed) == Reason::refused_not_connected);
  const Reply reply = scene.answer();
  CHECK(reply.code() == 447);
  CHECK(reply.signed_by == SignedBy::sha1);
  CHECK(scene.world.balance() == before);
  CHECK(scene.alice.connect(peer).reason == Reason::answered_connect);
}

TEST_CASE("a connect that gets no answer is given up after 30 seconds",
          "[turn][rfc6062-5.2][c59]") {
  Scene scene;
  const Balance before = scene.world.balance();
  scene.alice.connect(peer);
  scene.world.advance(30s - 1ns);
  CHECK(scene.world.unread() == 0);
  CHECK(scene.peers() == 1);
  scene.world.advance(1ns);
  CHECK(scene.answer().code() == 447);
  CHECK(scene.world.balance() == before);
}

TEST_CASE("an outcome that comes too late changes nothing", "[turn][rfc6062-5.2]") {
  Scene scene;
  scene.alice.connect(peer);
  const auto id = scene.world.connecting()[0].connection;
  scene.world.advance(30s);
  CHECK(scene.answer().code() == 447);
  turn::Effects effects;
  CHECK(scene.world.server().on_peer_connected(id, ConnectOutcome::connected, scene.world.now(),
                                               effects) == Reason::dropped_closed_relay);
  CHECK(effects.list().empty());
}

// --- Connections that peers make -----------------------------------------------------------------

TEST_CASE("a permitted peer's connection is announced", "[turn][rfc6062-5.3][c61]") {
  Scene scene;
  REQUIRE(scene.alice.permit("8.8.8.8").code() == ok);
  CHECK(scene.world.peer_connects(peer, scene.alice) == Reason::relayed_attempt);
  const Reply attempt = scene.answer();
  CHECK(attempt.view().method() == Method::connection_attempt);
  CHECK(attempt.view().message_class() == stun::Class::indication);
  CHECK(attempt.types() ==
        std::vector{AttributeType::xor_peer_address, AttributeType::connection_id});
  CHECK(attempt.endpoint(AttributeType::xor_peer_address) == endpoint(peer));
  CHECK(scene.peers() == 1);
}

TEST_CASE("without permission a peer's connection is not kept, and nobody is told",
          "[turn][rfc6062-5.3][c61]") {
  Scene scene;
  const Balance before = scene.world.balance();
  CHECK(scene.world.peer_connects(peer, scene.alice) == Reason::dropped_no_permission);
  REQUIRE(scene.alice.permit("8.8.4.4").code() == ok);
  CHECK(scene.world.peer_connects(peer, scene.alice) == Reason::dropped_no_permission);
  REQUIRE(scene.alice.permit("8.8.8.8").code() == ok);
  scene.world.advance(300s);
  CHECK(scene.world.peer_connects(peer, scene.alice) == Reason::dropped_no_permission);
  CHECK(scene.world.balance() == before);
}

TEST_CASE("a permission on a TCP allocation is judged by the rules for TCP",
          "[turn][rfc6062-5.3][P13]") {
  auto settings = with_tcp_relays();
  settings.policy.allow = {
      {IpPrefix::parse("10.0.0.1/32").value(), std::nullopt, turn::PeerTransport::udp},
      {IpPrefix::parse("10.0.0.2/32").value(), std::nullopt, turn::PeerTransport::tcp}};
  Scene scene{settings};
  CHECK(scene.alice.permit("10.0.0.1").code() == 403);
  CHECK(scene.alice.permit("10.0.0.2").code() == ok);
}

TEST_CASE("a peer that comes when the relay is gone is not kept", "[turn][rfc6062-5.3]") {
  Scene scene;
  REQUIRE(scene.alice.permit("8.8.8.8").code() == ok);
  scene.world.oversleep(600s);
  CHECK(scene.world.peer_connects(peer, scene.alice) == Reason::dropped_closed_relay);
  scene.world.advance(0s);
  CHECK(scene.world.peer_connects(peer, scene.alice) == Reason::dropped_closed_relay);
}

TEST_CASE("the connections of an allocation are limited, whoever makes them", "[turn][rfc6062]") {
  auto settings = with_tcp_relays();
  settings.limits.max_peer_connections = 2;
  Scene scene{settings};
  REQUIRE(scene.alice.permit("8.8.8.8").code() == ok);
  const auto number = scene.accept("8.8.8.8:1");
  scene.alice.connect(peer);
  CHECK(scene.alice.connect("8.8.8.8:5001").code() == 508);
  CHECK(scene.world.peer_connects("8.8.8.8:2", scene.alice) == Reason::dropped_connection_limit);
  CHECK(scene.peers() == 2);
  scene.world.answer_connect(ConnectOutcome::failed);
  CHECK(scene.answer().code() == 447);
  auto data = scene.data_connection();
  REQUIRE(data.bind_connection(number).code() == ok);
  REQUIRE(scene.world.deliver_streams());
  CHECK(scene.world.peer_connects("8.8.8.8:2", scene.alice) == Reason::relayed_attempt);
  CHECK(scene.answer().has(AttributeType::connection_id));
  CHECK(scene.world.peer_connects("8.8.8.8:3", scene.alice) == Reason::dropped_connection_limit);
}

// --- ConnectionBind ------------------------------------------------------------------------------

TEST_CASE("ConnectionBind joins a connection of the client's to the peer's",
          "[turn][rfc6062-5.4][c62]") {
  const auto transport = GENERATE(Transport::tcp, Transport::tls);
  const bool is_inbound = GENERATE(false, true);
  Scene scene;
  REQUIRE(scene.alice.permit("8.8.8.8").code() == ok);
  const auto number = is_inbound ? scene.accept() : scene.connect();
  auto data = scene.data_connection(transport);
  const Reply reply = data.bind_connection(number);
  CHECK(reply.code() == ok);
  CHECK(reply.reason == Reason::answered_connection_bind);
  CHECK(reply.types().empty());
  REQUIRE(scene.world.bound());
  CHECK(scene.world.bound()->client.tuple == data.flow().tuple);
  CHECK(scene.world.deliver_streams());
  scene.world.advance(599s);
  CHECK(scene.peers() == 1);  // no time limit any more but the allocation's
}

TEST_CASE("a CONNECTION-ID works once", "[turn][rfc6062-5.4][c62]") {
  Scene scene;
  const auto number = scene.connect();
  auto data = scene.data_connection();
  REQUIRE(data.bind_connection(number).code() == ok);
  CHECK(scene.data_connection().bind_connection(number).code() == 400);
  CHECK(scene.world.deliver_streams());
  CHECK(scene.data_connection().bind_connection(number).code() == 400);
}

TEST_CASE("ConnectionBind over datagrams is a bad request", "[turn][rfc6062-5.4][c62]") {
  Scene scene;
  const auto number = scene.connect();
  CHECK(scene.data_connection(Transport::udp).bind_connection(number).code() == 400);
  CHECK(scene.data_connection(Transport::dtls).bind_connection(number).code() == 400);
  CHECK(scene.data_connection().bind_connection(number).code() == ok);
}

TEST_CASE("ConnectionBind for no pending connection is a bad request", "[turn][rfc6062-5.4][c62]") {
  Scene scene;
  const auto number = scene.connect();
  auto data = scene.data_connection();
  CHECK(data.request(Method::connection_bind).code() == 400);
  CHECK(data.request(Method::connection_bind, with_raw(0x002a, {1, 2, 3})).code() == 400);
  CHECK(data.bind_connection(number ^ 1U).code() == 400);
  CHECK(data.bind_connection(number).code() == ok);
}

TEST_CASE("ConnectionBind must be signed, and by the user who has the allocation",
          "[turn][rfc6062-4.3][c62]") {
  Scene scene;
  const auto number = scene.connect();
  auto data = scene.data_connection();
  CHECK(data.request_once(Method::connection_bind,
                          [&](auto& m) { m.put_u32(AttributeType::connection_id, number); })
            .code() == 401);
  data.is("bob", "builder");
  CHECK(data.bind_connection(number).code() == 441);
  data.is("alice", "wonderland");
  CHECK(data.bind_connection(number).code() == ok);  // it was kept for its owner
}

TEST_CASE("ConnectionBind comes to the address of the control connection",
          "[turn][rfc6062-4.3][c62]") {
  Scene scene;
  const auto number = scene.connect();
  auto data = scene.data_connection();
  turn::ClientFlow elsewhere = data.flow();
  elsewhere.tuple.server.port = 5349;
  data.log_in();
  const Bytes request = data.build(
      Method::connection_bind, [&](auto& m) { m.put_u32(AttributeType::connection_id, number); });
  CHECK(scene.world.from_client(elsewhere, request) == Reason::refused_bad_request);
  CHECK(scene.world.take_message(elsewhere.tuple));
  CHECK(data.bind_connection(number).code() == ok);
}

TEST_CASE("what carries an allocation does not carry data", "[turn][rfc6062-3]") {
  Scene scene;
  const auto number = scene.connect();
  CHECK(scene.alice.bind_connection(number).code() == 400);
  CHECK(scene.data_connection().bind_connection(number).code() == ok);
}

TEST_CASE("a credential that has run out still binds the allocation's connections",
          "[turn][rfc6062-5.4][c78]") {
  auto settings = with_tcp_relays();
  settings.strict_expiry = GENERATE(false, true);
  settings.credentials.secrets = {{"s", "north"}};
  World world{settings};
  const std::string username = std::to_string(world.now().wall.time_since_epoch().count() + 100);
  const std::string password = auth::time_limited_password("north", username);
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  alice.is(username, password);
  REQUIRE(alice.allocate_tcp().code() == ok);
  REQUIRE(alice.permit("8.8.8.8").code() == ok);
  world.advance(200s);
  REQUIRE(world.peer_connects(peer, alice) == Reason::relayed_attempt);
  const auto number = alice.receive().value().connection_id().value();
  auto data = world.client("198.51.100.7:5001", Transport::tcp);
  data.is(username, password);
  CHECK(data.bind_connection(number).code() == (settings.strict_expiry ? 401 : ok));
}

TEST_CASE("a connection that nobody binds is closed after 30 seconds",
          "[turn][rfc6062-5.2][rfc6062-5.3][c60]") {
  const bool is_inbound = GENERATE(false, true);
  Scene scene;
  REQUIRE(scene.alice.permit("8.8.8.8").code() == ok);
  const Balance before = scene.world.balance();
  const auto number = is_inbound ? scene.accept() : scene.connect();
  scene.world.advance(30s - 1ns);
  CHECK(scene.peers() == 1);
  scene.world.advance(1ns);
  CHECK(scene.world.balance() == before);
  CHECK(scene.data_connection().bind_connection(number).code() == 400);
}

TEST_CASE("the thirty seconds begin anew when the peer has answered", "[turn][rfc6062-5.2][c60]") {
  Scene scene;
  scene.alice.connect(peer);
  scene.world.advance(29s);
  scene.world.answer_connect(ConnectOutcome::connected);
  const auto number = scene.answer().connection_id().value();
  scene.world.advance(29s);
  CHECK(scene.data_connection().bind_connection(number).code() == ok);
}

TEST_CASE("a bound connection that does not arrive in time finds nothing", "[turn][rfc6062]") {
  Scene scene;
  const Balance before = scene.world.balance();
  const auto number = scene.connect();
  REQUIRE(scene.data_connection().bind_connection(number).code() == ok);
  scene.world.advance(30s);
  CHECK_FALSE(scene.world.deliver_streams());
  CHECK(scene.world.balance() == before);
}

// --- Ends ----------------------------------------------------------------------------------------

TEST_CASE("a peer that hangs up before it is bound leaves nothing", "[turn][rfc6062-5.5][c63]") {
  Scene scene;
  const Balance before = scene.world.balance();
  const auto number = scene.connect();
  scene.world.peer_closes(0);
  CHECK(scene.world.balance() == before);
  CHECK(scene.data_connection().bind_connection(number).code() == 400);
}

TEST_CASE("with the allocation go its connections, in whatever state", "[turn][rfc6062-5.5][c63]") {
  const std::string how = GENERATE("expiry", "delete", "loss");
  World world{with_tcp_relays()};
  const Balance before = world.balance();
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  REQUIRE(alice.allocate_tcp().code() == ok);
  world.advance(590s);
  REQUIRE(alice.permit("8.8.8.8").code() == ok);
  for (const std::string_view to : {"8.8.8.8:5001", "8.8.8.8:5002"}) {
    REQUIRE(alice.connect(to).reason == Reason::answered_connect);
    world.answer_connect(ConnectOutcome::connected);
    const auto number = alice.receive().value().connection_id().value();
    if (to == "8.8.8.8:5002") break;
    auto data = world.client("198.51.100.7:5001", Transport::tcp);
    REQUIRE(data.bind_connection(number).code() == ok);
    REQUIRE(world.deliver_streams());
  }
  REQUIRE(alice.connect("8.8.8.8:5003").reason == Reason::answered_connect);
  REQUIRE(world.peer_connects("8.8.8.8:5004", alice) == Reason::relayed_attempt);
  CHECK(alice.receive());
  CHECK(world.balance().connections == 4);
  if (how == "expiry") world.advance(10s);
  if (how == "delete") CHECK(alice.refresh(0s).code() == ok);
  if (how == "loss") world.lose(alice);
  CHECK(world.balance() == before);
  CHECK(world.unread() == 0);
}

TEST_CASE("with one family of two go its connections alone", "[turn][rfc6062-5.5][c63]") {
  World world{with_tcp_relays()};
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  REQUIRE(alice.allocate_tcp(with_additional(Family::ipv6)).code() == ok);
  REQUIRE(alice.connect(peer).reason == Reason::answered_connect);
  REQUIRE(alice.connect("[2606:4700::1]:5000").reason == Reason::answered_connect);
  REQUIRE(alice.refresh(0s, with_family(Family::ipv4)).code() == ok);
  REQUIRE(world.connecting().size() == 1);
  CHECK(world.connecting()[0].peer.endpoint() == endpoint("[2606:4700::1]:5000"));
  world.answer_connect(ConnectOutcome::failed);
  CHECK(alice.receive().value().code() == 447);
}

TEST_CASE("the end of a data connection is not the end of the allocation",
          "[turn][rfc6062-5.5][c63]") {
  Scene scene;
  const auto number = scene.connect();
  auto data = scene.data_connection();
  REQUIRE(data.bind_connection(number).code() == ok);
  REQUIRE(scene.world.deliver_streams());
  scene.world.peer_closes(0);
  CHECK(scene.world.balance().allocations == 1);
  CHECK(scene.world.balance().connections == 0);
  CHECK(scene.alice.refresh().code() == ok);
}

}  // namespace turnpike::test
