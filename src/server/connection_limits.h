// How many TCP and TLS connections one address may hold, over all workers.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "base/endpoint.h"

namespace turnpike::server {

/// Counts connections by IPv4 address or IPv6 /64. Any thread.
class ConnectionLimits {
 public:
  /// 0: no limit.
  explicit ConnectionLimits(std::uint32_t per_address) : per_address_(per_address) {}

  /// Counts one more from `client`; false, and nothing counted, when that is too many.
  [[nodiscard]] bool add(const IpAddress& client);
  /// Takes back what add() counted.
  void remove(const IpAddress& client);

 private:
  const std::uint32_t per_address_;
  std::mutex mutex_;
  std::map<IpAddress, std::uint32_t> counts_;
};

}  // namespace turnpike::server
