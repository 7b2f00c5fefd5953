// Allocate (RFC 8656 §7.2) as clients see it, and what becomes of ports, users and sockets.
#include <set>

#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

using turn::RelayOpenError;

/// Allocate without REQUESTED-TRANSPORT of its own.
Reply bare_allocate(Client& client, const Add& add) {
  return client.request(Method::allocate, add);
}

const auto v4_only = [] {
  WorldSettings settings;
  settings.relays.resize(1);
  return settings;
};

const auto v6_only = [] {
  WorldSettings settings;
  settings.relays.erase(settings.relays.begin());
  return settings;
};

WorldSettings with_ports(std::uint16_t first, std::uint16_t last) {
  WorldSettings settings = v4_only();
  settings.ports = {first, last};
  return settings;
}

}  // namespace

// --- The success ---------------------------------------------------------------------------------

TEST_CASE("Allocate answers with relayed address, lifetime and mapped address",
          "[turn][rfc8656-7.2][c41]") {
  const auto from = GENERATE(as<std::string>{}, "198.51.100.7:4000", "[2001:db8:7::7]:4000");
  World world;
  auto alice = world.client(from);
  const Reply reply = alice.allocate();
  CHECK(reply.code() == ok);
  CHECK(reply.types() == std::vector{AttributeType::xor_relayed_address, AttributeType::lifetime,
                                     AttributeType::xor_mapped_address});
  CHECK(reply.lifetime() == 600s);
  CHECK(reply.endpoint(AttributeType::xor_mapped_address) == endpoint(from));
  const Endpoint relayed = reply.endpoint(AttributeType::xor_relayed_address).value();
  CHECK(relayed.address == address("192.0.2.1"));  // IPv4, also for an IPv6 client (c37)
  CHECK(world.settings().ports.contains(relayed.port));
}

TEST_CASE("behind a 1:1 NAT the public address is told, with the bound port",
          "[turn][rfc8656-7.2][c42]") {
  auto settings = v4_only();
  settings.relays = {{address("10.0.0.5"), address("192.0.2.1")}};
  World world{settings};
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  CHECK(alice.relayed().address == address("192.0.2.1"));
  CHECK(world.opened().at(0).bind == Endpoint{address("10.0.0.5"), alice.relayed().port});
}

TEST_CASE("relayed addresses are never shared", "[turn][rfc8656-6][c31]") {
  World world{with_ports(50000, 50009)};
  std::set<Endpoint> seen;
  for (std::uint16_t i = 0; i < 10; ++i) {
    auto client = world.client("198.51.100.7:" + std::to_string(4000 + i));
    REQUIRE(client.allocate().code() == ok);
    seen.insert(client.relayed());
  }
  CHECK(seen.size() == 10);
}

TEST_CASE("ports are drawn at random, by default from 49152 on", "[turn][rfc8656-7.2][c42][A14]") {
  World world;
  std::set<std::uint16_t> ports;
  std::size_t ascending = 0;
  std::uint16_t last = 0;
  for (int i = 0; i < 200; ++i) {
    auto client = world.client("198.51.100.7:" + std::to_string(4000 + i));
    client.is(i % 2 == 0 ? "alice" : "bob", i % 2 == 0 ? "wonderland" : "builder");
    client.allocate();
    const std::uint16_t port = client.relayed().port;
    CHECK(port >= 49152);
    ports.insert(port);
    if (port > last) ++ascending;
    last = port;
    client.refresh(0s);
  }
  CHECK(ports.size() > 190);
  CHECK(ascending > 60);
  CHECK(ascending < 140);
}

// --- Lifetime ------------------------------------------------------------------------------------

TEST_CASE("an allocation lives at least 600 seconds and at most the maximum",
          "[turn][rfc8656-7.2][c40][S16]") {
  const auto [requested, granted] = GENERATE(table<std::uint32_t, seconds>({
      {0U, 600s},
      {1U, 600s},
      {599U, 600s},
      {600U, 600s},
      {601U, 601s},
      {3599U, 3599s},
      {3600U, 3600s},
      {3601U, 3600s},
      {100000U, 3600s},
      {0xffffffffU, 3600s},
  }));
  World world;
  auto alice = world.client("198.51.100.7:4000");
  CHECK(alice.allocate(with_lifetime(requested)).lifetime() == granted);
  world.advance(granted - 1s);
  CHECK(world.balance().allocations == 1);
  world.advance(1s);
  CHECK(world.balance().allocations == 0);
}

