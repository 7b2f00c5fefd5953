// Bandwidth: of an allocation, of a user, of all. Shaped by dropping; nothing is refused for it.
#include <string>

#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

constexpr std::uint64_t mbit = 1'000'000;
constexpr std::uint16_t ch = 0x4000;

/// A client with a channel to 8.8.8.8:5000.
Client caller(World& world, std::string_view from, std::uint8_t worker = 0) {
  auto client = world.client(from);
  client.at(worker);
  REQUIRE(client.allocate().code() == ok);
  REQUIRE(client.bind_channel(ch, "8.8.8.8:5000").code() == ok);
  return client;
}

/// How many of `count` payloads of 1000 bytes, one every `pause`, go out to the peer.
int sent(World& world, Client& client, int count, nanoseconds pause) {
  const std::string payload(1000, 'x');
  int passed = 0;
  for (int i = 0; i < count; ++i) {
    const Reason reason = client.send_channel(ch, payload);
    CHECK((reason == Reason::relayed_to_peer || reason == Reason::dropped_bandwidth));
    passed += reason == Reason::relayed_to_peer ? 1 : 0;
    world.advance(pause);
  }
  return passed;
}

/// How many of `count` payloads of 1000 bytes pass at once.
int sent_at_once(World& world, Client& client, int count = 1000) {
  return sent(world, client, count, 0ns);
}

}  // namespace

