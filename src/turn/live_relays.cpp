#include "turn/live_relays.h"

namespace turnpike::turn {
namespace {

std::uint64_t bit_of(std::uint16_t port) { return std::uint64_t{1} << (port % 64); }

}  // namespace

LiveRelays::LiveRelays(const std::vector<IpAddress>& addresses) {
  for (const IpAddress& address : addresses) {
    if (find(address) != nullptr) continue;
    addresses_.push_back(std::make_unique<Ports>());
    addresses_.back()->address = address;
  }
}

void LiveRelays::insert(const Endpoint& relayed) {
  Ports* const ports = find(relayed.address);
  TURNPIKE_ASSERT(ports != nullptr);
  const std::uint64_t before = ports->bits.at(relayed.port / 64).fetch_or(bit_of(relayed.port));
  if ((before & bit_of(relayed.port)) == 0) ports->count.fetch_add(1);
}

void LiveRelays::erase(const Endpoint& relayed) {
  Ports* const ports = find(relayed.address);
  TURNPIKE_ASSERT(ports != nullptr);
  const std::uint64_t before = ports->bits.at(relayed.port / 64).fetch_and(~bit_of(relayed.port));
  if ((before & bit_of(relayed.port)) != 0) ports->count.fetch_sub(1);
}

bool LiveRelays::contains(const Endpoint& endpoint) const {
  const Ports* const ports = find(endpoint.address);
  if (ports == nullptr) return false;
  const std::uint64_t word = ports->bits.at(endpoint.port / 64).load(std::memory_order_relaxed);
  return (word & bit_of(endpoint.port)) != 0;
}

bool LiveRelays::contains_any(const IpAddress& address) const {
  const Ports* const ports = find(address);
  return ports != nullptr && ports->count.load() > 0;
}

LiveRelays::Ports* LiveRelays::find(const IpAddress& address) const {
  for (const auto& ports : addresses_) {
    if (ports->address == address) return ports.get();
  }
  return nullptr;
}

}  // namespace turnpike::turn
