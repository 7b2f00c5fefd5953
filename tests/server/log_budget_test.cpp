#include "server/log_budget.h"

#include "catch.h"

using namespace turnpike;
using server::LogBudget;

namespace {

constexpr Instant start{seconds{1000}};

unsigned written(LogBudget& budget, std::string_view event, unsigned tries, Instant now) {
  unsigned lines = 0;
  for (unsigned i = 0; i < tries; ++i) lines += budget.may_write(event, now) ? 1U : 0U;
  return lines;
}

}  // namespace

TEST_CASE("a warning is written ten times a second, and the rest is counted",
          "[server][log][M06]") {
  LogBudget budget;
  CHECK(written(budget, "stream_refused", 1000, start) == LogBudget::per_second);
  CHECK(budget.take_suppressed(start + milliseconds{999}).empty());
  CHECK(written(budget, "stream_refused", 7, start + milliseconds{999}) == 0);

  const auto left_out = budget.take_suppressed(start + seconds{1});
  REQUIRE(left_out.size() == 1);
  CHECK(left_out[0].event == "stream_refused");
  CHECK(left_out[0].count == 997);
}

TEST_CASE("what was left out is told once, and the next second begins afresh", "[server][log]") {
  LogBudget budget;
  CHECK(written(budget, "stream_refused", 11, start) == LogBudget::per_second);
  CHECK(budget.take_suppressed(start + seconds{5}).size() == 1);
  CHECK(budget.take_suppressed(start + seconds{5}).empty());
  CHECK(written(budget, "stream_refused", 11, start + seconds{5}) == LogBudget::per_second);
}

TEST_CASE("a second in which nothing was left out is not told of", "[server][log]") {
  LogBudget budget;
  CHECK(written(budget, "stream_refused", LogBudget::per_second, start) == LogBudget::per_second);
  CHECK(budget.take_suppressed(start + seconds{1}).empty());
}

TEST_CASE("a flood of one warning takes nothing from another", "[server][log][M06]") {
  LogBudget budget;
  CHECK(written(budget, "relay_not_opened", 1000, start) == LogBudget::per_second);
  CHECK(written(budget, "stream_refused", 12, start + milliseconds{500}) == LogBudget::per_second);

  const auto first = budget.take_suppressed(start + seconds{1});
  REQUIRE(first.size() == 1);
  CHECK(first[0].event == "relay_not_opened");
  const auto second = budget.take_suppressed(start + milliseconds{1500});
  REQUIRE(second.size() == 1);
  CHECK(second[0].event == "stream_refused");
  CHECK(second[0].count == 2);
}

TEST_CASE("that accepting fails is written once a minute, as long as it lasts",
          "[server][log][Q11]") {
  LogBudget budget;
  CHECK(written(budget, "accept_failed", 5, start) == 1);
  CHECK(written(budget, "accept_failed", 5, start + milliseconds{59'999}) == 0);
  CHECK(budget.take_suppressed(start + milliseconds{59'999}).empty());

  const auto left_out = budget.take_suppressed(start + seconds{60});
  REQUIRE(left_out.size() == 1);
  CHECK(left_out[0].count == 9);
  CHECK(written(budget, "accept_failed", 5, start + seconds{60}) == 1);
}
