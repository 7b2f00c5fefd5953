// What all workers must agree on: relay ports, reservations, allocations per user, live relayed
// addresses. Touched when allocations come and go, never on the packet path.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bandwidth.h"
#include "base/endpoint.h"
#include "base/random.h"
#include "base/time.h"
#include "turn/connection_registry.h"
#include "turn/limits.h"
#include "turn/live_relays.h"
#include "turn/port_pool.h"

namespace turnpike::turn {

struct SavedLedger;

/// An address that relay sockets are bound to, and what peers see of it (1:1 NAT).
struct RelayAddress {
  IpAddress bind;
  IpAddress advertised;

  friend bool operator==(const RelayAddress&, const RelayAddress&) = default;
};

/// A relay port in use: number `address` in the ledger's list, and the port.
struct PortLease {
  std::uint16_t address = 0;
  std::uint16_t port = 0;
};

/// What kind of port a client asked for (RFC 8656 §18.7).
enum class PortWish : std::uint8_t { any, even, even_and_next };

/// Whether one more allocation was counted.
enum class Charge : std::uint8_t {
  accepted,
  user_is_full,     ///< 486: "using this username" (RFC 8656 §19)
  network_is_full,  ///< 486: a "locally defined allocation quota" (§7.2, step 10)
  server_is_full,   ///< 508
};

/// The network of a client as allocations are counted: an IPv4 /24 or an IPv6 /56.
enum class NetworkId : std::uint64_t {
  uncounted = 0,  ///< loopback: whoever is there is this host's own, or comes through its proxy
};
[[nodiscard]] NetworkId network_of(const IpAddress& client);

/// The shared account of scarce things. Every method may be called from any thread.
class Ledger {
 public:
  /// `addresses`: where relays may be; `ports`: the range used on each of them.
  Ledger(std::vector<RelayAddress> addresses, PortRange ports, const Limits& limits);
  /// From now on; what is there already stays, be it more than that.
  void set_limits(const Limits& limits);
  /// True: no allocation is accepted, as when there are as many as there may be. What is there
  /// stays.
  void set_closed(bool is_closed);
  [[nodiscard]] bool is_closed() const;

  // ---- addresses ----
  /// The relay address for a client that reached the server at `server`: that same address if it is
  /// a relay address of the family, else the first of the family. Loopback serves loopback only.
  [[nodiscard]] std::optional<std::uint16_t> choose_address(const IpAddress& server,
                                                            Family family) const;
  /// Where to bind the socket of `lease`.
  [[nodiscard]] Endpoint bind_endpoint(PortLease lease) const;
  /// The relayed transport address that peers see.
  [[nodiscard]] Endpoint relayed_endpoint(PortLease lease) const;

  /// Where to connect to for `peer`. Behind 1:1 NAT a TCP relay of this very server cannot count on
  /// being reached by its public address from inside: it is connected to where it is bound.
  [[nodiscard]] Endpoint reached_at(const Endpoint& peer) const;
  /// The inverse, for where connections come from: a TCP relay of this server is known to its peers
  /// by its relayed address alone.
  [[nodiscard]] Endpoint known_as(const Endpoint& source) const;

  // ---- ports ----
  /// Takes a port on address number `address`. For `even_and_next`, the next-higher port is taken
  /// too and must be handed to reserve() or give_back().
  [[nodiscard]] std::optional<PortLease> take_port(std::uint16_t address, PortWish wish,
                                                   Random& random, Instant now);
  void give_back(PortLease lease);
  [[nodiscard]] std::size_t free_ports() const;

  // ---- reservations (RFC 8656 §7.2) ----
  /// Holds `lease` for `account` and returns the token that redeems it.
  [[nodiscard]] std::uint64_t reserve(PortLease lease, std::string_view account, Random& random,
                                      Instant now);
  /// May `account` have one more? As many as allocations: they are taken out of the same ports.
  /// `max_of_user`: as for charge().
  [[nodiscard]] bool may_reserve(std::string_view account, std::optional<std::uint32_t> max_of_user,
                                 Instant now);
  /// Is there a reservation `token` of `account`?
  [[nodiscard]] bool has_reservation(std::uint64_t token, std::string_view account, Instant now);
  /// Turns a reservation into a lease. Works once.
  [[nodiscard]] std::optional<PortLease> redeem(std::uint64_t token, std::string_view account,
                                                Instant now);

