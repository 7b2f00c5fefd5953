#include "base/random.h"

#include "base/hex.h"
#include "base/seeded_random.h"
#include "catch.h"

namespace turnpike::test {

namespace {

/// Gives 1, 2, 3, …
class Counting final : public Random {
 public:
  void fill(MutableByteView out) override {
    for (std::uint8_t& byte : out) byte = ++last_;
  }

 private:
  std::uint8_t last_ = 0;
};

}  // namespace

TEST_CASE("64 random bits are the next eight bytes of the source", "[base]") {
  Counting random;
  CHECK(random.next_u64() == 0x0102030405060708U);
  CHECK(random.next_u64() == 0x090a0b0c0d0e0f10U);
}

TEST_CASE("a seed repeats its sequence and another seed has another", "[base]") {
  CHECK(SeededRandom{1}.bytes(64) == SeededRandom{1}.bytes(64));
  CHECK(SeededRandom{1}.bytes(64) != SeededRandom{2}.bytes(64));
}

}  // namespace turnpike::test
