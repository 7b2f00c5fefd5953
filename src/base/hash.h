// A fast keyed hash for in-memory tables. Not for anything that leaves the process.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace turnpike {

/// The secret that makes table positions unpredictable to those who choose the keys.
struct HashSeed {
  std::uint64_t value = 0;
};

/// Folds a 64x64-bit product; the mixing step of the wyhash family.
[[nodiscard]] inline std::uint64_t hash_mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Product = unsigned __int128;
  const Product product = static_cast<Product>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline constexpr std::uint64_t hash_k0 = 0xa0761d6478bd642f;
inline constexpr std::uint64_t hash_k1 = 0xe7037ed1a0b428db;

/// Hashes `bytes` under `seed`.
[[nodiscard]] inline std::uint64_t hash_bytes(ByteView bytes, HashSeed seed) {
  std::uint64_t state = seed.value ^ hash_k0;
  while (bytes.size() >= 8) {
    state = hash_mix(state ^ load_be64(bytes), hash_k1);
    bytes = bytes.subspan(8);
  }
  std::uint64_t tail = bytes.size();
  for (const std::uint8_t byte : bytes) tail = (tail << 8) | byte;
  return hash_mix(state ^ tail, hash_k1 ^ hash_k0);
}

/// Hashes 16 bytes and a number, without the loops.
[[nodiscard]] inline std::uint64_t hash_words(std::uint64_t first, std::uint64_t second,
                                              std::uint64_t number, HashSeed seed) {
  const std::uint64_t state = hash_mix(seed.value ^ hash_k0 ^ first, hash_k1);
  return hash_mix(hash_mix(state ^ second, hash_k1) ^ number, hash_k1 ^ hash_k0);
}

/// The hash of what `hash` stands for followed by `number`. Not to be replaced by XORing the number
/// into the seed: who chooses the bytes hashed next could undo it there, whatever the seed.
[[nodiscard]] inline std::uint64_t hash_and(std::uint64_t hash, std::uint64_t number) {
  return hash_mix(hash ^ number, 0x8ebc6af09c88c6e3);
}

}  // namespace turnpike
