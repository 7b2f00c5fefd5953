// Views of bytes, big-endian loads and stores, and small inline byte buffers.
// Nothing here owns memory beyond its own object.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/assert.h"

namespace turnpike {

/// A borrowed run of bytes; valid while whatever it was taken from is.
using ByteView = std::span<const std::uint8_t>;
/// A borrowed run of bytes that may be written.
using MutableByteView = std::span<std::uint8_t>;

/// The bytes of `text`, same lifetime.
[[nodiscard]] inline ByteView bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// `bytes` seen as text, same lifetime. No check of the encoding.
[[nodiscard]] inline std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Reads an unsigned big-endian integer at the start of `bytes`, byte by byte, so that no
/// alignment is needed. Precondition: `bytes` is long enough.
[[nodiscard]] constexpr std::uint16_t load_be16(ByteView bytes) {
  return static_cast<std::uint16_t>((bytes[0] << 8) | bytes[1]);
}
[[nodiscard]] constexpr std::uint32_t load_be32(ByteView bytes) {
  return (static_cast<std::uint32_t>(load_be16(bytes)) << 16) | load_be16(bytes.subspan(2));
}
[[nodiscard]] constexpr std::uint64_t load_be64(ByteView bytes) {
  return (static_cast<std::uint64_t>(load_be32(bytes)) << 32) | load_be32(bytes.subspan(4));
}

/// Writes `value` big-endian at the start of `out`. Precondition: `out` is long enough.
constexpr void store_be16(MutableByteView out, std::uint16_t value) {
  out[0] = static_cast<std::uint8_t>(value >> 8);
  out[1] = static_cast<std::uint8_t>(value);
}
constexpr void store_be32(MutableByteView out, std::uint32_t value) {
  store_be16(out, static_cast<std::uint16_t>(value >> 16));
  store_be16(out.subspan(2), static_cast<std::uint16_t>(value));
}
constexpr void store_be64(MutableByteView out, std::uint64_t value) {
  store_be32(out, static_cast<std::uint32_t>(value >> 32));
  store_be32(out.subspan(4), static_cast<std::uint32_t>(value));
}

/// Copies all of `from` to the start of `to`. Precondition: it fits.
inline void copy_bytes(ByteView from, MutableByteView to) {
  TURNPIKE_ASSERT(from.size() <= to.size());
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
}

/// `size` rounded up to the next multiple of four (STUN's alignment, RFC 8489 §14).
[[nodiscard]] constexpr std::size_t padded_to_4(std::size_t size) {
  return (size + 3) & ~std::size_t{3};
}

/// Up to `Capacity` bytes, stored inline.
template <std::size_t Capacity>
class SmallBytes {
 public:
  SmallBytes() = default;

  /// Makes room for `size` bytes and returns them for writing. Precondition: size <= Capacity.
  MutableByteView resize(std::size_t size) {
    TURNPIKE_ASSERT(size <= Capacity);
    size_ = static_cast<std::uint16_t>(size);
    return MutableByteView{bytes_}.first(size);
  }
  [[nodiscard]] ByteView view() const { return ByteView{bytes_}.first(size_); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  std::array<std::uint8_t, Capacity> bytes_;  // left as it comes: only the first size_ are read
  std::uint16_t size_ = 0;
};

}  // namespace turnpike
