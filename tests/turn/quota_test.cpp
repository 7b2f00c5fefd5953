// Limits on what clients may have, and that quotas count what lives: always, and nothing else.
#include <map>
#include <string>
#include <vector>

#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

using turn::NetworkId;
using turn::QuotaScope;

std::uint64_t rejections(World& world, QuotaScope scope) {
  return world.server().counters().quota_rejections.at(static_cast<std::size_t>(scope)).value();
}

/// What the ledger should count, from the open allocations of all servers.
struct Census {
  std::map<std::string, std::uint32_t> by_account;
  std::map<NetworkId, std::uint32_t> by_network;
  std::size_t total = 0;
};

/// `networks` has the network of each allocation's first client.
Census census_of(World& world,
                 const std::map<std::pair<std::size_t, std::uint64_t>, NetworkId>& networks) {
  Census census;
  for (std::size_t worker = 0; worker < world.settings().workers; ++worker) {
    const auto next = world.server(worker).for_each_allocation(
        0, UINT32_MAX, [&](const turn::AllocationView& view) {
          ++census.by_account[std::string{view.account}];
          ++census.by_network[networks.at({worker, view.name.serial})];
          ++census.total;
        });
    REQUIRE_FALSE(next);
  }
  return census;
}

}  // namespace

TEST_CASE("the clients of one network may have exactly as many allocations as the quota",
          "[turn][rfc8656-7.2][Q02][Q08]") {
  WorldSettings settings;
  settings.limits.max_allocations_per_network = 2;
  World world{settings};
  auto first = world.client("198.51.100.7:4000");
  auto second = world.client("198.51.100.8:4000");
  auto third = world.client("198.51.100.9:4000");
  auto neighbour = world.client("198.51.101.7:4000");
  CHECK(first.allocate().code() == ok);
  CHECK(second.is("bob", "builder").allocate().code() == ok);
  const Balance full = world.balance();
  const Reply reply = third.allocate();
  CHECK(reply.code() == 486);
  CHECK(reply.reason == Reason::refused_quota);
  CHECK(world.balance() == full);
  CHECK(rejections(world, QuotaScope::network) == 1);
  CHECK(rejections(world, QuotaScope::user) == 0);
  CHECK(neighbour.allocate().code() == ok);
  SECTION("a deleted one makes room") { first.refresh(0s); }
  SECTION("one that runs out makes room") { world.advance(600s); }
  SECTION("one that the operator ends makes room") { world.end({turn::WorkerId{0}, 1}); }
  CHECK(third.allocate().code() == ok);
}

TEST_CASE("a closed ledger lets nobody in, and who is there goes on", "[turn][X13]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  REQUIRE(alice.allocate(with_even_port(true)).code() == ok);
  REQUIRE(alice.permit("8.8.8.8").code() == ok);
  const Balance before = world.balance();
  world.ledger().set_closed(true);
  auto bob = world.client("198.51.100.8:4000").is("bob", "builder");
  CHECK(bob.allocate().code() == 508);
  CHECK(rejections(world, QuotaScope::total) == 1);
  CHECK(world.balance() == before);
  CHECK(alice.refresh().code() == ok);
  CHECK(alice.send("8.8.8.8:5000", "hi") == Reason::relayed_to_peer);
  world.ledger().set_closed(false);
  CHECK(bob.allocate().code() == ok);
}

TEST_CASE("a user's own quota holds instead of that for all", "[turn][Q02]") {
  WorldSettings settings;
  settings.asks_for_users = true;
  settings.limits.max_allocations_per_user = 2;
  World world{settings};
  std::vector<Client> clients;
  int allocated = 0;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(world.client("198.51.100.7:" + std::to_string(4000 + i)));
    clients.back().is("dora", "explorer").log_in();
    Reply reply = clients.back().allocate();
    if (reply.reason == Reason::parked) {
      world.answer_user("dora", "explorer", {.max_allocations = 3});
      reply = clients.back().receive().value();
    }
    CHECK(reply.code() == (i < 3 ? ok : 486));
    allocated += reply.code() == ok ? 1 : 0;
  }
  CHECK(allocated == 3);
}

TEST_CASE("a member of a room has a quota of its own, for it calls many at once", "[turn][Q02]") {
  WorldSettings settings;
  settings.credentials.secrets = {{"north", "0123456789abcdef"}};
  settings.limits.max_allocations_per_user = 1;
  settings.limits.max_allocations_per_member = 3;
  World world{settings};
  const auto granted_to = [&](std::string_view user) {
    const auto username = auth::time_limited_username(world.now().wall + 3600s, user);
    const auto password = auth::time_limited_password("0123456789abcdef", username);
    int granted = 0;
    for (std::uint16_t port = 4000; port < 4005; ++port) {
      auto client = world.client("198.51.100.7:" + std::to_string(port));
      const auto code = client.is(username, password).allocate().code();
      if (code == ok) {
        ++granted;
      } else {
        CHECK(code == 486);
      }
    }
    return granted;
  };
  SECTION("a member") { CHECK(granted_to("p_7Qk2-_9z@demo") == 3); }
  SECTION("somebody that a program has named") { CHECK(granted_to("carol@demo") == 1); }
}

