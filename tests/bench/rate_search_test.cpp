#include "bench/rate_search.h"

#include <algorithm>

#include "catch.h"

using namespace turnpike;
using bench::RateSearch;

namespace {

/// A server that loses packets above `capacity`, under a load that can send `load_max`.
RateSearch search(double capacity, double load_max = 1e9) {
  RateSearch search{10'000};
  for (int trials = 0; search.next(); ++trials) {
    REQUIRE(trials < 60);
    const double wanted = *search.next();
    const double achieved = std::min(wanted, load_max);
    search.on_trial({wanted, achieved, achieved > capacity ? 10U : 0U});
  }
  return search;
}

}  // namespace

TEST_CASE("the search ends close below what the server can", "[bench]") {
  const double capacity = GENERATE(150.0, 4'000.0, 10'000.0, 123'456.0, 3'000'000.0);
  CAPTURE(capacity);
  const RateSearch found = search(capacity);
  CHECK(found.highest() <= capacity);
  CHECK(found.highest() >= 0.96 * capacity);
  CHECK_FALSE(found.is_load_limited());
}

TEST_CASE("the search ends where the load can send no faster, and says so", "[bench]") {
  const RateSearch found = search(1e9, 70'000);
  CHECK(found.highest() == Approx(70'000));
  CHECK(found.is_load_limited());
}

TEST_CASE("a server that always loses something has no such rate", "[bench]") {
  const RateSearch found = search(0);
  CHECK(found.highest() == 0);
  CHECK(found.trials().size() < 30);
}

TEST_CASE("one loss alone is tried again before it counts", "[bench]") {
  RateSearch search{10'000};
  search.on_trial({10'000, 10'000, 1});
  CHECK(search.next() == 10'000);
  search.on_trial({10'000, 10'000, 0});
  CHECK(search.next() == 20'000);
  search.on_trial({20'000, 20'000, 1});
  search.on_trial({20'000, 20'000, 1});
  CHECK(search.next() == 15'000);
}
