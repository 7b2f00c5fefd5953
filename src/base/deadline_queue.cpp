#include "base/deadline_queue.h"

#include <utility>

namespace turnpike {

void DeadlineQueue::set(Id id, Instant deadline) {
  if (id >= positions_.size()) positions_.resize(id + std::size_t{1}, absent);
  const Entry entry{deadline, id};
  if (positions_[id] == absent) {
    heap_.push_back(entry);
    place(heap_.size() - 1, entry);
    sift_up(heap_.size() - 1);
    return;
  }
  const std::size_t position = positions_[id];
  const bool earlier = entry < heap_[position];
  heap_[position] = entry;
  earlier ? sift_up(position) : sift_down(position);
}

void DeadlineQueue::clear(Id id) {
  if (id < positions_.size() && positions_[id] != absent) remove_at(positions_[id]);
}

std::optional<Instant> DeadlineQueue::of(Id id) const {
  if (id >= positions_.size() || positions_[id] == absent) return std::nullopt;
  return heap_[positions_[id]].deadline;
}

std::optional<DeadlineQueue::Id> DeadlineQueue::pop_due(Instant now) {
  if (heap_.empty() || heap_.front().deadline > now) return std::nullopt;
  const Id id = heap_.front().id;
  remove_at(0);
  return id;
}

void DeadlineQueue::place(std::size_t position, Entry entry) {
  heap_[position] = entry;
  positions_[entry.id] = static_cast<std::uint32_t>(position);
}

void DeadlineQueue::sift_up(std::size_t position) {
  const Entry entry = heap_[position];
  while (position > 0) {
    const std::size_t parent = (position - 1) / 2;
    if (heap_[parent] <= entry) break;
    place(position, heap_[parent]);
    position = parent;
  }
  place(position, entry);
}

void DeadlineQueue::sift_down(std::size_t position) {
  const Entry entry = heap_[position];
  for (;;) {
    std::size_t child = 2 * position + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) ++child;
    if (entry <= heap_[child]) break;
    place(position, heap_[child]);
    position = child;
  }
  place(position, entry);
}

void DeadlineQueue::remove_at(std::size_t position) {
  positions_[heap_[position].id] = absent;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (position == heap_.size()) return;
  place(position, last);
  sift_up(position);
  sift_down(positions_[last.id]);
}

}  // namespace turnpike
