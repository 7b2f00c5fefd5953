// What a snapshot says must be what a server can have been.
#include "turn/snapshot_sound.h"

#include "catch.h"
#include "turn/settled.h"
#include "turn/snapshot_bytes.h"

namespace turnpike::test {

using turn::SnapshotError;

TEST_CASE("a state that no server can be in is refused, whatever its checksum",
          "[turn][snapshot]") {
  Settled settled;
  const turn::SavedState sound = turn::decode_snapshot(settled.world.snapshot()).value();
  const auto error_with = [&](const std::function<void(turn::SavedState&)>& change) {
    turn::SavedState state = sound;
    change(state);
    const auto decoded = turn::decode_snapshot(turn::encode_snapshot(state));
    return decoded ? std::nullopt : std::optional{decoded.error()};
  };
  const auto allocation = [](turn::SavedState& state) -> turn::SavedAllocation& {
    return state.servers.at(0).slots.at(0).allocation.value();
  };
  CHECK(error_with([](auto&) {}) == std::nullopt);
  CHECK(error_with([&](auto& s) { allocation(s).user = 7; }) == SnapshotError::malformed);
  CHECK(error_with([&](auto& s) { allocation(s).serial = 9; }) == SnapshotError::malformed);
  CHECK(error_with([&](auto& s) { allocation(s).has_client = false; }) == SnapshotError::malformed);
  CHECK(error_with([&](auto& s) { allocation(s).relays = {}; }) == SnapshotError::malformed);
  CHECK(error_with([&](auto& s) { allocation(s).relays[0]->address = 5; }) ==
        SnapshotError::malformed);
  CHECK(error_with([&](auto& s) { allocation(s).channels[0].number = 7; }) ==
        SnapshotError::malformed);
  CHECK(error_with([](auto& s) { s.servers[0].free_slots.push_back(0); }) ==
        SnapshotError::malformed);
  CHECK(error_with([](auto& s) { s.servers[0].counters.pop_back(); }) == SnapshotError::malformed);
  CHECK(error_with([](auto& s) { s.servers.push_back(s.servers[0]); }) == SnapshotError::malformed);
}

}  // namespace turnpike::test
