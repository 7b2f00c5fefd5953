// What an operator sees of allocations and does to them, and the record that each leaves.
#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

using turn::AllocationName;
using turn::CloseReason;
using turn::QuotaScope;
using turn::RelayDirection;
using turn::RelayPath;
using turn::Traffic;

constexpr std::uint16_t ch = 0x4000;

AllocationName named(std::uint64_t serial, std::uint8_t worker = 0) {
  return {turn::WorkerId{worker}, serial};
}

/// The relays in use that clients over `transport` opened.
std::uint64_t relays(World& world, Transport transport, Family family) {
  return world.server()
      .counters()
      .relays.at(static_cast<std::size_t>(transport))
      .at(turn::Allocation::relay_index(family))
      .value();
}

/// How many requests over UDP were answered with `code`.
std::uint64_t answers(World& world, std::uint16_t code,
                      stun::Method method = stun::Method::allocate) {
  const auto& all = world.server().counters().answers_to(method);
  return all.at(0).at(turn::answer_code_index(code)).value();
}

/// How many allocations were opened by clients over UDP.
std::uint64_t opened(World& world) { return world.server().counters().opened.at(0).value(); }

std::uint64_t rejections(World& world, QuotaScope scope) {
  return world.server().counters().quota_rejections.at(static_cast<std::size_t>(scope)).value();
}

/// The serials that a walk in steps of `step` slots finds.
std::vector<std::uint64_t> walk(World& world, std::uint32_t step) {
  std::vector<std::uint64_t> found;
  std::optional<std::uint32_t> next = 0;
  while (next) {
    next = world.server().for_each_allocation(
        *next, step, [&](const turn::AllocationView& view) { found.push_back(view.name.serial); });
  }
  return found;
}

}  // namespace

TEST_CASE("an allocation is seen by its name, as it is now", "[turn]") {
  World world;
  const Instant start = world.now().instant;
  auto alice = world.client("198.51.100.7:4000");
  REQUIRE(alice.allocate(with_additional(Family::ipv6)).code() == ok);
  world.advance(10s);
  alice.permit_all({"9.9.9.9", "9.9.9.10"});
  alice.bind_channel(ch, "9.9.9.9:5000");
  alice.refresh(1200s);

  const auto view = world.server().view(named(1)).value();
  CHECK(view.name == named(1));
  CHECK(view.username == "alice");
  CHECK(view.account == "alice");
  CHECK(view.client == alice.flow().tuple);
  CHECK(view.transport == turn::PeerTransport::udp);
  CHECK(view.relayed.at(0) == alice.relayed(Family::ipv4));
  CHECK(view.relayed.at(1) == alice.relayed(Family::ipv6));
  CHECK(view.started == start);
  CHECK(view.expires == start + 1210s);
  CHECK(view.permissions == 2);
  CHECK(view.channels == 1);
  CHECK(view.traffic == Traffic{});

  CHECK_FALSE(world.server().view(named(2)));
  CHECK_FALSE(world.server().view(named(1, 1)));
  alice.refresh(0s);
  CHECK_FALSE(world.server().view(named(1)));
}

TEST_CASE("a user part is what the account of a time-limited name is", "[turn][c78]") {
  WorldSettings settings;
  settings.credentials.secrets = {{"one", "north"}};
  World world{settings};
  auto carol = world.client("198.51.100.7:4000");
  const auto name = auth::time_limited_username(world.now().wall + 100s, "carol");
  carol.is(name, auth::time_limited_password("north", name));
  REQUIRE(carol.allocate().code() == ok);
  const auto view = world.server().view(named(1)).value();
  CHECK(view.username == name);
  CHECK(view.account == "carol");
}

TEST_CASE("all allocations end with the server, and each leaves its record", "[turn]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  auto bob = world.client("198.51.100.8:4000");
  bob.is("bob", "builder");
  REQUIRE(alice.allocate().code() == ok);
  REQUIRE(bob.allocate(with_additional(Family::ipv6)).code() == ok);
  world.end_all(CloseReason::shutdown);
  CHECK(world.server().allocation_count() == 0);
  CHECK(world.balance().allocations == 0);
  REQUIRE(world.allocations_closed().size() == 2);
  for (const auto& closed : world.allocations_closed()) {
    CHECK(closed.reason == CloseReason::shutdown);
  }
  CHECK(world.allocations_closed()[0].allocation.username == "alice");
  CHECK(world.allocations_closed()[1].allocation.username == "bob");
}

TEST_CASE("a name is never given again", "[turn]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  for (std::uint64_t serial = 1; serial <= 5; ++serial) {
    alice.allocate();
    CHECK(world.server().view(named(serial)));
    alice.refresh(0s);
  }
  CHECK(world.allocations_closed().size() == 5);
}

