#include "turn/live_relays.h"

#include "base/assert.h"

namespace turnpike::turn {
namespace {

constexpr std::uint32_t slot_mask = 0x7fffff;
constexpr int transport_shift = 55;

/// Worker (plus one, so that it is never 0), transport, slot and generation in one word.
std::uint64_t packed(const RelayPlace& place, PeerTransport transport) {
  const std::uint64_t worker = static_cast<std::uint8_t>(place.worker) + std::uint64_t{1};
  TURNPIKE_ASSERT(worker <= 255 && place.relay.slot <= slot_mask);
  return worker << 56 | std::uint64_t{static_cast<std::uint8_t>(transport)} << transport_shift |
         std::uint64_t{place.relay.slot} << 32 | place.relay.generation;
}

PeerTransport transport_of(std::uint64_t word) {
  return static_cast<PeerTransport>(word >> transport_shift & 1);
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

void LiveRelays::insert(const Endpoint& relayed, const RelayPlace& place, PeerTransport transport) {
  Ports* const ports = ports_of(relayed.address);
  TURNPIKE_ASSERT(ports != nullptr);
  replace(*ports, relayed.port, packed(place, transport));
}

void LiveRelays::erase(const Endpoint& relayed) {
  Ports* const ports = ports_of(relayed.address);
  TURNPIKE_ASSERT(ports != nullptr);
  replace(*ports, relayed.port, 0);
}

void LiveRelays::replace(Ports& ports, std::uint16_t port, std::uint64_t word) {
  const auto count_of = [&](std::uint64_t counted) -> std::atomic<std::uint32_t>& {
    return ports.counts.at(static_cast<std::size_t>(transport_of(counted)));
  };
  const std::uint64_t before = ports.places.at(port).exchange(word);
  if (word != 0) count_of(word).fetch_add(1);
  if (before != 0) count_of(before).fetch_sub(1);
}

std::optional<RelayPlace> LiveRelays::find(const Endpoint& endpoint,
                                           PeerTransport transport) const {
  const Ports* const ports = ports_of(endpoint.address);
  if (ports == nullptr) return std::nullopt;
  const std::uint64_t word = ports->places.at(endpoint.port).load(std::memory_order_relaxed);
  if (word == 0 || transport_of(word) != transport) return std::nullopt;
  return unpacked(word);
}

bool LiveRelays::contains_any(const IpAddress& address, PeerTransport transport) const {
  const Ports* const ports = ports_of(address);
  return ports != nullptr && ports->counts.at(static_cast<std::size_t>(transport)).load() > 0;
}

LiveRelays::Ports* LiveRelays::ports_of(const IpAddress& address) const {
  for (const auto& ports : addresses_) {
    if (ports->address == address) return ports.get();
  }
  return nullptr;
}

}  // namespace turnpike::turn
