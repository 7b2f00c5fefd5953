// A queue of deadlines keyed by small dense ids: O(1) earliest, O(log n) set and clear.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"

namespace turnpike {

/// Remembers at most one deadline for each id and tells which comes first.
///
/// Ids index an internal vector, so they should be dense (slot numbers). Ties are broken by id,
/// so the order of expiry depends on nothing but the calls made.
class DeadlineQueue {
 public:
  using Id = std::uint32_t;

  /// Sets or moves the deadline of `id`.
  void set(Id id, Instant deadline);
  /// Forgets the deadline of `id`; no effect when it has none.
  void clear(Id id);
  /// The deadline of `id`; nothing when it has none.
  [[nodiscard]] std::optional<Instant> of(Id id) const;
  /// The earliest deadline of all.
  [[nodiscard]] std::optional<Instant> next() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().deadline;
  }
  /// Takes out the earliest id whose deadline is at or before `now`.
  [[nodiscard]] std::optional<Id> pop_due(Instant now);
  [[nodiscard]] std::size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    Instant deadline;
    Id id;
    friend auto operator<=>(const Entry&, const Entry&) = default;
  };
  static constexpr std::uint32_t absent = UINT32_MAX;

  void place(std::size_t position, Entry entry);
  void sift_up(std::size_t position);
  void sift_down(std::size_t position);
  void remove_at(std::size_t position);

  std::vector<Entry> heap_;               // binary heap, earliest first
  std::vector<std::uint32_t> positions_;  // id -> index in heap_, or absent
};

}  // namespace turnpike