TEST_CASE("payload is counted where it goes, headers and all that is dropped are not", "[turn]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  alice.permit("9.9.9.9");
  CHECK(alice.send("9.9.9.9:5000", "12345") == Reason::relayed_to_peer);
  CHECK(alice.send("9.9.9.8:5000", "12345") == Reason::dropped_no_permission);
  CHECK(world.peer_sends("9.9.9.9:5000", alice, "123") == Reason::relayed_to_client);
  CHECK(world.peer_sends("9.9.9.8:5000", alice, "123") == Reason::dropped_no_permission);
  CHECK(world.server().view(named(1))->traffic == Traffic{1, 5, 1, 3});

  alice.bind_channel(ch, "9.9.9.9:5000");
  CHECK(alice.send_channel(ch, "1234567") == Reason::relayed_to_peer);
  CHECK(world.peer_sends("9.9.9.9:5000", alice, "") == Reason::relayed_to_client);
  CHECK(world.peer_sends("9.9.9.9:5000", alice, "12") == Reason::relayed_to_client);
  CHECK(world.server().view(named(1))->traffic == Traffic{2, 12, 3, 5});

  const auto& counters = world.server().counters();
  const auto volume = [&](RelayDirection direction, RelayPath path) {
    const auto& some = counters.volume(direction, path);
    return std::pair{some.packets.value(), some.bytes.value()};
  };
  using Volume = std::pair<std::uint64_t, std::uint64_t>;
  CHECK(volume(RelayDirection::to_peer, RelayPath::send) == Volume{1, 5});
  CHECK(volume(RelayDirection::to_peer, RelayPath::channel) == Volume{1, 7});
  CHECK(volume(RelayDirection::to_client, RelayPath::send) == Volume{1, 3});
  CHECK(volume(RelayDirection::to_client, RelayPath::channel) == Volume{2, 2});
}

TEST_CASE("between two clients of the server both allocations have relayed", "[turn]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  auto bob = world.client("198.51.100.8:4000");
  alice.allocate();
  bob.is("bob", "builder").allocate();
  alice.permit("192.0.2.1");
  bob.permit("192.0.2.1");
  CHECK(alice.send(bob.relayed().to_string(), "12345") == Reason::relayed_between_clients);
  CHECK(world.server().view(named(1))->traffic == Traffic{1, 5, 0, 0});
  CHECK(world.server().view(named(2))->traffic == Traffic{0, 0, 1, 5});
}

TEST_CASE("what goes through a data connection is counted by bytes", "[turn][rfc6062-5]") {
  WorldSettings settings;
  settings.tcp_relays = true;
  World world{settings};
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  alice.allocate_tcp();
  alice.connect("9.9.9.9:5000");
  const auto connection = world.connecting().at(0).connection;
  world.answer_connect(turn::ConnectOutcome::connected);
  CHECK(alice.receive()->code() == ok);
  const Instant now = world.now().instant;
  CHECK_FALSE(world.server().on_streams_moved(connection, 1000, 200, now));
  CHECK_FALSE(world.server().on_streams_moved(connection, 0, 30, now));
  CHECK(world.server().view(named(1))->traffic == Traffic{0, 1000, 0, 230});
  CHECK(world.server().view(named(1))->transport == turn::PeerTransport::tcp);
  world.lose(alice);
  CHECK_FALSE(world.server().on_streams_moved(connection, 1, 1, now));  // too late to count
  CHECK(world.allocations_closed().at(0).allocation.traffic == Traffic{0, 1000, 0, 230});
}

TEST_CASE("every allocation that was opened is closed once, and says why", "[turn]") {
  World world;
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  REQUIRE(alice.allocate().code() == ok);
  REQUIRE(world.allocations_opened().size() == 1);
  const turn::AllocationRecord opened = world.allocations_opened().at(0);
  CHECK(opened.name == named(1));
  CHECK(opened.duration == 0s);
  alice.permit("9.9.9.9");
  alice.send("9.9.9.9:5000", "12345");
  world.advance(7s);

  CloseReason expected{};
  seconds duration = 7s;
  SECTION("it runs out") {
    world.advance(600s);
    duration = 600s;
    expected = CloseReason::expired;
  }
  SECTION("its client deletes it") {
    alice.refresh(0s);
    expected = CloseReason::deleted;
  }
  SECTION("its client's connection ends") {
    world.lose(alice);
    expected = CloseReason::client_gone;
  }
  SECTION("the operator ends it") {
    CHECK(world.end(named(1)));
    CHECK_FALSE(world.end(named(1)));
    expected = CloseReason::killed;
  }
  SECTION("its user is let go") {
    CHECK(world.end_all_of("alice") == 1);
    CHECK(world.end_all_of("alice") == 0);
    expected = CloseReason::revoked;
  }
  REQUIRE(world.allocations_closed().size() == 1);
  const auto& [allocation, reason] = world.allocations_closed().at(0);
  CHECK(reason == expected);
  CHECK(allocation.name == named(1));
  CHECK(allocation.username == "alice");
  CHECK(allocation.client == alice.flow().tuple);
  CHECK(allocation.relayed.at(0) == alice.relayed());
  CHECK_FALSE(allocation.relayed.at(1));
  CHECK(allocation.started == opened.started);
  CHECK(allocation.duration == duration);
  CHECK(allocation.traffic == Traffic{1, 5, 0, 0});

  const auto& counters = world.server().counters();
  for (std::size_t i = 0; i < turn::close_reason_count; ++i) {
    CHECK(counters.closed.at(i).value() == (static_cast<CloseReason>(i) == expected ? 1 : 0));
  }
  CHECK(counters.durations.at(turn::duration_class(duration)).value() == 1);
  CHECK(counters.duration_seconds.value() == static_cast<std::uint64_t>(duration.count()));
  CHECK(world.balance().sockets == 0);
  CHECK(world.balance().charged == 0);
}