TEST_CASE("a malformed LIFETIME is a bad request", "[turn][rfc8656-7.2][c40]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  CHECK(alice.allocate(with_raw(0x000d, {0, 0, 7})).code() == 400);
  CHECK(alice.allocate(with_raw(0x000d, Bytes(8))).code() == 400);
}

TEST_CASE("over UDP an allocation lives until it runs out", "[turn][rfc8656-4][c56]") {
  World world;
  const Balance before = world.balance();
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  world.advance(600s - 1ms);
  CHECK(world.balance().sockets == 1);
  world.advance(1ms);
  CHECK(world.balance() == before);
}

TEST_CASE("an allocation that has run out is not found, even if nobody saw to deadlines",
          "[turn][rfc8656-8.2][c43]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  alice.permit("8.8.8.8");
  alice.bind_channel(0x4000, "8.8.8.8:5000");
  world.oversleep(600s);
  CHECK(alice.send("8.8.8.8:5000", "hi") == Reason::dropped_no_allocation);
  CHECK(alice.send_channel(0x4000, "hi") == Reason::dropped_no_allocation);
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::dropped_closed_relay);
  CHECK(world.icmp("8.8.8.8:5000", alice, {3, 3, 0}) == Reason::dropped_closed_relay);
  CHECK(alice.refresh().code() == 437);
  CHECK(alice.allocate().code() == ok);
}

// --- Retransmissions -----------------------------------------------------------------------------

TEST_CASE("an Allocate sent again gets the same relayed address and is charged once",
          "[turn][rfc8656-7.2][c32][Q06]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  const Reply first = alice.allocate(with_even_port(true));
  const Balance after = world.balance();
  for (int i = 0; i < 10; ++i) {
    const Reply again = alice.repeat();
    CHECK(again.reason == Reason::answered_allocate_again);
    CHECK(again.signed_by == SignedBy::sha1);
    CHECK(again.bytes == first.bytes);
  }
  world.advance(100s);
  const Reply later = alice.repeat();
  CHECK(later.endpoint(AttributeType::xor_relayed_address) == alice.relayed());
  CHECK(later.token() == first.token());
  CHECK(later.lifetime() == 500s);
  CHECK(world.balance().allocations == after.allocations);
  CHECK(world.opened().size() == 1);
}

TEST_CASE("an Allocate with another transaction id gets 437", "[turn][rfc8656-7.2][c32]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  const Reply reply = alice.allocate();
  CHECK(reply.code() == 437);
  CHECK(reply.reason == Reason::refused_mismatch);
  CHECK(world.balance().allocations == 1);
}

TEST_CASE("the same transaction id from another user is no retransmission",
          "[turn][rfc8656-7.2][c32]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  auto bob = world.client("198.51.100.7:4000");
  bob.is("bob", "builder").log_in();
  Bytes buffer(500);
  stun::TransactionId id{};
  copy_bytes(ByteView{alice.last_request}.subspan(8, id.size()), id);
  stun::MessageBuilder message{buffer, stun::Class::request, Method::allocate, id};
  message.put_requested_transport(17);
  bob.sign(message);
  CHECK(bob.transmit(copy_of(message.bytes())).code() == 437);
}

TEST_CASE("437 is decided before REQUESTED-TRANSPORT is looked at",
          "[turn][rfc8656-7.2][c32][c33]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  CHECK(bare_allocate(alice, {}).code() == 437);
  CHECK(bare_allocate(alice, with_raw(0x0019, {6, 0, 0, 0})).code() == 437);
}

TEST_CASE("while the relay is being opened, copies of the request are absorbed",
          "[turn][rfc8656-7.2][c32][Q06]") {
  World world;
  world.hold_relays();
  auto alice = world.client("198.51.100.7:4000");
  const Reply none = alice.allocate();
  CHECK(none.reason == Reason::answered_allocate);
  CHECK(none.code() == silence);
  for (int i = 0; i < 10; ++i) CHECK(alice.repeat().reason == Reason::dropped_pending);
  CHECK(world.held().size() == 1);
  CHECK(world.balance().charged == 1);

  SECTION("then the relay opens") {
    world.advance(2s);
    world.open_held();
    const Reply reply = alice.receive().value();
    CHECK(reply.code() == ok);
    CHECK(reply.signed_by == SignedBy::sha1);
    CHECK(reply.lifetime() == 598s);
    CHECK(alice.repeat().reason == Reason::answered_allocate_again);
  }
  SECTION("then it is refused") {
    world.open_held(RelayOpenError::no_resources);
    CHECK(alice.receive().value().code() == 508);
    CHECK(world.balance().charged == 0);
  }
}

