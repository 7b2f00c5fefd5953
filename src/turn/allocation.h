// The state of one allocation (RFC 8656 §6): plain data with deadlines, no sockets, no timers.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "auth/authenticator.h"
#include "base/inline_vector.h"
#include "turn/allocation_view.h"
#include "turn/effects.h"
#include "turn/ledger.h"
#include "turn/mobility_ticket.h"
#include "turn/user_table.h"

namespace turnpike::turn {

/// Peers with this address may be relayed to and from (RFC 8656 §9).
struct Permission {
  IpAddress address;
  Instant expires;
  bool only_live_relays = false;  // the policy opens nothing else on this address
};

/// A channel binding (RFC 8656 §12).
struct Channel {
  stun::ChannelNumber number;
  PermittedPeer peer;
  Instant expires;
};

/// One relay socket of an allocation; a dual allocation has two.
struct Relay {
  enum class State : std::uint8_t { absent, opening, open, failed };

  State state = State::absent;
  std::uint16_t attempts = 0;    // ports tried so far
  std::uint32_t generation = 0;  // of the RelayId; survives the allocation's end
  PortLease lease;
  Endpoint relayed;   // what peers see
  Instant expires{};  // each family of a dual allocation is refreshed on its own (§8.1)
};

/// What an Allocate that waits for its relays needs for its answer. Gone once answered.
struct PendingAllocate {
  stun::IntegrityKey key;
  auth::ResponseIntegrity integrity;
  bool with_fingerprint;
  PortWish wish;
  bool is_redeemed;                                 // the port was promised; no other will do
  std::optional<stun::ErrorCode> additional_error;  // why there is no second relay
};

/// What the allocation of a client with a ticket has besides (RFC 8016).
struct Mobility {
  std::uint32_t number = 0;  // of the ticket
  Ticket ticket{};
  Instant previous_until{};        // as long the ticket before this one is known again
  std::optional<ClientFlow> next;  // where the client has moved to and not sent from yet
};

/// One allocation. The relays stand at relay_index(family).
struct Allocation {
  ClientFlow flow;
  stun::TransactionId transaction{};  // of the Allocate that made it, to know it again
  UserId user{};
  std::uint32_t slot = 0;    // its number in the table
  std::uint64_t serial = 0;  // its number among all that the server ever had
  bool in_use = false;
  bool is_open = false;                          // the client was told of it
  Transport opened_over = Transport::udp;        // what the client came with
  PeerTransport transport = PeerTransport::udp;  // REQUESTED-TRANSPORT
  bool has_client = true;  // false: its connection is gone, and it has a ticket to come back with
  std::optional<std::uint64_t> reservation_token;   // repeated in repeated answers
  std::optional<stun::ErrorCode> additional_error;  // why a dual allocation has only one relay
  Instant started{};                                // when it was opened
  Traffic traffic;
  std::array<Relay, 2> relay_pair;
  InlineVector<Permission, 4> permissions;
  InlineVector<Channel, 2> channels;
  std::vector<std::uint32_t> peer_connections;  // their slots; TCP only
  std::unique_ptr<PendingAllocate> pending;
  std::unique_ptr<Mobility> mobility;  // null: the client has no ticket

  [[nodiscard]] static std::size_t relay_index(Family family) {
    return family == Family::ipv4 ? 0 : 1;
  }
  [[nodiscard]] Relay& relay(Family family) { return relay_pair[relay_index(family)]; }
  [[nodiscard]] const Relay& relay(Family family) const { return relay_pair[relay_index(family)]; }
  [[nodiscard]] bool has_relay(Family family) const {
    return relay(family).state == Relay::State::open;
  }
  [[nodiscard]] bool has_any_relay() const {
    return has_relay(Family::ipv4) || has_relay(Family::ipv6);
  }
  [[nodiscard]] bool is_dual() const { return has_relay(Family::ipv4) && has_relay(Family::ipv6); }
  /// Has a relay at a given time: nothing is relayed past the deadline, swept or not.
  [[nodiscard]] bool relays(Family family, Instant now) const {
    return has_relay(family) && relay(family).expires > now;
  }
  [[nodiscard]] bool relays_any(Instant now) const {
    return relays(Family::ipv4, now) || relays(Family::ipv6, now);
  }

  /// Of the client's flows, the one with this five-tuple: the next one, or else the first.
  [[nodiscard]] ClientFlow& flow_at(const FiveTuple& tuple) {
    const bool is_next = mobility && mobility->next && mobility->next->tuple == tuple;
    return is_next ? *mobility->next : flow;
  }

  /// The live permission for `address`, or null.
  [[nodiscard]] const Permission* permission(const IpAddress& address, Instant now) const {
    for (const Permission& each : permissions.span()) {
      if (each.address == address) return each.expires > now ? &each : nullptr;
    }
    return nullptr;
  }
  [[nodiscard]] const Channel* channel(stun::ChannelNumber number, Instant now) const {
    for (const Channel& channel : channels.span()) {
      if (channel.number == number && channel.expires > now) return &channel;
    }
    return nullptr;
  }
  [[nodiscard]] const Channel* channel_to(const Endpoint& peer, Instant now) const {
    for (const Channel& channel : channels.span()) {
      if (channel.peer.endpoint() == peer && channel.expires > now) return &channel;
    }
    return nullptr;
  }

  /// Installs the permission or starts its time anew; the caller has checked the limit.
  void permit(const Permission& wanted);
  /// How many of the permissions would be live if `added` were among them.
  [[nodiscard]] std::size_t permissions_with(std::span<const IpAddress> added, Instant now) const;
  /// Forgets permissions and channels that have run out.
  void drop_expired(Instant now);
  /// Forgets the permissions and channels of one family, whose relay is gone (§8.1).
  void drop_peers(Family family);
};

}  // namespace turnpike::turn
