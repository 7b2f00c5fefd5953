#include "auth/key_cache.h"

#include <algorithm>
#include <bit>

namespace turnpike::auth {

KeyCache::KeyCache(std::size_t capacity, HashSeed seed)
    : entries_(std::bit_ceil(std::max(capacity, ways))), seed_(seed) {}

const stun::IntegrityKey* KeyCache::find(std::string_view username,
                                         stun::PasswordAlgorithm algorithm) {
  for (const auto& entry : set_of(username, algorithm)) {
    if (entry && entry->algorithm == algorithm && entry->username == username) {
      entry->last_used = ++uses_;
      return &entry->key;
    }
  }
  return nullptr;
}

const stun::IntegrityKey* KeyCache::insert(std::string_view username,
                                           stun::PasswordAlgorithm algorithm,
                                           const stun::IntegrityKey& key) {
  const auto set = set_of(username, algorithm);
  const auto age = [](const std::unique_ptr<Entry>& entry) { return entry ? entry->last_used : 0; };
  auto victim = std::find_if(set.begin(), set.end(), [&](const auto& entry) {
    return entry && entry->algorithm == algorithm && entry->username == username;
  });
  if (victim == set.end()) {
    victim = std::min_element(set.begin(), set.end(),
                              [&](const auto& a, const auto& b) { return age(a) < age(b); });
  }
  *victim = std::make_unique<Entry>(Entry{std::string{username}, algorithm, ++uses_, key});
  return &(*victim)->key;
}

std::span<std::unique_ptr<KeyCache::Entry>> KeyCache::set_of(std::string_view username,
                                                             stun::PasswordAlgorithm algorithm) {
  const std::uint64_t name = hash_bytes(bytes_of(username), seed_);
  const std::uint64_t hash = hash_and(name, static_cast<std::uint64_t>(algorithm));
  const std::uint64_t set = hash & (entries_.size() / ways - 1);
  return std::span{entries_}.subspan(set * ways, ways);
}

}  // namespace turnpike::auth
