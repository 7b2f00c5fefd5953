// Refresh (RFC 8656 §8.2).
#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

TEST_CASE("Refresh computes the lifetime as Allocate does", "[turn][rfc8656-8.2][c43][S16]") {
  const auto [requested, granted] = GENERATE(table<std::uint32_t, seconds>({
      {1U, 600s},
      {600U, 600s},
      {1234U, 1234s},
      {3600U, 3600s},
      {100000U, 3600s},
      {0xffffffffU, 3600s},
  }));
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  world.advance(300s);
  const Reply reply = alice.refresh(seconds{requested});
  CHECK(reply.code() == ok);
  CHECK(reply.reason == Reason::answered_refresh);
  CHECK(reply.types() == std::vector{AttributeType::lifetime});
  CHECK(reply.lifetime() == granted);
  world.advance(granted - 1ms);
  CHECK(world.balance().allocations == 1);
  world.advance(1ms);
  CHECK(world.balance().allocations == 0);
}

TEST_CASE("Refresh without LIFETIME grants the default", "[turn][rfc8656-8.2][c43]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate(with_lifetime(3600));
  CHECK(alice.refresh().lifetime() == 600s);
  world.advance(600s);  // a refresh may shorten
  CHECK(world.balance().allocations == 0);
}

TEST_CASE("Refresh with LIFETIME 0 deletes at once", "[turn][rfc8656-8.2][c43][S16]") {
  World world;
  const Balance before = world.balance();
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate(with_additional(Family::ipv6));
  alice.permit("8.8.8.8");
  const Reply reply = alice.refresh(0s);
  CHECK(reply.code() == ok);
  CHECK(reply.reason == Reason::answered_delete);
  CHECK(reply.lifetime() == 0s);
  CHECK(world.balance() == before);

  CHECK(alice.refresh(0s).code() == 437);
  CHECK(alice.repeat().code() == 437);
  CHECK(alice.refresh().code() == 437);  // nothing comes back to life
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "late") == Reason::dropped_closed_relay);
  CHECK(alice.send("8.8.8.8:5000", "late") == Reason::dropped_no_allocation);
}

TEST_CASE("after a delete the five-tuple is free, with nothing left of the old allocation",
          "[turn][rfc8656-8.2][c43]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  alice.permit("8.8.8.8");
  alice.bind_channel(0x4000, "9.9.9.9:5000");
  alice.refresh(0s);
  auto bob = world.client("198.51.100.7:4000");
  CHECK(bob.is("bob", "builder").allocate().code() == ok);  // another user, too
  CHECK(bob.send("8.8.8.8:5000", "hi") == Reason::dropped_no_permission);
  CHECK(bob.send_channel(0x4000, "hi") == Reason::dropped_unbound_channel);
  CHECK(world.peer_sends("8.8.8.8:5000", bob, "hi") == Reason::dropped_no_permission);
}

TEST_CASE("a datagram for a closed relay does not reach whoever has its slot now", "[turn][P16]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  alice.permit("8.8.8.8");
  alice.refresh(0s);
  auto bob = world.client("198.51.100.7:4001");
  bob.allocate();
  bob.permit("8.8.8.8");
  REQUIRE(bob.relayed() != alice.relayed());
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "late") == Reason::dropped_closed_relay);
  CHECK(world.icmp("8.8.8.8:5000", alice, {3, 3, 0}) == Reason::dropped_closed_relay);
}

TEST_CASE("Refresh of a family that the allocation does not have gets 443",
          "[turn][rfc8656-8.2][c43]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  const Reply reply = alice.refresh(0s, with_family(Family::ipv6));
  CHECK(reply.code() == 443);
  CHECK(reply.reason == Reason::refused_peer_family);
  CHECK(alice.refresh(std::nullopt, with_family(Family::ipv6)).code() == 443);
  CHECK(alice.refresh(std::nullopt, with_raw(0x0017, {9, 0, 0, 0})).code() == 443);
  CHECK(alice.refresh(std::nullopt, with_family(Family::ipv4)).code() == ok);
}

