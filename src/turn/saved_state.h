// What a snapshot holds, as plain data: between servers and bytes. No invariants here:
// snapshot_bytes.h gives out only what a server can have been like.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "turn/allocation.h"

namespace turnpike::turn {

/// An open relay.
struct SavedRelay {
  std::uint16_t address = 0;  ///< number in SavedLedger::addresses
  std::uint16_t port = 0;
  Instant expires{};
};

struct SavedPermission {
  IpAddress address;
  Instant expires{};
};

struct SavedChannel {
  std::uint16_t number = 0;
  Endpoint peer;
  Instant expires{};
};

/// Of a client with a ticket.
struct SavedMobility {
  std::uint32_t number = 0;
  Ticket ticket{};
  Instant previous_until{};
  std::optional<ClientFlow> next;
};

/// What is left in an allocation's bucket of new peers.
struct SavedBucket {
  Instant filled_at{};
  double tokens = 0;
};

/// An allocation that its client knows of.
struct SavedAllocation {
  std::uint64_t serial = 0;
  ClientFlow flow;
  bool has_client = true;
  stun::TransactionId transaction{};
  std::uint32_t user = 0;  ///< number in SavedServer::users
  NetworkId network{};
  Transport opened_over = Transport::udp;
  PeerTransport transport = PeerTransport::udp;
  std::optional<std::uint64_t> reservation_token;
  std::optional<std::uint16_t> additional_error;
  Instant started{};
  Traffic traffic;
  Instant paid_until{};
  std::optional<SavedBucket> new_peers;  ///< nothing: full
  std::array<std::optional<SavedRelay>, 2> relays;
  std::array<Endpoint, 2> closed_relays;  ///< relayed addresses that it had; port 0: none
  std::vector<SavedPermission> permissions;
  std::vector<SavedChannel> channels;
  std::optional<SavedMobility> mobility;
};

/// A place in the table of allocations.
struct SavedSlot {
  std::array<std::uint32_t, 2> generations{};  ///< of the relays that are, or else the next ones
  std::optional<SavedAllocation> allocation;
};

struct SavedUser {
  std::string username;
  std::string account;
  std::optional<std::uint64_t> bandwidth;  ///< bits a second instead of the limit for all
};

/// A connection of a TCP relay with a peer, made.
struct SavedConnection {
  std::uint32_t allocation = 0;  ///< its slot
  Endpoint peer;
  bool is_of_peer = false;
  std::uint32_t number = 0;
  bool is_claimed = false;          ///< a client has shown its number
  std::optional<Instant> deadline;  ///< for the data connection; nothing: it is there
};

struct SavedConnectionSlot {
  std::uint32_t generation = 0;
  std::optional<SavedConnection> connection;
};

struct SavedGuest {
  ClientFlow flow;
  WorkerId home{};
  bool is_leaving = false;
  Instant expires{};
};

struct SavedServer {
  WorkerId worker{};
  std::uint64_t last_serial = 0;
  std::vector<SavedUser> users;
  std::vector<SavedSlot> slots;
  std::vector<std::uint32_t> free_slots;  ///< the last one is taken next
  std::vector<SavedConnectionSlot> connections;
  std::vector<std::uint32_t> free_connections;
  std::vector<SavedGuest> guests;
  // What the shell has and nobody knows of any more.
  std::vector<RelayId> forgotten_relays;
  std::vector<PeerConnectionId> forgotten_connections;
  std::vector<std::uint64_t> counters;  ///< as growing_values() gives them
};

struct SavedReservation {
  std::uint64_t token = 0;
  std::uint16_t address = 0;
  std::uint16_t port = 0;
  std::string account;
  Instant expires{};
};

/// An account that has not paid for all it has relayed.
struct SavedAccount {
  std::string name;
  Instant paid_until{};
};

struct SavedLedger {
  std::vector<RelayAddress> addresses;
  std::vector<SavedReservation> reservations;
  std::vector<SavedAccount> accounts;
  Instant paid_until{};  ///< for all
};

struct SavedState {
  SavedLedger ledger;
  std::vector<SavedServer> servers;
};

}  // namespace turnpike::turn
