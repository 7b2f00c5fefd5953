// Remembers the keys of users who have proved that they hold them, so that the next request costs
// one MAC and no key derivation. Bounded; only verified users ever get in.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "stun/integrity.h"
#include "stun/registry.h"

namespace turnpike::auth {

/// A cache from (username, algorithm) to the ready-made key: four-way set-associative, the least
/// recently used of a set gives way.
class KeyCache {
 public:
  /// `capacity` is rounded up to a power of two, at least 4.
  KeyCache(std::size_t capacity, HashSeed seed);

  /// The key, or null. Valid until the next insert().
  [[nodiscard]] const stun::IntegrityKey* find(std::string_view username,
                                               stun::PasswordAlgorithm algorithm);
  /// Puts the key of a verified user in; returns the stored copy, valid until the next insert().
  const stun::IntegrityKey* insert(std::string_view username, stun::PasswordAlgorithm algorithm,
                                   const stun::IntegrityKey& key);

 private:
  struct Entry {
    std::string username;
    stun::PasswordAlgorithm algorithm;
    std::uint64_t last_used;
    stun::IntegrityKey key;
  };
  static constexpr std::size_t ways = 4;

  [[nodiscard]] std::span<std::unique_ptr<Entry>> set_of(std::string_view username,
                                                         stun::PasswordAlgorithm algorithm);

  std::vector<std::unique_ptr<Entry>> entries_;
  HashSeed seed_;
  std::uint64_t uses_ = 0;
};

}  // namespace turnpike::auth
