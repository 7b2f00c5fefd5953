#include "bench/process_usage.h"

#include <unistd.h>

#include "catch.h"
#include "net/clock.h"

using namespace turnpike;
using namespace std::chrono_literals;

TEST_CASE("a process that works uses processor time and has memory", "[bench]") {
  const auto before = bench::usage_of(::getpid());
  REQUIRE(before);
  const nanoseconds own_before = bench::own_usage().cpu;
  while (bench::own_usage().cpu < own_before + 30ms) {
  }
  const auto after = bench::usage_of(::getpid());
  REQUIRE(after);
  const bench::ProcessUsage spent = after->since(*before);
  CHECK(spent.cpu >= 20ms);
  CHECK(spent.user + spent.system >= 10ms);
  CHECK(spent.resident_bytes > 1'000'000);
  REQUIRE(spent.threads.count(::getpid()) == 1);
  CHECK(spent.threads.at(::getpid()).cpu == spent.cpu);
  CHECK(spent.threads.at(::getpid()).name == "turnpike_tests");
}

TEST_CASE("a process that is not there has no usage", "[bench]") {
  CHECK_FALSE(bench::usage_of(999'999'999));
}
