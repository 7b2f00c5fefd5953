#include "turn/guest_table.h"

#include <algorithm>

#include "turn/saved_state.h"

namespace turnpike::turn {

std::optional<WorkerId> GuestTable::home_of(const FiveTuple& tuple) const {
  const auto slot = find(tuple);
  if (!slot || guests_[*slot].is_leaving) return std::nullopt;
  return guests_[*slot].home;
}

const ClientFlow* GuestTable::flow_of(const FiveTuple& tuple, WorkerId home) const {
  const auto slot = find(tuple);
  return slot && guests_[*slot].home == home ? &guests_[*slot].flow : nullptr;
}

bool GuestTable::insert(const ClientFlow& flow, WorkerId home, Instant expires) {
  erase(flow.tuple);  // it may have been on the way out
  if (by_tuple_.size() >= capacity_) return false;
  put({flow, home, expires});
  return true;
}

void GuestTable::extend(const ClientFlow& flow, Instant expires) {
  const auto slot = find(flow.tuple);
  if (!slot) return;
  Guest& guest = guests_[*slot];
  guest.flow = flow;
  guest.expires = std::max(guest.expires, expires);
  deadlines_.set(*slot, guest.expires);
}

void GuestTable::let_go(const FiveTuple& tuple, WorkerId home, Instant expires) {
  const auto slot = find(tuple);
  if (!slot) return;
  Guest& guest = guests_[*slot];
  if (guest.home != home || guest.is_leaving) return;
  guest.is_leaving = true;
  ++leaving_;
  deadlines_.set(*slot, expires);
}

void GuestTable::erase(const FiveTuple& tuple) {
  const auto slot = find(tuple);
  if (!slot) return;
  deadlines_.clear(*slot);
  erase_slot(*slot);
}

void GuestTable::drop_expired(Instant now) {
  while (const auto slot = deadlines_.pop_due(now)) erase_slot(*slot);
}

std::vector<SavedGuest> GuestTable::save() const {
  std::vector<SavedGuest> saved;
  for (std::uint32_t slot = 0; slot < guests_.size(); ++slot) {
    const auto expires = deadlines_.of(slot);
    if (!expires) continue;  // an empty slot
    const Guest& guest = guests_[slot];
    saved.push_back({guest.flow, guest.home, guest.is_leaving, *expires});
  }
  return saved;
}

bool GuestTable::restore(const SavedGuest& saved) {
  if (find(saved.flow.tuple)) return false;
  put({saved.flow, saved.home, saved.expires, saved.is_leaving});
  if (saved.is_leaving) ++leaving_;
  return true;
}

void GuestTable::put(const Guest& guest) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(guests_.size()));
    guests_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  guests_[slot] = guest;
  by_tuple_.insert(guest.flow.tuple, slot);
  deadlines_.set(slot, guest.expires);
}

std::optional<std::uint32_t> GuestTable::find(const FiveTuple& tuple) const {
  return by_tuple_.find(
      tuple, [this](std::uint32_t slot) -> const FiveTuple& { return guests_[slot].flow.tuple; });
}

void GuestTable::erase_slot(std::uint32_t slot) {
  if (guests_[slot].is_leaving) --leaving_;
  by_tuple_.erase(guests_[slot].flow.tuple, slot);
  free_.push_back(slot);
}

}  // namespace turnpike::turn
