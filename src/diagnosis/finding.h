// What `turnpike doctor` says: one finding for each thing that it looked at.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace turnpike::diagnosis {

enum class Level : std::uint8_t {
  ok,
  note,     ///< cannot be known from here, or is no fault
  warning,  ///< works, but not for everybody or not for long
  problem,  ///< does not work
};
/// "ok", "note", "warning", "problem": stable, the words of the JSON output.
[[nodiscard]] std::string_view to_string(Level level);

struct Finding {
  Level level = Level::ok;
  std::string check;   ///< "listener udp:0.0.0.0:3478": stable up to the first space
  std::string text;    ///< what is so, as a sentence without its end
  std::string remedy;  ///< what to do, the same; empty: nothing
};
using Findings = std::vector<Finding>;

/// 0 ok (notes included), 3 warnings only, 1 problems.
[[nodiscard]] int exit_code_of(const Findings& findings);
[[nodiscard]] std::string to_text(const Findings& findings);
/// `configuration`: where it came from.
[[nodiscard]] std::string to_json(const Findings& findings, const std::string& configuration);

}  // namespace turnpike::diagnosis
