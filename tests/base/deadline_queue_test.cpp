#include "base/deadline_queue.h"

#include <map>
#include <vector>

#include "base/seeded_random.h"
#include "catch.h"

namespace turnpike::test {

namespace {

using Id = DeadlineQueue::Id;

Instant at(std::int64_t ticks) { return Instant{nanoseconds{ticks}}; }

std::vector<Id> pop_all(DeadlineQueue& queue, Instant now) {
  std::vector<Id> ids;
  while (const auto id = queue.pop_due(now)) ids.push_back(*id);
  return ids;
}

/// The same promises kept in the simplest way.
class NaiveQueue {
 public:
  void set(Id id, Instant deadline) { deadlines_[id] = deadline; }
  void clear(Id id) { deadlines_.erase(id); }
  std::optional<Instant> next() const {
    const auto first = earliest();
    return first == deadlines_.end() ? std::nullopt : std::optional{first->second};
  }
  std::optional<Id> pop_due(Instant now) {
    const auto first = earliest();
    if (first == deadlines_.end() || first->second > now) return std::nullopt;
    const Id id = first->first;
    deadlines_.erase(first);
    return id;
  }
  std::size_t size() const { return deadlines_.size(); }

 private:
  std::map<Id, Instant>::const_iterator earliest() const {
    auto best = deadlines_.begin();
    for (auto it = deadlines_.begin(); it != deadlines_.end(); ++it) {
      if (it->second < best->second) best = it;  // ids ascend, so the first of a tie stays
    }
    return best;
  }
  std::map<Id, Instant> deadlines_;
};

}  // namespace

TEST_CASE("an empty queue has no deadline", "[base]") {
  DeadlineQueue queue;
  CHECK(queue.size() == 0);
  CHECK_FALSE(queue.next());
  CHECK_FALSE(queue.pop_due(Instant::max()));
  queue.clear(0);
  queue.clear(1000);
  CHECK(queue.size() == 0);
}

TEST_CASE("a deadline is due at its instant and not before", "[base]") {
  DeadlineQueue queue;
  queue.set(3, at(100));
  CHECK(queue.next() == at(100));
  CHECK_FALSE(queue.pop_due(at(99)));
  CHECK(queue.pop_due(at(100)) == Id{3});
  CHECK_FALSE(queue.pop_due(at(100)));
  CHECK_FALSE(queue.next());
}

TEST_CASE("deadlines come out earliest first, ties by id, however they went in", "[base]") {
  std::vector<Id> order{0, 1, 2, 3, 4};
  do {
    DeadlineQueue queue;
    for (const Id id : order) queue.set(id, at(id == 4 ? 5 : id == 3 ? 1 : 7));
    CHECK(pop_all(queue, at(10)) == std::vector<Id>{3, 4, 0, 1, 2});
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("setting a deadline again moves it, earlier or later", "[base]") {
  DeadlineQueue queue;
  queue.set(0, at(10));
  queue.set(1, at(20));
  queue.set(2, at(30));
  SECTION("earlier") {
    queue.set(2, at(5));
    CHECK(pop_all(queue, at(100)) == std::vector<Id>{2, 0, 1});
  }
  SECTION("later") {
    queue.set(0, at(25));
    CHECK(pop_all(queue, at(100)) == std::vector<Id>{1, 0, 2});
  }
  SECTION("to the same instant") {
    queue.set(1, at(20));
    CHECK(queue.size() == 3);
    CHECK(pop_all(queue, at(100)) == std::vector<Id>{0, 1, 2});
  }
}

TEST_CASE("a cleared deadline does not come out, and can be set again", "[base]") {
  DeadlineQueue queue;
  queue.set(0, at(10));
  queue.set(1, at(20));
  queue.clear(0);
  queue.clear(0);
  CHECK(queue.next() == at(20));
  queue.set(0, at(15));
  CHECK(pop_all(queue, at(100)) == std::vector<Id>{0, 1});
}

TEST_CASE("the extremes of time are deadlines like others", "[base]") {
  DeadlineQueue queue;
  queue.set(0, Instant::max());
  queue.set(1, Instant::min());
  CHECK(queue.next() == Instant::min());
  CHECK(pop_all(queue, Instant::max()) == std::vector<Id>{1, 0});
}

TEST_CASE("the queue agrees with a naive one over random calls", "[base]") {
  // Few ids and few instants give many moves, ties and repetitions; more ids give deep heaps.
  auto [round, ids, instants] = GENERATE(table<std::uint64_t, std::uint64_t, std::uint64_t>(
      {{1, 4, 4}, {2, 16, 8}, {3, 64, 1000}, {4, 64, 3}, {5, 1000, 100}, {6, 1000, 1'000'000}}));
  const std::uint64_t seed = seed_or(round);
  CAPTURE(seed, ids, instants);
  SeededRandom random{seed};
  DeadlineQueue queue;
  NaiveQueue naive;
  for (int step = 0; step < 20'000; ++step) {
    const auto id = static_cast<Id>(random.below(ids));
    const Instant when = at(static_cast<std::int64_t>(random.below(instants)));
    const std::uint64_t what = random.below(10);
    bool same = true;
    if (what < 6) {
      queue.set(id, when);
      naive.set(id, when);
    } else if (what < 8) {
      queue.clear(id);
      naive.clear(id);
    } else if (what == 8) {
      same = queue.pop_due(when) == naive.pop_due(when);
    } else {
      const auto due = naive.next();
      if (due) same = queue.pop_due(*due) == naive.pop_due(*due);
    }
    same = same && queue.size() == naive.size() && queue.next() == naive.next();
    if (!same) {
      CAPTURE(step, what, id);
      FAIL("the queues differ");
    }
  }
  while (naive.size() != 0) {
    REQUIRE(queue.pop_due(Instant::max()) == naive.pop_due(Instant::max()));
  }
  CHECK(queue.size() == 0);
}

}  // namespace turnpike::test