TEST_CASE("an allocation that ends by the operator is gone for its client", "[turn]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  alice.permit("9.9.9.9");
  world.end(named(1));
  CHECK(alice.send("9.9.9.9:5000", "12345") == Reason::dropped_no_allocation);
  CHECK(world.peer_sends("9.9.9.9:5000", alice, "12") == Reason::dropped_closed_relay);
  CHECK(alice.refresh().code() == 437);
  CHECK(alice.allocate().code() == ok);
}

TEST_CASE("an allocation that nobody was told of leaves no record", "[turn]") {
  World world;
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  SECTION("because no relay could be opened") {
    world.refuse_relays(turn::RelayOpenError::no_resources);
    CHECK(alice.allocate().code() == 508);
  }
  SECTION("because its client went first") {
    world.hold_relays();
    alice.allocate();
    world.lose(alice);
    world.open_held();
  }
  SECTION("because its user was let go first") {
    world.hold_relays();
    alice.allocate();
    CHECK_FALSE(world.end(named(1)));
    CHECK(walk(world, 10).empty());
    CHECK(world.end_all_of("alice") == 1);
    world.open_held();
  }
  CHECK(world.allocations_opened().empty());
  CHECK(world.allocations_closed().empty());
  CHECK(world.balance().charged == 0);
  CHECK(relays(world, Transport::tcp, Family::ipv4) == 0);
}

TEST_CASE("the record keeps a family that was given up before the end", "[turn][rfc8656-8.1]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate(with_additional(Family::ipv6));
  CHECK(relays(world, Transport::udp, Family::ipv4) == 1);
  CHECK(relays(world, Transport::udp, Family::ipv6) == 1);
  const Endpoint relayed = alice.relayed(Family::ipv6);
  alice.refresh(0s, with_family(Family::ipv6));
  CHECK(relays(world, Transport::udp, Family::ipv6) == 0);
  CHECK_FALSE(world.server().view(named(1))->relayed.at(1));
  alice.refresh(0s);
  CHECK(world.allocations_closed().at(0).allocation.relayed.at(1) == relayed);
  CHECK(relays(world, Transport::udp, Family::ipv4) == 0);
}

TEST_CASE("all allocations of a user end, by either name, on every worker", "[turn][c78]") {
  WorldSettings settings;
  settings.credentials.secrets = {{"one", "north"}};
  settings.workers = 2;
  World world{settings};
  const auto name = auth::time_limited_username(world.now().wall + 100s, "carol");
  std::vector<Client> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(world.client("198.51.100.7:" + std::to_string(4000 + i)));
    clients.back().at(static_cast<std::uint8_t>(i % 2));
    if (i < 3) clients.back().is(name, auth::time_limited_password("north", name));
    REQUIRE(clients.back().allocate().code() == ok);
  }
  CHECK(world.end_all_of("caro") == 0);
  SECTION("the one that quotas count") { CHECK(world.end_all_of("carol") == 3); }
  SECTION("the one that is sent") { CHECK(world.end_all_of(name) == 3); }
  CHECK(world.balance().charged == 1);
  CHECK(clients[3].refresh().code() == ok);
}

TEST_CASE("a walk in any steps finds every open allocation once", "[turn]") {
  World world;
  std::vector<Client> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(world.client("198.51.100.7:" + std::to_string(4000 + i)));
    REQUIRE(clients.back().allocate().code() == ok);
  }
  clients[3].refresh(0s);
  clients[9].refresh(0s);
  const std::vector<std::uint64_t> open{1, 2, 3, 5, 6, 7, 8, 9};
  for (const std::uint32_t step : {1U, 2U, 3U, 9U, 10U, 11U, UINT32_MAX}) {
    CHECK(walk(world, step) == open);
  }
  // What was emptied meanwhile ends the walk.
  CHECK_FALSE(world.server().for_each_allocation(100, 5, [](const turn::AllocationView&) {}));
}

