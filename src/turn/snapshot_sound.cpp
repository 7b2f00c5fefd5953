#include "turn/snapshot_sound.h"

#include <algorithm>
#include <set>

#include "turn/relay_counters.h"

namespace turnpike::turn {
namespace {

using stun::ErrorCode;

constexpr std::size_t max_slots = std::size_t{1} << 22;  // of LiveRelays, two relays each
constexpr std::uint64_t max_serial = (std::uint64_t{1} << 48) - 1;  // of a ticket
constexpr double max_tokens = 1e18;

/// Checks one server's part of `state`.
class ServerCheck {
 public:
  ServerCheck(const SavedState& state, const SavedServer& server, const std::set<WorkerId>& workers)
      : state_(state), server_(server), workers_(workers) {}

  [[nodiscard]] bool passes() const {
    return are_slots_sound() && are_connections_sound() &&
           std::all_of(server_.guests.begin(), server_.guests.end(),
                       [&](const SavedGuest& guest) { return is_sound(guest); }) &&
           server_.counters.size() == growing_values(RelayCounters{}).size();
  }

 private:
  [[nodiscard]] bool are_slots_sound() const {
    if (server_.slots.size() > max_slots || server_.last_serial > max_serial) return false;
    std::set<std::uint64_t> serials;
    std::set<std::uint32_t> free;
    for (std::uint32_t i = 0; i < server_.slots.size(); ++i) {
      const auto& allocation = server_.slots[i].allocation;
      if (!allocation) {
        free.insert(i);
      } else if (!is_sound(*allocation) || !serials.insert(allocation->serial).second) {
        return false;
      }
    }
    return are_exactly(free, server_.free_slots);
  }

  [[nodiscard]] bool are_connections_sound() const {
    std::set<std::uint32_t> free;
    for (std::uint32_t i = 0; i < server_.connections.size(); ++i) {
      const auto& connection = server_.connections[i].connection;
      if (!connection) {
        free.insert(i);
      } else if (!is_sound(*connection)) {
        return false;
      }
    }
    return are_exactly(free, server_.free_connections);
  }

  static bool are_exactly(const std::set<std::uint32_t>& expected,
                          const std::vector<std::uint32_t>& listed) {
    return listed.size() == expected.size() &&
           std::set<std::uint32_t>(listed.begin(), listed.end()) == expected;
  }

  [[nodiscard]] bool is_sound(const SavedAllocation& allocation) const {
    return allocation.serial >= 1 && allocation.serial <= server_.last_serial &&
           allocation.user < server_.users.size() && is_sound(allocation.flow) &&
           are_relays_sound(allocation) && are_channels_sound(allocation) &&
           is_mobility_sound(allocation) && is_error_sound(allocation.additional_error) &&
           (!allocation.new_peers || is_sound(*allocation.new_peers));
  }

  [[nodiscard]] bool is_sound(const ClientFlow& flow) const {
    return workers_.contains(flow.worker);
  }

  [[nodiscard]] bool are_relays_sound(const SavedAllocation& allocation) const {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      const auto& relay = allocation.relays[Allocation::relay_index(family)];
      if (!relay) continue;
      const auto& addresses = state_.ledger.addresses;
      const bool is_there = relay->port != 0 && relay->address < addresses.size() &&
                            addresses[relay->address].bind.family() == family;
      if (!is_there) return false;
    }
    return allocation.relays[0] || allocation.relays[1];
  }

  /// One peer a channel, one channel a peer; none of a TCP allocation.
  static bool are_channels_sound(const SavedAllocation& allocation) {
    std::set<std::uint16_t> numbers;
    std::set<Endpoint> peers;
    return std::all_of(
        allocation.channels.begin(), allocation.channels.end(), [&](const SavedChannel& channel) {
          return allocation.transport == PeerTransport::udp &&
                 stun::ChannelNumber{channel.number}.is_allowed() &&
                 numbers.insert(channel.number).second && peers.insert(channel.peer).second;
        });
  }

  /// Only who has a ticket may have no client, or one on the move; not both.
  [[nodiscard]] bool is_mobility_sound(const SavedAllocation& allocation) const {
    const auto& mobility = allocation.mobility;
    if (!mobility) return allocation.has_client;
    if (mobility->next && (!allocation.has_client || !is_sound(*mobility->next))) return false;
    return allocation.transport == PeerTransport::udp;
  }

  static bool is_error_sound(const std::optional<std::uint16_t>& code) {
    return !code || ErrorCode{*code} == ErrorCode::insufficient_capacity ||
           ErrorCode{*code} == ErrorCode::address_family_not_supported;
  }

  static bool is_sound(const SavedBucket& bucket) {
    return bucket.tokens >= 0 && bucket.tokens <= max_tokens;  // and so it is a number
  }

  [[nodiscard]] bool is_sound(const SavedConnection& connection) const {
    if (connection.allocation >= server_.slots.size()) return false;
    const auto& allocation = server_.slots[connection.allocation].allocation;
    return allocation && allocation->transport == PeerTransport::tcp &&
           (connection.deadline || connection.is_claimed);
  }

  [[nodiscard]] bool is_sound(const SavedGuest& guest) const {
    return is_sound(guest.flow) && workers_.contains(guest.home) && guest.home != server_.worker;
  }

  const SavedState& state_;
  const SavedServer& server_;
  const std::set<WorkerId>& workers_;
};

bool is_ledger_sound(const SavedLedger& ledger) {
  return std::all_of(ledger.addresses.begin(), ledger.addresses.end(),
                     [](const RelayAddress& address) {
                       return address.bind.family() == address.advertised.family();
                     }) &&
         std::all_of(ledger.reservations.begin(), ledger.reservations.end(),
                     [&](const SavedReservation& reservation) {
                       return reservation.address < ledger.addresses.size();
                     });
}

}  // namespace

bool is_sound(const SavedState& state) {
  std::set<WorkerId> workers;
  for (const SavedServer& server : state.servers) {
    if (!workers.insert(server.worker).second) return false;
  }
  return is_ledger_sound(state.ledger) &&
         std::all_of(state.servers.begin(), state.servers.end(), [&](const SavedServer& server) {
           return ServerCheck{state, server, workers}.passes();
         });
}

}  // namespace turnpike::turn
