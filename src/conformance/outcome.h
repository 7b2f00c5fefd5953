// How a check ends. Checks say it by leaving: the functions at the end throw, and only the runner
// catches (docs/adr/0015).
#pragma once

#include <string>

#include "base/bytes.h"

namespace turnpike::conformance {

/// Stable: the words of the JSON output.
enum class Status : std::uint8_t {
  passed,
  failed,         ///< a MUST of the RFC is broken
  warned,         ///< a SHOULD, or what the RFC recommends, is not kept
  not_supported,  ///< the server lacks an optional feature
  not_tried,      ///< could not be tried from here
};
/// "passed", "failed", "warned", "not supported", "not tried"
[[nodiscard]] std::string_view to_string(Status status);

/// The end of one check. What is not said is empty.
struct Outcome {
  Status status = Status::passed;
  std::string expected;  ///< failed, warned
  std::string got;       ///< failed, warned
  std::string why;       ///< not_supported, not_tried
};

/// Thrown by a check to end it. No std::exception on purpose: nothing but the runner catches it.
struct Ended {
  Outcome outcome;
};

/// The server does not do what the rule says. The runner makes a warning of it where the rule is no
/// MUST.
[[noreturn]] void fail(std::string expected, std::string got);
/// The same unless `holds`.
void expect(bool holds, const std::string& expected, const std::string& got);
[[noreturn]] void not_supported(std::string why);
[[noreturn]] void not_tried(std::string why);

/// Bytes for people: "4 bytes 0a0b0c0d", long ones cut short.
[[nodiscard]] std::string describe(ByteView bytes);

}  // namespace turnpike::conformance
