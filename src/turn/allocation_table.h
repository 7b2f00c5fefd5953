// Owns the allocations of one server and finds them by five-tuple and by relay.
#pragma once

#include <memory>
#include <vector>

#include "turn/allocation.h"
#include "turn/flow_table.h"

namespace turnpike::turn {

struct SavedServer;
struct SavedAllocation;

/// Allocations in numbered slots; a slot's address does not change while the table lives.
class AllocationTable {
 public:
  explicit AllocationTable(HashSeed seed) : by_flow_(seed) {}

  [[nodiscard]] Allocation* find(const FiveTuple& tuple);
  /// The allocation that `relay` belongs to; null when that relay has been closed.
  [[nodiscard]] Allocation* find(RelayId relay);
  [[nodiscard]] Allocation& at(std::uint32_t slot) { return *slots_[slot]; }
  [[nodiscard]] const Allocation& at(std::uint32_t slot) const { return *slots_[slot]; }
  /// Slots in use or not; each is less than this.
  [[nodiscard]] std::uint32_t slot_count() const {
    return static_cast<std::uint32_t>(slots_.size());
  }

  /// A fresh allocation for `flow`, with the next serial. Precondition: find(flow.tuple) is null.
  Allocation& create(const ClientFlow& flow);
  /// The allocation `serial` in `slot`, if it is still there and its client has a ticket.
  [[nodiscard]] Allocation* find_mobile(std::uint32_t slot, std::uint64_t serial);

  // ---- clients that move (RFC 8016) ----
  /// The client's flow is over and nothing is in its place.
  void drop_flow(Allocation& allocation);
  /// The first flow after drop_flow(). Precondition: find(flow.tuple) is null.
  void set_flow(Allocation& allocation, const ClientFlow& flow);
  /// `flow` is found besides the client's flow. Precondition: find(flow.tuple) is null, and there
  /// is no next flow yet.
  void add_next(Allocation& allocation, const ClientFlow& flow);
  void drop_next(Allocation& allocation);
  /// The next flow takes the place of the client's flow.
  void finish_move(Allocation& allocation);

  /// Empties the slot. Its relays' ids are not valid any more.
  void destroy(Allocation& allocation);

  [[nodiscard]] static RelayId relay_id(const Allocation& allocation, Family family);
  /// IPv4 or IPv6: which of its allocation's relays this is.
  [[nodiscard]] static Family family_of(RelayId relay);
  [[nodiscard]] std::size_t size() const { return slots_.size() - free_.size(); }

  // ---- snapshots (snapshot.h) ----
  /// Where those that are to come will be; the last one is taken next.
  [[nodiscard]] const std::vector<std::uint32_t>& free_slots() const { return free_; }
  [[nodiscard]] std::uint64_t last_serial() const { return last_serial_; }
  /// An empty table gets the slots of a saved one. Those that are not free there are to be given to
  /// restore() at once.
  void restore_slots(const SavedServer& saved);
  /// A saved allocation stands in its slot again, its client's flow in the table if it has one and
  /// nobody else has that five-tuple.
  Allocation& restore(std::uint32_t slot, const SavedAllocation& saved);

 private:
  /// Marks the entries of next flows in `by_flow_`.
  static constexpr std::uint32_t next_bit = 0x80000000;

  [[nodiscard]] const FiveTuple& tuple_of(std::uint32_t entry) const {
    if ((entry & next_bit) == 0) return at(entry).flow.tuple;
    return at(entry & ~next_bit).mobility->next->tuple;
  }

  std::vector<std::unique_ptr<Allocation>> slots_;
  std::vector<std::uint32_t> free_;
  std::uint64_t last_serial_ = 0;
  FlowTable by_flow_;
};

}  // namespace turnpike::turn