TEST_CASE("who deletes and allocates again holds no more reserved ports than allocations",
          "[turn][Q02][rfc8656-7.2]") {
  WorldSettings settings;
  settings.limits.max_allocations_per_user = 3;
  World world{settings};
  const std::size_t all = world.balance().free_ports;
  auto alice = world.client("198.51.100.7:4000");
  for (int i = 0; i < 10; ++i) {
    CHECK(alice.allocate(with_even_port(true)).code() == (i < 3 ? ok : 486));
    alice.refresh(0s);
  }
  CHECK(world.balance().free_ports == all - 3);
  CHECK(alice.allocate(with_even_port(false)).code() == ok);  // which reserves nothing
  CHECK(alice.refresh(0s).code() == ok);
  auto bob = world.client("198.51.100.7:4001");
  CHECK(bob.is("bob", "builder").allocate(with_even_port(true)).code() == ok);
  world.advance(60s);
  CHECK(alice.allocate(with_even_port(true)).code() == ok);
}

TEST_CASE("an allocation that moves is counted where it came from", "[turn][rfc8016-3.2.2]") {
  WorldSettings settings;
  settings.mobility = true;
  World world{settings};
  auto office = world.client("198.51.100.7:4000");
  const Reply reply = office.allocate(with_raw(0x8030, {}));
  REQUIRE(reply.code() == ok);
  const auto ticket = reply.view().find(AttributeType::mobility_ticket).value();
  const Bytes value{ticket.begin(), ticket.end()};
  auto cafe = world.client("203.0.113.7:4000");
  REQUIRE(cafe.refresh(std::nullopt, with_raw(0x8030, value)).code() == ok);
  const NetworkId first = turn::network_of(address("198.51.100.7"));
  CHECK(world.ledger().allocations_from(first) == 1);
  CHECK(world.ledger().allocations_from(turn::network_of(address("203.0.113.7"))) == 0);
  CHECK(cafe.refresh(0s).code() == ok);
  CHECK(world.ledger().allocations_from(first) == 0);
}

TEST_CASE("new peers of an allocation are limited by the second, refreshes are not",
          "[turn][Q04][rfc8656-10.2][rfc8656-12.2]") {
  WorldSettings settings;
  settings.limits.new_peers_per_second = 2;
  settings.limits.new_peers_burst_s = 3;
  World world{settings};
  auto alice = world.client("198.51.100.7:4000");
  auto bob = world.client("198.51.100.8:4000");
  REQUIRE(alice.allocate().code() == ok);
  REQUIRE(bob.is("bob", "builder").allocate().code() == ok);

  CHECK(alice.permit_all({"8.8.8.1", "8.8.8.2", "8.8.8.3", "8.8.8.4"}).code() == ok);
  const Reply reply = alice.permit_all({"8.8.8.1", "8.8.8.5", "8.8.8.6", "8.8.8.7"});
  CHECK(reply.code() == 508);
  CHECK(reply.reason == Reason::refused_capacity);
  CHECK(world.peer_sends("8.8.8.5:1", alice, "x") == Reason::dropped_no_permission);
  CHECK(rejections(world, QuotaScope::peers) == 1);
  CHECK(alice.permit_all({"8.8.8.1", "8.8.8.5"}).code() == ok);  // one of them is known
  CHECK(alice.bind_channel(0x4000, "8.8.8.5:5000").code() == ok);
  CHECK(alice.bind_channel(0x4001, "8.8.8.5:5001").code() == 508);
  CHECK(alice.permit("8.8.8.6").code() == 508);
  CHECK(alice.bind_channel(0x4000, "8.8.8.5:5000").code() == ok);
  CHECK(alice.permit_all({"8.8.8.1", "8.8.8.2", "8.8.8.3", "8.8.8.4"}).code() == ok);
  CHECK(bob.permit_all({"8.8.8.1", "8.8.8.2"}).code() == ok);  // has a bucket of his own

  world.advance(500ms);
  CHECK(alice.bind_channel(0x4001, "8.8.8.5:5001").code() == ok);
  CHECK(alice.permit("8.8.8.6").code() == 508);
  world.advance(3s);
  CHECK(
      alice.permit_all({"8.8.9.1", "8.8.9.2", "8.8.9.3", "8.8.9.4", "8.8.9.5", "8.8.9.6"}).code() ==
      ok);
  CHECK(alice.permit("8.8.9.7").code() == 508);
}

TEST_CASE("connections to peers too are new peers", "[turn][Q04][rfc6062-5.2]") {
  WorldSettings settings;
  settings.tcp_relays = true;
  settings.limits.new_peers_per_second = 1;
  settings.limits.new_peers_burst_s = 2;
  World world{settings};
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  REQUIRE(alice.allocate_tcp().code() == ok);
  CHECK(alice.connect("8.8.8.8:5000").code() == silence);
  CHECK(alice.connect("8.8.8.8:5001").code() == silence);
  CHECK(alice.connect("8.8.8.8:5002").code() == 508);
  world.advance(1s);
  CHECK(alice.connect("8.8.8.8:5002").code() == silence);
  world.lose(alice);
}

