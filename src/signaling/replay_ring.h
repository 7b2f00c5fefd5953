// What was last sent to one peer, kept for the case that its connection breaks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "signaling/effects.h"

namespace turnpike::signaling {

/// The latest frames of one peer, oldest first, within a count and a size. Numbers rise, with gaps:
/// they count the frames of the room, of which a peer gets its share.
class ReplayRing {
 public:
  ReplayRing(std::size_t max_frames, std::size_t max_bytes)
      : max_frames_(max_frames), max_bytes_(max_bytes) {}

  /// Precondition: `seq` is above every number so far.
  void push(std::uint64_t seq, Frame frame);
  /// Forgets the frames up to `seq`: the peer is known to have them.
  void forget_through(std::uint64_t seq);
  /// The frames after `last_seq`; nothing when one of them is no longer there.
  [[nodiscard]] std::optional<std::vector<Frame>> since(std::uint64_t last_seq) const;

  [[nodiscard]] std::size_t frames() const { return entries_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::uint64_t seq;
    Frame frame;
  };
  void drop_oldest();

  std::size_t max_frames_;
  std::size_t max_bytes_;
  std::deque<Entry> entries_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_through_ = 0;  // number of the newest frame that is gone
};

}  // namespace turnpike::signaling
