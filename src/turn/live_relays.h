// Which relayed addresses of this server are in use right now, for all workers.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/endpoint.h"

namespace turnpike::turn {

/// A set of endpoints on a fixed list of addresses: one bit per port. Safe to read and write from
/// any thread; a read is one load.
class LiveRelays {
 public:
  explicit LiveRelays(const std::vector<IpAddress>& addresses);

  /// Precondition: the endpoint's address is one of those given at construction.
  void insert(const Endpoint& relayed);
  void erase(const Endpoint& relayed);
  [[nodiscard]] bool contains(const Endpoint& endpoint) const;
  /// True when there is a live relay on any port of `address`.
  [[nodiscard]] bool contains_any(const IpAddress& address) const;

 private:
  struct Ports {
    IpAddress address;
    std::atomic<std::uint32_t> count{0};
    std::array<std::atomic<std::uint64_t>, 65536 / 64> bits{};
  };

  [[nodiscard]] Ports* find(const IpAddress& address) const;

  std::vector<std::unique_ptr<Ports>> addresses_;
};

}  // namespace turnpike::turn