TEST_CASE("an allocation at twice its bandwidth is shaped to it, and the others lose nothing",
          "[turn][Q03][rfc8656-5]") {
  WorldSettings settings;
  settings.limits.bandwidth_per_allocation = 8 * mbit;  // 1000 payloads a second, 250 at once
  World world{settings};
  auto alice = caller(world, "198.51.100.7:4000");
  auto other = caller(world, "198.51.100.7:4001");
  int passed = 0;
  int of_other = 0;
  for (int second = 0; second < 20; ++second) {
    passed += sent(world, alice, 2000, 500us);
    of_other += sent_at_once(world, other, 100);
  }
  CHECK(passed >= 20'000);
  CHECK(passed <= 20'000 + 251);
  CHECK(of_other == 2000);
  // What was dropped was not relayed.
  const auto view = world.server().view({turn::WorkerId{0}, 1}).value();
  CHECK(view.traffic.packets_to_peer == static_cast<std::uint64_t>(passed));
}

TEST_CASE("what goes to the client counts with what goes to the peer", "[turn][Q03]") {
  WorldSettings settings;
  settings.limits.bandwidth_per_allocation = 8 * mbit;
  World world{settings};
  auto alice = caller(world, "198.51.100.7:4000");
  CHECK(sent_at_once(world, alice, 100) == 100);
  const std::string payload(1000, 'x');
  for (int i = 0; i < 150; ++i) {
    REQUIRE(world.peer_sends("8.8.8.8:5000", alice, payload) == Reason::relayed_to_client);
  }
  CHECK(world.peer_sends("8.8.8.8:5000", alice, payload) == Reason::dropped_bandwidth);
  CHECK(world.peer_sends("8.8.8.8:5001", alice, payload) == Reason::dropped_bandwidth);
  CHECK(alice.send("8.8.8.8:5001", payload) == Reason::dropped_bandwidth);
  CHECK(sent_at_once(world, alice, 1) == 0);
  CHECK(world.server().view({turn::WorkerId{0}, 1})->traffic ==
        turn::Traffic{100, 100'000, 150, 150'000});
}

TEST_CASE("after a pause a keyframe of 64 kB passes at any bandwidth", "[turn][Q03]") {
  WorldSettings settings;
  settings.limits.bandwidth_per_allocation = 64'000;  // 8 kB a second
  World world{settings};
  auto alice = caller(world, "198.51.100.7:4000");
  CHECK(sent_at_once(world, alice) == 65);
  world.advance(9s);
  CHECK(alice.bind_channel(ch, "8.8.8.8:5000").code() == ok);
  CHECK(sent_at_once(world, alice) == 65);
}

TEST_CASE("a user's allocations share the user's bandwidth, whichever worker has them",
          "[turn][Q03][threads]") {
  WorldSettings settings;
  settings.workers = 2;
  settings.limits.bandwidth_per_user = 8 * mbit;
  World world{settings};
  auto first = caller(world, "198.51.100.7:4000", 0);
  auto second = caller(world, "198.51.100.7:4001", 1);
  auto bob = world.client("198.51.100.8:4000");
  bob.is("bob", "builder");
  REQUIRE(bob.allocate().code() == ok);
  REQUIRE(bob.bind_channel(ch, "8.8.8.8:5000").code() == ok);
  CHECK(sent_at_once(world, first, 200) == 200);
  CHECK(sent_at_once(world, second, 200) == 50);
  CHECK(sent_at_once(world, first, 200) == 0);
  CHECK(sent_at_once(world, bob) == 250);
  world.advance(100ms);
  CHECK(sent_at_once(world, second, 200) == 100);

  // Another allocation is not refused; nor does it bring more.
  auto third = caller(world, "198.51.100.7:4002", 1);
  CHECK(sent_at_once(world, third) == 0);
}

TEST_CASE("a user's own bandwidth holds instead of that for all, a new one from the next Refresh",
          "[turn][Q03]") {
  WorldSettings settings;
  settings.asks_for_users = true;
  settings.limits.bandwidth_per_user = GENERATE(as<std::uint64_t>{}, 0, mbit);
  World world{settings};
  auto dora = world.client("198.51.100.7:4000");
  dora.is("dora", "explorer").log_in();
  REQUIRE(dora.allocate().reason == Reason::parked);
  world.answer_user("dora", "explorer", {.bandwidth = 8 * mbit});
  REQUIRE(dora.receive().value().code() == ok);
  REQUIRE(dora.bind_channel(ch, "8.8.8.8:5000").code() == ok);
  CHECK(sent_at_once(world, dora) == 250);

  world.advance(61s);
  CHECK(sent_at_once(world, dora) == 250);
  REQUIRE(dora.refresh().reason == Reason::parked);
  world.answer_user("dora", "explorer", {.bandwidth = 0});
  REQUIRE(dora.receive().value().code() == ok);
  CHECK(sent_at_once(world, dora) == 1000);
}

TEST_CASE("a user's new bandwidth holds at once for what the user has, and for nobody else",
          "[turn][Q03]") {
  WorldSettings settings;
  settings.asks_for_users = true;
  World world{settings};
  auto alice = caller(world, "198.51.100.9:4000");
  auto dora = world.client("198.51.100.7:4000");
  dora.is("dora", "explorer").log_in();
  REQUIRE(dora.allocate().reason == Reason::parked);
  world.answer_user("dora", "explorer");
  REQUIRE(dora.receive().value().code() == ok);
  REQUIRE(dora.bind_channel(ch, "8.8.8.8:5000").code() == ok);
  CHECK(sent_at_once(world, dora) == 1000);  // nothing is limited

  world.server().on_user_limits("dora", {.bandwidth = 8 * mbit});
  CHECK(sent_at_once(world, dora) == 250);
  world.advance(1s);
  world.server().on_user_limits("dora", {.bandwidth = 80 * mbit});
  CHECK(sent_at_once(world, dora, 3000) == 2500);
  world.advance(1s);
  world.server().on_user_limits("dora", {});
  CHECK(sent_at_once(world, dora) == 1000);

  // A user of the configuration is not limited by a stored one of the same name.
  world.server().on_user_limits("alice", {.bandwidth = 8 * mbit});
  world.server().on_user_limits("nobody", {.bandwidth = 8 * mbit});
  CHECK(sent_at_once(world, alice) == 1000);
}

TEST_CASE("all users share the total, and what it drops costs the user nothing", "[turn][Q03]") {
  WorldSettings settings;
  settings.limits.bandwidth_total = 8 * mbit;
  settings.limits.bandwidth_per_user = 6 * mbit;
  settings.limits.bandwidth_per_allocation = 6 * mbit;
  World world{settings};
  auto alice = caller(world, "198.51.100.7:4000");
  auto bob = world.client("198.51.100.8:4000");
  bob.is("bob", "builder");
  REQUIRE(bob.allocate().code() == ok);
  REQUIRE(bob.bind_channel(ch, "8.8.8.8:5000").code() == ok);
  CHECK(sent_at_once(world, alice) == 187);
  CHECK(sent_at_once(world, bob) == 63);
  world.advance(124ms);
  // Were the drops counted for bob, his 6 mbit would have to work them off first.
  CHECK(sent_at_once(world, bob) == 124);
}

TEST_CASE("without limits nothing is dropped for bandwidth", "[turn]") {
  World world;
  auto alice = caller(world, "198.51.100.7:4000");
  CHECK(sent_at_once(world, alice, 10'000) == 10'000);
}

TEST_CASE("who deletes an allocation and makes another has no more for it", "[turn][Q03]") {
  WorldSettings settings;
  settings.limits.bandwidth_per_user = 8 * mbit;
  World world{settings};
  for (int i = 0; i < 3; ++i) {
    auto alice = caller(world, "198.51.100.7:" + std::to_string(4000 + i));
    CHECK(sent_at_once(world, alice) == (i == 0 ? 250 : 100));
    alice.refresh(0s);
    CHECK(world.ledger().allocations_of("alice") == 0);
    world.advance(100ms);
  }
  world.advance(300ms);
  auto alice = caller(world, "198.51.100.7:4000");
  CHECK(sent_at_once(world, alice) == 250);
}

TEST_CASE("data connections are not read while too much is owed", "[turn][Q03][rfc6062-5]") {
  WorldSettings settings;
  settings.tcp_relays = true;
  settings.limits.bandwidth_per_allocation = 8 * mbit;  // 250 kB at once
  settings.limits.bandwidth_per_user = GENERATE(as<std::uint64_t>{}, 0, 4 * mbit);
  World world{settings};
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  REQUIRE(alice.allocate_tcp().code() == ok);
  alice.connect("8.8.8.8:5000");
  const auto connection = world.connecting().at(0).connection;
  world.answer_connect(turn::ConnectOutcome::connected);
  CHECK(alice.receive()->code() == ok);
  const Instant now = world.now().instant;
  const bool is_half = settings.limits.bandwidth_per_user != 0;  // the user is the narrower one
  CHECK_FALSE(world.server().on_streams_moved(connection, 100'000, 25'000, now));
  const auto until = world.server().on_streams_moved(connection, 0, 225'000, now);
  CHECK(until == now + (is_half ? 450ms : 100ms));
  CHECK_FALSE(world.server().on_streams_moved(connection, 0, 0, until.value()));
  world.lose(alice);
}

}  // namespace turnpike::test
