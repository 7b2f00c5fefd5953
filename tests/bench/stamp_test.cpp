#include "bench/stamp.h"

#include <vector>

#include "catch.h"

using namespace turnpike;
using bench::Stamp;

TEST_CASE("a stamp is read as it was written", "[bench]") {
  const Stamp stamp{0xfffffffe, 7, Instant{nanoseconds{1'234'567'890'123}}, false};
  std::vector<std::uint8_t> payload(100, 0xaa);
  bench::put_stamp(payload, stamp);
  CHECK(bench::read_stamp(payload) == stamp);
  CHECK(payload[bench::stamp_bytes] == 0xaa);
}

TEST_CASE("an echo is told from what it answers, and keeps the rest of its stamp", "[bench]") {
  const Stamp stamp{3, 9, Instant{seconds{5}}, false};
  std::vector<std::uint8_t> payload(bench::stamp_bytes);
  bench::put_stamp(payload, stamp);
  bench::mark_as_returning(payload);
  const auto returned = bench::read_stamp(payload);
  REQUIRE(returned);
  CHECK(returned->is_returning);
  CHECK(returned->flow == 3);
  CHECK(returned->sequence == 9);
  CHECK(returned->sent == stamp.sent);
}

TEST_CASE("what is too short or of somebody else has no stamp", "[bench]") {
  std::vector<std::uint8_t> payload(bench::stamp_bytes);
  bench::put_stamp(payload, {1, 2, Instant{}, false});
  for (std::size_t size = 0; size < bench::stamp_bytes; ++size) {
    CHECK_FALSE(bench::read_stamp(ByteView{payload}.first(size)));
  }
  payload[3] ^= 0x80;
  CHECK_FALSE(bench::read_stamp(payload));
}
