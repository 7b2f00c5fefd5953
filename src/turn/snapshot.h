// The state of servers and their ledger as bytes, so that another process, or the same one a step
// later, can go on where they were (docs/adr/0044). What a server has in common with no other one:
// settings, credentials, policy and keys are handed to the new one as they were to the old.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "turn/server.h"

namespace turnpike::turn {

/// Why bytes are not restored. In the order in which it is found out.
enum class SnapshotError : std::uint8_t {
  not_a_snapshot,  ///< something else, or not even the head of one
  other_version,   ///< of a server that writes another format
  wrong_size,      ///< cut short, or with something behind it
  damaged,         ///< the checksum says so
  malformed,       ///< written so, but no state that servers can be in
  no_such_worker,  ///< there is state of a worker that has no heir
};

/// "damaged", as logs spell it.
[[nodiscard]] std::string_view to_string(SnapshotError error);

/// A fresh server that goes on for another one, and what it wants done first.
struct Heir {
  Server& server;
  Effects& effects;
};

/// Everything that `servers` and the `ledger` they share know of clients: allocations with relays,
/// permissions, channels, tickets, buckets and the names of users; guests; peers' connections;
/// reservations and quotas; counters. They are left as they were, and may go on. May be taken
/// between any two calls. Precondition: no other thread is in any of them meanwhile.
///
/// Not in it, because it comes again by itself:
/// - Allocates that wait for their relays: the client sends them again. Their ports, charges and
///   names count as free. A reservation that one of them has redeemed is used up.
/// - Connects that wait for their peers: the client gets no answer, and may try again.
/// - What strangers have left of their budgets, and nonces (they are computed).
/// - Who has failed to log in, and how often (auth::FailureLimit): heirs begin to count anew.
/// - Users that were asked for, and the requests that wait for them (AskForUser). The caller has
///   those: they are handed in again, or given up by on_user_unanswered().
///
/// No password and no key of a user is in it, but tickets, tokens and CONNECTION-IDs by which a
/// client is known, besides its own password, and who talks to whom: keep it as secret as the keys.
/// Instants are absolute: only a reader of the same clock makes sense of them, and within one boot
/// of the host.
[[nodiscard]] std::vector<std::uint8_t> take_snapshot(std::span<const Server* const> servers,
                                                      const Ledger& ledger);

/// Gives `heirs` and their `ledger` the state in `snapshot`. Either all of it, and nothing is
/// returned; or the error, and they are as fresh as before.
///
/// Every name stays what it was: RelayId, PeerConnectionId, AllocationName, ListenerId, WorkerId.
/// The caller has the sockets under those names, or has lost them and says so afterwards as for any
/// server: on_client_gone(), on_peer_closed(), end().
///
/// The heirs may have other settings, and more siblings than the snapshot has servers:
/// - Limits: what is there stays, be it more than that, as after set_limits().
/// - Policy: permissions, channels and connections of peers that it denies now are gone, as after
///   recheck_peers().
/// - Relay addresses and ports: a relay whose address or port is none of the ledger's any more is
///   closed, and an allocation without any other ended, for CloseReason::shutdown. So is a TCP
///   allocation when there are none any more, and, one by one, what claims to have a port, a
///   five-tuple or a CONNECTION-ID that another entry has had before: no server writes that.
/// - Without the old ticket key nobody moves by an old ticket; without the old nonce key every
///   client gets one 438.
///
/// The effects close what the caller has and the heirs do not: relays of forgotten Allocates,
/// connections of forgotten Connects, all that was given up. Preconditions: heirs and ledger are
/// fresh; relays that are asked for already, by whoever, come to on_relay_opened() afterwards.
[[nodiscard]] std::optional<SnapshotError> restore_snapshot(ByteView snapshot,
                                                            std::span<const Heir> heirs,
                                                            Ledger& ledger, Now now);

}  // namespace turnpike::turn
