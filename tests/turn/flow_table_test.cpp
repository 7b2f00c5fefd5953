#include "turn/flow_table.h"

#include <map>
#include <unordered_map>

#include "base/aborts.h"
#include "base/seeded_random.h"
#include "catch.h"
#include "turn/spelled.h"

namespace turnpike::turn {
namespace {

using namespace spelled;

FiveTuple tuple_of(std::uint32_t number) {
  FiveTuple tuple;
  tuple.client = {IpAddress::v4(0xc6336400 + number / 7),
                  static_cast<std::uint16_t>(1024 + number % 7)};
  tuple.server = endpoint("192.0.2.1:3478");
  tuple.transport = number % 2 == 0 ? Transport::udp : Transport::tcp;
  return tuple;
}

/// A FlowTable beside the simplest thing that keeps the same promises.
class Checked {
 public:
  explicit Checked(HashSeed seed) : table_(seed) {}

  void insert(const FiveTuple& tuple) {
    const std::uint32_t slot = next_slot_++;
    tuples_[slot] = tuple;
    model_.emplace_back(tuple, slot);
    table_.insert(tuple, slot);
  }
  void erase_at(std::size_t index) {
    const auto [tuple, slot] = model_[index];
    model_.erase(model_.begin() + static_cast<std::ptrdiff_t>(index));
    table_.erase(tuple, slot);
    tuples_.erase(slot);
  }
  [[nodiscard]] std::optional<std::uint32_t> find(const FiveTuple& tuple) const {
    // at() throws when the table asks for a slot that it should have forgotten.
    return table_.find(tuple,
                       [this](std::uint32_t slot) -> const FiveTuple& { return tuples_.at(slot); });
  }
  [[nodiscard]] std::optional<std::size_t> index_of(const FiveTuple& tuple) const {
    for (std::size_t i = 0; i < model_.size(); ++i) {
      if (model_[i].first == tuple) return i;
    }
    return std::nullopt;
  }
  [[nodiscard]] bool agrees() const {
    if (table_.size() != model_.size()) return false;
    return std::all_of(model_.begin(), model_.end(),
                       [this](const auto& entry) { return find(entry.first) == entry.second; });
  }
  [[nodiscard]] std::size_t size() const { return model_.size(); }

 private:
  FlowTable table_;
  std::unordered_map<std::uint32_t, FiveTuple> tuples_;
  std::vector<std::pair<FiveTuple, std::uint32_t>> model_;
  std::uint32_t next_slot_ = 0;
};

/// Tuples whose entries all want the same place of a table with 64 places.
std::vector<FiveTuple> with_home(std::uint64_t home, std::size_t count, HashSeed seed) {
  std::vector<FiveTuple> tuples;
  for (std::uint32_t number = 0; tuples.size() < count; ++number) {
    const FiveTuple tuple = tuple_of(number);
    if (hash_of(tuple, seed) % 64 == home) tuples.push_back(tuple);
  }
  return tuples;
}

}  // namespace

TEST_CASE("a flow table finds what was put in and nothing else", "[turn]") {
  Checked table{HashSeed{1}};
  CHECK_FALSE(table.find(tuple_of(0)));
  table.insert(tuple_of(0));
  CHECK(table.find(tuple_of(0)) == 0U);
  CHECK_FALSE(table.find(tuple_of(1)));
  table.erase_at(0);
  CHECK_FALSE(table.find(tuple_of(0)));
  CHECK(table.agrees());
}

TEST_CASE("each part of the five-tuple tells flows apart", "[turn]") {
  FiveTuple base;
  base.client = endpoint("198.51.100.1:4000");
  base.server = endpoint("192.0.2.1:3478");
  std::vector<FiveTuple> others(6, base);
  others[0].client.port = 4001;
  others[1].client.address = ip("198.51.100.2");
  others[2].server.port = 3479;
  others[3].server.address = ip("192.0.2.2");
  others[4].transport = Transport::tcp;
  others[5].client.address = ip("2001:db8::1");
  Checked table{HashSeed{1}};
  table.insert(base);
  for (const FiveTuple& other : others) CHECK_FALSE(table.find(other));
  for (const FiveTuple& other : others) table.insert(other);
  CHECK(table.agrees());
}

TEST_CASE("a flow table agrees with a list through thousands of inserts and erases", "[turn]") {
  const std::uint64_t seed = test::seed_or(6);
  CAPTURE(seed);
  test::SeededRandom random{seed};
  Checked table{HashSeed{random.next()}};
  for (int step = 0; step < 20'000; ++step) {
    // Grows to some 300 flows, then shrinks to none, again and again.
    const bool is_growing = (step / 2500) % 2 == 0;
    const FiveTuple tuple = tuple_of(static_cast<std::uint32_t>(random.below(400)));
    const auto index = table.index_of(tuple);
    REQUIRE(table.find(tuple).has_value() == index.has_value());
    if (!index && (is_growing || random.below(4) == 0)) table.insert(tuple);
    if (index && (!is_growing || random.below(4) == 0)) table.erase_at(*index);
    if (step % 100 == 0) REQUIRE(table.agrees());
  }
  while (table.size() > 0) {
    table.erase_at(random.below(table.size()));
    if (table.size() % 16 == 0) REQUIRE(table.agrees());
  }
}

TEST_CASE("flows that want the same place survive each other's end in every order", "[turn]") {
  const HashSeed seed{42};
  const std::uint64_t home = GENERATE(0U, 31U, 62U, 63U);  // the last ones wrap around the end
  const std::vector<FiveTuple> same = with_home(home, 4, seed);
  const std::vector<FiveTuple> after_it = with_home((home + 1) % 64, 2, seed);
  std::vector<FiveTuple> all = same;
  all.insert(all.end(), after_it.begin(), after_it.end());
  std::vector<std::size_t> order{0, 1, 2, 3, 4, 5};
  do {
    Checked table{seed};
    for (const FiveTuple& tuple : all) table.insert(tuple);
    for (const std::size_t index : order) {
      table.erase_at(table.index_of(all[index]).value());
      REQUIRE(table.agrees());
      REQUIRE_FALSE(table.find(all[index]));
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("dense neighbourhoods of homes survive random changes", "[turn]") {
  const std::uint64_t number = test::seed_or(8);
  CAPTURE(number);
  test::SeededRandom random{number};
  const HashSeed seed{7};
  std::vector<FiveTuple> tuples;
  for (const std::uint64_t home : {60U, 61U, 62U, 63U, 0U, 1U, 2U}) {
    const auto more = with_home(home, 4, seed);
    tuples.insert(tuples.end(), more.begin(), more.end());
  }
  Checked table{seed};
  for (int step = 0; step < 5000; ++step) {
    const FiveTuple& tuple = tuples[random.below(tuples.size())];  // 28: the table does not grow
    const auto index = table.index_of(tuple);
    index ? table.erase_at(*index) : table.insert(tuple);
    REQUIRE(table.agrees());
    REQUIRE(table.find(tuple).has_value() == !index.has_value());
  }
}

TEST_CASE("erasing what is not in the table is a bug that is caught", "[turn]") {
  CHECK(test::aborts([] {
    FlowTable table{HashSeed{1}};
    table.insert(tuple_of(0), 0);
    table.erase(tuple_of(1), 1);
  }));
}

}  // namespace turnpike::turn
