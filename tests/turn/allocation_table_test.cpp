#include "turn/allocation_table.h"

#include <map>
#include <set>

#include "base/seeded_random.h"
#include "catch.h"
#include "turn/spelled.h"

namespace turnpike::turn {
namespace {

using namespace spelled;

ClientFlow flow_of(std::uint32_t number) {
  ClientFlow flow;
  flow.tuple.client = {IpAddress::v4(0xc6336400 + number % 256),
                       static_cast<std::uint16_t>(1024 + number)};
  flow.tuple.server = endpoint("192.0.2.1:3478");
  flow.listener = ListenerId{number % 3};
  return flow;
}

Allocation& open(AllocationTable& table, std::uint32_t number, Family family = Family::ipv4) {
  Allocation& allocation = table.create(flow_of(number));
  allocation.relay(family).state = Relay::State::open;
  return allocation;
}

}  // namespace

TEST_CASE("an allocation is found by its five-tuple from creation to destruction", "[turn]") {
  AllocationTable table{HashSeed{1}};
  CHECK(table.find(flow_of(0).tuple) == nullptr);
  Allocation& allocation = table.create(flow_of(0));
  CHECK(table.size() == 1);
  CHECK(allocation.flow.tuple == flow_of(0).tuple);
  CHECK(allocation.flow.listener == flow_of(0).listener);
  CHECK(table.find(flow_of(0).tuple) == &allocation);
  CHECK(&table.at(allocation.slot) == &allocation);
  CHECK(table.find(flow_of(1).tuple) == nullptr);
  table.destroy(allocation);
  CHECK(table.size() == 0);
  CHECK(table.find(flow_of(0).tuple) == nullptr);
}

TEST_CASE("allocations do not move when others come", "[turn]") {
  AllocationTable table{HashSeed{1}};
  Allocation& first = table.create(flow_of(0));
  for (std::uint32_t i = 1; i < 1000; ++i) static_cast<void>(table.create(flow_of(i)));
  CHECK(table.find(flow_of(0).tuple) == &first);
  CHECK(table.size() == 1000);
}

TEST_CASE("a new allocation in a used slot begins with nothing of the old one", "[turn]") {
  AllocationTable table{HashSeed{1}};
  Allocation& old = open(table, 0);
  old.permit({ip("8.8.8.8"), after(seconds{300})});
  old.reservation_token = 7;
  old.additional_error = stun::ErrorCode::insufficient_capacity;
  old.relay(Family::ipv4).expires = after(seconds{600});
  const std::uint32_t slot = old.slot;
  table.destroy(old);
  const Allocation& next = table.create(flow_of(1));
  REQUIRE(next.slot == slot);
  CHECK(next.permissions.size() == 0);
  CHECK(next.channels.size() == 0);
  CHECK_FALSE(next.reservation_token);
  CHECK_FALSE(next.additional_error);
  CHECK(next.relay(Family::ipv4).expires == Instant{});
  CHECK_FALSE(next.pending);
  CHECK(next.relay(Family::ipv4).state == Relay::State::absent);
  CHECK(next.relay(Family::ipv4).lease.port == 0);
}

TEST_CASE("an allocation on the move is found by both five-tuples", "[turn][rfc8016-3.2.2][c66]") {
  AllocationTable table{HashSeed{1}};
  Allocation& allocation = table.create(flow_of(0));
  allocation.mobility = std::make_unique<Mobility>();
  CHECK(table.find_mobile(allocation.slot, 1) == &allocation);
  CHECK(table.find_mobile(allocation.slot, 2) == nullptr);
  CHECK(table.find_mobile(allocation.slot + 1, 1) == nullptr);
  CHECK(table.find_mobile(table.create(flow_of(5)).slot, 2) == nullptr);  // has no ticket

  table.add_next(allocation, flow_of(1));
  CHECK(table.size() == 2);
  CHECK(table.find(flow_of(0).tuple) == &allocation);
  CHECK(table.find(flow_of(1).tuple) == &allocation);
  const std::uint32_t slot = allocation.slot;

  SECTION("until it has moved") {
    table.finish_move(allocation);
    CHECK(table.find(flow_of(0).tuple) == nullptr);
    CHECK(table.find(flow_of(1).tuple) == &allocation);
    CHECK(allocation.flow.tuple == flow_of(1).tuple);
    CHECK(allocation.flow.listener == flow_of(1).listener);
    CHECK_FALSE(allocation.mobility->next);
    CHECK(allocation.has_client);
  }
  SECTION("until the move is off") {
    table.drop_next(allocation);
    CHECK(table.find(flow_of(0).tuple) == &allocation);
    CHECK(table.find(flow_of(1).tuple) == nullptr);
    CHECK(allocation.flow.tuple == flow_of(0).tuple);
  }
  SECTION("or by none, until it has another") {
    table.drop_next(allocation);
    table.drop_flow(allocation);
    CHECK_FALSE(allocation.has_client);
    CHECK(table.find(flow_of(0).tuple) == nullptr);
    CHECK(table.size() == 2);
    table.set_flow(allocation, flow_of(2));
    CHECK(table.find(flow_of(2).tuple) == &allocation);
  }
  SECTION("until it ends") {}
  table.destroy(allocation);
  for (std::uint32_t i = 0; i < 3; ++i) CHECK(table.find(flow_of(i).tuple) == nullptr);
  CHECK(table.size() == 1);
  CHECK(table.find_mobile(slot, 9) == nullptr);
  CHECK(table.create(flow_of(3)).slot == slot);
}

TEST_CASE("a relay is found by its id while it is being opened or open", "[turn]") {
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  AllocationTable table{HashSeed{1}};
  Allocation& allocation = table.create(flow_of(0));
  const RelayId id = AllocationTable::relay_id(allocation, family);
  CHECK(AllocationTable::family_of(id) == family);
  CHECK(table.find(id) == nullptr);
  Relay& relay = allocation.relay(family);
  for (const auto& [state, is_found] : {std::pair{Relay::State::opening, true},
                                        {Relay::State::open, true},
                                        {Relay::State::failed, false},
                                        {Relay::State::absent, false}}) {
    relay.state = state;
    CHECK((table.find(id) == &allocation) == is_found);
  }
}

TEST_CASE("the two relays of an allocation have ids of their own", "[turn]") {
  AllocationTable table{HashSeed{1}};
  Allocation& first = open(table, 0);
  Allocation& second = open(table, 1, Family::ipv6);
  const RelayId v4 = AllocationTable::relay_id(first, Family::ipv4);
  const RelayId v6 = AllocationTable::relay_id(second, Family::ipv6);
  CHECK_FALSE(v4 == AllocationTable::relay_id(first, Family::ipv6));
  CHECK_FALSE(v4 == AllocationTable::relay_id(second, Family::ipv4));
  CHECK(table.find(v4) == &first);
  CHECK(table.find(v6) == &second);
  CHECK(table.find(AllocationTable::relay_id(first, Family::ipv6)) == nullptr);
}

TEST_CASE("ids that were never given out find nothing", "[turn]") {
  AllocationTable table{HashSeed{1}};
  CHECK(table.find(RelayId{0, 0}) == nullptr);
  const Allocation& allocation = open(table, 0);
  RelayId id = AllocationTable::relay_id(allocation, Family::ipv4);
  ++id.generation;
  CHECK(table.find(id) == nullptr);
  CHECK(table.find(RelayId{2, 0}) == nullptr);
  CHECK(table.find(RelayId{UINT32_MAX, 0}) == nullptr);
}

TEST_CASE("a closed relay's id is never valid again, whoever gets its slot", "[turn]") {
  AllocationTable table{HashSeed{1}};
  std::vector<RelayId> old_ids;
  for (std::uint32_t round = 0; round < 100; ++round) {
    Allocation& allocation = open(table, round);
    const RelayId id = AllocationTable::relay_id(allocation, Family::ipv4);
    CHECK(allocation.slot == 0);
    for (const RelayId& old : old_ids) REQUIRE(table.find(old) == nullptr);
    REQUIRE(table.find(id) == &allocation);
    old_ids.push_back(id);
    table.destroy(allocation);
    REQUIRE(table.find(id) == nullptr);
  }
}

TEST_CASE("an allocation table agrees with a map through thousands of changes", "[turn]") {
  const std::uint64_t seed = test::seed_or(18);
  CAPTURE(seed);
  test::SeededRandom random{seed};
  AllocationTable table{HashSeed{random.next()}};
  std::map<std::uint32_t, RelayId> model;
  std::vector<RelayId> closed;
  for (int step = 0; step < 20'000; ++step) {
    const auto number = static_cast<std::uint32_t>(random.below(60));
    const auto known = model.find(number);
    Allocation* const found = table.find(flow_of(number).tuple);
    REQUIRE((found != nullptr) == (known != model.end()));
    if (found == nullptr) {
      model[number] = AllocationTable::relay_id(open(table, number), Family::ipv4);
    } else if (random.below(2) == 0) {
      closed.push_back(known->second);
      model.erase(known);
      table.destroy(*found);
    }
    REQUIRE(table.size() == model.size());
    if (step % 50 != 0) continue;
    std::set<const Allocation*> distinct;
    for (const auto& [flow, id] : model) {
      REQUIRE(table.find(id) == table.find(flow_of(flow).tuple));
      distinct.insert(table.find(id));
    }
    REQUIRE(distinct.size() == model.size());
    if (!closed.empty()) REQUIRE(table.find(closed[random.below(closed.size())]) == nullptr);
  }
}

}  // namespace turnpike::turn
