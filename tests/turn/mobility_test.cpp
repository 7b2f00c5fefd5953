// Mobility (RFC 8016): allocations that go along when their client moves.
#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

using stun::AttributeType;

constexpr unsigned mobility_ticket = 0x8030;
constexpr const char* home_address = "198.51.100.7:4000";
constexpr const char* cafe_address = "198.51.100.99:5000";
constexpr const char* train_address = "203.0.113.77:6000";
constexpr const char* peer = "8.8.8.8:5000";

WorldSettings mobile(std::uint8_t workers = 1) {
  WorldSettings settings;
  settings.mobility = true;
  settings.workers = workers;
  return settings;
}

Add with_ticket(const Bytes& ticket) { return with_raw(mobility_ticket, ticket); }
Add wants_ticket() { return with_ticket({}); }

Bytes ticket_in(const Reply& reply) {
  const std::string text = reply.text(AttributeType::mobility_ticket);
  return copy_of(bytes_of(text));
}

/// Alice's allocation with a ticket, a permission and a channel, and where she goes next.
struct Journey {
  explicit Journey(World& in, Transport transport = Transport::udp)
      : world(in), home(in.client(home_address, transport)) {
    ticket = ticket_in(home.allocate(wants_ticket()));
    home.permit("8.8.8.8");
    home.bind_channel(0x4000, "9.9.9.9:5000");
  }
  /// From `client`, with the latest ticket; takes the new one.
  Reply move_to(Client& client) {
    Reply reply = client.refresh(std::nullopt, with_ticket(ticket));
    if (reply.code() == ok) ticket = ticket_in(reply);
    return reply;
  }
  /// Where a datagram from the peer comes out.
  std::string peer_reaches() {
    const Reason reason = world.peer_sends(peer, home, "hi");
    if (reason != Reason::relayed_to_client) return std::string{to_string(reason)};
    return world.at_client() ? world.at_client()->client.to_string() : "nobody";
  }

  World& world;
  Client home;
  Bytes ticket;
};

}  // namespace

// --- Tickets -------------------------------------------------------------------------------------

TEST_CASE("whoever asks gets a ticket, and nobody else", "[turn][rfc8016-3.1.2][c64]") {
  World world{mobile()};
  auto alice = world.client(home_address);
  const Reply reply = alice.allocate(wants_ticket());
  CHECK(reply.code() == ok);
  CHECK(ticket_in(reply).size() == 32);
  CHECK(ticket_in(alice.repeat()) == ticket_in(reply));  // what the first answer said
  auto bob = world.client(cafe_address);
  CHECK_FALSE(bob.is("bob", "builder").allocate().has(AttributeType::mobility_ticket));
  CHECK_FALSE(alice.refresh().has(AttributeType::mobility_ticket));
}

TEST_CASE("a ticket in an Allocate must be empty", "[turn][rfc8016-3.1.2][c64]") {
  World world{mobile()};
  const Balance before = world.balance();
  auto alice = world.client(home_address);
  const Reply reply = alice.allocate(with_ticket({1}));
  CHECK(reply.code() == 400);
  CHECK(reply.reason == Reason::refused_bad_request);
  CHECK(alice.allocate(with_ticket(Bytes(32))).code() == 400);
  CHECK(world.balance() == before);
}

TEST_CASE("without mobility the attribute is unknown, and ignored", "[turn][rfc8016-3.1.2][c64]") {
  World world;
  auto alice = world.client(home_address);
  CHECK(alice.allocate(with_ticket({1, 2, 3})).code() == ok);
  alice.refresh(0s);
  const Reply reply = alice.allocate(wants_ticket());
  CHECK(reply.code() == ok);
  CHECK_FALSE(reply.has(AttributeType::mobility_ticket));
  CHECK(alice.refresh(std::nullopt, with_ticket(Bytes(32, 1))).code() == ok);
  auto elsewhere = world.client(cafe_address);
  CHECK(elsewhere.refresh(std::nullopt, with_ticket(Bytes(32, 1))).code() == 437);
}

TEST_CASE("no two tickets are the same", "[turn][rfc8016-3.2.2][c65]") {
  World world{mobile()};
  Journey journey{world};
  std::set<Bytes> seen{journey.ticket};
  for (int port = 5000; port < 5050; ++port) {
    auto next = world.client("198.51.100.99:" + std::to_string(port));
    REQUIRE(journey.move_to(next).code() == ok);
    CHECK(seen.insert(journey.ticket).second);
    CHECK(std::count(journey.ticket.begin(), journey.ticket.end(), 0) == 0);
  }
}

