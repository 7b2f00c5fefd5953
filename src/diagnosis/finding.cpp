#include "diagnosis/finding.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace turnpike::diagnosis {
namespace {

using Json = nlohmann::ordered_json;

std::size_t count(const Findings& findings, Level level) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [level](const Finding& one) { return one.level == level; }));
}

std::string summary(const Findings& findings) {
  const std::size_t problems = count(findings, Level::problem);
  const std::size_t warnings = count(findings, Level::warning);
  if (problems + warnings == 0) return "Nothing is wrong, as far as can be seen from this host.";
  return fmt::format("{} problem{}, {} warning{}.", problems, problems == 1 ? "" : "s", warnings,
                     warnings == 1 ? "" : "s");
}

}  // namespace

std::string_view to_string(Level level) {
  switch (level) {
    case Level::ok:
      return "ok";
    case Level::note:
      return "note";
    case Level::warning:
      return "warning";
    case Level::problem:
      break;
  }
  return "problem";
}

int exit_code_of(const Findings& findings) {
  constexpr int problems = 1;
  constexpr int degraded = 3;
  if (count(findings, Level::problem) > 0) return problems;
  return count(findings, Level::warning) > 0 ? degraded : 0;
}

std::string to_text(const Findings& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += fmt::format("{:<8} {}: {}\n", to_string(finding.level), finding.check, finding.text);
    if (!finding.remedy.empty()) text += fmt::format("{:<8} -> {}\n", "", finding.remedy);
  }
  return text + summary(findings) + "\n";
}

std::string to_json(const Findings& findings, const std::string& configuration) {
  Json json{{"configuration", configuration}};
  json["findings"] = Json::array();
  for (const Finding& finding : findings) {
    Json one{{"level", to_string(finding.level)}, {"check", finding.check}, {"text", finding.text}};
    if (!finding.remedy.empty()) one["remedy"] = finding.remedy;
    json["findings"].push_back(std::move(one));
  }
  json["problems"] = count(findings, Level::problem);
  json["warnings"] = count(findings, Level::warning);
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace turnpike::diagnosis