TEST_CASE("before the relay is open nothing else is served on the five-tuple",
          "[turn][rfc8656-7.2]") {
  World world;
  world.hold_relays();
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  CHECK(alice.permit("8.8.8.8").reason == Reason::dropped_pending);
  CHECK(alice.refresh().reason == Reason::dropped_pending);
  CHECK(alice.bind_channel(0x4000, "8.8.8.8:5000").reason == Reason::dropped_pending);
  CHECK(alice.send("8.8.8.8:5000", "hi") == Reason::dropped_no_allocation);
  CHECK(alice.allocate().code() == 437);  // a new transaction
  world.open_held();
  CHECK(alice.receive().value().code() == ok);
}

TEST_CASE("an allocation may run out while its relay is being opened", "[turn][rfc8656-7.2]") {
  World world;
  const Balance before = world.balance();
  world.hold_relays();
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  SECTION("and the deadline was served") { world.advance(601s); }
  SECTION("and it was not") { world.oversleep(601s); }
  world.open_held();
  CHECK(world.balance() == before);  // the socket that came too late is closed
  CHECK_FALSE(alice.receive());
}

// --- The relay is refused ------------------------------------------------------------------------

TEST_CASE("when another program has the port, another one is tried",
          "[turn][rfc8656-7.2][c41][Q09]") {
  World world{with_ports(50000, 50001)};
  const Balance before = world.balance();
  const auto taken = GENERATE(std::uint16_t{50000}, std::uint16_t{50001});
  world.occupy(taken);
  for (int i = 0; i < 8; ++i) {
    auto alice = world.client("198.51.100.7:" + std::to_string(4000 + i));
    REQUIRE(alice.allocate().code() == ok);
    CHECK(alice.relayed().port != taken);
    alice.refresh(0s);
  }
  CHECK(world.balance() == before);
}

TEST_CASE("when every port is taken by others, 508 after a bounded number of attempts",
          "[turn][rfc8656-7.2][c41][Q09]") {
  World world;
  const Balance before = world.balance();
  world.refuse_relays(RelayOpenError::port_in_use);
  auto alice = world.client("198.51.100.7:4000");
  const auto add = GENERATE(as<Add>{}, Add{}, with_even_port(false), with_even_port(true),
                            with_family(Family::ipv6));
  const Reply reply = alice.allocate(add);
  CHECK(reply.code() == 508);
  CHECK(world.opened().size() == world.settings().limits.port_attempts);
  CHECK(world.balance() == before);

  // Refused once does not mean refused for good.
  world.refuse_relays(std::nullopt);
  CHECK(alice.allocate(add).code() == ok);
}

TEST_CASE("the last free port is taken by another program", "[turn][rfc8656-7.2][c41]") {
  World world{with_ports(50000, 50000)};
  const Balance before = world.balance();
  world.occupy(50000);
  auto alice = world.client("198.51.100.7:4000");
  CHECK(alice.allocate().code() == 508);
  CHECK(world.opened().size() == 1);
  CHECK(world.balance() == before);
}

TEST_CASE("without resources for a socket the answer is 508 at once, and nothing is kept",
          "[turn][rfc8656-7.2][c41]") {
  World world;
  const Balance before = world.balance();
  world.refuse_relays(RelayOpenError::no_resources);
  auto alice = world.client("198.51.100.7:4000");
  const auto add = GENERATE(as<Add>{}, Add{}, with_even_port(false), with_even_port(true),
                            with_family(Family::ipv6), with_additional(Family::ipv6));
  const Reply reply = alice.allocate(add);
  CHECK(reply.code() == 508);
  CHECK(reply.signed_by == SignedBy::sha1);
  CHECK(reply.types() == std::vector{AttributeType::error_code});
  CHECK(world.balance() == before);
  CHECK(alice.refresh().code() == 437);
}

TEST_CASE("a refused Allocate sent again is a new attempt", "[turn][rfc8656-7.2][c32]") {
  World world;
  world.refuse_relays(RelayOpenError::no_resources);
  auto alice = world.client("198.51.100.7:4000");
  CHECK(alice.allocate().code() == 508);
  world.refuse_relays(std::nullopt);
  CHECK(alice.repeat().code() == ok);
}