TEST_CASE("a ticket with any bit flipped, or of another length, gets 400",
          "[turn][rfc8016-3.2.2][c65][c67][A16]") {
  World world{mobile()};
  Journey journey{world};
  auto cafe = world.client(cafe_address);
  for (std::size_t bit = 0; bit < journey.ticket.size() * 8; ++bit) {
    Bytes forged = journey.ticket;
    forged[bit / 8] = static_cast<std::uint8_t>(forged[bit / 8] ^ (1 << (bit % 8)));
    const Reply reply = cafe.refresh(std::nullopt, with_ticket(forged));
    REQUIRE(reply.code() == 400);
    REQUIRE(reply.reason == Reason::refused_bad_request);
  }
  for (const std::size_t size : std::vector<std::size_t>{0, 1, 15, 16, 31, 33, 64}) {
    Bytes forged = journey.ticket;
    forged.resize(size);
    CHECK(cafe.refresh(0s, with_ticket(forged)).code() == 400);
  }
  CHECK(journey.peer_reaches() == home_address);
}

TEST_CASE("the ticket of another server process gets 400", "[turn][rfc8016-3.2.2][c65][A16]") {
  WorldSettings settings = mobile();
  settings.seed = 8;
  World other{settings};
  Journey elsewhere{other};
  World world{mobile()};
  Journey journey{world};
  auto cafe = world.client(cafe_address);
  CHECK(cafe.refresh(0s, with_ticket(elsewhere.ticket)).code() == 400);
}

TEST_CASE("the ticket of an allocation that is gone gets 437", "[turn][rfc8016-3.2.2][c65]") {
  World world{mobile()};
  Journey journey{world};
  SECTION("deleted") { journey.home.refresh(0s); }
  SECTION("run out") { world.advance(600s); }
  SECTION("deleted, and its place taken by another") {
    journey.home.refresh(0s);
    journey.home.allocate(wants_ticket());
  }
  auto cafe = world.client(cafe_address);
  const Reply reply = journey.move_to(cafe);
  CHECK(reply.code() == 437);
  CHECK(reply.reason == Reason::refused_mismatch);
}

// --- The order of checks -------------------------------------------------------------------------

TEST_CASE("what is missing or stale comes first, then the ticket, then the user",
          "[turn][rfc8016-3.2.2][c65][A16]") {
  World world{mobile()};
  Journey journey{world};
  const Bytes good = journey.ticket;
  const Bytes bad(32, 1);
  auto cafe = world.client(cafe_address);
  const auto refresh_once = [](Client& client, const Bytes& ticket) {
    return client.request_once(Method::refresh, with_ticket(ticket));
  };

  SECTION("no integrity: 401 with a challenge, whatever the ticket") {
    for (const Bytes& ticket : {good, bad}) {
      const Reply reply = refresh_once(cafe, ticket);
      CHECK(reply.code() == 401);
      CHECK(reply.has(AttributeType::nonce));
    }
  }
  SECTION("a nonce of the old address: 438") {
    cafe.nonce = journey.home.nonce;
    cafe.realm = journey.home.realm;
    CHECK(refresh_once(cafe, good).code() == 438);
    CHECK(refresh_once(cafe, bad).code() == 438);
  }
  SECTION("a wrong password: the ticket's own error, then 441, unsigned") {
    cafe.log_in();
    cafe.password = "wrong";
    for (const auto& [ticket, code] : {std::pair{bad, 400}, std::pair{good, 441}}) {
      const Reply reply = cafe.transmit(cafe.build(Method::refresh, with_ticket(ticket)));
      CHECK(reply.code() == code);
      CHECK(reply.signed_by == SignedBy::nobody);
      CHECK_FALSE(reply.has(AttributeType::nonce));
    }
    journey.home.refresh(0s);
    CHECK(cafe.transmit(cafe.build(Method::refresh, with_ticket(good))).code() == 437);
  }
  SECTION("another user: 441, signed with his key") {
    cafe.is("bob", "builder").log_in();
    const Reply reply = refresh_once(cafe, good);
    CHECK(reply.code() == 441);
    CHECK(reply.reason == Reason::refused_wrong_user);
    CHECK(refresh_once(cafe, bad).code() == 400);
    CHECK(cafe.send(peer, "hi") == Reason::dropped_no_allocation);
    CHECK(journey.peer_reaches() == home_address);
  }
  SECTION("a user that nobody knows: 441") {
    cafe.log_in();
    cafe.is("mallory", "guess");
    CHECK(cafe.transmit(cafe.build(Method::refresh, with_ticket(good))).code() == 441);
  }
  SECTION("the five-tuple that the allocation has: 400, before the password") {
    CHECK(journey.home.refresh(std::nullopt, with_ticket(good)).code() == 400);
    journey.home.password = "wrong";
    CHECK(journey.home.transmit(journey.home.build(Method::refresh, with_ticket(good))).code() ==
          400);
  }
  SECTION("an unknown required attribute: 420") {
    CHECK(cafe.refresh(std::nullopt, with_ticket(good) + with_raw(0x7ffe, {})).code() == 420);
    CHECK(journey.peer_reaches() == home_address);
  }
  SECTION("a bad LIFETIME: 400, and nothing has moved") {
    CHECK(cafe.refresh(std::nullopt, with_ticket(good) + with_raw(0x000d, {1})).code() == 400);
    CHECK(cafe.send(peer, "hi") == Reason::dropped_no_allocation);
  }
  SECTION("a family that it does not have: 443, and nothing has moved") {
    CHECK(cafe.refresh(std::nullopt, with_ticket(good) + with_family(Family::ipv6)).code() == 443);
    CHECK(cafe.send(peer, "hi") == Reason::dropped_no_allocation);
  }
  SECTION("a five-tuple that has an allocation of its own: 437") {
    cafe.allocate();
    CHECK(refresh_once(cafe, good).code() == 437);
    CHECK(journey.peer_reaches() == home_address);
  }
}

