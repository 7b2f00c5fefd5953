// What fuzz targets need to take an input apart and to say what must hold.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/bytes.h"

/// Stops the fuzzer at a broken promise, in release builds too.
#define PROMISE(condition)                                                         \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                \
    }                                                                              \
  } while (false)

namespace turnpike::fuzz {

/// Takes the fuzzer's bytes apart; zeros once they are used up.
class Input {
 public:
  explicit Input(ByteView bytes) : rest_(bytes) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t first = rest_[0];
    rest_ = rest_.subspan(1);
    return first;
  }
  std::uint16_t u16() {
    const auto high = static_cast<unsigned>(byte());
    return static_cast<std::uint16_t>(high << 8 | byte());
  }
  std::uint32_t u32() {
    const auto high = static_cast<std::uint32_t>(u16());
    return high << 16 | u16();
  }
  /// 0 .. bound-1
  std::size_t below(std::size_t bound) { return byte() % bound; }
  /// All that is left, as text.
  [[nodiscard]] std::string_view rest() const { return text_of(rest_); }
  /// Up to `size` bytes, in a vector of their own so that ASan sees a read past the end.
  std::vector<std::uint8_t> bytes(std::size_t size) {
    const ByteView taken = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return {taken.begin(), taken.end()};
  }

 private:
  ByteView rest_;
};

}  // namespace turnpike::fuzz
