// Owns the allocations of one server and finds them by five-tuple and by relay.
#pragma once

#include <deque>
#include <vector>

#include "turn/allocation.h"
#include "turn/flow_table.h"

namespace turnpike::turn {

/// Allocations in numbered slots; a slot's address does not change while the table lives.
class AllocationTable {
 public:
  explicit AllocationTable(HashSeed seed) : by_flow_(seed) {}

  [[nodiscard]] Allocation* find(const FiveTuple& tuple);
  /// The allocation that `relay` belongs to; null when that relay has been closed.
  [[nodiscard]] Allocation* find(RelayId relay);
  [[nodiscard]] Allocation& at(std::uint32_t slot) { return slots_[slot]; }

  /// A fresh allocation for `flow`. Precondition: find(flow.tuple) is null.
  Allocation& create(const ClientFlow& flow);
  /// Empties the slot. Its relays' ids are not valid any more.
  void destroy(Allocation& allocation);

  [[nodiscard]] static RelayId relay_id(const Allocation& allocation, Family family);
  /// IPv4 or IPv6: which of its allocation's relays this is.
  [[nodiscard]] static Family family_of(RelayId relay);
  [[nodiscard]] std::size_t size() const { return by_flow_.size(); }

 private:
  std::deque<Allocation> slots_;
  std::vector<std::uint32_t> free_;
  FlowTable by_flow_;
};

}  // namespace turnpike::turn