TEST_CASE("when there is no port left, 508", "[turn][rfc8656-7.2][c41][Q09]") {
  World world{with_ports(50000, 50001)};
  auto a = world.client("198.51.100.7:4000");
  auto b = world.client("198.51.100.7:4001");
  auto c = world.client("198.51.100.7:4002");
  a.allocate();
  b.allocate();
  const Balance full = world.balance();
  const Reply reply = c.allocate();
  CHECK(reply.code() == 508);
  CHECK(reply.reason == Reason::refused_capacity);
  CHECK(world.balance() == full);
  a.refresh(0s);
  CHECK(c.allocate().code() == ok);
}

// --- REQUESTED-TRANSPORT, DONT-FRAGMENT ----------------------------------------------------------

TEST_CASE("REQUESTED-TRANSPORT must be there and be UDP", "[turn][rfc8656-7.2][c33][S14]") {
  World world;
  const Balance before = world.balance();
  auto alice = world.client("198.51.100.7:4000");
  CHECK(bare_allocate(alice, {}).code() == 400);
  CHECK(bare_allocate(alice, with_raw(0x0019, {17})).code() == 400);
  CHECK(bare_allocate(alice, with_raw(0x0019, {17, 0, 0, 0, 0, 0, 0, 0})).code() == 400);
  CHECK(bare_allocate(alice, with_raw(0x0019, {})).code() == 400);
  for (const std::uint8_t protocol : Bytes{0, 1, 6, 16, 18, 132, 255}) {
    const Reply reply = bare_allocate(alice, with_raw(0x0019, {protocol, 0, 0, 0}));
    CHECK(reply.code() == 442);
    CHECK(reply.reason == Reason::refused_transport);
  }
  CHECK(world.balance() == before);
}

TEST_CASE("DONT-FRAGMENT is supported", "[turn][rfc8656-7.2][c34][S14]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  CHECK(alice.allocate(with_raw(0x001a, {})).code() == ok);
}

// --- Families ------------------------------------------------------------------------------------

TEST_CASE("REQUESTED-ADDRESS-FAMILY chooses the family", "[turn][rfc8656-7.2][c37]") {
  const auto from = GENERATE(as<std::string>{}, "198.51.100.7:4000", "[2001:db8:7::7]:4000");
  const auto family = GENERATE(Family::ipv4, Family::ipv6);
  World world;
  auto alice = world.client(from);
  const Reply reply = alice.allocate(with_family(family));
  CHECK(reply.endpoints(AttributeType::xor_relayed_address).size() == 1);
  CHECK(alice.relayed(family).address ==
        address(family == Family::ipv4 ? "192.0.2.1" : "2001:db8::1"));
}

TEST_CASE("a family that is not served gets 440", "[turn][rfc8656-7.2][c37]") {
  SECTION("IPv6") {
    World world{v4_only()};
    const Balance before = world.balance();
    auto alice = world.client("[2001:db8:7::7]:4000");
    const Reply reply = alice.allocate(with_family(Family::ipv6));
    CHECK(reply.code() == 440);
    CHECK(reply.reason == Reason::refused_family);
    CHECK(world.balance() == before);
    CHECK(alice.allocate().code() == ok);  // IPv4
  }
  SECTION("IPv4, also when it is not named") {
    World world{v6_only()};
    auto alice = world.client("[2001:db8:7::7]:4000");
    CHECK(alice.allocate().code() == 440);
    CHECK(alice.allocate(with_family(Family::ipv4)).code() == 440);
    CHECK(alice.allocate(with_family(Family::ipv6)).code() == ok);
  }
  SECTION("one that does not exist") {
    World world;
    auto alice = world.client("198.51.100.7:4000");
    for (const std::uint8_t family : Bytes{0, 3, 255}) {
      CHECK(alice.allocate(with_raw(0x0017, {family, 0, 0, 0})).code() == 440);
    }
    CHECK(alice.allocate(with_raw(0x0017, {2})).code() == 400);
  }
}

TEST_CASE("with follow-client an unnamed family is the client's", "[turn][c37]") {
  WorldSettings settings;
  settings.address_family = turn::AddressFamilyRule::follow_client;
  World world{settings};
  auto v4 = world.client("198.51.100.7:4000");
  auto v6 = world.client("[2001:db8:7::7]:4000");
  v4.allocate();
  v6.allocate();
  CHECK(v4.relayed(Family::ipv4).family() == Family::ipv4);
  CHECK(v6.relayed(Family::ipv6).family() == Family::ipv6);
  v6.refresh(0s);
  v6.allocate(with_family(Family::ipv4));
  CHECK(v6.relayed(Family::ipv4).family() == Family::ipv4);
}

