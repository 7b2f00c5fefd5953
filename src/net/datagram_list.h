// Several datagrams, or messages, in one buffer that is used again and again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace turnpike::net {

/// Byte strings one after another, each with its bounds; any of them may be empty.
class DatagramList {
 public:
  void add(ByteView bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    ends_.push_back(bytes_.size());
  }
  /// Room of `size` bytes to write into; add_written() makes a datagram of its beginning.
  [[nodiscard]] MutableByteView room(std::size_t size) {
    bytes_.resize(used() + size);
    return MutableByteView{bytes_}.last(size);
  }
  /// Keeps the first `size` bytes of the latest room() as one datagram.
  void add_written(std::size_t size) {
    bytes_.resize(used() + size);
    ends_.push_back(bytes_.size());
  }
  /// Gives the latest room() up.
  void drop_room() { bytes_.resize(used()); }

  [[nodiscard]] std::size_t size() const { return ends_.size(); }
  [[nodiscard]] bool empty() const { return ends_.empty(); }
  /// Valid until something is added beyond what was reserved.
  [[nodiscard]] ByteView operator[](std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return ByteView{bytes_}.subspan(begin, ends_[i] - begin);
  }
  /// Of all datagrams together.
  [[nodiscard]] std::size_t total_bytes() const { return used(); }
  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }
  /// Bytes that fit before views become invalid.
  [[nodiscard]] std::size_t bytes_left() const { return bytes_.capacity() - used(); }
  /// Keeps the memory.
  void clear() {
    bytes_.clear();
    ends_.clear();
  }

 private:
  [[nodiscard]] std::size_t used() const { return ends_.empty() ? 0 : ends_.back(); }

  std::vector<std::uint8_t> bytes_;
  std::vector<std::size_t> ends_;
};

}  // namespace turnpike::net