TEST_CASE("refusals of strangers with tickets have the budget of challenges",
          "[turn][rfc8016-3.2.2][A16]") {
  WorldSettings settings = mobile();
  settings.limits.challenge_rate = 3;
  World world{settings};
  Journey journey{world};
  auto cafe = world.client(train_address);
  cafe.log_in();
  cafe.password = "wrong";
  int answers = 0;
  for (int i = 0; i < 100; ++i) {
    const Reply reply = cafe.transmit(cafe.build(Method::refresh, with_ticket(journey.ticket)));
    if (reply.code() == silence) {
      CHECK(reply.reason == Reason::dropped_challenge_budget);
    } else {
      ++answers;
    }
  }
  CHECK(answers < 10);
}

TEST_CASE("an expired credential moves an allocation as it keeps one", "[turn][c65][c78]") {
  const bool strict = GENERATE(false, true);
  WorldSettings settings = mobile();
  settings.credentials.secrets = {{"id", "north"}};
  settings.strict_expiry = strict;
  World world{settings};
  auto carol = world.client(home_address);
  const auto name = auth::time_limited_username(world.now().wall + 100s, "carol");
  carol.is(name, auth::time_limited_password("north", name));
  const Bytes ticket = ticket_in(carol.allocate(wants_ticket()));
  world.advance(300s);
  auto cafe = world.client(cafe_address);
  cafe.is(carol.username, carol.password);
  CHECK(cafe.refresh(std::nullopt, with_ticket(ticket)).code() == (strict ? 401 : ok));
  // Of a sender who is known for who he is, the ticket is what is wrong.
  CHECK(cafe.refresh(std::nullopt, with_ticket(Bytes(32, 1))).code() == (strict ? 401 : 400));
}

// --- Moving --------------------------------------------------------------------------------------

TEST_CASE("a client moves: data follows once it has sent from the new address",
          "[turn][rfc8016-3.2.2][c66]") {
  World world{mobile()};
  Journey journey{world};
  auto cafe = world.client(cafe_address);
  const Reply reply = journey.move_to(cafe);
  CHECK(reply.code() == ok);
  CHECK(reply.reason == Reason::answered_move);
  CHECK(reply.types() == std::vector{AttributeType::lifetime, AttributeType::mobility_ticket});
  CHECK(reply.lifetime() == 600s);

  // Between the two: peers reach the old address, data goes out from both.
  CHECK(journey.peer_reaches() == home_address);
  CHECK(journey.home.send(peer, "old") == Reason::relayed_to_peer);
  CHECK(journey.home.send_channel(0x4000, "old") == Reason::relayed_to_peer);
  CHECK(world.icmp(peer, journey.home, {3, 3, 0}) == Reason::relayed_icmp);
  CHECK(journey.home.receive());
  CHECK(journey.peer_reaches() == home_address);

  SECTION("by a Send indication") { CHECK(cafe.send(peer, "new") == Reason::relayed_to_peer); }
  SECTION("by ChannelData") { CHECK(cafe.send_channel(0x4000, "new") == Reason::relayed_to_peer); }
  SECTION("by ChannelData that goes nowhere") {
    CHECK(cafe.send_channel(0x4001, "new") == Reason::dropped_unbound_channel);
  }
  CHECK(journey.peer_reaches() == cafe_address);
  CHECK(world.icmp(peer, journey.home, {3, 3, 0}) == Reason::relayed_icmp);
  CHECK(cafe.receive());
  CHECK(journey.home.send(peer, "old") == Reason::dropped_no_allocation);
  CHECK(journey.home.refresh().code() == 437);
  CHECK(cafe.refresh().code() == ok);
  CHECK(world.balance().allocations == 1);
  CHECK(world.balance().sockets == 1);

  // The old address is as free as any other.
  CHECK(journey.home.allocate().code() == ok);
}

