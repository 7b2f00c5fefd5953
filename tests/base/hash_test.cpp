#include "base/hash.h"

#include <unordered_set>

#include "base/hex.h"
#include "base/seeded_random.h"
#include "catch.h"

namespace turnpike::test {

TEST_CASE("a hash depends on the bytes and the seed, on nothing else", "[base]") {
  const Bytes bytes = SeededRandom{1}.bytes(37);
  CHECK(hash_bytes(bytes, HashSeed{5}) == hash_bytes(copy_of(bytes), HashSeed{5}));
  CHECK(hash_bytes(bytes, HashSeed{5}) != hash_bytes(bytes, HashSeed{6}));
}

TEST_CASE("a hash does not depend on where the bytes lie", "[base][S17]") {
  const Bytes bytes = SeededRandom{2}.bytes(24);
  const std::size_t offset = GENERATE(range(std::size_t{0}, std::size_t{8}));
  Bytes shifted(offset, 0xee);
  shifted.insert(shifted.end(), bytes.begin(), bytes.end());
  CHECK(hash_bytes(ByteView{shifted}.subspan(offset), HashSeed{9}) ==
        hash_bytes(bytes, HashSeed{9}));
}

TEST_CASE("each seed gives another hash", "[base]") {
  std::unordered_set<std::uint64_t> hashes;
  for (std::uint64_t seed = 0; seed < 10'000; ++seed)
    hashes.insert(hash_bytes(bytes_of("key"), HashSeed{seed}));
  CHECK(hashes.size() == 10'000);
}

TEST_CASE("flipping any bit changes the hash", "[base]") {
  for (std::size_t size = 1; size <= 40; ++size) {
    const Bytes bytes = SeededRandom{size}.bytes(size);
    for (std::size_t bit = 0; bit < size * 8; ++bit) {
      Bytes other = bytes;
      other[bit / 8] = static_cast<std::uint8_t>(other[bit / 8] ^ (1U << (bit % 8)));
      if (hash_bytes(other, HashSeed{3}) == hash_bytes(bytes, HashSeed{3})) {
        FAIL_CHECK("size " << size << " bit " << bit);
      }
    }
  }
}

TEST_CASE("zeros of different lengths have different hashes", "[base]") {
  std::unordered_set<std::uint64_t> hashes;
  for (std::size_t size = 0; size < 64; ++size)
    hashes.insert(hash_bytes(Bytes(size, 0), HashSeed{3}));
  CHECK(hashes.size() == 64);
}

TEST_CASE("half of the hash's bits change with one bit of the key", "[base]") {
  // Averaged over many keys; the worst single output bit is looked at as well.
  SeededRandom random{seed_or(77)};
  std::vector<int> changes(64);
  constexpr int rounds = 4000;
  for (int round = 0; round < rounds; ++round) {
    const Bytes key = random.bytes(16);
    Bytes other = key;
    const std::uint64_t bit = random.below(128);
    other[bit / 8] = static_cast<std::uint8_t>(other[bit / 8] ^ (1U << (bit % 8)));
    const std::uint64_t difference = hash_bytes(key, HashSeed{1}) ^ hash_bytes(other, HashSeed{1});
    for (std::size_t i = 0; i < 64; ++i) changes[i] += static_cast<int>((difference >> i) & 1);
  }
  for (std::size_t i = 0; i < 64; ++i) {
    CAPTURE(i);
    CHECK(changes[i] > rounds * 2 / 5);
    CHECK(changes[i] < rounds * 3 / 5);
  }
}

}  // namespace turnpike::test
