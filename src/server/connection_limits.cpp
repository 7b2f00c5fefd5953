#include "server/connection_limits.h"

namespace turnpike::server {

bool ConnectionLimits::add(const IpAddress& client) {
  if (per_address_ == 0) return true;
  const std::lock_guard lock{mutex_};
  std::uint32_t& count = counts_[subscriber_of(client)];
  if (count >= per_address_) return false;
  ++count;
  return true;
}

void ConnectionLimits::remove(const IpAddress& client) {
  if (per_address_ == 0) return;
  const std::lock_guard lock{mutex_};
  const auto found = counts_.find(subscriber_of(client));
  TURNPIKE_ASSERT(found != counts_.end());
  if (--found->second == 0) counts_.erase(found);
}

}  // namespace turnpike::server
