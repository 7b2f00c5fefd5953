// Bounds how much of something strangers draw from us, in total and by source network: an amplifier
// is of no use when it falls silent (HOSTILE.md M03), nor a flood of handshakes that is cut (L03).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/endpoint.h"
#include "base/hash.h"
#include "base/time.h"

namespace turnpike {

/// Fills evenly with tokens and holds those of some seconds; full at the first use.
class TokenBucket {
 public:
  /// Tokens, and the moment up to which it was filled.
  struct Content {
    double tokens;
    Instant filled_at;
  };

  TokenBucket() = default;
  /// One that goes on for another, which said content().
  explicit TokenBucket(const Content& content)
      : filled_at_(content.filled_at), tokens_(content.tokens), in_use_(true) {}

  /// Takes one token; false when there is none. `per_second`: not 0.
  [[nodiscard]] bool spend(std::uint32_t per_second, Instant now) {
    return spend(1, per_second, 1, now);
  }
  /// Takes so many tokens, or none and false when there are fewer. `held_s`: the bucket holds what
  /// comes in so many seconds.
  [[nodiscard]] bool spend(std::uint32_t tokens, std::uint32_t per_second, std::uint32_t held_s,
                           Instant now);
  /// Nothing: it has not been used, and is full.
  [[nodiscard]] std::optional<Content> content() const {
    if (!in_use_) return std::nullopt;
    return Content{tokens_, filled_at_};
  }

 private:
  Instant filled_at_{};
  double tokens_ = 0;
  bool in_use_ = false;
};

/// A fixed table of token buckets, one per hash of the source's /24 (IPv4) or /56 (IPv6). Networks
/// that share a bucket share its budget, so a collision never raises what is given out.
class NetworkBudget {
 public:
  /// `per_second` a second and network, and as many at once; 0: no limit.
  NetworkBudget(std::uint32_t per_second, HashSeed seed);

  /// From now on.
  void set_rate(std::uint32_t per_second);
  /// Takes one out of the budget of `source`; false when there is none left.
  [[nodiscard]] bool spend(const IpAddress& source, Instant now);

 private:
  static constexpr std::size_t buckets = 4096;

  std::uint32_t per_second_;
  HashSeed seed_;
  std::vector<TokenBucket> table_;
};

}  // namespace turnpike
