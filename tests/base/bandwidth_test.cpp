#include "base/bandwidth.h"

#include <thread>
#include <vector>

#include "catch.h"

namespace turnpike {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t mbit = 1'000'000;
constexpr Instant start = Instant{} + 1000s;

/// How many bytes of those that are offered, `bytes` every `pause`, pass in `duration`.
std::uint64_t passed(const BandwidthLimit& limit, std::size_t bytes, nanoseconds pause,
                     nanoseconds duration) {
  BandwidthMeter meter;
  std::uint64_t total = 0;
  for (nanoseconds at{0}; at < duration; at += pause) {
    if (!meter.has_room(limit, bytes, start + at)) continue;
    meter.add(limit, bytes, start + at);
    total += bytes;
  }
  return total;
}

}  // namespace

TEST_CASE("no limit lets everything pass", "[base]") {
  const BandwidthLimit none;
  CHECK(none.is_none());
  CHECK(BandwidthLimit{0}.is_none());
  BandwidthMeter meter;
  SharedBandwidthMeter shared;
  for (int i = 0; i < 1000; ++i) {
    CHECK(meter.has_room(none, 65535, start));
    meter.add(none, 65535, start);
    CHECK(shared.spend(none, 65535, start));
  }
  CHECK_FALSE(meter.room_at(none, start));
  CHECK_FALSE(shared.room_at(none, start));
}

TEST_CASE("twice the rate is shaped to the rate", "[base][Q03]") {
  const auto rate = GENERATE(as<std::uint64_t>{}, 64'000, mbit, 20 * mbit, 4000 * mbit);
  const BandwidthLimit limit{rate};
  constexpr std::size_t bytes = 1200;
  constexpr auto duration = 600s;
  const auto pause = limit.cost_of(bytes) / 2;
  const double burst_bytes = std::max(65536.0, static_cast<double>(rate) / 8 / 4);
  const auto once = passed(limit, bytes, pause, limit.burst() / 2);
  const double total =
      static_cast<double>(passed(limit, bytes, pause, rate > 100 * mbit ? 6s : duration));
  const double allowed = static_cast<double>(rate) / 8 * (rate > 100 * mbit ? 6 : 600);
  CHECK(total <= allowed + burst_bytes + bytes);
  CHECK(total >= 0.99 * allowed);
  CHECK(static_cast<double>(once) >= 0.99 * burst_bytes);  // the burst is whole
}

TEST_CASE("half the rate passes whole", "[base][Q03]") {
  const BandwidthLimit limit{mbit};
  CHECK(passed(limit, 1250, 20ms, 60s) == 1250 * 60 * 50);
}

TEST_CASE("after a pause a keyframe passes, and the largest datagram at any rate", "[base]") {
  const BandwidthLimit slow{8000};
  BandwidthMeter meter;
  CHECK(meter.has_room(slow, 65507, start));
  meter.add(slow, 65507, start);
  CHECK_FALSE(meter.has_room(slow, 65507, start));
  CHECK(meter.has_room(slow, 65507, start + 66s));

  const BandwidthLimit fast{8 * mbit};  // 250 kB in a quarter of a second
  BandwidthMeter another;
  for (int i = 0; i < 208; ++i) {
    CHECK(another.has_room(fast, 1200, start));
    another.add(fast, 1200, start);
  }
  CHECK_FALSE(another.has_room(fast, 1200, start));
}

TEST_CASE("what is owed is known when there is room again", "[base]") {
  const BandwidthLimit limit{8 * mbit};  // 1 MB a second, 250 kB at once
  BandwidthMeter meter;
  SharedBandwidthMeter shared;
  meter.add(limit, 250'000, start);
  shared.add(limit, 250'000, start);
  CHECK_FALSE(meter.room_at(limit, start));
  CHECK_FALSE(shared.room_at(limit, start));
  meter.add(limit, 100'000, start);
  shared.add(limit, 100'000, start);
  CHECK(meter.room_at(limit, start) == start + 100ms);
  CHECK(shared.room_at(limit, start) == start + 100ms);
  CHECK_FALSE(meter.room_at(limit, start + 100ms));
}

TEST_CASE("what is taken back has not been counted", "[base]") {
  const BandwidthLimit limit{8 * mbit};
  SharedBandwidthMeter meter;
  for (int i = 0; i < 1000; ++i) {
    CHECK(meter.spend(limit, 200'000, start));
    meter.take_back(limit, 200'000);
  }
  CHECK(meter.spend(limit, 250'000, start));
  CHECK_FALSE(meter.spend(limit, 1, start));
}

TEST_CASE("threads together get what one would get", "[base][threads]") {
  const BandwidthLimit limit{8 * mbit};  // 250 kB at once
  SharedBandwidthMeter meter;
  std::atomic<int> passes{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) passes += meter.spend(limit, 1000, start) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(passes == 250);
}

}  // namespace turnpike
