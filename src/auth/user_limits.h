// What is granted to one user beside or instead of what the configuration grants to all.
#pragma once

#include <cstdint>
#include <optional>

namespace turnpike::auth {

/// Nothing: the server's own limit holds.
struct UserLimits {
  std::optional<std::uint32_t> max_allocations{};  ///< 0: no limit
  std::optional<std::uint64_t> bandwidth{};        ///< bits a second; 0: no limit

  friend bool operator==(const UserLimits&, const UserLimits&) = default;
};

}  // namespace turnpike::auth
