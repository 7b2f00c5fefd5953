// Snapshots as bytes: whole or refused.
#include "turn/snapshot_bytes.h"

#include "catch.h"
#include "turn/relay_counters.h"
#include "turn/settled.h"

namespace turnpike::test {

using turn::SnapshotError;

TEST_CASE("a snapshot that is cut short anywhere is refused, and nothing of it taken",
          "[turn][snapshot]") {
  Settled settled;
  const Bytes whole = settled.world.snapshot();
  World other;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    REQUIRE(other.restart_from(part).has_value());
  }
  CHECK(other.balance().allocations == 0);
  CHECK(other.balance().charged == 0);
  Bytes longer = whole;
  longer.push_back(0);
  CHECK(other.restart_from(longer) == SnapshotError::wrong_size);
}

TEST_CASE("a snapshot with any bit flipped is refused", "[turn][snapshot]") {
  Settled settled;
  Bytes snapshot = settled.world.snapshot();
  for (std::size_t bit = 0; bit < 8 * snapshot.size(); ++bit) {
    const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
    snapshot[bit / 8] = static_cast<std::uint8_t>(snapshot[bit / 8] ^ mask);
    INFO("bit " << bit);
    REQUIRE_FALSE(turn::decode_snapshot(snapshot));
    snapshot[bit / 8] = static_cast<std::uint8_t>(snapshot[bit / 8] ^ mask);
  }
  CHECK(turn::decode_snapshot(snapshot));
}

TEST_CASE("a snapshot says what is wrong with it", "[turn][snapshot]") {
  Settled settled;
  const Bytes sound = settled.world.snapshot();
  const auto error_of = [&](std::size_t at) {
    Bytes damaged = sound;
    damaged[at] ^= 1;
    return turn::decode_snapshot(damaged).error();
  };
  CHECK(error_of(0) == SnapshotError::not_a_snapshot);
  CHECK(error_of(11) == SnapshotError::other_version);
  CHECK(error_of(19) == SnapshotError::wrong_size);
  CHECK(error_of(23) == SnapshotError::damaged);
  CHECK(error_of(sound.size() - 1) == SnapshotError::damaged);
  CHECK(to_string(SnapshotError::other_version) == "other_version");
}

TEST_CASE("a new counter raises the version of snapshots", "[turn][snapshot]") {
  // Another count, as of a new answer or reason to close, is another format: raise snapshot_version
  // along with the number here.
  CHECK(turn::snapshot_version == 1);
  CHECK(turn::growing_values(turn::RelayCounters{}).size() == 543);
}

}  // namespace turnpike::test