TEST_CASE("ADDITIONAL-ADDRESS-FAMILY misused is a bad request", "[turn][rfc8656-7.2][c36][S15]") {
  World world;
  const Balance before = world.balance();
  auto alice = world.client("198.51.100.7:4000");
  CHECK(alice.allocate(with_additional(Family::ipv6) + with_family(Family::ipv4)).code() == 400);
  CHECK(alice.allocate(with_additional(Family::ipv6) + with_family(Family::ipv6)).code() == 400);
  CHECK(alice.allocate(with_additional(Family::ipv4)).code() == 400);
  CHECK(alice.allocate(with_additional(Family::ipv6) + with_even_port(true)).code() == 400);
  CHECK(alice.allocate(with_raw(0x8000, {2})).code() == 400);
  CHECK(world.balance() == before);
}

TEST_CASE("a dual allocation has one relay of each family", "[turn][rfc8656-7.2][c38]") {
  World world;
  const Balance before = world.balance();
  auto alice = world.client("198.51.100.7:4000");
  const auto even = GENERATE(false, true);
  const Reply reply = alice.allocate(even ? with_additional(Family::ipv6) + with_even_port(false)
                                          : with_additional(Family::ipv6));
  CHECK(reply.code() == ok);
  CHECK(reply.endpoints(AttributeType::xor_relayed_address).size() == 2);
  CHECK_FALSE(reply.address_error());
  CHECK(world.balance().sockets == 2);
  CHECK(world.balance().charged == 1);
  if (even) {
    CHECK(alice.relayed(Family::ipv4).port % 2 == 0);
    CHECK(alice.relayed(Family::ipv6).port % 2 == 0);
  }
  CHECK(alice.repeat().bytes == reply.bytes);
  world.advance(600s);
  CHECK(world.balance() == before);
}

TEST_CASE("a dual allocation of which one half is impossible says why",
          "[turn][rfc8656-7.2][c38]") {
  SECTION("no IPv6 here: 440") {
    World world{v4_only()};
    auto alice = world.client("198.51.100.7:4000");
    const Reply reply = alice.allocate(with_additional(Family::ipv6));
    CHECK(reply.code() == ok);
    CHECK(alice.relayed(Family::ipv4).address == address("192.0.2.1"));
    REQUIRE(reply.address_error());
    CHECK(reply.address_error()->family == Family::ipv6);
    CHECK(reply.address_error()->code == 440);
    CHECK(alice.repeat().bytes == reply.bytes);
  }
  SECTION("no IPv4 here: 440") {
    World world{v6_only()};
    auto alice = world.client("[2001:db8:7::7]:4000");
    const Reply reply = alice.allocate(with_additional(Family::ipv6));
    CHECK(reply.code() == ok);
    CHECK(alice.relayed(Family::ipv6).address == address("2001:db8::1"));
    CHECK(reply.address_error()->family == Family::ipv4);
    CHECK(reply.address_error()->code == 440);
  }
  SECTION("no port left of one family: 508") {
    WorldSettings settings;
    settings.ports = {50000, 50000};
    World world{settings};
    const auto full = GENERATE(Family::ipv4, Family::ipv6);
    auto first = world.client("198.51.100.7:4000");
    first.allocate(with_family(full));
    auto alice = world.client("198.51.100.7:4001");
    const Reply reply = alice.allocate(with_additional(Family::ipv6));
    CHECK(reply.code() == ok);
    CHECK(reply.endpoints(AttributeType::xor_relayed_address).size() == 1);
    CHECK(reply.address_error()->family == full);
    CHECK(reply.address_error()->code == 508);
  }
  SECTION("one socket is refused: 508") {
    World world;
    world.hold_relays();
    auto alice = world.client("198.51.100.7:4000");
    alice.allocate(with_additional(Family::ipv6));
    const auto refused = GENERATE(Family::ipv4, Family::ipv6);
    for (int i = 0; i < 2; ++i) {
      const bool is_refused = world.held().at(0).bind.family() == refused;
      CHECK_FALSE(alice.receive());
      world.open_held(is_refused ? std::optional{RelayOpenError::no_resources} : std::nullopt);
    }
    const Reply reply = alice.receive().value();
    CHECK(reply.code() == ok);
    CHECK(reply.endpoints(AttributeType::xor_relayed_address).size() == 1);
    CHECK(reply.endpoint(AttributeType::xor_relayed_address)->family() != refused);
    CHECK(reply.address_error()->family == refused);
    CHECK(reply.address_error()->code == 508);
    CHECK(world.ledger().free_ports() == 2 * 16384 - 1);
  }
  SECTION("neither: an error, and nothing kept") {
    WorldSettings settings;
    settings.ports = {50000, 50000};
    World world{settings};
    auto first = world.client("198.51.100.7:4000");
    first.allocate(with_additional(Family::ipv6));
    const Balance before = world.balance();
    auto alice = world.client("198.51.100.7:4001");
    CHECK(alice.allocate(with_additional(Family::ipv6)).code() == 508);
    CHECK(world.balance() == before);
  }
}