TEST_CASE("what is no data of the client completes no move", "[turn][rfc8016-3.2.2][c66]") {
  World world{mobile()};
  Journey journey{world};
  auto cafe = world.client(cafe_address);
  journey.move_to(cafe);
  CHECK(cafe.binding().code() == ok);
  CHECK(cafe.refresh().code() == ok);
  CHECK(cafe.permit("8.8.4.4").code() == ok);
  CHECK(cafe.bind_channel(0x4002, "8.8.4.4:5000").code() == ok);
  CHECK(cafe.send("8.8.8.8:5000", "x", with_raw(0x7ffe, {})) == Reason::dropped_bad_indication);
  CHECK(cafe.transmit({0x40, 0, 0, 9, 1}).reason == Reason::dropped_malformed);
  CHECK(journey.peer_reaches() == home_address);
  CHECK(journey.home.send_channel(0x4002, "both") == Reason::relayed_to_peer);
}

TEST_CASE("requests of the old address are served during the move", "[turn][c66]") {
  World world{mobile()};
  const Balance before = world.balance();
  Journey journey{world};
  auto cafe = world.client(cafe_address);
  journey.move_to(cafe);
  CHECK(journey.home.permit("8.8.4.4").code() == ok);
  CHECK(journey.home.refresh().code() == ok);
  CHECK(journey.home.allocate(wants_ticket()).code() == 437);
  CHECK(journey.home.refresh(0s).code() == ok);
  CHECK(cafe.refresh().code() == 437);
  CHECK(cafe.allocate().code() == ok);  // nothing is left of the other
  CHECK(cafe.refresh(0s).code() == ok);
  CHECK(world.balance() == before);
}

TEST_CASE("a repeated Refresh is answered again with the same ticket",
          "[turn][rfc8016-3.2.2][c66]") {
  World world{mobile()};
  Journey journey{world};
  const Bytes first = journey.ticket;
  auto cafe = world.client(cafe_address);
  journey.move_to(cafe);
  const bool has_sent = GENERATE(false, true);
  if (has_sent) cafe.send(peer, "new");
  for (int i = 0; i < 3; ++i) {
    const Reply again = cafe.repeat();
    CHECK(again.reason == Reason::answered_move);
    CHECK(ticket_in(again) == journey.ticket);
  }
  CHECK(journey.peer_reaches() == (has_sent ? cafe_address : home_address));

  SECTION("for 30 seconds and more") {
    world.advance(30s);
    CHECK(cafe.refresh(std::nullopt, with_ticket(first)).code() == ok);
    world.advance(10s);
    CHECK(cafe.refresh(std::nullopt, with_ticket(first)).code() == 400);
  }
  SECTION("from no other address") {
    auto train = world.client(train_address);
    CHECK(train.refresh(std::nullopt, with_ticket(first)).code() == 400);
    CHECK(journey.home.refresh(std::nullopt, with_ticket(first)).code() == 400);
  }
  SECTION("but not with the new ticket: there is nothing to move") {
    CHECK(cafe.refresh(std::nullopt, with_ticket(journey.ticket)).code() == 400);
  }
  SECTION("not for another user") {
    cafe.is("bob", "builder");
    CHECK(cafe.refresh(std::nullopt, with_ticket(first)).code() == 441);
  }
  SECTION("only the ticket before the current one") {
    auto train = world.client(train_address);
    CHECK(journey.move_to(train).code() == ok);
    CHECK(train.refresh(std::nullopt, with_ticket(first)).code() == 400);
    CHECK(train.repeat().code() == 400);
  }
}

TEST_CASE("a client that moves on before it has sent anything", "[turn][c66]") {
  World world{mobile()};
  Journey journey{world};
  auto cafe = world.client(cafe_address);
  auto train = world.client(train_address);
  journey.move_to(cafe);
  CHECK(journey.move_to(train).code() == ok);
  CHECK(cafe.send(peer, "late") == Reason::dropped_no_allocation);
  CHECK(journey.peer_reaches() == home_address);
  train.send(peer, "here");
  CHECK(journey.peer_reaches() == train_address);
  CHECK(journey.move_to(journey.home).code() == ok);  // and back
  CHECK(journey.home.send(peer, "home") == Reason::relayed_to_peer);
  CHECK(journey.peer_reaches() == home_address);
  CHECK(train.refresh().code() == 437);
}

