#include "bench/latency_histogram.h"

#include "catch.h"

using namespace turnpike;
using namespace std::chrono_literals;
using bench::LatencyHistogram;

TEST_CASE("an empty histogram says zero", "[bench]") {
  const LatencyHistogram histogram;
  CHECK(histogram.count() == 0);
  CHECK(histogram.quantile(0.5) == 0ns);
  CHECK(histogram.mean() == 0ns);
  CHECK(histogram.max() == 0ns);
}

TEST_CASE("quantiles are at most a sixty-fourth above the truth, whatever the size", "[bench]") {
  const nanoseconds unit = GENERATE(1ns, 100ns, 10us, 1ms, 1s);
  CAPTURE(unit.count());
  LatencyHistogram histogram;
  for (int i = 1; i <= 1000; ++i) histogram.add(unit * i);
  CHECK(histogram.count() == 1000);
  for (const int rank : {1, 500, 900, 990, 999}) {
    CAPTURE(rank);
    const nanoseconds truth = unit * rank;
    const nanoseconds told = histogram.quantile(rank / 1000.0);
    CHECK(told >= truth);
    CHECK(told - truth <= truth / 64);
  }
  CHECK(histogram.max() == unit * 1000);
  CHECK(histogram.quantile(1) == unit * 1000);
}

TEST_CASE("no quantile is above the largest value", "[bench]") {
  LatencyHistogram histogram;
  histogram.add(1001ns);
  CHECK(histogram.quantile(0.5) == 1001ns);
  CHECK(histogram.quantile(0.999) == 1001ns);
}

TEST_CASE("the mean is exact", "[bench]") {
  LatencyHistogram histogram;
  histogram.add(1us);
  histogram.add(2us);
  histogram.add(6us);
  CHECK(histogram.mean() == 3us);
}

TEST_CASE("a clock that went backwards counts as no time at all", "[bench]") {
  LatencyHistogram histogram;
  histogram.add(-5us);
  CHECK(histogram.count() == 1);
  CHECK(histogram.max() == 0ns);
}