TEST_CASE("a dual allocation whose ports are in use retries each on its own",
          "[turn][rfc8656-7.2][c38]") {
  WorldSettings settings;
  settings.ports = {50000, 50003};
  World world{settings};
  const Balance before = world.balance();
  world.occupy(50000);
  world.occupy(50002);
  auto alice = world.client("198.51.100.7:4000");
  CHECK(alice.allocate(with_additional(Family::ipv6)).code() == ok);
  CHECK(alice.relayed(Family::ipv4).port % 2 == 1);
  CHECK(alice.relayed(Family::ipv6).port % 2 == 1);
  alice.refresh(0s);
  CHECK(world.balance() == before);
}

// --- EVEN-PORT and reservations ------------------------------------------------------------------

TEST_CASE("EVEN-PORT gives an even port", "[turn][rfc8656-7.2][c39]") {
  World world{with_ports(50000, 50019)};
  for (int i = 0; i < 10; ++i) {
    auto client = world.client("198.51.100.7:" + std::to_string(4000 + i));
    const Reply reply = client.allocate(with_even_port(false));
    REQUIRE(reply.code() == ok);
    CHECK(client.relayed().port % 2 == 0);
    CHECK_FALSE(reply.token());
  }
  auto late = world.client("198.51.100.7:5000");
  CHECK(late.allocate(with_even_port(false)).code() == 508);  // ten odd ports are left
  CHECK(late.allocate().code() == ok);
}

TEST_CASE("EVEN-PORT with R reserves the next port and tells a token", "[turn][rfc8656-7.2][c39]") {
  const auto family = GENERATE(Family::ipv4, Family::ipv6);
  World world;
  auto alice = world.client("198.51.100.7:4000");
  const Reply reply = alice.allocate(with_even_port(true) + with_family(family));
  REQUIRE(reply.token());
  const Endpoint even = alice.relayed(family);
  CHECK(even.port % 2 == 0);

  auto second = world.client("198.51.100.7:4001");
  CHECK(second.allocate(with_token(*reply.token())).code() == ok);
  CHECK(second.relayed(family) ==
        Endpoint{even.address, static_cast<std::uint16_t>(even.port + 1)});
}

TEST_CASE("EVEN-PORT that cannot be satisfied gets 508", "[turn][rfc8656-7.2][c39]") {
  SECTION("no pair left") {
    World world{with_ports(50001, 50002)};  // odd, even: no pair
    const Balance before = world.balance();
    auto alice = world.client("198.51.100.7:4000");
    CHECK(alice.allocate(with_even_port(true)).code() == 508);
    CHECK(world.balance() == before);
    CHECK(alice.allocate(with_even_port(false)).code() == ok);
    CHECK(alice.relayed().port == 50002);
  }
  SECTION("no even port at all") {
    World world{with_ports(50001, 50001)};
    auto alice = world.client("198.51.100.7:4000");
    CHECK(alice.allocate(with_even_port(false)).code() == 508);
    CHECK(alice.allocate().code() == ok);
  }
}

TEST_CASE("a malformed EVEN-PORT is a bad request", "[turn][rfc8656-7.2][c39]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  CHECK(alice.allocate(with_raw(0x0018, {})).code() == 400);
  CHECK(alice.allocate(with_raw(0x0018, {0x80, 0, 0, 0})).code() == 400);
}

TEST_CASE("a pair whose even port is in use is replaced as a pair", "[turn][rfc8656-7.2][c39]") {
  World world{with_ports(50000, 50003)};
  const Balance before = world.balance();
  world.occupy(50000);
  auto alice = world.client("198.51.100.7:4000");
  const Reply reply = alice.allocate(with_even_port(true));
  CHECK(alice.relayed().port == 50002);
  CHECK(world.ledger().free_ports() == 2);
  auto second = world.client("198.51.100.7:4001");
  second.allocate(with_token(reply.token().value()));
  CHECK(second.relayed().port == 50003);
  alice.refresh(0s);
  second.refresh(0s);
  CHECK(world.balance() == before);
}

