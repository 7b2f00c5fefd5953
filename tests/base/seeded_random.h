// Repeatable randomness for property tests. TURNPIKE_SEED in the environment replaces the seed.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/random.h"

namespace turnpike::test {

/// The seed of a property test; print it with CAPTURE so that a failure can be repeated.
inline std::uint64_t seed_or(std::uint64_t otherwise) {
  const char* const text = std::getenv("TURNPIKE_SEED");
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

/// SplitMix64: small, fast, the same on every machine. Not secure.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}

  void fill(MutableByteView out) override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(next());
  }
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// 0 .. bound-1. Precondition: bound > 0.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  std::vector<std::uint8_t> bytes(std::size_t size) {
    std::vector<std::uint8_t> out(size);
    fill(out);
    return out;
  }

 private:
  std::uint64_t state_;
};

}  // namespace turnpike::test
