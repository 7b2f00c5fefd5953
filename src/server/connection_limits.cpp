#include "server/connection_limits.h"

namespace turnpike::server {
namespace {

/// One customer has a whole /64 of IPv6 addresses.
IpAddress key_of(const IpAddress& client) {
  if (client.family() == Family::ipv4) return client;
  std::array<std::uint8_t, 16> prefix{};
  copy_bytes(client.bytes().first(8), prefix);
  return IpAddress::from_bytes(Family::ipv6, prefix);
}

}  // namespace

bool ConnectionLimits::add(const IpAddress& client) {
  if (per_address_ == 0) return true;
  const std::lock_guard lock{mutex_};
  std::uint32_t& count = counts_[key_of(client)];
  if (count >= per_address_) return false;
  ++count;
  return true;
}

void ConnectionLimits::remove(const IpAddress& client) {
  if (per_address_ == 0) return;
  const std::lock_guard lock{mutex_};
  const auto found = counts_.find(key_of(client));
  TURNPIKE_ASSERT(found != counts_.end());
  if (--found->second == 0) counts_.erase(found);
}

}  // namespace turnpike::server
