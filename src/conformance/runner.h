// Runs checks one after another; what one does never touches the next.
#pragma once

#include <string>
#include <vector>

#include "conformance/check.h"

namespace turnpike::conformance {

/// One check over one transport and family.
struct CheckResult {
  const Check* check = nullptr;
  Transport transport = Transport::udp;
  Family family = Family::ipv4;
  Outcome outcome;
  std::string left_behind;  ///< what could not be cleaned up, in words
  nanoseconds elapsed{0};
};

/// How many ended in which way.
struct Counts {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::size_t warned = 0;
  std::size_t not_supported = 0;
  std::size_t not_tried = 0;
};
[[nodiscard]] Counts count(const std::vector<CheckResult>& results);

/// Runs `check`; never throws what the check threw.
[[nodiscard]] CheckResult run_check(const Check& check, const Settings& settings, Random& random);

/// What the first contact showed.
struct Contact {
  enum class Kind : std::uint8_t {
    ready,        ///< the server answers, and accepts the credentials if there are any
    unreachable,  ///< nobody answers
    refused,      ///< the credentials are wrong
  };
  Kind kind = Kind::ready;
  std::string text;  ///< why not ready
};
/// Finds out whether there is a server, whom it lets in, and how far away it is; writes the round
/// trip and the fence's method into `settings.timing`. Leaves nothing behind.
[[nodiscard]] Contact make_contact(Settings& settings, Random& random);

}  // namespace turnpike::conformance
