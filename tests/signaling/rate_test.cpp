#include "signaling/rate.h"

#include "catch.h"

namespace turnpike::signaling::test {

using namespace std::chrono_literals;

namespace {

constexpr RateMeter::Rate ten_a_second{100ms, 5};
constexpr Instant start{seconds{1000}};

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

}  // namespace

TEST_CASE("a burst passes, what follows is over, then a flood", "[signaling]") {
  RateMeter meter;
  for (int i = 0; i < 5; ++i) CHECK(meter.take(ten_a_second, start) == RateMeter::Verdict::pass);
  for (int i = 0; i < 5; ++i) CHECK(meter.take(ten_a_second, start) == RateMeter::Verdict::over);
  CHECK(meter.take(ten_a_second, start) == RateMeter::Verdict::flood);
}

TEST_CASE("the bucket fills while time passes, and no further than full", "[signaling]") {
  RateMeter meter;
  for (int i = 0; i < 5; ++i) (void)meter.take(ten_a_second, start);
  CHECK(meter.wait(ten_a_second, start) == 100ms);
  CHECK(meter.wait(ten_a_second, start + 60ms) == 40ms);
  CHECK(meter.take(ten_a_second, start + 100ms) == RateMeter::Verdict::pass);
  CHECK(meter.take(ten_a_second, start + 100ms) == RateMeter::Verdict::over);
  const Instant later = start + 1h;
  CHECK(meter.wait(ten_a_second, later) == 0ms);
  for (int i = 0; i < 5; ++i) CHECK(meter.take(ten_a_second, later) == RateMeter::Verdict::pass);
  CHECK(meter.take(ten_a_second, later) == RateMeter::Verdict::over);
}

TEST_CASE("what is refused counts, unless it is put back", "[signaling]") {
  RateMeter meter;
  for (int i = 0; i < 5; ++i) (void)meter.take(ten_a_second, start);
  CHECK(meter.take(ten_a_second, start) == RateMeter::Verdict::over);
  CHECK(meter.wait(ten_a_second, start) == 200ms);
  meter.put_back(ten_a_second);
  CHECK(meter.wait(ten_a_second, start) == 100ms);
}

TEST_CASE("no interval is no limit", "[signaling]") {
  RateMeter meter;
  for (int i = 0; i < 1000; ++i) CHECK(meter.take({0ms, 1}, start) == RateMeter::Verdict::pass);
}

TEST_CASE("each address has its joins a minute", "[signaling]") {
  JoinBudget joins{2, HashSeed{1}};
  CHECK(joins.spend(address("192.0.2.1"), start));
  CHECK(joins.spend(address("192.0.2.1"), start));
  for (int i = 0; i < 10; ++i) CHECK_FALSE(joins.spend(address("192.0.2.1"), start));
  CHECK(joins.wait(address("192.0.2.1"), start) == 30s);
  CHECK(joins.spend(address("192.0.2.2"), start));
  CHECK(joins.spend(address("192.0.2.1"), start + 30s));
  CHECK_FALSE(joins.spend(address("192.0.2.1"), start + 30s));
}

TEST_CASE("an IPv6 network is one address", "[signaling]") {
  JoinBudget joins{1, HashSeed{1}};
  CHECK(joins.spend(address("2001:db8::1"), start));
  CHECK_FALSE(joins.spend(address("2001:db8::2"), start));
  CHECK(joins.spend(address("2001:db8:0:1::1"), start));
}

TEST_CASE("joins without limit are not counted", "[signaling]") {
  JoinBudget joins{0, HashSeed{1}};
  for (int i = 0; i < 1000; ++i) CHECK(joins.spend(address("192.0.2.1"), start));
  CHECK(joins.wait(address("192.0.2.1"), start) == 0ms);
}

}  // namespace turnpike::signaling::test
