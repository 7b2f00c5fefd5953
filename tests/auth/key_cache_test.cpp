#include "auth/key_cache.h"

#include "base/hex.h"
#include "catch.h"

namespace turnpike::auth {

using stun::IntegrityKey;
using stun::PasswordAlgorithm;

namespace {

IntegrityKey key_of(std::string_view text) { return IntegrityKey{bytes_of(text)}; }

/// What tells keys apart.
std::string mark(const IntegrityKey& key) { return test::to_hex(key.sha256.mac({})); }

bool holds(KeyCache& cache, std::string_view user, std::string_view text,
           PasswordAlgorithm algorithm = PasswordAlgorithm::md5) {
  const auto* const found = cache.find(user, algorithm);
  return found != nullptr && mark(*found) == mark(key_of(text));
}

}  // namespace

TEST_CASE("a key that was put in is found", "[auth]") {
  KeyCache cache{16, HashSeed{7}};
  CHECK(cache.find("alice", PasswordAlgorithm::md5) == nullptr);
  const auto* const stored = cache.insert("alice", PasswordAlgorithm::md5, key_of("a"));
  CHECK(mark(*stored) == mark(key_of("a")));
  CHECK(holds(cache, "alice", "a"));
  CHECK(cache.find("alic", PasswordAlgorithm::md5) == nullptr);
  CHECK(cache.find("", PasswordAlgorithm::md5) == nullptr);
}

TEST_CASE("each algorithm has a key of its own", "[auth][c20]") {
  KeyCache cache{4, HashSeed{7}};
  cache.insert("alice", PasswordAlgorithm::md5, key_of("m"));
  CHECK(cache.find("alice", PasswordAlgorithm::sha256) == nullptr);
  cache.insert("alice", PasswordAlgorithm::sha256, key_of("s"));
  CHECK(holds(cache, "alice", "m", PasswordAlgorithm::md5));
  CHECK(holds(cache, "alice", "s", PasswordAlgorithm::sha256));
}

TEST_CASE("the least recently used of a full set gives way", "[auth]") {
  KeyCache cache{4, HashSeed{7}};  // one set
  for (const std::string_view user : {"a", "b", "c", "d"}) {
    cache.insert(user, PasswordAlgorithm::md5, key_of(user));
  }
  CHECK(holds(cache, "a", "a"));  // used: b is the oldest now
  cache.insert("e", PasswordAlgorithm::md5, key_of("e"));
  CHECK(cache.find("b", PasswordAlgorithm::md5) == nullptr);
  for (const std::string_view user : {"a", "c", "d", "e"}) CHECK(holds(cache, user, user));
}

TEST_CASE("a new key of the same user takes the old one's place", "[auth]") {
  KeyCache cache{4, HashSeed{7}};
  for (const std::string_view user : {"a", "b", "c", "d"}) {
    cache.insert(user, PasswordAlgorithm::md5, key_of(user));
  }
  for (int i = 0; i < 10; ++i) cache.insert("b", PasswordAlgorithm::md5, key_of("new"));
  CHECK(holds(cache, "b", "new"));
  for (const std::string_view user : {"a", "c", "d"}) CHECK(holds(cache, user, user));
}

TEST_CASE("the cache holds no more than its capacity", "[auth]") {
  const auto capacity = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{5}, std::size_t{64});
  KeyCache cache{capacity, HashSeed{7}};
  for (int i = 0; i < 1000; ++i) {
    const std::string user = std::to_string(i);
    cache.insert(user, PasswordAlgorithm::md5, key_of(user));
    CHECK(holds(cache, user, user));
  }
  std::size_t held = 0;
  for (int i = 0; i < 1000; ++i)
    held += holds(cache, std::to_string(i), std::to_string(i)) ? 1U : 0U;
  CHECK(held <= std::max<std::size_t>(capacity == 5 ? 8 : capacity, 4));
  CHECK(held >= 4);
}

}  // namespace turnpike::auth
