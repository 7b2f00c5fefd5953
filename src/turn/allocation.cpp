#include "turn/allocation.h"

#include <algorithm>

namespace turnpike::turn {

void Allocation::permit(const IpAddress& address, Instant expires_at) {
  for (Permission& permission : permissions.span()) {
    if (permission.address == address) {
      permission.expires = expires_at;
      return;
    }
  }
  permissions.push_back({address, expires_at});
}

std::size_t Allocation::permissions_with(std::span<const IpAddress> added, Instant now) const {
  std::size_t count = 0;
  for (const Permission& permission : permissions.span()) {
    if (permission.expires > now) ++count;
  }
  for (std::size_t i = 0; i < added.size(); ++i) {
    const auto earlier = added.first(i);
    const bool repeated = std::find(earlier.begin(), earlier.end(), added[i]) != earlier.end();
    if (!repeated && !permits(added[i], now)) ++count;
  }
  return count;
}

void Allocation::drop_expired(Instant now) {
  permissions.erase_if([now](const Permission& p) { return p.expires <= now; });
  channels.erase_if([now](const Channel& c) { return c.expires <= now; });
}

}  // namespace turnpike::turn
