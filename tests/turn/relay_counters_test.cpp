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
  for (const std::uint16_t code : answer_codes) {
    CHECK(answer_codes.at(answer_code_index(code)) == code);
  }
  CHECK(answer_codes.at(answer_code_index(999)) == 500);
}

TEST_CASE("the counters of two servers add up, each to its own", "[turn]") {
  RelayCounters one;
  RelayCounters two;
  one.relays[1][0] += 5;
  --one.relays[1][0];
  two.relays[1][0] += 1;
  one.answers_to(stun::Method::refresh)[0][3] += 7;
  two.opened[2] += 6;
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
  CHECK(totals.answers_to(stun::Method::refresh)[0][3] == 7);
  CHECK(totals.answers_to(stun::Method::allocate)[0][3] == 0);
  CHECK(totals.opened[2] == 6);
  CHECK(totals.closed[2] == 2);
  CHECK(totals.durations[4] == 3);
  CHECK(totals.duration_seconds == 900);
  CHECK(totals.volume(RelayDirection::to_client, RelayPath::send).packets == 8);
  CHECK(totals.volume(RelayDirection::to_client, RelayPath::send).bytes == 9);
  CHECK(totals.volume(RelayDirection::to_peer, RelayPath::send).bytes == 0);
  CHECK(totals.quota_rejections[1] == 1);
}

TEST_CASE("methods are spelled as metrics spell them", "[turn]") {
  CHECK(metric_name(stun::Method::binding) == "binding");
  CHECK(metric_name(stun::Method::create_permission) == "create_permission");
  CHECK(metric_name(stun::Method::connection_bind) == "connection_bind");
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
  CHECK(to_string(QuotaScope::peers) == "peers");
}

}  // namespace turnpike::turn
