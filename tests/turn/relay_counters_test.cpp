#include "turn/relay_counters.h"

#include "catch.h"

namespace turnpike::turn {

using namespace std::chrono_literals;

TEST_CASE("a duration is in the first class that it does not exceed", "[turn]") {
  CHECK(duration_class(0s) == 0);
  CHECK(duration_class(1s) == 0);
  CHECK(duration_class(1s + 1ns) == 1);
  CHECK(duration_class(10min) == duration_class(301s));
  CHECK(duration_class(24h) == duration_bounds_s.size() - 1);
  CHECK(duration_class(24h + 1s) == duration_bounds_s.size());
}

TEST_CASE("every code has a place, unforeseen ones that of 500", "[turn]") {
  for (const std::uint16_t code : allocate_codes) {
    CHECK(allocate_codes.at(allocate_code_index(code)) == code);
  }
  CHECK(allocate_codes.at(allocate_code_index(999)) == 500);
}

TEST_CASE("the counters of two servers add up, each to its own", "[turn]") {
  RelayCounters one;
  RelayCounters two;
  one.relays[1][0] += 5;
  --one.relays[1][0];
  two.relays[1][0] += 1;
  one.answers[0][3] += 7;
  two.closed[2] += 2;
  two.durations[4] += 3;
  two.duration_seconds += 900;
  one.volume(RelayDirection::to_client, RelayPath::send).packets += 8;
  two.volume(RelayDirection::to_client, RelayPath::send).bytes += 9;
  one.quota_rejections[static_cast<std::size_t>(QuotaScope::network)] += 1;
  RelayTotals totals;
  totals += one;
  totals += two;
  CHECK(totals.relays[1][0] == 5);
  CHECK(totals.answers[0][3] == 7);
  CHECK(totals.closed[2] == 2);
  CHECK(totals.durations[4] == 3);
  CHECK(totals.duration_seconds == 900);
  CHECK(totals.volume(RelayDirection::to_client, RelayPath::send).packets == 8);
  CHECK(totals.volume(RelayDirection::to_client, RelayPath::send).bytes == 9);
  CHECK(totals.volume(RelayDirection::to_peer, RelayPath::send).bytes == 0);
  CHECK(totals.quota_rejections[1] == 1);
}

TEST_CASE("directions, paths and scopes are spelled as metrics spell them", "[turn]") {
  CHECK(to_string(RelayDirection::to_peer) == "to_peer");
  CHECK(to_string(RelayDirection::to_client) == "to_client");
  CHECK(to_string(RelayPath::channel) == "channel");
  CHECK(to_string(RelayPath::send) == "send");
  CHECK(to_string(RelayPath::stream) == "stream");
  CHECK(to_string(QuotaScope::user) == "user");
  CHECK(to_string(QuotaScope::network) == "network");
  CHECK(to_string(QuotaScope::total) == "total");
  CHECK(to_string(QuotaScope::ports) == "ports");
}

}  // namespace turnpike::turn