TEST_CASE("each family of a dual allocation is refreshed on its own", "[turn][rfc8656-8.1][c43]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate(with_additional(Family::ipv6));
  world.advance(500s);
  CHECK(alice.refresh(std::nullopt, with_family(Family::ipv6)).code() == ok);
  alice.permit_all({"8.8.8.8", "2001:4860:4860::8888"});
  world.advance(100s);  // IPv4 was last refreshed by the Allocate

  CHECK(world.balance().sockets == 1);
  CHECK(world.balance().allocations == 1);
  CHECK(alice.send("8.8.8.8:5000", "hi") == Reason::dropped_peer_family);
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::dropped_closed_relay);
  CHECK(alice.send("[2001:4860:4860::8888]:5000", "hi") == Reason::relayed_to_peer);
  CHECK(alice.refresh(std::nullopt, with_family(Family::ipv4)).code() == 443);

  SECTION("without a family the request is for all that is left") {
    world.advance(100s);
    CHECK(alice.refresh().code() == ok);
    world.advance(599s);
    CHECK(world.balance().allocations == 1);
    world.advance(1s);
    CHECK(world.balance().allocations == 0);
  }
  SECTION("the last family ends the allocation") {
    world.advance(500s);
    CHECK(world.balance().allocations == 0);
  }
}

TEST_CASE("a dual allocation can lose one family and keep the other", "[turn][rfc8656-8.1][c43]") {
  World world;
  const Balance before = world.balance();
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate(with_additional(Family::ipv6));
  alice.permit_all({"8.8.8.8", "2001:4860:4860::8888"});
  alice.bind_channel(0x4004, "8.8.8.8:5000");
  alice.bind_channel(0x4006, "[2001:4860:4860::8888]:5000");

  const Reply reply = alice.refresh(0s, with_family(Family::ipv4));
  CHECK(reply.code() == ok);
  CHECK(reply.lifetime() == 0s);
  CHECK(world.balance().sockets == 1);
  CHECK(world.balance().allocations == 1);

  // IPv4 is gone with its permissions and channels; IPv6 is as before.
  CHECK(alice.send("8.8.8.8:5000", "hi") == Reason::dropped_peer_family);
  CHECK(alice.send_channel(0x4004, "hi") == Reason::dropped_unbound_channel);
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::dropped_closed_relay);
  CHECK(alice.permit("8.8.8.8").code() == 443);
  CHECK(alice.refresh(0s, with_family(Family::ipv4)).code() == 443);
  CHECK(alice.send("[2001:4860:4860::8888]:5000", "hi") == Reason::relayed_to_peer);
  CHECK(alice.send_channel(0x4006, "hi") == Reason::relayed_to_peer);
  CHECK(world.peer_sends("[2001:4860:4860::8888]:5000", alice, "hi") == Reason::relayed_to_client);

  // The last family takes the allocation with it.
  CHECK(alice.refresh(0s, with_family(Family::ipv6)).code() == ok);
  CHECK(alice.refresh().code() == 437);
  CHECK(world.balance() == before);
}

TEST_CASE("Refresh of a dual allocation without a family concerns both",
          "[turn][rfc8656-8.1][c43]") {
  World world;
  const Balance before = world.balance();
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate(with_additional(Family::ipv6));
  world.advance(500s);
  CHECK(alice.refresh().code() == ok);
  world.advance(599s);
  CHECK(world.balance().sockets == 2);
  CHECK(alice.refresh(0s).code() == ok);
  CHECK(world.balance() == before);
}

TEST_CASE("a malformed Refresh is a bad request and changes nothing", "[turn][rfc8656-8.2][c43]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  CHECK(alice.refresh(std::nullopt, with_raw(0x000d, {})).code() == 400);
  CHECK(alice.refresh(std::nullopt, with_raw(0x000d, {0, 0, 0})).code() == 400);
  CHECK(alice.refresh(std::nullopt, with_raw(0x0017, {1})).code() == 400);
  world.advance(600s);
  CHECK(world.balance().allocations == 0);
}