  // ---- allocation quotas ----
  /// Counts one more allocation of `account` from `network`, or nothing when there are too many.
  /// `max_of_user`: instead of the limit for all users; 0: no limit.
  [[nodiscard]] Charge charge(std::string_view account, NetworkId network = NetworkId::uncounted,
                              std::optional<std::uint32_t> max_of_user = std::nullopt,
                              Instant now = {});
  /// What the account has relayed is remembered for as long as it matters.
  void release(std::string_view account, NetworkId network = NetworkId::uncounted,
               Instant now = Instant::max());
  [[nodiscard]] std::size_t allocations() const;
  /// 0: as many as there are ports.
  [[nodiscard]] std::uint32_t max_allocations() const;
  [[nodiscard]] std::uint32_t allocations_of(std::string_view account) const;
  /// 0 for NetworkId::uncounted.
  [[nodiscard]] std::uint32_t allocations_from(NetworkId network) const;

  // ---- bandwidth: on the packet path, without a lock ----
  /// What `account` has relayed. Valid until the last of its allocations is released.
  /// Precondition: it has one.
  [[nodiscard]] SharedBandwidthMeter& bandwidth_of(std::string_view account);
  /// What all have relayed.
  [[nodiscard]] SharedBandwidthMeter& bandwidth() { return bandwidth_; }

  /// Connections of peers to TCP relays that wait for their clients.
  [[nodiscard]] ConnectionRegistry& connections() { return connections_; }

  /// Relayed addresses in use; peers that are among them are always allowed.
  [[nodiscard]] LiveRelays& live_relays() { return live_; }
  [[nodiscard]] const LiveRelays& live_relays() const { return live_; }

  // ---- snapshots (snapshot.h) ----
  /// Addresses, reservations and debts. Ports and quotas follow from the allocations, which the
  /// servers have.
  [[nodiscard]] SavedLedger save() const;
  /// Port `port` of the saved `address`, as it was before; nothing when it is none of ours any
  /// more, or taken.
  [[nodiscard]] std::optional<PortLease> take_again(const RelayAddress& address,
                                                    std::uint16_t port);
  /// Counts an allocation that was accepted before, beyond all limits.
  void charge_again(std::string_view account, NetworkId network);
  /// Takes back what was saved, except for reservations of ports that are not to be had. Comes when
  /// all allocations have been charged again.
  void restore(const SavedLedger& saved);

 private:
  struct Account {
    std::uint32_t allocations = 0;
    SharedBandwidthMeter bandwidth;
  };
  struct Reservation {
    PortLease lease;
    std::string account;
    Instant expires;
  };

  // with mutex_ held
  void drop_expired_reservations(Instant now);
  void forget_settled_accounts(Instant now);
  void count(std::string_view account, NetworkId network);
  [[nodiscard]] std::uint32_t count_of(std::string_view account) const;
  [[nodiscard]] std::uint32_t count_from(NetworkId network) const;

  const std::vector<RelayAddress> addresses_;
  LiveRelays live_;
  ConnectionRegistry connections_;
  SharedBandwidthMeter bandwidth_;

  mutable std::mutex mutex_;
  Limits limits_;
  std::vector<PortPool> pools_;  // one per address
  std::map<std::uint64_t, Reservation> reservations_;
  std::unordered_map<std::string, Account> accounts_;  // of those who have allocations, or are
  std::set<std::string> indebted_;                     // here: who had, and relayed up to the limit
  std::unordered_map<NetworkId, std::uint32_t> allocations_from_;
  std::size_t allocations_ = 0;
  bool is_closed_ = false;
};

}  // namespace turnpike::turn
