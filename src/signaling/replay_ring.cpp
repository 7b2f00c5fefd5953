#include "signaling/replay_ring.h"

#include <utility>

namespace turnpike::signaling {

void ReplayRing::drop_oldest() {
  bytes_ -= entries_.front().frame->size();
  dropped_through_ = entries_.front().seq;
  entries_.pop_front();
}

void ReplayRing::push(std::uint64_t seq, Frame frame) {
  bytes_ += frame->size();
  entries_.push_back(Entry{seq, std::move(frame)});
  while (!entries_.empty() && (entries_.size() > max_frames_ || bytes_ > max_bytes_)) drop_oldest();
}

void ReplayRing::forget_through(std::uint64_t seq) {
  while (!entries_.empty() && entries_.front().seq <= seq) drop_oldest();
}

std::optional<std::vector<Frame>> ReplayRing::since(std::uint64_t last_seq) const {
  if (last_seq < dropped_through_) return std::nullopt;
  std::vector<Frame> missed;
  for (const Entry& entry : entries_) {
    if (entry.seq > last_seq) missed.push_back(entry.frame);
  }
  return missed;
}

}  // namespace turnpike::signaling
