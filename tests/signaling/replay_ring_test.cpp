#include "signaling/replay_ring.h"

#include "catch.h"

namespace turnpike::signaling::test {

namespace {

std::string texts_of(const std::optional<std::vector<Frame>>& frames) {
  if (!frames) return "gone";
  std::string texts;
  for (const Frame& frame : *frames) texts += *frame;
  return texts;
}

}  // namespace

TEST_CASE("a ring gives what came after a number", "[signaling]") {
  ReplayRing ring{10, 100};
  CHECK(texts_of(ring.since(0)).empty());
  ring.push(3, make_frame("a"));
  ring.push(7, make_frame("b"));
  ring.push(8, make_frame("c"));
  CHECK(texts_of(ring.since(0)) == "abc");
  CHECK(texts_of(ring.since(3)) == "bc");
  CHECK(texts_of(ring.since(5)) == "bc");
  CHECK(texts_of(ring.since(8)).empty());
  CHECK(ring.frames() == 3);
  CHECK(ring.bytes() == 3);
}

TEST_CASE("beyond its count or size a ring forgets the oldest, and knows it", "[signaling]") {
  SECTION("count") {
    ReplayRing ring{2, 100};
    for (std::uint64_t seq = 1; seq <= 3; ++seq) ring.push(seq, make_frame(std::to_string(seq)));
    CHECK(texts_of(ring.since(0)) == "gone");
    CHECK(texts_of(ring.since(1)) == "23");
  }
  SECTION("size") {
    ReplayRing ring{10, 4};
    ring.push(1, make_frame("aa"));
    ring.push(2, make_frame("bb"));
    ring.push(5, make_frame("c"));
    CHECK(texts_of(ring.since(0)) == "gone");
    CHECK(texts_of(ring.since(1)) == "bbc");
    CHECK(ring.bytes() == 3);
  }
  SECTION("a single frame too large") {
    ReplayRing ring{10, 4};
    ring.push(1, make_frame("aaaaa"));
    CHECK(ring.frames() == 0);
    CHECK(ring.bytes() == 0);
    CHECK(texts_of(ring.since(0)) == "gone");
    CHECK(texts_of(ring.since(1)).empty());
  }
}

TEST_CASE("what the peer has is forgotten, what it has not seen stays", "[signaling]") {
  ReplayRing ring{10, 100};
  ring.push(3, make_frame("a"));
  ring.push(7, make_frame("b"));
  ring.forget_through(5);  // a number of the room; the peer's own last one is 3
  CHECK(texts_of(ring.since(3)) == "b");
  CHECK(texts_of(ring.since(2)) == "gone");
  ring.forget_through(100);
  CHECK(texts_of(ring.since(7)).empty());
  CHECK(ring.bytes() == 0);
}

}  // namespace turnpike::signaling::test
