// What a changed configuration does to allocations that live: limits, users, and peers that are
// denied.
#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

constexpr std::uint16_t ch = 0x4000;

/// The world's policy, and `denied` besides.
turn::PeerPolicy::Settings denying(std::string_view denied) {
  auto policy = WorldSettings::default_policy();
  policy.deny.push_back({IpPrefix::parse(denied).value(), std::nullopt, std::nullopt});
  return policy;
}

/// The world's policy, and `allowed` besides.
turn::PeerPolicy::Settings allowing(std::string_view allowed) {
  auto policy = WorldSettings::default_policy();
  policy.allow.push_back({IpPrefix::parse(allowed).value(), std::nullopt, std::nullopt});
  return policy;
}

WorldSettings with_policy(const turn::PeerPolicy::Settings& policy) {
  WorldSettings settings;
  settings.policy = policy;
  settings.tcp_relays = true;
  return settings;
}

}  // namespace

TEST_CASE("a peer that is denied from now on is cut off both ways, the others are not",
          "[turn][P12]") {
  World world{with_policy(allowing("10.20.0.0/16"))};
  auto alice = world.client("198.51.100.7:4000");
  REQUIRE(alice.allocate().code() == ok);
  REQUIRE(alice.permit_all({"10.20.0.1", "10.20.0.2", "8.8.8.8"}).code() == ok);
  REQUIRE(alice.bind_channel(ch, "10.20.0.1:5000").code() == ok);
  REQUIRE(alice.bind_channel(ch + 1, "8.8.8.8:5000").code() == ok);
  REQUIRE(alice.send_channel(ch, "x") == Reason::relayed_to_peer);

  world.use_policy(WorldSettings::default_policy());
  CHECK(alice.send_channel(ch, "x") == Reason::dropped_unbound_channel);
  CHECK(alice.send("10.20.0.1:5000", "x") == Reason::dropped_no_permission);
  CHECK(alice.send("10.20.0.2:5000", "x") == Reason::dropped_no_permission);
  CHECK(world.peer_sends("10.20.0.1:5000", alice, "x") == Reason::dropped_no_permission);
  CHECK(alice.permit("10.20.0.1").code() == 403);
  CHECK(alice.bind_channel(ch, "10.20.0.1:5000").code() == 403);
  CHECK(alice.send_channel(ch + 1, "x") == Reason::relayed_to_peer);
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "x") == Reason::relayed_to_client);
  CHECK(alice.bind_channel(ch, "8.8.8.8:5001").code() == ok);  // the number is free

  // What is allowed again comes back by itself as little as it would on a new server.
  world.use_policy(allowing("10.20.0.0/16"));
  CHECK(alice.send("10.20.0.1:5000", "x") == Reason::dropped_no_permission);
  CHECK(alice.permit("10.20.0.1").code() == ok);
  CHECK(alice.send("10.20.0.1:5000", "x") == Reason::relayed_to_peer);
}

TEST_CASE("a denied port ends its channel and leaves the permission", "[turn][P12]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  REQUIRE(alice.allocate().code() == ok);
  REQUIRE(alice.bind_channel(ch, "8.8.8.8:443").code() == ok);
  auto policy = WorldSettings::default_policy();
  policy.peer_ports = {{1024, 65535}};
  world.use_policy(policy);
  CHECK(alice.send_channel(ch, "x") == Reason::dropped_unbound_channel);
  CHECK(alice.send("8.8.8.8:443", "x") == Reason::dropped_peer_denied);
  CHECK(alice.send("8.8.8.8:5000", "x") == Reason::relayed_to_peer);
}

TEST_CASE("clients of the server still meet when all else on its address is denied",
          "[turn][P12][P11]") {
  World world{with_policy(allowing("192.0.2.1/32"))};
  auto alice = world.client("198.51.100.7:4000");
  auto bob = world.client("198.51.100.8:4000");
  REQUIRE(alice.allocate().code() == ok);
  REQUIRE(bob.is("bob", "builder").allocate().code() == ok);
  REQUIRE(alice.permit("192.0.2.1").code() == ok);
  REQUIRE(alice.bind_channel(ch, bob.relayed().to_string()).code() == ok);
  REQUIRE(bob.permit("192.0.2.1").code() == ok);
  REQUIRE(world.peer_sends("192.0.2.1:9", alice, "x") == Reason::relayed_to_client);

  world.use_policy(WorldSettings::default_policy());
  CHECK(alice.send_channel(ch, "x") == Reason::relayed_between_clients);
  CHECK(bob.send(alice.relayed().to_string(), "x") == Reason::relayed_between_clients);
  CHECK(world.peer_sends("192.0.2.1:9", alice, "x") == Reason::dropped_peer_denied);
}

