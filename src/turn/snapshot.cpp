#include "turn/snapshot.h"

#include <algorithm>

#include "turn/snapshot_bytes.h"

namespace turnpike::turn {
namespace {

/// Null when there is none.
const Heir* heir_of(const SavedServer& saved, std::span<const Heir> heirs) {
  const auto found = std::find_if(heirs.begin(), heirs.end(), [&](const Heir& heir) {
    return heir.server.worker() == saved.worker;
  });
  return found == heirs.end() ? nullptr : &*found;
}

}  // namespace

std::string_view to_string(SnapshotError error) {
  switch (error) {
    case SnapshotError::not_a_snapshot:
      return "not_a_snapshot";
    case SnapshotError::other_version:
      return "other_version";
    case SnapshotError::wrong_size:
      return "wrong_size";
    case SnapshotError::damaged:
      return "damaged";
    case SnapshotError::malformed:
      return "malformed";
    case SnapshotError::no_such_worker:
      return "no_such_worker";
  }
  return "?";
}

std::vector<std::uint8_t> take_snapshot(std::span<const Server* const> servers,
                                        const Ledger& ledger) {
  SavedState state;
  state.ledger = ledger.save();
  for (const Server* server : servers) state.servers.push_back(server->save());
  return encode_snapshot(state);
}

std::optional<SnapshotError> restore_snapshot(ByteView snapshot, std::span<const Heir> heirs,
                                              Ledger& ledger, Now now) {
  const auto state = decode_snapshot(snapshot);
  if (!state) return state.error();
  const bool all_have_heirs =
      std::all_of(state->servers.begin(), state->servers.end(),
                  [&](const SavedServer& saved) { return heir_of(saved, heirs) != nullptr; });
  if (!all_have_heirs) return SnapshotError::no_such_worker;

  // Whether a peer is permitted depends on the relays of all.
  for (const SavedServer& saved : state->servers) {
    const Heir& heir = *heir_of(saved, heirs);
    heir.server.restore_allocations(saved, state->ledger.addresses, now, heir.effects);
  }
  ledger.restore(state->ledger);
  for (const SavedServer& saved : state->servers) {
    const Heir& heir = *heir_of(saved, heirs);
    heir.server.restore_peers(saved, heir.effects);
  }
  return std::nullopt;
}

}  // namespace turnpike::turn
