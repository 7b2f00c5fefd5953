#include "turn/flow_table.h"

#include <utility>

namespace turnpike::turn {

void FlowTable::insert(const FiveTuple& tuple, std::uint32_t slot) {
  if ((size_ + 1) * 2 > entries_.size()) grow();
  place({hash_of(tuple, seed_), slot});
  ++size_;
}

void FlowTable::erase(const FiveTuple& tuple, std::uint32_t slot) {
  std::size_t hole = home_of(hash_of(tuple, seed_));
  while (entries_[hole].slot != slot) {
    TURNPIKE_ASSERT(entries_[hole].slot != empty);
    hole = next(hole);
  }
  // Move back every following entry whose home is not after the hole, so that no probe breaks off.
  for (std::size_t i = next(hole); entries_[i].slot != empty; i = next(i)) {
    const std::size_t home = home_of(entries_[i].hash);
    const std::size_t distance_to_hole = (i - hole) & (entries_.size() - 1);
    const std::size_t distance_to_home = (i - home) & (entries_.size() - 1);
    if (distance_to_home < distance_to_hole) continue;
    entries_[hole] = entries_[i];
    hole = i;
  }
  entries_[hole] = Entry{};
  --size_;
}

void FlowTable::place(Entry entry) {
  std::size_t i = home_of(entry.hash);
  while (entries_[i].slot != empty) i = next(i);
  entries_[i] = entry;
}

void FlowTable::grow() {
  const std::vector<Entry> old = std::exchange(entries_, std::vector<Entry>(entries_.size() * 2));
  for (const Entry& entry : old) {
    if (entry.slot != empty) place(entry);
  }
}

}  // namespace turnpike::turn
