// The run of `turnpike nat-test`: everything that may be tried at once is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diagnosis/nat_report.h"

namespace turnpike::diagnosis {

/// What to try.
struct NatTestPlan {
  std::string target;           ///< as the user wrote it
  std::vector<Endpoint> stun;   ///< one of each family that there is, the preferred one first
  std::vector<TurnPath> paths;  ///< empty: no TURN
  std::optional<conformance::User> user;
  std::optional<seconds> lifetime;  ///< the longest binding lifetime to try
};

/// Takes some eight seconds; fifteen at most, unless a lifetime is to be tried.
[[nodiscard]] NatReport run_nat_test(const NatTestPlan& plan);

}  // namespace turnpike::diagnosis