TEST_CASE("attributes that Refresh has no use for are ignored", "[turn][rfc8489-6.3.1][c04]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  CHECK(
      alice
          .refresh(std::nullopt, with_raw(0x000c, {0x40, 0, 0, 0}) + with_raw(0x0019, {6, 0, 0, 0}))
          .code() == ok);
}

// --- Time-limited users --------------------------------------------------------------------------

namespace {

WorldSettings with_secret(bool strict_expiry) {
  WorldSettings settings;
  settings.credentials.secrets = {{"new", "north"}, {"old", "south"}};
  settings.strict_expiry = strict_expiry;
  return settings;
}

void mint(Client& client, WallTime expiry, std::string_view secret) {
  const auto name = auth::time_limited_username(expiry, "carol");
  client.is(name, auth::time_limited_password(secret, name));
}

}  // namespace

TEST_CASE("an expired credential makes no allocation but keeps one alive",
          "[turn][c78][A10][A11]") {
  const auto secret = GENERATE(as<std::string>{}, "north", "south");
  World world{with_secret(false)};
  auto carol = world.client("198.51.100.7:4000");
  mint(carol, world.now().wall + 100s, secret);
  REQUIRE(carol.allocate().code() == ok);
  world.advance(300s);  // expired, skew and all
  CHECK(carol.refresh().code() == ok);
  CHECK(carol.permit("8.8.8.8").code() == ok);
  CHECK(carol.bind_channel(0x4000, "8.8.8.8:5000").code() == ok);

  auto again = world.client("198.51.100.7:4001");
  again.is(carol.username, carol.password);
  CHECK(again.allocate().code() == 401);
  CHECK(again.request_once(Method::allocate).reason == Reason::refused_expired_user);
  CHECK(again.request_once(Method::refresh).code() ==
        401);  // no allocation there: nothing to tolerate

  CHECK(carol.refresh(0s).code() == ok);
  CHECK(carol.refresh().code() == 401);
}

TEST_CASE("X07: a wall clock set back ends no allocation, strict_expiry or not",
          "[turn][X07][A10]") {
  const bool is_strict = GENERATE(false, true);
  const auto back = GENERATE(86400s, 30 * 86400s, 1'800'000'000s);  // and to 1970
  World world{with_secret(is_strict)};
  auto carol = world.client("198.51.100.7:4000");
  mint(carol, world.now().wall + 3600s, "north");
  REQUIRE(carol.allocate().code() == ok);
  world.set_wall_clock(-back);
  CHECK(carol.permit("8.8.8.8").code() == ok);
  CHECK(carol.bind_channel(0x4000, "8.8.8.8:5000").code() == ok);
  CHECK(carol.refresh().code() == ok);
  world.advance(299s);
  CHECK(carol.refresh().code() == ok);
  CHECK(carol.send_channel(0x4000, "x") == Reason::relayed_to_peer);

  // A new allocation asks for a credential of the time that it is taken to be.
  auto again = world.client("198.51.100.7:4001");
  again.is(carol.username, carol.password);
  CHECK(again.request_once(Method::allocate).code() == 401);
  CHECK(again.allocate().code() == 401);
  mint(again, world.now().wall + 3600s, "north");
  CHECK(again.allocate().code() == ok);
}

TEST_CASE("with strict_expiry the upkeep of an allocation ends with the credential",
          "[turn][c78]") {
  World world{with_secret(true)};
  auto carol = world.client("198.51.100.7:4000");
  mint(carol, world.now().wall + 100s, "north");
  carol.allocate();
  world.advance(130s);
  CHECK(carol.refresh().code() == ok);  // within the clock skew
  world.advance(1s);
  CHECK(carol.refresh().code() == 401);
  CHECK(carol.permit("8.8.8.8").code() == 401);
  CHECK(world.balance().allocations == 1);  // it lives until it runs out
}

TEST_CASE("an expired credential of another user gets 441, not the allocation",
          "[turn][c29][c78]") {
  World world{with_secret(false)};
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  auto carol = world.client("198.51.100.7:4000");
  mint(carol, world.now().wall - 1000s, "north");
  CHECK(carol.refresh(0s).code() == 441);
}

}  // namespace turnpike::test
