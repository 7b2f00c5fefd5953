// An inclusive range of ports.
#pragma once

#include <cstdint>

namespace turnpike {

/// Ports from `first` to `last`, both included. Holds nothing when last < first.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  [[nodiscard]] constexpr bool contains(std::uint16_t port) const {
    return first <= port && port <= last;
  }
  friend bool operator==(const PortRange&, const PortRange&) = default;
};

}  // namespace turnpike
