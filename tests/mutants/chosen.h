// Which deliberate fault of the mutant build is awake. Only generated sources include this.
#pragma once

#include <cstdlib>
#include <string_view>

namespace turnpike::mutants {

/// True when the environment names `mutant`.
[[nodiscard]] inline bool is_chosen(std::string_view mutant) {
  static const char* const chosen = std::getenv("TURNPIKE_MUTANT");
  return chosen != nullptr && mutant == chosen;
}

}  // namespace turnpike::mutants
