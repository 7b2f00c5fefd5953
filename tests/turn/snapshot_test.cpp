// What heirs of a snapshot have, and what they have not.
#include "turn/snapshot.h"

#include "catch.h"
#include "turn/settled.h"

namespace turnpike::test {

using turn::ConnectOutcome;
using turn::SnapshotError;

TEST_CASE("a restored server has the snapshot that it was restored from", "[turn][snapshot]") {
  Settled settled;
  const Bytes snapshot = settled.world.snapshot();
  REQUIRE(settled.world.restart_from(snapshot) == std::nullopt);
  CHECK(settled.world.snapshot() == snapshot);
}

TEST_CASE("an Allocate that waits for its relay is forgotten, and nothing of it is left",
          "[turn][snapshot]") {
  World world;
  const Balance before = world.balance();
  auto alice = world.client("198.51.100.7:4000");
  world.hold_relays();
  CHECK(alice.allocate().code() == silence);
  REQUIRE(world.held().size() == 1);
  world.restart();
  CHECK(world.balance() == before);
  CHECK(alice.repeat().code() == silence);
  world.open_held();
  CHECK(alice.receive().value().code() == ok);
}

TEST_CASE("the relay that a forgotten Allocate has already is closed", "[turn][snapshot]") {
  World world;
  const Balance before = world.balance();
  auto alice = world.client("198.51.100.7:4000");
  alice.log_in();
  world.hold_relays();
  CHECK(alice.allocate(with_additional(Family::ipv6)).code() == silence);
  world.open_held();
  REQUIRE(world.held().size() == 1);
  world.restart();
  CHECK(world.balance() == before);
}

TEST_CASE("a Connect that waits for its peer is forgotten, and may be tried again",
          "[turn][snapshot]") {
  WorldSettings settings;
  settings.tcp_relays = true;
  World world{settings};
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  REQUIRE(alice.allocate_tcp().code() == ok);
  const Balance before = world.balance();
  REQUIRE(alice.connect("8.8.8.8:5000").code() == silence);
  world.restart();
  CHECK(world.connecting().empty());
  CHECK(world.balance() == before);
  CHECK(alice.connect("8.8.8.8:5000").code() == silence);
  CHECK(world.answer_connect(ConnectOutcome::connected) == Reason::answered_connected);
  CHECK(alice.receive().value().code() == ok);
}

TEST_CASE("a policy that has become stricter denies who was permitted", "[turn][snapshot]") {
  Settled settled;
  const Bytes snapshot = settled.world.snapshot();
  auto strict = settled.world.settings().policy;
  strict.deny.push_back({IpPrefix::parse("8.8.8.0/24").value(), std::nullopt, std::nullopt});
  settled.world.use_policy(strict);
  CHECK(settled.world.restart_from(snapshot) == std::nullopt);
  CHECK(settled.world.peer_sends("8.8.8.8:5000", settled.alice, "hi") != Reason::relayed_to_client);
  CHECK(settled.world.peer_sends("9.9.9.9:5000", settled.alice, "hi") == Reason::relayed_to_client);
}

TEST_CASE("an heir that serves no TCP relays ends the allocations that have one",
          "[turn][snapshot]") {
  WorldSettings settings;
  settings.tcp_relays = true;
  World world{settings};
  const Balance before = world.balance();
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  REQUIRE(alice.allocate_tcp().code() == ok);
  world.serve_tcp_relays(false);
  world.restart();
  CHECK(world.balance() == before);
  CHECK(alice.allocate().code() == ok);
}

TEST_CASE("a snapshot of more workers than there are heirs is refused", "[turn][snapshot]") {
  WorldSettings two;
  two.workers = 2;
  World many{two};
  World one;
  CHECK(one.restart_from(many.snapshot()) == SnapshotError::no_such_worker);
  CHECK(many.restart_from(one.snapshot()) == std::nullopt);
}

}  // namespace turnpike::test
