#include "turn/allocation.h"

#include <algorithm>

namespace turnpike::turn {

void Allocation::permit(const Permission& wanted) {
  for (Permission& each : permissions.span()) {
    if (each.address == wanted.address) {
      each = wanted;
      return;
    }
  }
  permissions.push_back(wanted);
}

std::size_t Allocation::permissions_with(std::span<const IpAddress> added, Instant now) const {
  std::size_t count = 0;
  for (const Permission& each : permissions.span()) {
    if (each.expires > now) ++count;
  }
  for (std::size_t i = 0; i < added.size(); ++i) {
    const auto earlier = added.first(i);
    const bool repeated = std::find(earlier.begin(), earlier.end(), added[i]) != earlier.end();
    if (!repeated && permission(added[i], now) == nullptr) ++count;
  }
  return count;
}

void Allocation::drop_expired(Instant now) {
  permissions.erase_if([now](const Permission& p) { return p.expires <= now; });
  channels.erase_if([now](const Channel& c) { return c.expires <= now; });
}

void Allocation::drop_peers(Family family) {
  permissions.erase_if([family](const Permission& p) { return p.address.family() == family; });
  channels.erase_if([family](const Channel& c) { return c.peer.endpoint().family() == family; });
}

}  // namespace turnpike::turn
