// The interface through which pure code asks for random bytes.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace turnpike {

/// A source of random bytes. The real one is `SecureRandom` (base/crypto.h); tests pass a seeded
/// one.
class Random {
 public:
  virtual ~Random() = default;

  /// Fills all of `out`.
  virtual void fill(MutableByteView out) = 0;

  /// 64 random bits.
  [[nodiscard]] std::uint64_t next_u64() {
    std::array<std::uint8_t, 8> bytes{};
    fill(bytes);
    return load_be64(bytes);
  }

 protected:
  Random() = default;
  Random(const Random&) = default;
  Random& operator=(const Random&) = default;
};

}  // namespace turnpike