TEST_CASE("an allocation runs out during a move, and nothing is left", "[turn][c66]") {
  World world{mobile()};
  const Balance before = world.balance();
  Journey journey{world};
  auto cafe = world.client(cafe_address);
  journey.move_to(cafe);
  world.advance(600s);
  CHECK(world.balance() == before);
  CHECK(cafe.send(peer, "late") == Reason::dropped_no_allocation);
  CHECK(journey.home.send(peer, "late") == Reason::dropped_no_allocation);
  CHECK(cafe.repeat().code() == 437);
}

TEST_CASE("LIFETIME 0 with a ticket deletes from wherever the client is", "[turn][c66]") {
  World world{mobile()};
  const Balance before = world.balance();
  Journey journey{world};
  auto cafe = world.client(cafe_address);
  const Reply reply = cafe.refresh(0s, with_ticket(journey.ticket));
  CHECK(reply.code() == ok);
  CHECK(reply.reason == Reason::answered_delete);
  CHECK(reply.types() == std::vector{AttributeType::lifetime});
  CHECK(world.balance() == before);
  CHECK(cafe.repeat().code() == 437);
}

TEST_CASE("a move to the other family, with both kinds of relay", "[turn][rfc8016-3.1.2][c66]") {
  World world{mobile()};
  const Balance before = world.balance();
  auto home = world.client(home_address);
  const Reply allocated = home.allocate(wants_ticket() + with_additional(Family::ipv6));
  REQUIRE(allocated.endpoints(AttributeType::xor_relayed_address).size() == 2);
  home.permit_all({"8.8.8.8", "2001:4860:4860::8888"});
  auto cafe = world.client("[2001:db8:7::1]:5000");
  const Add ticket = with_ticket(ticket_in(allocated));

  SECTION("all of it") {
    CHECK(cafe.refresh(900s, ticket).lifetime() == 900s);
    cafe.send("8.8.8.8:5000", "hi");
    CHECK(world.at_peer()->from == home.relayed());
    for (const char* from : {"8.8.8.8:5000", "[2001:4860:4860::8888]:5000"}) {
      CHECK(world.peer_sends(from, home, "hi") == Reason::relayed_to_client);
      CHECK(cafe.data());
    }
    world.advance(899s);
    CHECK(world.balance().sockets == 2);
  }
  SECTION("one family deleted on the way") {
    const Reply reply = cafe.refresh(0s, ticket + with_family(Family::ipv4));
    CHECK(reply.code() == ok);
    CHECK(reply.has(AttributeType::mobility_ticket));
    CHECK(world.balance().sockets == 1);
    CHECK(cafe.send("[2001:4860:4860::8888]:5000", "hi") == Reason::relayed_to_peer);
  }
  CHECK(cafe.refresh(0s).code() == ok);
  CHECK(world.balance() == before);
}

// --- Connections ---------------------------------------------------------------------------------

TEST_CASE("an allocation with a ticket outlives its connection", "[turn][c56][c66]") {
  World world{mobile()};
  const Balance before = world.balance();
  Journey journey{world, Transport::tcp};
  world.lose(journey.home);
  CHECK(world.balance().allocations == 1);
  CHECK(journey.peer_reaches() == "dropped_client_gone");
  CHECK(world.icmp(peer, journey.home, {3, 3, 0}) == Reason::dropped_client_gone);
  CHECK(journey.home.send(peer, "late") == Reason::dropped_no_allocation);
  CHECK_FALSE(world.server().has_allocation(journey.home.flow().tuple));

  SECTION("and is the client's again at once") {
    const char* where = GENERATE(cafe_address, home_address);  // even from the same port
    auto again = world.client(where, Transport::tcp);
    CHECK(journey.move_to(again).code() == ok);
    CHECK(journey.peer_reaches() == where);
    CHECK(again.send_channel(0x4000, "hi") == Reason::relayed_to_peer);
    CHECK(again.refresh(0s).code() == ok);
  }
  SECTION("until it runs out") {
    world.advance(599s);
    CHECK(world.balance().allocations == 1);
    world.advance(1s);
  }
  CHECK(world.balance() == before);
}

TEST_CASE("without a ticket the end of the connection ends the allocation", "[turn][c56]") {
  World world{mobile()};
  const Balance before = world.balance();
  auto alice = world.client(home_address, Transport::tcp);
  alice.allocate();
  world.lose(alice);
  CHECK(world.balance() == before);
}

