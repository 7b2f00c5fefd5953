// Finds a client's allocation by its five-tuple.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/endpoint.h"
#include "base/hash.h"

namespace turnpike::turn {

/// A flat hash table from five-tuple to allocation slot: open addressing, linear probing, deletion
/// by shifting back. The five-tuples themselves stay in the allocations; `tuple_of(slot)` reads
/// them.
class FlowTable {
 public:
  explicit FlowTable(HashSeed seed) : seed_(seed), entries_(64) {}

  /// The slot of `tuple`, or nothing.
  template <class TupleOf>
  [[nodiscard]] std::optional<std::uint32_t> find(const FiveTuple& tuple,
                                                  TupleOf&& tuple_of) const {
    const std::uint64_t hash = hash_of(tuple, seed_);
    for (std::size_t i = home_of(hash); entries_[i].slot != empty; i = next(i)) {
      if (entries_[i].hash == hash && tuple_of(entries_[i].slot) == tuple) return entries_[i].slot;
    }
    return std::nullopt;
  }

  /// Precondition: `tuple` is not in the table.
  void insert(const FiveTuple& tuple, std::uint32_t slot);
  /// Precondition: `slot` was inserted under `tuple`.
  void erase(const FiveTuple& tuple, std::uint32_t slot);
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr std::uint32_t empty = UINT32_MAX;
  struct Entry {
    std::uint64_t hash = 0;
    std::uint32_t slot = empty;
  };

  [[nodiscard]] std::size_t home_of(std::uint64_t hash) const {
    return hash & (entries_.size() - 1);
  }
  [[nodiscard]] std::size_t next(std::size_t i) const { return (i + 1) & (entries_.size() - 1); }
  void place(Entry entry);
  void grow();

  HashSeed seed_;
  std::vector<Entry> entries_;  // a power of two, at most half full
  std::size_t size_ = 0;
};

}  // namespace turnpike::turn
