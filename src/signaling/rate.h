// Two budgets: messages of one peer, joins of one address. Nothing here allocates after it is made.
#pragma once

#include <cstdint>
#include <vector>

#include "base/endpoint.h"
#include "base/hash.h"
#include "base/time.h"

namespace turnpike::signaling {

/// A token bucket kept as one instant: when it will be full again (the "generic cell rate
/// algorithm").
class RateMeter {
 public:
  struct Rate {
    nanoseconds interval;  ///< one token's time; zero: no limit
    std::uint32_t burst;   ///< tokens in a full bucket
  };
  enum class Verdict : std::uint8_t {
    pass,
    over,   ///< refuse this one; it counts all the same
    flood,  ///< a second bucket's worth was refused: this sender does not listen
  };

  /// Takes one token.
  [[nodiscard]] Verdict take(Rate rate, Instant now);
  /// Gives back the token that take() took last.
  void put_back(Rate rate) { full_at_ -= rate.interval; }
  /// How long until the next one would pass.
  [[nodiscard]] milliseconds wait(Rate rate, Instant now) const;

 private:
  Instant full_at_{};
};

/// How many joins each address has left: a fixed table of buckets, one per hash of the address
/// (IPv6: of its /64). Addresses that share a bucket share its budget.
class JoinBudget {
 public:
  /// `per_minute`, and as many at once; 0: no limit.
  JoinBudget(std::uint32_t per_minute, HashSeed seed);

  /// Takes one join out of the budget of `source`. Otherwise how long to wait for the next one.
  [[nodiscard]] bool spend(const IpAddress& source, Instant now);
  [[nodiscard]] milliseconds wait(const IpAddress& source, Instant now) const;

 private:
  static constexpr std::size_t buckets = 16'384;
  [[nodiscard]] std::size_t bucket_of(const IpAddress& source) const;

  RateMeter::Rate rate_;
  HashSeed seed_;
  std::vector<RateMeter> table_;
};

}  // namespace turnpike::signaling