TEST_CASE("an Allocate that was not answered dies with its connection", "[turn][c56]") {
  World world{mobile()};
  const Balance before = world.balance();
  auto alice = world.client(home_address, Transport::tcp);
  alice.log_in();
  world.hold_relays();
  CHECK(alice.allocate(wants_ticket()).code() == silence);
  world.lose(alice);
  world.open_held();
  CHECK(world.balance() == before);
}

TEST_CASE("the end of the old connection completes a move", "[turn][rfc8016-3.2.2][c66]") {
  World world{mobile()};
  Journey journey{world, Transport::tls};
  auto cafe = world.client(cafe_address);
  journey.move_to(cafe);
  world.lose(journey.home);
  CHECK(journey.peer_reaches() == cafe_address);
  CHECK(cafe.repeat().code() == ok);
}

TEST_CASE("the end of the new connection undoes a move", "[turn][c66]") {
  World world{mobile()};
  Journey journey{world};
  auto cafe = world.client(cafe_address, Transport::tcp);
  journey.move_to(cafe);
  world.lose(cafe);
  CHECK(journey.peer_reaches() == home_address);
  CHECK(journey.home.send(peer, "still here") == Reason::relayed_to_peer);
  auto train = world.client(train_address);
  CHECK(journey.move_to(train).code() == ok);  // with the ticket that the first move gave
}

TEST_CASE("a repeated Refresh after a lost connection is no way around the new ticket",
          "[turn][c66][A16]") {
  World world{mobile()};
  Journey journey{world, Transport::tcp};
  auto cafe = world.client(cafe_address, Transport::tcp);
  journey.move_to(cafe);
  const Bytes refresh = cafe.last_request;
  world.lose(journey.home);
  world.lose(cafe);
  CHECK(cafe.transmit(refresh).code() == 400);
  CHECK(journey.move_to(cafe).code() == ok);
  CHECK(journey.peer_reaches() == cafe_address);
}

TEST_CASE("no allocation moves to where a relay of this server is: that would be a loop",
          "[turn][rfc8656-21.1.7][P07][c66]") {
  World world{mobile(2)};
  Journey journey{world};
  auto bob = world.client(train_address);
  REQUIRE(bob.is("bob", "builder").allocate().code() == ok);
  for (std::uint8_t worker = 0; worker < 2; ++worker) {
    auto relayed = world.client(bob.relayed().to_string()).at(worker);
    const Reply reply = relayed.request_once(Method::refresh, with_ticket(journey.ticket));
    CHECK(reply.reason == Reason::dropped_source);
  }
  CHECK(journey.peer_reaches() == home_address);
}

// --- Between workers -----------------------------------------------------------------------------

TEST_CASE("a client moves to another worker and is served as before", "[turn][c66]") {
  World world{mobile(2)};
  const Balance before = world.balance();
  Journey journey{world};
  const auto transport = GENERATE(Transport::udp, Transport::tcp);
  auto cafe = world.client(cafe_address, transport).at(1);
  CHECK(journey.move_to(cafe).reason == Reason::answered_move);
  CHECK(world.sent_home() == 1);
  CHECK(world.balance().guests == 1);
  CHECK(world.server(1).has_allocation(cafe.flow().tuple));
  CHECK(journey.peer_reaches() == home_address);
  CHECK(ticket_in(cafe.repeat()) == journey.ticket);

  CHECK(cafe.send(peer, "hi") == Reason::relayed_to_peer);
  CHECK(world.at_peer()->from == journey.home.relayed());
  CHECK(journey.peer_reaches() == cafe_address);
  CHECK(cafe.send_channel(0x4000, "hi") == Reason::relayed_to_peer);
  CHECK(cafe.permit("8.8.4.4").code() == ok);
  CHECK(cafe.bind_channel(0x4002, "8.8.4.4:5000").code() == ok);
  CHECK(cafe.binding().code() == ok);  // by the worker it came to
  CHECK(cafe.allocate().code() == 437);
  CHECK(world.icmp(peer, journey.home, {3, 3, 0}) == Reason::relayed_icmp);
  CHECK(cafe.receive());
  CHECK(journey.home.send(peer, "old") == Reason::dropped_no_allocation);

  SECTION("until it deletes") { CHECK(cafe.refresh(0s).code() == ok); }
  SECTION("until the allocation runs out") { world.advance(600s); }
  SECTION("until it has moved back") {
    CHECK(journey.move_to(journey.home).code() == ok);
    CHECK(world.balance().guests == 1);  // nothing sent yet
    journey.home.send(peer, "home");
    CHECK(world.balance().guests == 0);
    CHECK(journey.peer_reaches() == home_address);
    CHECK(cafe.refresh().code() == 437);
    journey.home.refresh(0s);
  }
  SECTION("until it has moved on at the same worker") {
    auto train = world.client(train_address).at(1);
    CHECK(journey.move_to(train).code() == ok);
    CHECK(world.balance().guests == 2);
    train.send_channel(0x4000, "here");
    CHECK(world.balance().guests == 1);
    CHECK(journey.peer_reaches() == train_address);
    train.refresh(0s);
  }
  CHECK(world.balance() == before);
  CHECK(cafe.allocate().code() == ok);  // of its own, by the worker it comes to
  CHECK(world.server(1).allocation_count() == 1);
}