TEST_CASE("a reservation excludes what it has decided", "[turn][rfc8656-7.2][c35][S15]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  const std::uint64_t token = alice.allocate(with_even_port(true)).token().value();
  auto second = world.client("198.51.100.7:4001");
  CHECK(second.allocate(with_token(token) + with_even_port(false)).code() == 400);
  CHECK(second.allocate(with_token(token) + with_family(Family::ipv4)).code() == 400);
  CHECK(second.allocate(with_token(token) + with_additional(Family::ipv6)).code() == 400);
  CHECK(second.allocate(with_raw(0x0022, Bytes(7))).code() == 400);
  CHECK(second.allocate(with_raw(0x0022, Bytes(16))).code() == 400);
  CHECK(second.allocate(with_token(token)).code() == ok);  // none of these used it up
}

TEST_CASE("a token serves once", "[turn][rfc8656-7.2][c35][S15]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  const std::uint64_t token = alice.allocate(with_even_port(true)).token().value();
  auto second = world.client("198.51.100.7:4001");
  auto third = world.client("198.51.100.7:4002");
  const Reply reply = second.allocate(with_token(token));
  CHECK(reply.code() == ok);
  CHECK_FALSE(reply.token());
  CHECK(second.repeat().bytes == reply.bytes);  // the retransmission is no second use
  CHECK(third.allocate(with_token(token)).code() == 508);
  second.refresh(0s);
  CHECK(third.allocate(with_token(token)).code() == 508);
}

TEST_CASE("a token works from any client address and any server address",
          "[turn][rfc8656-7.2][c35]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  const std::uint64_t token = alice.allocate(with_even_port(true)).token().value();
  auto second = GENERATE(as<std::string>{}, "203.0.113.200:4000", "[2001:db8:7::7]:4000");
  auto elsewhere = world.client(second);
  CHECK(elsewhere.allocate(with_token(token)).code() == ok);
  CHECK(elsewhere.relayed().port == alice.relayed().port + 1);
}

TEST_CASE("a token is of no use to another user", "[turn][c35]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  const std::uint64_t token = alice.allocate(with_even_port(true)).token().value();
  auto bob = world.client("198.51.100.7:4001");
  bob.is("bob", "builder");
  CHECK(bob.allocate(with_token(token)).code() == 508);
  CHECK(bob.allocate(with_token(token ^ 1)).code() == 508);
  auto second = world.client("198.51.100.7:4002");
  CHECK(second.allocate(with_token(token)).code() == ok);
}

TEST_CASE("a reservation lasts at least 30 seconds, and its port returns",
          "[turn][rfc8656-7.2][c35]") {
  World world{with_ports(50000, 50001)};
  auto alice = world.client("198.51.100.7:4000");
  const std::uint64_t token = alice.allocate(with_even_port(true)).token().value();
  auto second = world.client("198.51.100.7:4001");
  CHECK(second.allocate().code() == 508);  // the reserved port is nobody's to take

  SECTION("just in time, though the first allocation has gone") {
    alice.refresh(0s);
    world.advance(30s);
    CHECK(second.allocate(with_token(token)).code() == ok);
    CHECK(second.relayed().port == 50001);
  }
  SECTION("too late") {
    world.advance(world.settings().limits.reservation_lifetime);
    CHECK(second.allocate(with_token(token)).code() == 508);
    CHECK(second.allocate().code() == ok);
    CHECK(second.relayed().port == 50001);
  }
}

TEST_CASE("a redeemed port in use by another program is not exchanged for another",
          "[turn][rfc8656-7.2][c35]") {
  World world{with_ports(50000, 50003)};
  auto alice = world.client("198.51.100.7:4000");
  const std::uint64_t token = alice.allocate(with_even_port(true)).token().value();
  world.occupy(static_cast<std::uint16_t>(alice.relayed().port + 1));
  auto second = world.client("198.51.100.7:4001");
  CHECK(second.allocate(with_token(token)).code() == 508);
  CHECK(world.balance().charged == 1);
  CHECK(world.ledger().free_ports() == 3);
}

// --- Quota ---------------------------------------------------------------------------------------

