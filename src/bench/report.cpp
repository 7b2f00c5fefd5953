#include "bench/report.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

namespace turnpike::bench {
namespace {

using Json = nlohmann::ordered_json;

double seconds_in(nanoseconds time) { return std::chrono::duration<double>{time}.count(); }
double microseconds_in(nanoseconds time) { return seconds_in(time) * 1e6; }

double per_second(std::uint64_t count, nanoseconds elapsed) {
  return elapsed > nanoseconds{0} ? static_cast<double>(count) / seconds_in(elapsed) : 0;
}

std::string_view name_of(Framing framing) {
  switch (framing) {
    case Framing::channel:
      return "channel";
    case Framing::indication:
      return "indication";
    case Framing::none:
      break;
  }
  return "none";
}

/// What the server did that can be counted.
std::uint64_t units(const Report& report) {
  return relays_packets(report.plan.mode) ? report.relayed : report.transactions;
}

Json rate_json(const Rate& rate) {
  if (const double* fixed = std::get_if<double>(&rate)) return *fixed;
  return std::holds_alternative<RateMax>(rate) ? "max" : "search";
}

std::string rate_text(const Rate& rate) {
  if (const double* fixed = std::get_if<double>(&rate)) return fmt::format("{:.0f}/s", *fixed);
  return std::holds_alternative<RateMax>(rate) ? "as fast as it goes" : "the highest without loss";
}

Json plan_json(const Plan& plan) {
  Json json{{"target", plan.target},
            {"endpoint", plan.server.to_string()},
            {"against", plan.against == Against::turn ? "turn" : "forwarder"},
            {"mode", to_string(plan.mode)},
            {"transport", to_string(plan.transport)},
            {"allocations", plan.allocations}};
  if (relays_packets(plan.mode)) {
    json["framing"] = name_of(plan.framing);
    json["pair"] = plan.pair;
    json["payload_bytes"] = plan.payload_bytes;
    json["train"] = plan.train;
  }
  if (plan.mode != Mode::idle) json["rate"] = rate_json(plan.rate);
  return json;
}

Json latency_json(const LatencyHistogram& latency) {
  const auto at = [&](double share) { return microseconds_in(latency.quantile(share)); };
  return {{"count", latency.count()},
          {"mean", microseconds_in(latency.mean())},
          {"p50", at(0.5)},
          {"p90", at(0.9)},
          {"p99", at(0.99)},
          {"p99_9", at(0.999)},
          {"max", microseconds_in(latency.max())}};
}

/// Those that did anything.
Json threads_json(const ProcessUsage& usage) {
  Json threads = Json::array();
  for (const auto& [id, thread] : usage.threads) {
    if (thread.cpu > nanoseconds{0}) {
      threads.push_back({{"name", thread.name}, {"cpu_ns", thread.cpu.count()}});
    }
  }
  return threads;
}

Json server_json(const Report& report) {
  const ServerUsage& server = *report.server;
  Json json{{"pid", *report.plan.server_process},
            {"cpu_ns", server.spent.cpu.count()},
            {"user_ns", server.spent.user.count()},
            {"system_ns", server.spent.system.count()},
            {"cpu_share", seconds_in(server.spent.cpu) / seconds_in(report.elapsed)},
            {"waited_ns", server.spent.waited.count()},
            {"threads", threads_json(server.spent)},
            {"resident_bytes_before", server.resident_before},
            {"resident_bytes_after", server.resident_after}};
  if (const auto cost = server_ns_per_unit(report)) {
    const auto per_unit = [&](nanoseconds time) {
      return static_cast<double>(time.count()) / static_cast<double>(units(report));
    };
    const char* const unit = relays_packets(report.plan.mode) ? "packet" : "transaction";
    json[fmt::format("cpu_ns_per_{}", unit)] = *cost;
    json[fmt::format("user_ns_per_{}", unit)] = per_unit(server.spent.user);
    json[fmt::format("system_ns_per_{}", unit)] = per_unit(server.spent.system);
  }
  if (const auto bytes = bytes_per_allocation(report)) {
    json["resident_bytes_per_allocation"] = *bytes;
    json["cpu_ns_per_allocation"] = static_cast<double>(server.set_up_cpu->count()) /
                                    static_cast<double>(report.plan.allocations);
  }
  return json;
}

Json packets_json(const Report& report) {
  const PacketCounts& packets = report.packets;
  return {{"sent", packets.sent},
          {"received", packets.received},
          {"lost", packets.lost()},
          {"reordered", packets.reordered},
          {"duplicated", packets.duplicated},
          {"left_out", report.left_out},
          {"relayed", report.relayed},
          {"bytes", packets.bytes},
          {"per_second", per_second(packets.received, report.elapsed)},
          {"bits_per_second", 8 * per_second(packets.bytes, report.elapsed)}};
}

Json upkeep_json(const UpkeepCounts& upkeep) {
  Json json{{"done", upkeep.done}, {"failed", upkeep.failed}, {"sent_again", upkeep.sent_again}};
  if (!upkeep.failure.empty()) json["failure"] = upkeep.failure;
  return json;
}

Json search_json(const RateSearch& search) {
  Json trials = Json::array();
  for (const RateTrial& trial : search.trials()) {
    trials.push_back(
        {{"wanted", trial.wanted}, {"achieved", trial.achieved}, {"lost", trial.lost}});
  }
  return {{"highest_per_second", search.highest()},
          {"load_limited", search.is_load_limited()},
          {"trials", std::move(trials)}};
}

// --- For people ----------------------------------------------------------------------------------

std::string line(std::string_view name, const std::string& text) {
  return fmt::format("{:<12}{}\n", name, text);
}

std::string what_text(const Plan& plan) {
  std::string text =
      fmt::format("{}, {} over {}", to_string(plan.mode),
                  plan.mode == Mode::binding ? fmt::format("{} clients", plan.allocations)
                                             : fmt::format("{} allocations", plan.allocations),
                  to_string(plan.transport));
  if (relays_packets(plan.mode)) {
    text += fmt::format(", {} B", plan.payload_bytes);
    if (plan.train > 1) text += fmt::format(" in trains of {}", plan.train);
    text += fmt::format(", framing {}", name_of(plan.framing));
    if (plan.pair) text += ", in pairs";
  }
  if (plan.mode != Mode::idle) text += ", " + rate_text(plan.rate);
  return text;
}

std::string packets_text(const Report& report) {
  const PacketCounts& packets = report.packets;
  std::string text =
      line("packets",
           fmt::format("{} sent, {} received, {} lost, {} out of order, {} doubled", packets.sent,
                       packets.received, packets.lost(), packets.reordered, packets.duplicated));
  text += line("rate", fmt::format("{:.0f} packets/s, {:.1f} Mbit/s of payload, for {:.2f} s",
                                   per_second(packets.received, report.elapsed),
                                   8e-6 * per_second(packets.bytes, report.elapsed),
                                   seconds_in(report.elapsed)));
  if (report.left_out > 0) {
    text +=
        line("NOTE", fmt::format("the load was too slow to send {} packets more", report.left_out));
  }
  return text;
}

std::string upkeep_text(const UpkeepCounts& upkeep) {
  std::string text =
      line("upkeep", fmt::format("{} allocations kept, {} not; {} requests sent again", upkeep.done,
                                 upkeep.failed, upkeep.sent_again));
  if (!upkeep.failure.empty()) text += line("NOTE", "the first that was not: " + upkeep.failure);
  return text;
}

std::string transactions_text(const Report& report) {
  return line("done", fmt::format("{} in {:.2f} s, {:.0f}/s; {} not answered, {} sent again",
                                  report.transactions, seconds_in(report.elapsed),
                                  per_second(report.transactions, report.elapsed), report.failures,
                                  report.retransmissions));
}

std::string latency_text(const LatencyHistogram& latency) {
  const auto at = [&](double share) { return microseconds_in(latency.quantile(share)); };
  return line("latency",
              fmt::format("p50 {:.1f} µs, p90 {:.1f}, p99 {:.1f}, p99.9 {:.1f}, max {:.1f}",
                          at(0.5), at(0.9), at(0.99), at(0.999), microseconds_in(latency.max())));
}

std::string server_text(const Report& report) {
  const ServerUsage& server = *report.server;
  std::string text =
      line("server",
           fmt::format("{:.1f} % of a core (user {:.2f} s, system {:.2f} s), {:.1f} MB resident",
                       100 * seconds_in(server.spent.cpu) / seconds_in(report.elapsed),
                       seconds_in(server.spent.user), seconds_in(server.spent.system),
                       static_cast<double>(server.resident_after) / 1e6));
  if (const auto cost = server_ns_per_unit(report)) {
    text += line("cost", fmt::format("{:.3f} µs of CPU a {}", *cost / 1000,
                                     relays_packets(report.plan.mode) ? "packet" : "transaction"));
  }
  if (const auto bytes = bytes_per_allocation(report)) {
    text += line("memory", fmt::format("{:.0f} bytes resident an allocation", *bytes));
    text += line("cost", fmt::format("{:.1f} µs of CPU to make one with its channel",
                                     static_cast<double>(server.set_up_cpu->count()) / 1e3 /
                                         static_cast<double>(report.plan.allocations)));
  }
  return text;
}

/// Others on the machine. A figure that was made among them means little.
std::string disturbance_text(const Report& report) {
  constexpr double tolerated = 0.03;
  const nanoseconds server = report.server ? report.server->spent.waited : nanoseconds{0};
  const double share = seconds_in(std::max(server, report.own_waited)) / seconds_in(report.elapsed);
  if (report.elapsed == nanoseconds{0} || share <= tolerated) return {};
  return line("NOTE",
              fmt::format("not a quiet machine: others had the core for {:.0f} % of the time",
                          100 * share));
}

std::string search_text(const RateSearch& search) {
  return line(
      "highest",
      fmt::format("{:.0f} packets/s without loss, found in {} trials{}", search.highest(),
                  search.trials().size(),
                  search.is_load_limited() ? "; the load can send no faster, the server may" : ""));
}

}  // namespace

std::string_view to_string(Mode mode) {
  switch (mode) {
    case Mode::client_to_peer:
      return "client-to-peer";
    case Mode::peer_to_client:
      return "peer-to-client";
    case Mode::echo:
      return "echo";
    case Mode::binding:
      return "binding";
    case Mode::churn:
      return "churn";
    case Mode::idle:
      break;
  }
  return "idle";
}

std::optional<double> server_ns_per_unit(const Report& report) {
  if (!report.server || units(report) == 0) return std::nullopt;
  return static_cast<double>(report.server->spent.cpu.count()) / static_cast<double>(units(report));
}

std::optional<double> bytes_per_allocation(const Report& report) {
  if (!report.server || !report.server->set_up_cpu) return std::nullopt;
  const auto grown = static_cast<double>(report.server->resident_after) -
                     static_cast<double>(report.server->resident_before);
  return grown / static_cast<double>(report.plan.allocations);
}

std::string to_text(const Report& report) {
  std::string text = line("measured", what_text(report.plan));
  if (report.search) text += search_text(*report.search);
  if (relays_packets(report.plan.mode)) text += packets_text(report);
  if (report.upkeep) text += upkeep_text(*report.upkeep);
  if (report.plan.mode == Mode::binding || report.plan.mode == Mode::churn) {
    text += transactions_text(report);
  }
  if (report.latency.count() > 0) text += latency_text(report.latency);
  if (report.server) text += server_text(report);
  text += disturbance_text(report);
  text +=
      line("load", fmt::format("{:.1f} % of a core, allocations made in {:.2f} s",
                               report.elapsed > nanoseconds{0}
                                   ? 100 * seconds_in(report.own_cpu) / seconds_in(report.elapsed)
                                   : 0,
                               seconds_in(report.set_up)));
  return text;
}

std::string to_json(const Report& report) {
  Json json = plan_json(report.plan);
  json["seconds"] = seconds_in(report.elapsed);
  json["set_up_seconds"] = seconds_in(report.set_up);
  if (relays_packets(report.plan.mode)) json["packets"] = packets_json(report);
  if (report.plan.mode == Mode::binding || report.plan.mode == Mode::churn) {
    json["transactions"] = {{"completed", report.transactions},
                            {"failed", report.failures},
                            {"sent_again", report.retransmissions},
                            {"left_out", report.left_out},
                            {"per_second", per_second(report.transactions, report.elapsed)}};
  }
  if (report.latency.count() > 0) json["latency_us"] = latency_json(report.latency);
  if (report.upkeep) json["upkeep"] = upkeep_json(*report.upkeep);
  if (report.search) json["search"] = search_json(*report.search);
  if (report.server) json["server"] = server_json(report);
  json["load"] = {{"cpu_ns", report.own_cpu.count()}, {"waited_ns", report.own_waited.count()}};
  return json.dump();
}

}  // namespace turnpike::bench
