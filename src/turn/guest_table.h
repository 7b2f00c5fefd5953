// The clients of other workers whose datagrams come in here (RFC 8016; docs/adr/0016).
#pragma once

#include <optional>
#include <vector>

#include "base/deadline_queue.h"
#include "base/endpoint.h"
#include "turn/effects.h"
#include "turn/flow_table.h"

namespace turnpike::turn {

struct SavedGuest;

/// Five-tuples of clients that have moved here, and the workers that have their allocations. At
/// most `capacity` of them, and each for a limited time.
class GuestTable {
 public:
  GuestTable(HashSeed seed, std::size_t capacity) : by_tuple_(seed), capacity_(capacity) {}

  /// True when there is nobody, not even on the way out.
  [[nodiscard]] bool empty() const { return by_tuple_.size() == 0; }
  /// Without those on the way out.
  [[nodiscard]] std::size_t size() const { return by_tuple_.size() - leaving_; }
  /// The worker that has the allocation of `tuple`. Nothing for a guest on the way out.
  [[nodiscard]] std::optional<WorkerId> home_of(const FiveTuple& tuple) const;
  /// How to reach the guest, if `home` has its allocation, or had it until now; null if not. Valid
  /// until a change.
  [[nodiscard]] const ClientFlow* flow_of(const FiveTuple& tuple, WorkerId home) const;
  /// False when there is no room. Precondition: home_of(flow.tuple) is nothing.
  [[nodiscard]] bool insert(const ClientFlow& flow, WorkerId home, Instant expires);
  /// Gives the guest time until `expires`, if that is more than it has, and takes note of how it is
  /// reached now. Nothing happens when there is none.
  void extend(const ClientFlow& flow, Instant expires);
  /// The guest of `home` is one no more; but the answers to what it has sent there may still be on
  /// their way, and find it until `expires`. Nothing happens when there is none.
  void let_go(const FiveTuple& tuple, WorkerId home, Instant expires);
  /// Nothing happens when there is none.
  void erase(const FiveTuple& tuple);
  /// Forgets those whose time is over.
  void drop_expired(Instant now);
  /// When drop_expired() has something to do.
  [[nodiscard]] std::optional<Instant> next_deadline() const { return deadlines_.next(); }

  // ---- snapshots (snapshot.h) ----
  /// All of them, also those on the way out.
  [[nodiscard]] std::vector<SavedGuest> save() const;
  /// Takes one in whom another table had saved, beyond `capacity` too. False when the five-tuple is
  /// another guest's.
  bool restore(const SavedGuest& saved);

 private:
  struct Guest {
    ClientFlow flow;
    WorkerId home{};
    Instant expires{};  // unless it is leaving
    bool is_leaving = false;
  };

  [[nodiscard]] std::optional<std::uint32_t> find(const FiveTuple& tuple) const;
  /// With guest.expires as its deadline.
  void put(const Guest& guest);
  void erase_slot(std::uint32_t slot);

  std::vector<Guest> guests_;
  std::vector<std::uint32_t> free_;
  FlowTable by_tuple_;
  DeadlineQueue deadlines_;
  std::size_t capacity_;
  std::size_t leaving_ = 0;
};

}  // namespace turnpike::turn
