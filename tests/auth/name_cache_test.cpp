#include "auth/name_cache.h"

#include "catch.h"

namespace turnpike::auth {
namespace {

using Cache = NameCache<std::string>;

bool holds(Cache& cache, std::string_view user, std::string_view value) {
  const auto* const found = cache.find(user);
  return found != nullptr && *found == value;
}

/// Four names in a cache of one set.
Cache full_cache() {
  Cache cache{4, HashSeed{7}};
  for (const std::string_view user : {"a", "b", "c", "d"}) cache.insert(user, std::string{user});
  return cache;
}

}  // namespace

TEST_CASE("what was put in under a name is found by it", "[auth]") {
  Cache cache{16, HashSeed{7}};
  CHECK(cache.find("alice") == nullptr);
  CHECK(cache.insert("alice", "x") == "x");
  CHECK(holds(cache, "alice", "x"));
  CHECK(cache.find("alic") == nullptr);
  CHECK(cache.find("") == nullptr);
}

TEST_CASE("the least recently used name of a full set gives way", "[auth]") {
  Cache cache = full_cache();
  CHECK(holds(cache, "a", "a"));  // used: b is the oldest now
  cache.insert("e", "e");
  CHECK(cache.find("b") == nullptr);
  for (const std::string_view user : {"a", "c", "d", "e"}) CHECK(holds(cache, user, user));
}

TEST_CASE("a new value under a name takes the old one's place", "[auth]") {
  Cache cache = full_cache();
  for (int i = 0; i < 10; ++i) cache.insert("b", "new");
  CHECK(holds(cache, "b", "new"));
  for (const std::string_view user : {"a", "c", "d"}) CHECK(holds(cache, user, user));
}

TEST_CASE("a name that was erased is forgotten, and no other", "[auth]") {
  Cache cache = full_cache();
  cache.erase("b");
  cache.erase("never there");
  CHECK(cache.find("b") == nullptr);
  for (const std::string_view user : {"a", "c", "d"}) CHECK(holds(cache, user, user));
  cache.clear();
  for (const std::string_view user : {"a", "b", "c", "d"}) CHECK(cache.find(user) == nullptr);
}

TEST_CASE("the cache holds no more names than its capacity", "[auth]") {
  const auto capacity = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{5}, std::size_t{64});
  Cache cache{capacity, HashSeed{7}};
  for (int i = 0; i < 1000; ++i) {
    const std::string user = std::to_string(i);
    cache.insert(user, user);
    CHECK(holds(cache, user, user));
  }
  std::size_t held = 0;
  for (int i = 0; i < 1000; ++i)
    held += holds(cache, std::to_string(i), std::to_string(i)) ? 1U : 0U;
  CHECK(held <= std::max<std::size_t>(capacity == 5 ? 8 : capacity, 4));
  CHECK(held >= 4);
}

}  // namespace turnpike::auth