TEST_CASE("the defaults let a call with many candidates through", "[turn][Q04]") {
  WorldSettings settings;
  settings.limits = turn::Limits{};
  World world{settings};
  auto alice = world.client("198.51.100.7:4000");
  REQUIRE(alice.allocate().code() == ok);
  for (int i = 1; i <= 30; ++i) CHECK(alice.permit("8.8.8." + std::to_string(i)).code() == ok);
  CHECK(alice.permit("8.8.8.31").code() == 508);
}

TEST_CASE("quotas equal what lives, whatever happens", "[turn][Q02][Q05]") {
  const std::uint64_t seed = GENERATE(1U, 2U, 3U, 4U);
  CAPTURE(seed);
  WorldSettings settings;
  settings.seed = seed;
  settings.workers = 2;
  settings.mobility = true;
  settings.ports = {50000, 50023};
  settings.limits.max_allocations_per_user = 5;
  settings.limits.max_allocations_per_network = 7;
  settings.limits.max_allocations = 14;
  settings.credentials.users.push_back({"carol", "singer"});
  World world{settings};
  SeededRandom random{seed};
  const std::vector<std::pair<std::string, std::string>> users{
      {"alice", "wonderland"}, {"bob", "builder"}, {"carol", "singer"}};
  const std::vector<std::string> networks{"198.51.100.7", "198.51.100.8", "198.51.101.7",
                                          "[2001:db8:7::7]"};
  std::vector<Client> clients;
  for (std::size_t i = 0; i < 60; ++i) {
    const std::string from = networks[i % networks.size()] + ":" + std::to_string(4000 + i);
    clients.push_back(world.client(from, i % 5 == 0 ? Transport::tcp : Transport::udp));
    clients.back().at(static_cast<std::uint8_t>(i % 2));
    clients.back().is(users[i % users.size()].first, users[i % users.size()].second);
  }
  std::map<std::pair<std::size_t, std::uint64_t>, NetworkId> network_of_name;
  std::size_t known = 0;
  bool was_full_user = false;
  bool was_full_network = false;
  bool was_full_server = false;
  for (int step = 0; step < 3000; ++step) {
    Client& client = clients[random.below(clients.size())];
    switch (random.below(12)) {
      case 0:
        client.refresh(0s);
        break;
      case 1:
        client.refresh(600s);
        break;
      case 2:
        world.lose(client);
        break;
      case 3:
        world.advance(seconds{random.below(300)});
        break;
      case 4:
        if (known > 0) world.end(world.allocations_opened()[random.below(known)].name);
        break;
      case 5:
        if (random.below(20) == 0) world.end_all_of(users[random.below(users.size())].first);
        break;
      case 6:
        world.refuse_relays(turn::RelayOpenError::no_resources);
        client.allocate();
        world.refuse_relays(std::nullopt);
        break;
      case 7:
        client.allocate(with_additional(Family::ipv6));
        break;
      default:
        client.allocate(random.below(2) == 0 ? Add{} : with_raw(0x8030, {}));
    }
    for (; known < world.allocations_opened().size(); ++known) {
      const auto& opened = world.allocations_opened()[known];
      network_of_name[{static_cast<std::size_t>(opened.name.worker), opened.name.serial}] =
          turn::network_of(opened.client.client.address);
    }
    const Census census = census_of(world, network_of_name);
    REQUIRE(world.ledger().allocations() == census.total);
    for (const auto& [user, password] : users) {
      const auto found = census.by_account.find(user);
      const std::uint32_t lives = found == census.by_account.end() ? 0 : found->second;
      REQUIRE(world.ledger().allocations_of(user) == lives);
      REQUIRE(lives <= 5);
      was_full_user = was_full_user || lives == 5;
    }
    for (const auto& text : networks) {
      const NetworkId network = turn::network_of(endpoint(text + ":1").address);
      const auto found = census.by_network.find(network);
      const std::uint32_t lives = found == census.by_network.end() ? 0 : found->second;
      REQUIRE(world.ledger().allocations_from(network) == lives);
      REQUIRE(lives <= 7);
      was_full_network = was_full_network || lives == 7;
    }
    REQUIRE(census.total <= 14);
    was_full_server = was_full_server || census.total == 14;
  }
  CHECK(was_full_user);
  CHECK(was_full_network);
  CHECK(was_full_server);
  world.advance(4000s);
  CHECK(world.balance().charged == 0);
  CHECK(world.allocations_opened().size() == world.allocations_closed().size());
  for (const auto& [user, password] : users) CHECK(world.ledger().allocations_of(user) == 0);
  for (const auto& text : networks) {
    CHECK(world.ledger().allocations_from(turn::network_of(endpoint(text + ":1").address)) == 0);
  }
  CHECK(world.ledger().free_ports() == 48);
}

}  // namespace turnpike::test