TEST_CASE("Allocates are counted by how they were answered", "[turn]") {
  WorldSettings settings;
  settings.limits.max_allocations_per_user = 1;
  settings.limits.max_allocations = 2;
  settings.ports = {50000, 50001};
  World world{settings};
  auto alice = world.client("198.51.100.7:4000");
  auto again = world.client("198.51.100.7:4001");
  auto bob = world.client("198.51.100.7:4002");
  bob.is("bob", "builder");
  REQUIRE(alice.allocate().code() == ok);
  CHECK(alice.repeat().code() == ok);  // an answer told again
  CHECK(answers(world, 200) == 2);
  CHECK(opened(world) == 1);
  CHECK(answers(world, 401) == 1);
  CHECK(again.allocate().code() == 486);
  CHECK(answers(world, 486) == 1);
  CHECK(rejections(world, QuotaScope::user) == 1);
  CHECK(alice.allocate().code() == 437);
  CHECK(answers(world, 437) == 1);
  CHECK(again.allocate(with_raw(0x0018, {})).code() == 400);
  CHECK(again.allocate(with_raw(0x7777, {})).code() == 420);
  CHECK(answers(world, 400) == 1);
  CHECK(answers(world, 420) == 1);
  CHECK(alice.refresh().code() == ok);
  CHECK(answers(world, 200) == 2);

  CHECK(bob.allocate().code() == ok);
  CHECK(opened(world) == 2);
  bob.refresh(0s);
  world.refuse_relays(turn::RelayOpenError::no_resources);
  CHECK(bob.allocate().code() == 508);
  CHECK(answers(world, 508) == 1);
}

TEST_CASE("requests of every method are counted by how they were answered, indications are not",
          "[turn]") {
  using stun::Method;
  World world;
  auto alice = world.client("198.51.100.7:4000");
  CHECK(alice.request_once(Method::binding).code() == ok);
  CHECK(alice.request_once(Method::binding, with_raw(0x7777, {})).code() == 420);
  CHECK(alice.permit("9.9.9.9").code() == 437);
  REQUIRE(alice.allocate().code() == ok);
  CHECK(alice.permit("9.9.9.9").code() == ok);
  CHECK(alice.permit("127.0.0.1").code() == 403);
  CHECK(alice.bind_channel(ch, "9.9.9.9:5000").code() == ok);
  CHECK(alice.bind_channel(ch, "9.9.9.9:5001").code() == 400);
  CHECK(alice.send("9.9.9.9:5000", "12345") == Reason::relayed_to_peer);
  CHECK(alice.send_channel(ch, "12345") == Reason::relayed_to_peer);
  CHECK(alice.refresh(0s).code() == ok);

  CHECK(answers(world, 200, Method::binding) == 1);
  CHECK(answers(world, 420, Method::binding) == 1);
  CHECK(answers(world, 401, Method::create_permission) == 1);  // the challenge
  CHECK(answers(world, 437, Method::create_permission) == 1);
  CHECK(answers(world, 200, Method::create_permission) == 1);
  CHECK(answers(world, 403, Method::create_permission) == 1);
  CHECK(answers(world, 200, Method::channel_bind) == 1);
  CHECK(answers(world, 400, Method::channel_bind) == 1);
  CHECK(answers(world, 200, Method::refresh) == 1);
  CHECK(answers(world, 200, Method::allocate) == 1);
  std::uint64_t all = 0;
  for (const auto& of_method : world.server().counters().requests) {
    for (const auto& of_transport : of_method) {
      for (const auto& count : of_transport) all += count;
    }
  }
  CHECK(all == 10);
}

TEST_CASE("an operator learns which limit is too tight", "[turn][Q02][Q09]") {
  WorldSettings settings;
  settings.limits.max_allocations_per_user = 0;
  settings.ports = {50000, 50001};
  settings.limits.max_allocations = 3;
  World world{settings};
  std::vector<Client> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(world.client("198.51.100.7:" + std::to_string(4000 + i)));
  }
  for (std::size_t i = 0; i < 2; ++i) REQUIRE(clients[i].allocate().code() == ok);
  CHECK(clients[2].allocate().code() == 508);
  CHECK(rejections(world, QuotaScope::ports) == 1);
  CHECK(clients[3].allocate(with_family(Family::ipv6)).code() == ok);
  CHECK(clients[4].allocate(with_family(Family::ipv6)).code() == 508);
  CHECK(rejections(world, QuotaScope::total) == 1);
  CHECK(rejections(world, QuotaScope::user) == 0);
}

TEST_CASE("an allocation with a permission and a channel takes less than 2 kB", "[turn]") {
  CHECK(sizeof(turn::Allocation) <= 1024);
}

}  // namespace turnpike::test
