#include "turn/allocation_table.h"

#include <utility>

#include "turn/saved_state.h"

namespace turnpike::turn {

Allocation* AllocationTable::find(const FiveTuple& tuple) {
  const auto entry =
      by_flow_.find(tuple, [this](std::uint32_t e) -> const FiveTuple& { return tuple_of(e); });
  return entry ? slots_[*entry & ~next_bit].get() : nullptr;
}

Allocation* AllocationTable::find(RelayId relay) {
  const std::uint32_t slot = relay.slot / 2;
  if (slot >= slots_.size() || !at(slot).in_use) return nullptr;
  const Relay& state = at(slot).relay(family_of(relay));
  const bool is_live = state.state == Relay::State::opening || state.state == Relay::State::open;
  return is_live && state.generation == relay.generation ? &at(slot) : nullptr;
}

Allocation& AllocationTable::create(const ClientFlow& flow) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.push_back(std::make_unique<Allocation>());
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  Allocation& allocation = at(slot);
  allocation.slot = slot;
  allocation.serial = ++last_serial_;
  allocation.flow = flow;
  allocation.in_use = true;
  by_flow_.insert(flow.tuple, slot);
  return allocation;
}

Allocation* AllocationTable::find_mobile(std::uint32_t slot, std::uint64_t serial) {
  if (slot >= slots_.size()) return nullptr;
  Allocation& allocation = at(slot);
  const bool is_it = allocation.mobility && allocation.serial == serial;
  return is_it ? &allocation : nullptr;
}

void AllocationTable::drop_flow(Allocation& allocation) {
  by_flow_.erase(allocation.flow.tuple, allocation.slot);
  allocation.has_client = false;
}

void AllocationTable::set_flow(Allocation& allocation, const ClientFlow& flow) {
  allocation.flow = flow;
  allocation.has_client = true;
  by_flow_.insert(flow.tuple, allocation.slot);
}

void AllocationTable::add_next(Allocation& allocation, const ClientFlow& flow) {
  allocation.mobility->next = flow;
  by_flow_.insert(flow.tuple, allocation.slot | next_bit);
}

void AllocationTable::drop_next(Allocation& allocation) {
  by_flow_.erase(allocation.mobility->next->tuple, allocation.slot | next_bit);
  allocation.mobility->next.reset();
}

void AllocationTable::finish_move(Allocation& allocation) {
  const ClientFlow next = *allocation.mobility->next;
  drop_next(allocation);
  drop_flow(allocation);
  set_flow(allocation, next);
}

void AllocationTable::destroy(Allocation& allocation) {
  if (allocation.mobility && allocation.mobility->next) drop_next(allocation);
  if (allocation.has_client) drop_flow(allocation);
  Allocation fresh;
  for (std::size_t i = 0; i < fresh.relay_pair.size(); ++i) {
    fresh.relay_pair[i].generation = allocation.relay_pair[i].generation + 1;
  }
  free_.push_back(allocation.slot);
  allocation = std::move(fresh);
}

void AllocationTable::restore_slots(const SavedServer& saved) {
  TURNPIKE_ASSERT(slots_.empty());
  for (const SavedSlot& slot : saved.slots) {
    auto& relays = slots_.emplace_back(std::make_unique<Allocation>())->relay_pair;
    for (std::size_t i = 0; i < relays.size(); ++i) {
      relays[i].generation = slot.generations[i];
    }
  }
  free_ = saved.free_slots;
  last_serial_ = saved.last_serial;
}

Allocation& AllocationTable::restore(std::uint32_t slot, const SavedAllocation& saved) {
  Allocation& allocation = *slots_.at(slot);
  allocation.slot = slot;
  allocation.serial = saved.serial;
  allocation.flow = saved.flow;
  allocation.in_use = true;
  allocation.has_client = false;
  if (saved.has_client && find(saved.flow.tuple) == nullptr) set_flow(allocation, saved.flow);
  return allocation;
}

RelayId AllocationTable::relay_id(const Allocation& allocation, Family family) {
  const auto index = static_cast<std::uint32_t>(Allocation::relay_index(family));
  return {allocation.slot * 2 + index, allocation.relay(family).generation};
}

Family AllocationTable::family_of(RelayId relay) {
  return relay.slot % 2 == 0 ? Family::ipv4 : Family::ipv6;
}

}  // namespace turnpike::turn
