#include "bench/on_their_way.h"

#include "catch.h"

using namespace turnpike;
using namespace std::chrono_literals;
using bench::OnTheirWay;

namespace {

constexpr Instant start{1h};

}  // namespace

TEST_CASE("what was sent is on its way until it comes", "[bench]") {
  OnTheirWay packets;
  packets.start(start);
  packets.on_sent(3, start);
  CHECK(packets.count(start) == 3);
  packets.on_received(start);
  CHECK(packets.count(start + 1ms) == 2);
  packets.on_sent(2, start + 60ms);
  packets.on_received(start + 60ms);
  packets.on_received(start);
  CHECK(packets.count(start + 60ms) == 2);
}

TEST_CASE("what has not come a while after is given up, and not before", "[bench]") {
  OnTheirWay packets;
  packets.start(start);
  packets.on_sent(5, start);
  CHECK(packets.count(start + 100ms) == 5);
  packets.on_sent(1, start + 120ms);
  CHECK(packets.count(start + 150ms) == 1);
  CHECK(packets.count(start + 400ms) == 0);
}

TEST_CASE("what comes after it was given up changes nothing", "[bench]") {
  OnTheirWay packets;
  packets.start(start);
  packets.on_sent(1, start);
  packets.on_sent(1, start + 400ms);
  packets.on_received(start);
  CHECK(packets.count(start + 400ms) == 1);
}

TEST_CASE("what comes just after it was given up is not taken for a later one", "[bench]") {
  OnTheirWay packets;
  packets.start(start);
  packets.on_sent(1, start + 40ms);
  packets.on_sent(1, start + 60ms);
  CHECK(packets.count(start + 160ms) == 1);
  packets.on_received(start + 40ms);
  CHECK(packets.count(start + 160ms) == 1);
}
