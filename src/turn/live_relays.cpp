#include "turn/live_relays.h"

#include "base/assert.h"

namespace turnpike::turn {
namespace {

constexpr std::uint32_t slot_mask = 0xffffff;

/// Worker (plus one, so that it is never 0), slot and generation in one word.
std::uint64_t packed(const RelayPlace& place) {
  const std::uint64_t worker = static_cast<std::uint8_t>(place.worker) + std::uint64_t{1};
  TURNPIKE_ASSERT(worker <= 255 && place.relay.slot <= slot_mask);
  return worker << 56 | std::uint64_t{place.relay.slot} << 32 | place.relay.generation;
}

RelayPlace unpacked(std::uint64_t word) {
  return {WorkerId{static_cast<std::uint8_t>((word >> 56) - 1)},
          {static_cast<std::uint32_t>(word >> 32) & slot_mask, static_cast<std::uint32_t>(word)}};
}

}  // namespace

LiveRelays::LiveRelays(const std::vector<IpAddress>& addresses) {
  for (const IpAddress& address : addresses) {
    if (ports_of(address) != nullptr) continue;
    addresses_.push_back(std::make_unique<Ports>());
    addresses_.back()->address = address;
  }
}

void LiveRelays::insert(const Endpoint& relayed, const RelayPlace& place) {
  Ports* const ports = ports_of(relayed.address);
  TURNPIKE_ASSERT(ports != nullptr);
  if (ports->places.at(relayed.port).exchange(packed(place)) == 0) ports->count.fetch_add(1);
}

void LiveRelays::erase(const Endpoint& relayed) {
  Ports* const ports = ports_of(relayed.address);
  TURNPIKE_ASSERT(ports != nullptr);
  if (ports->places.at(relayed.port).exchange(0) != 0) ports->count.fetch_sub(1);
}

std::optional<RelayPlace> LiveRelays::find(const Endpoint& endpoint) const {
  const Ports* const ports = ports_of(endpoint.address);
  if (ports == nullptr) return std::nullopt;
  const std::uint64_t word = ports->places.at(endpoint.port).load(std::memory_order_relaxed);
  if (word == 0) return std::nullopt;
  return unpacked(word);
}

bool LiveRelays::contains_any(const IpAddress& address) const {
  const Ports* const ports = ports_of(address);
  return ports != nullptr && ports->count.load() > 0;
}

LiveRelays::Ports* LiveRelays::ports_of(const IpAddress& address) const {
  for (const auto& ports : addresses_) {
    if (ports->address == address) return ports.get();
  }
  return nullptr;
}

}  // namespace turnpike::turn