TEST_CASE("the connection of a guest breaks", "[turn][c56][c66]") {
  World world{mobile(2)};
  Journey journey{world, Transport::tcp};
  auto cafe = world.client(cafe_address, Transport::tcp).at(1);
  journey.move_to(cafe);
  SECTION("before the move is complete") {
    world.lose(cafe);
    CHECK(journey.peer_reaches() == home_address);
  }
  SECTION("after") {
    world.lose(journey.home);
    CHECK(journey.peer_reaches() == cafe_address);
    world.lose(cafe);
    CHECK(journey.peer_reaches() == "dropped_client_gone");
  }
  CHECK(world.balance().guests == 0);
  CHECK(journey.move_to(cafe).code() == ok);
  CHECK(cafe.send(peer, "again") == Reason::relayed_to_peer);
  CHECK(journey.peer_reaches() == cafe_address);
}

TEST_CASE("refused moves leave no guests", "[turn][c65][c66]") {
  World world{mobile(2)};
  Journey journey{world};
  auto cafe = world.client(cafe_address).at(1);
  SECTION("forged: not even handed on") {
    Bytes forged = journey.ticket;
    forged[7] ^= 1;
    CHECK(cafe.refresh(0s, with_ticket(forged)).code() == 400);
    CHECK(world.sent_home() == 0);
  }
  SECTION("with a wrong password: nor that") {
    cafe.log_in();
    cafe.password = "wrong";
    CHECK(cafe.transmit(cafe.build(Method::refresh, with_ticket(journey.ticket))).code() == 441);
    CHECK(world.sent_home() == 0);
  }
  SECTION("of another user") {
    CHECK(cafe.is("bob", "builder").refresh(0s, with_ticket(journey.ticket)).code() == 441);
  }
  SECTION("of an allocation that is gone") {
    journey.home.refresh(0s);
    CHECK(journey.move_to(cafe).code() == 437);
  }
  SECTION("with a bad LIFETIME") {
    CHECK(cafe.refresh(std::nullopt, with_ticket(journey.ticket) + with_raw(0x000d, {})).code() ==
          400);
  }
  SECTION("to a five-tuple with an allocation") {
    cafe.allocate();
    CHECK(journey.move_to(cafe).code() == 437);
    CHECK(world.sent_home() == 0);
    CHECK(cafe.refresh(0s).code() == ok);
  }
  CHECK(world.balance().guests == 0);
  CHECK(cafe.send(peer, "hi") == Reason::dropped_no_allocation);
}

TEST_CASE("a guest can have but one allocation", "[turn][c66]") {
  World world{mobile(3)};
  Journey journey{world};
  auto bob = world.client("203.0.113.5:4000").at(1);
  const Bytes of_worker_1 = ticket_in(bob.allocate(wants_ticket()));
  auto cafe = world.client(cafe_address).at(2);
  CHECK(journey.move_to(cafe).code() == ok);
  CHECK(cafe.refresh(std::nullopt, with_ticket(of_worker_1)).code() == 437);
  CHECK(world.balance().guests == 1);
  CHECK(cafe.refresh().code() == ok);
}

TEST_CASE("there is room for so many guests", "[turn][c66]") {
  WorldSettings settings = mobile(2);
  settings.limits.max_guests = 1;
  World world{settings};
  Journey journey{world};
  auto cafe = world.client(cafe_address).at(1);
  CHECK(journey.move_to(cafe).code() == ok);
  auto train = world.client(train_address).at(1);
  const Reply reply = journey.move_to(train);
  CHECK(reply.code() == 508);
  CHECK(reply.reason == Reason::refused_capacity);
  CHECK(cafe.send(peer, "hi") == Reason::relayed_to_peer);
}

