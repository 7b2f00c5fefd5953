// Results for people and for programs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "conformance/runner.h"

namespace turnpike::conformance {

/// One line, and for what did not pass the reason in lines below it. Ends with a line break.
[[nodiscard]] std::string to_text(const CheckResult& result);
/// "passed 97, failed 1, warned 2, not supported 3, not tried 4"
[[nodiscard]] std::string to_text(const Counts& counts);
/// {"target", "checks": […], "summary": {…}}. Names and words are an interface.
[[nodiscard]] std::string to_json(std::string_view target, const std::vector<CheckResult>& results);

/// The catalogue, for --list.
[[nodiscard]] std::string list_text(const std::vector<Check>& checks);
[[nodiscard]] std::string list_json(const std::vector<Check>& checks);

/// "must", "should", "advice"
[[nodiscard]] std::string_view to_string(Strength strength);

}  // namespace turnpike::conformance
