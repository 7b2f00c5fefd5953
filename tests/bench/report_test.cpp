#include "bench/report.h"

#include <nlohmann/json.hpp>

#include "catch.h"

using namespace turnpike;
using namespace std::chrono_literals;
using bench::Mode;
using bench::Report;
using nlohmann::json;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Two seconds of a million packets, of which the server spent one.
Report relayed() {
  Report report{};
  report.plan.target = "turn:127.0.0.1";
  report.plan.server = {IpAddress::v4(0x7f000001), 3478};
  report.plan.server_process = 4711;
  report.elapsed = 2s;
  report.packets = {1'000'010, 1'000'000, 3, 0, 160'000'000};
  report.relayed = 1'000'000;
  report.latency.add(50us);
  bench::ServerUsage usage;
  usage.spent.cpu = 1s;
  usage.spent.threads = {{4711, {"turnpike", 0ns}}, {4712, {"worker", 1s}}};
  usage.spent.user = 100ms;
  usage.spent.system = 900ms;
  usage.resident_before = 20'000'000;
  usage.resident_after = 21'000'000;
  report.server = usage;
  return report;
}

}  // namespace

TEST_CASE("the report of relayed packets has their number, rate and cost", "[bench]") {
  const auto report = json::parse(bench::to_json(relayed()));
  CHECK(report["mode"] == "client-to-peer");
  CHECK(report["transport"] == "udp");
  CHECK(report["rate"] == "max");
  CHECK(report["packets"]["sent"] == 1'000'010);
  CHECK(report["packets"]["received"] == 1'000'000);
  CHECK(report["packets"]["lost"] == 10);
  CHECK(report["packets"]["reordered"] == 3);
  CHECK(report["packets"]["per_second"] == 500'000);
  CHECK(report["packets"]["bits_per_second"] == 640'000'000);
  CHECK(report["server"]["pid"] == 4711);
  CHECK(report["server"]["cpu_share"] == 0.5);
  CHECK(report["server"]["cpu_ns_per_packet"] == 1000);
  CHECK(report["server"]["threads"].size() == 1);
  CHECK(report["server"]["threads"][0]["name"] == "worker");
  CHECK(report["server"]["user_ns_per_packet"] == 100);
  CHECK(report["server"]["system_ns_per_packet"] == 900);
  CHECK(report["latency_us"]["p50"] == 50);
  CHECK_FALSE(report.contains("transactions"));
  CHECK_FALSE(report.contains("search"));
}

TEST_CASE("without a process nothing is said about the server", "[bench]") {
  Report report = relayed();
  report.server.reset();
  CHECK_FALSE(json::parse(bench::to_json(report)).contains("server"));
  CHECK_FALSE(bench::server_ns_per_unit(report));
  CHECK_FALSE(contains(bench::to_text(report), "CPU"));
}

TEST_CASE("an echo is passed on twice", "[bench]") {
  Report report = relayed();
  report.plan.mode = Mode::echo;
  report.relayed = 2'000'000;
  CHECK(bench::server_ns_per_unit(report) == 500.0);
}

TEST_CASE("the report of transactions has theirs", "[bench]") {
  Report report = relayed();
  report.plan.mode = Mode::churn;
  report.transactions = 10'000;
  report.failures = 2;
  const auto parsed = json::parse(bench::to_json(report));
  CHECK(parsed["transactions"]["completed"] == 10'000);
  CHECK(parsed["transactions"]["failed"] == 2);
  CHECK(parsed["server"]["cpu_ns_per_transaction"] == 100'000);
  CHECK_FALSE(parsed.contains("packets"));
  CHECK(contains(bench::to_text(report), "100.000 µs of CPU a transaction"));
}

TEST_CASE("the report of idle allocations has what each takes", "[bench]") {
  Report report = relayed();
  report.plan.mode = Mode::idle;
  report.plan.allocations = 500;
  report.server->set_up_cpu = 10ms;
  const auto parsed = json::parse(bench::to_json(report));
  CHECK(parsed["server"]["resident_bytes_per_allocation"] == 2000);
  CHECK(parsed["server"]["cpu_ns_per_allocation"] == 20'000);
  CHECK_FALSE(parsed.contains("rate"));
  CHECK(contains(bench::to_text(report), "2000 bytes resident an allocation"));
}

TEST_CASE("the report of kept allocations counts them", "[bench]") {
  Report report = relayed();
  report.upkeep = bench::UpkeepCounts{1000, 2, 3, "Refresh: 437 Allocation Mismatch"};
  const auto parsed = json::parse(bench::to_json(report));
  CHECK(parsed["upkeep"]["done"] == 1000);
  CHECK(parsed["upkeep"]["failed"] == 2);
  CHECK(parsed["upkeep"]["sent_again"] == 3);
  CHECK(parsed["upkeep"]["failure"] == "Refresh: 437 Allocation Mismatch");
  CHECK(contains(bench::to_text(report), "1000 allocations kept, 2 not; 3 requests sent again"));
  CHECK(contains(bench::to_text(report), "437 Allocation Mismatch"));
  CHECK_FALSE(json::parse(bench::to_json(relayed())).contains("upkeep"));
}

TEST_CASE("the report of a search has the rate that was found", "[bench]") {
  Report report = relayed();
  bench::RateSearch search{1000};
  search.on_trial({1000, 900, 0});
  report.search = search;
  report.plan.rate = bench::RateSearched{};
  const auto parsed = json::parse(bench::to_json(report));
  CHECK(parsed["rate"] == "search");
  CHECK(parsed["search"]["highest_per_second"] == 900);
  CHECK(parsed["search"]["load_limited"] == true);
  CHECK(parsed["search"]["trials"].size() == 1);
  CHECK(contains(bench::to_text(report), "900 packets/s without loss"));
}

TEST_CASE("the report for people counts losses and names what the load left out", "[bench]") {
  Report report = relayed();
  CHECK(contains(bench::to_text(report), "1000010 sent, 1000000 received, 10 lost"));
  CHECK(contains(bench::to_text(report), "1.000 µs of CPU a packet"));
  CHECK_FALSE(contains(bench::to_text(report), "NOTE"));
  report.server->spent.waited = 200ms;
  CHECK(contains(bench::to_text(report), "others had the core for 10 % of the time"));
  report.left_out = 77;
  CHECK(contains(bench::to_text(report), "too slow to send 77 packets more"));
}