TEST_CASE("a user may have exactly as many allocations as the quota",
          "[turn][rfc8656-5][c30][Q02]") {
  WorldSettings settings;
  settings.limits.max_allocations_per_user = 3;
  World world{settings};
  std::vector<Client> clients;
  for (int i = 0; i < 4; ++i)
    clients.push_back(world.client("198.51.100.7:" + std::to_string(4000 + i)));
  for (std::size_t i = 0; i < 3; ++i) CHECK(clients[i].allocate().code() == ok);
  const Balance full = world.balance();
  const Reply reply = clients[3].allocate();
  CHECK(reply.code() == 486);
  CHECK(reply.reason == Reason::refused_quota);
  CHECK(world.balance() == full);

  auto bob = world.client("198.51.100.7:5000");
  CHECK(bob.is("bob", "builder").allocate().code() == ok);

  SECTION("a deleted one makes room") {
    clients[1].refresh(0s);
    CHECK(clients[3].allocate().code() == ok);
  }
  SECTION("those that run out make room") {
    world.advance(600s);
    CHECK(clients[3].allocate().code() == ok);
    CHECK(world.balance().charged == 1);
  }
  SECTION("retransmissions and refusals are not counted") {
    clients[0].repeat();
    CHECK(clients[3].allocate().code() == 486);
    clients[0].refresh(0s);
    CHECK(clients[3].allocate(with_raw(0x0018, {})).code() == 400);
    CHECK(clients[3].allocate().code() == ok);
  }
}

TEST_CASE("the user part of a time-limited name is what the quota counts", "[turn][c78][Q02]") {
  WorldSettings settings;
  settings.limits.max_allocations_per_user = 1;
  settings.credentials.secrets = {{"one", "north"}};
  World world{settings};
  const auto mint = [&](Client& client, std::string_view user, seconds from_now) {
    const auto name = auth::time_limited_username(world.now().wall + from_now, user);
    client.is(name, auth::time_limited_password("north", name));
  };
  auto a = world.client("198.51.100.7:4000");
  auto b = world.client("198.51.100.7:4001");
  mint(a, "carol", 100s);
  CHECK(a.allocate().code() == ok);
  mint(b, "carol", 200s);
  CHECK(b.allocate().code() == 486);
  mint(b, "dave", 100s);
  CHECK(b.allocate().code() == ok);
  mint(b, "carol", 200s);
  CHECK(b.refresh().code() == 441);  // the same account is not the same username
}

TEST_CASE("the server as a whole may have a limit", "[turn][Q02]") {
  WorldSettings settings;
  settings.limits.max_allocations = 1;
  World world{settings};
  auto alice = world.client("198.51.100.7:4000");
  auto bob = world.client("198.51.100.7:4001");
  CHECK(alice.allocate().code() == ok);
  CHECK(bob.is("bob", "builder").allocate().code() == 508);
  alice.refresh(0s);
  CHECK(bob.allocate().code() == ok);
}

// --- Nothing is lost -----------------------------------------------------------------------------

TEST_CASE("whatever fails, ports, quota and users come back", "[turn][rfc8656-7.2][c41]") {
  const std::vector<Add> shapes{{},
                                with_even_port(false),
                                with_even_port(true),
                                with_family(Family::ipv6),
                                with_additional(Family::ipv6),
                                with_additional(Family::ipv6) + with_even_port(false)};
  const auto seed = GENERATE(range(1, 9));
  WorldSettings settings;
  settings.seed = static_cast<std::uint64_t>(seed);
  settings.ports = {50000, 50007};
  settings.limits.port_attempts = 3;
  World world{settings};
  CAPTURE(seed);
  const Balance before = world.balance();
  world.hold_relays();
  std::vector<Client> clients;
  for (int i = 0; i < 12; ++i)
    clients.push_back(world.client("198.51.100.7:" + std::to_string(4000 + i)));
  auto& random = world.random();
  for (int step = 0; step < 400; ++step) {
    Client& client = clients[random.below(clients.size())];
    switch (random.below(4)) {
      case 0:
        client.allocate(shapes[random.below(shapes.size())]);
        break;
      case 1:
        client.refresh(0s);
        break;
      case 2:
        world.advance(seconds{random.below(40)});
        break;
      default:
        if (world.held().empty()) break;
        const auto draw = random.below(3);
        if (draw == 0) world.open_held();
        if (draw == 1) world.open_held(RelayOpenError::port_in_use);
        if (draw == 2) world.open_held(RelayOpenError::no_resources);
    }
    for (Client& each : clients) {
      while (each.receive()) {
      }
    }
  }
  while (!world.held().empty()) world.open_held();
  for (Client& each : clients) {
    while (each.receive()) {
    }
  }
  world.advance(3600s);
  // Reservations are dropped when the ledger is used next.
  static_cast<void>(world.ledger().has_reservation(0, "", world.now().instant));
  CHECK(world.balance() == before);
}

}  // namespace turnpike::test
