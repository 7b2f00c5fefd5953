// Bounds how many answers strangers draw from us, by source network: an amplifier is of no use when
// it falls silent (HOSTILE.md M03).
#pragma once

#include <cstdint>
#include <vector>

#include "base/endpoint.h"
#include "base/hash.h"
#include "base/time.h"

namespace turnpike::turn {

/// A fixed table of token buckets, one per hash of the source's /24 (IPv4) or /56 (IPv6). Networks
/// that share a bucket share its budget, so a collision never raises what is sent.
class ChallengeBudget {
 public:
  /// `per_second` answers a second and network, and as many at once; 0: no limit.
  ChallengeBudget(std::uint32_t per_second, HashSeed seed);

  /// Takes one answer out of the budget of `source`; false when there is none left.
  [[nodiscard]] bool spend(const IpAddress& source, Instant now);

 private:
  struct Bucket {
    Instant filled_at{};
    double tokens = 0;
    bool in_use = false;
  };
  static constexpr std::size_t buckets = 4096;

  std::uint32_t per_second_;
  HashSeed seed_;
  std::vector<Bucket> table_;
};

}  // namespace turnpike::turn
