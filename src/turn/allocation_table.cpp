#include "turn/allocation_table.h"

#include <utility>

namespace turnpike::turn {

Allocation* AllocationTable::find(const FiveTuple& tuple) {
  const auto slot = by_flow_.find(
      tuple, [this](std::uint32_t s) -> const FiveTuple& { return slots_[s].flow.tuple; });
  return slot ? &slots_[*slot] : nullptr;
}

Allocation* AllocationTable::find(RelayId relay) {
  const std::uint32_t slot = relay.slot / 2;
  if (slot >= slots_.size() || !slots_[slot].in_use) return nullptr;
  const Relay& state = slots_[slot].relay(family_of(relay));
  const bool is_live = state.state == Relay::State::opening || state.state == Relay::State::open;
  return is_live && state.generation == relay.generation ? &slots_[slot] : nullptr;
}

Allocation& AllocationTable::create(const ClientFlow& flow) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  Allocation& allocation = slots_[slot];
  allocation.slot = slot;
  allocation.flow = flow;
  allocation.in_use = true;
  by_flow_.insert(flow.tuple, slot);
  return allocation;
}

void AllocationTable::destroy(Allocation& allocation) {
  by_flow_.erase(allocation.flow.tuple, allocation.slot);
  Allocation fresh;
  for (std::size_t i = 0; i < fresh.relay_pair.size(); ++i) {
    fresh.relay_pair[i].generation = allocation.relay_pair[i].generation + 1;
  }
  free_.push_back(allocation.slot);
  allocation = std::move(fresh);
}

RelayId AllocationTable::relay_id(const Allocation& allocation, Family family) {
  const auto index = static_cast<std::uint32_t>(Allocation::relay_index(family));
  return {allocation.slot * 2 + index, allocation.relay(family).generation};
}

Family AllocationTable::family_of(RelayId relay) {
  return relay.slot % 2 == 0 ? Family::ipv4 : Family::ipv6;
}

}  // namespace turnpike::turn
