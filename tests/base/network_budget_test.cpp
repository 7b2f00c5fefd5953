#include "base/network_budget.h"

#include "catch.h"
#include "turn/spelled.h"

namespace turnpike {
namespace {

using namespace turn::spelled;
using namespace std::chrono_literals;

constexpr HashSeed seed{0x1234};

/// How many answers `source` draws at `now` before the budget is gone, `most` at most.
int drawn(NetworkBudget& budget, const IpAddress& source, Instant now, int most = 1000) {
  int count = 0;
  while (count < most && budget.spend(source, now)) ++count;
  return count;
}

}  // namespace

TEST_CASE("[M03] a network draws as many answers at once as it may have in a second",
          "[base][M03]") {
  const std::uint32_t rate = GENERATE(1U, 2U, 50U, 999U);
  NetworkBudget budget{rate, seed};
  CHECK(drawn(budget, ip("198.51.100.7"), after(0s)) == static_cast<int>(rate));
  CHECK_FALSE(budget.spend(ip("198.51.100.7"), after(0s)));
}

TEST_CASE("[M03] the budget fills up again evenly and never beyond one second's worth",
          "[base][M03]") {
  NetworkBudget budget{50, seed};
  const IpAddress source = ip("198.51.100.7");
  REQUIRE(drawn(budget, source, after(0s)) == 50);
  CHECK(drawn(budget, source, after(19ms)) == 0);
  CHECK(drawn(budget, source, after(21ms)) == 1);
  CHECK(drawn(budget, source, after(121ms)) == 5);
  CHECK(drawn(budget, source, after(621ms)) == 25);
  CHECK(drawn(budget, source, after(10s)) == 50);
  CHECK(drawn(budget, source, after(24h)) == 50);
}

TEST_CASE("[M03] a steady flood draws the rate and no more", "[base][M03]") {
  NetworkBudget budget{50, seed};
  int answers = 0;
  for (int i = 0; i < 100'000; ++i) {  // 10 seconds at 10,000 a second
    answers += budget.spend(ip("198.51.100.7"), after(i * 100us)) ? 1 : 0;
  }
  CHECK(answers >= 540);
  CHECK(answers <= 550);
}

TEST_CASE("[M03] an IPv4 /24 and an IPv6 /56 share one budget, their neighbours have another",
          "[base][M03]") {
  struct Row {
    std::string_view spender;
    std::string_view same;
    std::string_view neighbour;
  };
  const auto row = GENERATE(values<Row>({
      {"198.51.100.0", "198.51.100.255", "198.51.101.0"},
      {"198.51.100.0", "198.51.100.1", "198.51.99.255"},
      {"198.51.100.9", "198.51.100.200", "198.50.100.9"},
      {"198.51.100.9", "198.51.100.200", "199.51.100.9"},
      {"2001:db8:0:ff00::", "2001:db8:0:ffff:ffff:ffff:ffff:ffff", "2001:db8:1::"},
      {"2001:db8:0:ff00::1", "2001:db8:0:ff42::1", "2001:db8:0:fe00::1"},
  }));
  CAPTURE(row.spender, row.same, row.neighbour);
  NetworkBudget budget{5, seed};
  REQUIRE(drawn(budget, ip(row.spender), after(0s)) == 5);
  CHECK_FALSE(budget.spend(ip(row.same), after(0s)));
  CHECK(drawn(budget, ip(row.neighbour), after(0s)) == 5);
}

TEST_CASE("[m04] however many networks ask, the table bounds what all of them draw",
          "[base][m04]") {
  NetworkBudget budget{1, seed};
  int answers = 0;
  for (std::uint32_t network = 0; network < 100'000; ++network) {
    answers += budget.spend(IpAddress::v4(network << 8), after(0s)) ? 1 : 0;
  }
  CHECK(answers <= 4096);
  CHECK(answers > 4000);  // and the hash uses the whole table
}

TEST_CASE("[m04] which networks share a bucket depends on the secret seed", "[base][m04]") {
  const auto collides = [](std::uint32_t network, HashSeed with) {
    NetworkBudget budget{1, with};
    static_cast<void>(budget.spend(IpAddress::v4(0x01020300), after(0s)));
    return !budget.spend(IpAddress::v4(network << 8), after(0s));
  };
  std::uint32_t partner = 0x020000;
  while (!collides(partner, HashSeed{1})) ++partner;
  int again = 0;
  for (std::uint64_t other = 2; other < 22; ++other)
    again += collides(partner, HashSeed{other}) ? 1 : 0;
  CHECK(again <= 1);
}

TEST_CASE("a rate of zero switches the budget off", "[base]") {
  NetworkBudget budget{0, seed};
  CHECK(drawn(budget, ip("198.51.100.7"), after(0s), 10'000) == 10'000);
}

TEST_CASE("a bucket gives several tokens at once, or none", "[base]") {
  TokenBucket bucket;  // two a second, six at most
  CHECK_FALSE(bucket.spend(7, 2, 3, after(0s)));
  CHECK(bucket.spend(4, 2, 3, after(0s)));
  CHECK_FALSE(bucket.spend(3, 2, 3, after(0s)));
  CHECK(bucket.spend(2, 2, 3, after(0s)));
  CHECK_FALSE(bucket.spend(1, 2, 3, after(499ms)));
  CHECK(bucket.spend(1, 2, 3, after(500ms)));
  CHECK_FALSE(bucket.spend(6, 2, 3, after(3s)));
  CHECK(bucket.spend(6, 2, 3, after(3500ms)));
}

}  // namespace turnpike