TEST_CASE("a guest whose home has forgotten it is let go with its next datagram", "[turn][c66]") {
  auto settings = mobile(2);
  settings.tcp_relays = true;
  World world{settings};
  Journey journey{world};
  auto cafe = world.client(cafe_address).at(1);
  journey.move_to(cafe);
  // As if the letter that said so had been lost, or not been read yet.
  turn::Effects lost;
  world.server(0).on_client_gone(cafe.flow().tuple, world.now(), lost);
  REQUIRE(world.balance().guests == 1);
  SECTION("data") { CHECK(cafe.send(peer, "hi") == Reason::dropped_no_allocation); }
  SECTION("a request, which is answered: over a stream nobody repeats it") {
    CHECK(cafe.request_once(Method::refresh).code() == 437);
  }
  SECTION("a ConnectionBind: a guest is no data connection") {
    CHECK(cafe.request_once(Method::connection_bind, with_raw(0x002a, {0, 0, 0, 1})).code() == 400);
  }
  CHECK(world.balance().guests == 0);
  CHECK(cafe.allocate().code() == ok);
}

TEST_CASE("a guest that is never heard of again is forgotten", "[turn][c66]") {
  World world{mobile(2)};
  Journey journey{world};
  auto cafe = world.client(cafe_address).at(1);
  journey.move_to(cafe);
  world.advance(500s);
  CHECK(cafe.refresh(3600s).code() == ok);
  turn::Effects lost;
  world.server(0).on_client_gone(cafe.flow().tuple, world.now(), lost);  // and nobody is told
  world.advance(3599s);
  CHECK(world.balance().guests == 1);
  world.advance(1s);
  CHECK(world.balance().guests == 0);
}

TEST_CASE("a TCP allocation gets no ticket", "[turn][c64]") {
  WorldSettings settings = mobile();
  settings.tcp_relays = true;
  World world{settings};
  const Balance before = world.balance();
  auto alice = world.client(home_address, Transport::tcp);
  const Reply reply = alice.request(Method::allocate, [](stun::MessageBuilder& m) {
    m.put_requested_transport(6).put_empty(AttributeType::mobility_ticket);
  });
  CHECK(reply.code() == ok);
  CHECK_FALSE(reply.has(AttributeType::mobility_ticket));
  world.lose(alice);
  CHECK(world.balance() == before);
}

TEST_CASE("whatever clients do with their tickets, nothing is lost and nothing stays",
          "[turn][c65][c66]") {
  const auto seed = GENERATE(range(std::uint64_t{1}, std::uint64_t{6}));
  CAPTURE(seed);
  WorldSettings settings = mobile(3);
  settings.seed = seed;
  World world{settings};
  const Balance before = world.balance();
  SeededRandom random{seed};
  const auto below = [&](std::uint64_t bound) { return random.next_u64() % bound; };
  std::vector<Client> clients;
  for (std::uint8_t i = 0; i < 12; ++i) {
    const auto transport = i % 2 == 0 ? Transport::udp : Transport::tcp;
    const std::string from = "198.51.100.7:" + std::to_string(4000 + i);
    clients.push_back(world.client(from, transport).at(i % 3));
  }
  std::deque<Bytes> tickets(1, Bytes(32, 1));
  int moves = 0;
  for (int step = 0; step < 3000; ++step) {
    Client& client = clients[below(clients.size())];
    std::optional<Reply> reply;
    switch (below(8)) {
      case 0:
        reply = client.allocate(wants_ticket());
        break;
      case 1:
      case 2:
        reply = client.refresh(std::nullopt, with_ticket(tickets[below(tickets.size())]));
        break;
      case 3:
        if (below(4) == 0) reply = client.refresh(0s);
        break;
      case 4:
        client.send(peer, "hi");
        break;
      case 5:
        reply = client.bind_channel(0x4000, peer);
        break;
      case 6:
        if (is_stream(client.flow().tuple.transport)) world.lose(client);
        break;
      default:
        world.advance(seconds{below(60)});
        break;
    }
    if (reply) REQUIRE(reply->code() != silence);
    if (reply && reply->code() == ok && reply->has(AttributeType::mobility_ticket)) {
      moves += reply->reason == Reason::answered_move ? 1 : 0;
      tickets.push_front(ticket_in(*reply));
      if (tickets.size() > 12) tickets.pop_back();
    }
    const Balance balance = world.balance();
    REQUIRE(balance.allocations == balance.charged);
    REQUIRE(balance.allocations == balance.sockets);
    REQUIRE(balance.guests <= 2 * balance.allocations);
  }
  CHECK(moves > 50);
  world.advance(3600s);
  CHECK(world.balance() == before);
}

}  // namespace turnpike::test
