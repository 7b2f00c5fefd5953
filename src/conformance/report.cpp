#include "conformance/report.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

namespace turnpike::conformance {
namespace {

using Json = nlohmann::ordered_json;

std::string_view name_of(Family family) { return family == Family::ipv4 ? "ipv4" : "ipv6"; }

/// What came from the network may be anything; control characters must not steer a terminal.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out;
}

/// "  expected: …"; nothing for an empty text.
std::string detail(std::string_view label, std::string_view text) {
  return text.empty() ? std::string{} : fmt::format("    {:<10}{}\n", label, printable(text));
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json json_of(const Check& check) {
  return {{"name", check.name},
          {"section", check.section},
          {"lines", check.lines},
          {"rule", check.rule},
          {"strength", to_string(check.strength)}};
}

Json json_of(const CheckResult& result) {
  Json json = json_of(*result.check);
  json["transport"] = to_string(result.transport);
  json["family"] = name_of(result.family);
  json["status"] = to_string(result.outcome.status);
  if (!result.outcome.expected.empty()) json["expected"] = result.outcome.expected;
  if (!result.outcome.got.empty()) json["got"] = result.outcome.got;
  if (!result.outcome.why.empty()) json["why"] = result.outcome.why;
  if (!result.left_behind.empty()) json["left_behind"] = result.left_behind;
  json["elapsed_ms"] = std::chrono::duration_cast<milliseconds>(result.elapsed).count();
  return json;
}

}  // namespace

std::string_view to_string(Strength strength) {
  switch (strength) {
    case Strength::must:
      return "must";
    case Strength::should:
      return "should";
    case Strength::advice:
      break;
  }
  return "advice";
}

std::string to_text(const CheckResult& result) {
  const Check& check = *result.check;
  const Outcome& outcome = result.outcome;
  std::string text =
      fmt::format("{:<14}{:<5}{:<5} {:<52} {}\n", to_string(outcome.status),
                  to_string(result.transport), name_of(result.family), check.name, check.section);
  const bool broke_a_rule = outcome.status == Status::failed || outcome.status == Status::warned;
  if (broke_a_rule) text += detail("rule", check.rule);
  text += detail("expected", outcome.expected) + detail("got", outcome.got) +
          detail("why", outcome.why) + detail("left", result.left_behind);
  return text;
}

std::string to_text(const Counts& counts) {
  return fmt::format("passed {}, failed {}, warned {}, not supported {}, not tried {}",
                     counts.passed, counts.failed, counts.warned, counts.not_supported,
                     counts.not_tried);
}

std::string to_json(std::string_view target, const std::vector<CheckResult>& results) {
  Json checks = Json::array();
  std::size_t left_behind = 0;
  for (const CheckResult& result : results) {
    checks.push_back(json_of(result));
    if (!result.left_behind.empty()) ++left_behind;
  }
  const Counts counts = count(results);
  const Json json{{"target", target},
                  {"checks", std::move(checks)},
                  {"summary",
                   {{"passed", counts.passed},
                    {"failed", counts.failed},
                    {"warned", counts.warned},
                    {"not_supported", counts.not_supported},
                    {"not_tried", counts.not_tried},
                    {"left_behind", left_behind}}}};
  return dump(json);
}

std::string list_text(const std::vector<Check>& checks) {
  std::string text;
  for (const Check& check : checks) {
    text += fmt::format("{:<52} {:<18} {}\n", check.name, check.section, check.rule);
  }
  return text;
}

std::string list_json(const std::vector<Check>& checks) {
  Json json = Json::array();
  for (const Check& check : checks) json.push_back(json_of(check));
  return dump(json);
}

}  // namespace turnpike::conformance