TEST_CASE("connections to peers that are denied end at once", "[turn][P12][rfc6062-5]") {
  World world{with_policy(WorldSettings::default_policy())};
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  REQUIRE(alice.allocate_tcp().code() == ok);
  REQUIRE(alice.permit_all({"8.8.8.8", "9.9.9.9"}).code() == ok);
  alice.connect("8.8.8.8:5000");
  world.answer_connect(turn::ConnectOutcome::connected);
  CHECK(alice.receive()->code() == ok);
  alice.connect("9.9.9.9:5000");
  world.answer_connect(turn::ConnectOutcome::connected);
  CHECK(alice.receive()->code() == ok);
  REQUIRE(world.peer_connects("8.8.8.8:80", alice) == Reason::relayed_attempt);
  CHECK(alice.receive().has_value());
  REQUIRE(world.peer_connects("9.9.9.9:80", alice) == Reason::relayed_attempt);
  CHECK(alice.receive().has_value());
  alice.connect("8.8.8.8:5001");  // still on its way
  REQUIRE(world.balance().peers == 5);

  SECTION("nobody is denied") {
    world.use_policy(WorldSettings::default_policy());
    CHECK(world.balance().peers == 5);
  }
  SECTION("one address is") {
    world.use_policy(denying("8.8.8.0/24"));
    CHECK(world.balance().peers == 2);
    CHECK(world.balance().connections == 2);
    CHECK(alice.receive()->code() == 447);  // to the Connect
    CHECK(world.peer_connects("8.8.8.8:81", alice) == Reason::dropped_no_permission);
  }
  world.lose(alice);
  CHECK(world.balance().peers == 0);
}

TEST_CASE("new limits hold from now on, and what is there stays", "[turn][Q02]") {
  World world;
  std::vector<Client> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(world.client("198.51.100.7:" + std::to_string(4000 + i)));
  }
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(clients[i].allocate().code() == ok);
  REQUIRE(clients[0].permit_all({"8.8.8.1", "8.8.8.2", "8.8.8.3"}).code() == ok);
  turn::Limits limits = world.settings().limits;
  limits.max_allocations_per_user = 2;
  limits.max_permissions = 2;
  limits.max_lifetime = 700s;
  world.set_limits(limits);
  CHECK(clients[3].allocate().code() == 486);
  CHECK(clients[0].permit("8.8.8.1").code() == 508);
  CHECK(clients[0].send("8.8.8.3:5000", "x") == Reason::relayed_to_peer);
  CHECK(clients[0].refresh(3600s).lifetime() == 700s);
  clients[1].refresh(0s);
  CHECK(clients[3].allocate().code() == 486);
  clients[2].refresh(0s);
  CHECK(clients[3].allocate().code() == ok);

  limits.max_allocations_per_user = 0;
  world.set_limits(limits);
  CHECK(clients[1].allocate().code() == ok);
}

TEST_CASE("bandwidth is limited from now on, or no more", "[turn][Q03]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  REQUIRE(alice.allocate().code() == ok);
  REQUIRE(alice.bind_channel(ch, "8.8.8.8:5000").code() == ok);
  const std::string payload(1000, 'x');
  const auto sent = [&] {
    int count = 0;
    for (int i = 0; i < 500; ++i) {
      count += alice.send_channel(ch, payload) == Reason::relayed_to_peer ? 1 : 0;
    }
    return count;
  };
  CHECK(sent() == 500);
  turn::Limits limits = world.settings().limits;
  limits.bandwidth_per_allocation = 8'000'000;
  world.set_limits(limits);
  CHECK(sent() == 250);
  limits.bandwidth_per_allocation = 0;
  world.set_limits(limits);
  CHECK(sent() == 500);
}

TEST_CASE("challenges are limited from now on, or no more", "[turn][M03]") {
  World world;  // without a limit
  auto alice = world.client("198.51.100.7:4000");
  const auto challenges = [&] {
    int count = 0;
    for (int i = 0; i < 200; ++i) {
      count += alice.request_once(Method::allocate).code() == 401 ? 1 : 0;
    }
    return count;
  };
  CHECK(challenges() == 200);
  turn::Limits limits = world.settings().limits;
  limits.challenge_rate = 50;
  world.set_limits(limits);
  CHECK(challenges() == 50);
  limits.challenge_rate = 0;
  world.set_limits(limits);
  CHECK(challenges() == 200);
}

TEST_CASE("a name that counts for another account from now on is charged and released as such",
          "[turn][Q01]") {
  constexpr std::string_view name = "1800060000:zoe";
  auth::CredentialSettings named = WorldSettings::default_credentials();
  named.users.push_back({std::string{name}, "static"});
  auth::CredentialSettings derived = WorldSettings::default_credentials();
  derived.secrets = {{"id", "north"}};
  const auto [before, after, first_account, second_account, first_password, second_password] =
      GENERATE_COPY(table<auth::CredentialSettings, auth::CredentialSettings, std::string,
                          std::string, std::string, std::string>({
          {named, derived, std::string{name}, "zoe", "static",
           auth::time_limited_password("north", name)},
          {derived, named, "zoe", std::string{name}, auth::time_limited_password("north", name),
           "static"},
      }));

  WorldSettings settings;
  settings.credentials = before;
  World world{settings};
  const Balance untouched = world.balance();
  auto earlier = world.client("198.51.100.7:4000");
  REQUIRE(earlier.is(name, first_password).allocate().code() == ok);
  world.use_credentials(after);
  auto later = world.client("198.51.100.7:4001");
  REQUIRE(later.is(name, second_password).allocate().code() == ok);
  CHECK(world.ledger().allocations_of(first_account) == 1);
  CHECK(world.ledger().allocations_of(second_account) == 1);

  // The first is still its client's, who proves the same name by what holds now.
  CHECK(earlier.is(name, second_password).refresh().code() == ok);
  CHECK(earlier.refresh(0s).code() == ok);
  CHECK(world.ledger().allocations_of(first_account) == 0);
  CHECK(later.refresh(0s).code() == ok);
  CHECK(world.ledger().allocations_of(second_account) == 0);
  CHECK(world.balance() == untouched);
}

}  // namespace turnpike::test
