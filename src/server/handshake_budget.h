// How many TLS and DTLS handshakes a worker begins: each costs it a signature (HOSTILE.md L03).
#pragma once

#include "base/network_budget.h"

namespace turnpike::server {

/// Handshakes a second of one worker; 0: no limit.
struct HandshakeRates {
  std::uint32_t per_network = 0;  ///< of one source /24 (IPv4) or /56 (IPv6)
  std::uint32_t total = 0;
};

/// One worker's budget.
class HandshakeBudget {
 public:
  HandshakeBudget(const HandshakeRates& rates, HashSeed seed)
      : rates_(rates), networks_(rates.per_network, seed) {}

  /// Takes one handshake of `source`; false when it has to wait. A network that has had its share
  /// takes nothing from the total.
  [[nodiscard]] bool spend(const IpAddress& source, Instant now) {
    if (!networks_.spend(source, now)) return false;
    return rates_.total == 0 || total_.spend(rates_.total, now);
  }

 private:
  HandshakeRates rates_;
  NetworkBudget networks_;
  TokenBucket total_;
};

}  // namespace turnpike::server
