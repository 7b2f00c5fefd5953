// Which relayed addresses of this server are in use right now, and by whom, for all workers.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "base/endpoint.h"
#include "turn/ids.h"
#include "turn/peer_rule.h"

namespace turnpike::turn {

/// A map from relayed transport address to relay, on a fixed list of addresses: one word per port,
/// which belongs to a UDP relay or to a TCP relay.
/// Safe to read and write from any thread; a read is one load.
class LiveRelays {
 public:
  explicit LiveRelays(const std::vector<IpAddress>& addresses);

  /// Preconditions: the endpoint's address is one of those given at construction, and the slot is
  /// less than 2^23.
  void insert(const Endpoint& relayed, const RelayPlace& place,
              PeerTransport transport = PeerTransport::udp);
  void erase(const Endpoint& relayed);
  /// The relay at `endpoint`, if there is one. It may be gone by the time it is used.
  [[nodiscard]] std::optional<RelayPlace> find(const Endpoint& endpoint,
                                               PeerTransport transport = PeerTransport::udp) const;
  [[nodiscard]] bool contains(const Endpoint& endpoint,
                              PeerTransport transport = PeerTransport::udp) const {
    return find(endpoint, transport).has_value();
  }
  /// True when there is a live relay on any port of `address`.
  [[nodiscard]] bool contains_any(const IpAddress& address,
                                  PeerTransport transport = PeerTransport::udp) const;

 private:
  struct Ports {
    IpAddress address;
    std::array<std::atomic<std::uint32_t>, 2> counts{};      // by PeerTransport
    std::array<std::atomic<std::uint64_t>, 65536> places{};  // packed; 0: no relay
  };

  static void replace(Ports& ports, std::uint16_t port, std::uint64_t word);
  [[nodiscard]] Ports* ports_of(const IpAddress& address) const;

  std::vector<std::unique_ptr<Ports>> addresses_;
};

}  // namespace turnpike::turn
