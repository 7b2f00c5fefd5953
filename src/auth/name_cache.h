// Remembers something about usernames, up to a number of them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"

namespace turnpike::auth {

/// A cache from usernames to values: four-way set-associative, the least recently used of a set
/// gives way. What strangers make up cannot make it grow.
template <class Value>
class NameCache {
 public:
  /// `capacity` is rounded up to a power of two, at least 4.
  NameCache(std::size_t capacity, HashSeed seed)
      : entries_(std::bit_ceil(std::max(capacity, ways))), seed_(seed) {}

  /// The value, or null. Valid until the next insert(), erase() or clear().
  [[nodiscard]] Value* find(std::string_view username) {
    const auto found = entry_of(username);
    if (found == nullptr) return nullptr;
    (*found)->last_used = ++uses_;
    return &(*found)->value;
  }
  /// Puts `value` in, or in the place of the one that is there; returns the stored copy, valid as
  /// long as that of find().
  Value& insert(std::string_view username, Value value) {
    auto* place = entry_of(username);
    if (place == nullptr) {
      const auto set = set_of(username);
      const auto age = [](const auto& entry) { return entry ? entry->last_used : 0; };
      place = &*std::min_element(set.begin(), set.end(),
                                 [&](const auto& a, const auto& b) { return age(a) < age(b); });
    }
    *place = std::make_unique<Entry>(Entry{std::string{username}, ++uses_, std::move(value)});
    return (*place)->value;
  }
  void erase(std::string_view username) {
    if (auto* const entry = entry_of(username)) entry->reset();
  }
  void clear() {
    for (auto& entry : entries_) entry.reset();
  }

 private:
  struct Entry {
    std::string username;
    std::uint64_t last_used;
    Value value;
  };
  static constexpr std::size_t ways = 4;

  [[nodiscard]] std::span<std::unique_ptr<Entry>> set_of(std::string_view username) {
    const std::uint64_t set = hash_bytes(bytes_of(username), seed_) & (entries_.size() / ways - 1);
    return std::span{entries_}.subspan(set * ways, ways);
  }
  [[nodiscard]] std::unique_ptr<Entry>* entry_of(std::string_view username) {
    const auto set = set_of(username);
    const auto found = std::find_if(set.begin(), set.end(), [&](const auto& entry) {
      return entry && entry->username == username;
    });
    return found == set.end() ? nullptr : &*found;
  }

  std::vector<std::unique_ptr<Entry>> entries_;
  HashSeed seed_;
  std::uint64_t uses_ = 0;
};

}  // namespace turnpike::auth
