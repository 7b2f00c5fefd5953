// How often one source may fail to prove that it is some user (docs/adr/0045).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/endpoint.h"
#include "base/hash.h"
#include "base/time.h"

namespace turnpike::auth {

/// Counts failures by who is claimed to be and from where. A table of fixed size: where it is full,
/// who has failed least gives way, so that names that are made up do not wash out the ones guessed
/// at.
class FailureLimit {
 public:
  /// Whom a failure counts against.
  struct Suspect {
    std::uint64_t hash;
  };
  /// What was sent with a nonce of ours is counted apart from the rest: only that was surely sent
  /// from there.
  struct Suspects {
    Suspect with_own_nonce;
    Suspect without;
  };
  static constexpr seconds period{60};

  /// `max_failures` in a period; 0: no limit.
  FailureLimit(std::uint32_t max_failures, HashSeed seed);

  /// The user of the name `name`, as the request has it, at subscriber_of(`source`).
  [[nodiscard]] Suspects suspects(const IpAddress& source, ByteView name) const;

  /// True for a period from the last failure there may be. O(1).
  [[nodiscard]] bool is_reached(Suspect suspect, Instant now) const;
  void count(Suspect suspect, Instant now);
  /// The suspect has proved to be the user.
  void forget(Suspect suspect);

 private:
  struct Entry {
    std::uint64_t hash = 0;
    Instant since{};  // the first failure; once there are too many, the last
    std::uint32_t failures = 0;
  };
  static constexpr std::size_t ways = 4;
  static constexpr std::size_t sets = 4096;

  /// Where the entries are that a suspect's may be among.
  [[nodiscard]] static std::size_t set_of(Suspect suspect) { return suspect.hash % sets * ways; }
  /// Where the suspect's entry is; nothing when there is none.
  [[nodiscard]] std::optional<std::size_t> find(Suspect suspect) const;
  /// The entry of its set that is worth the least.
  [[nodiscard]] Entry& cheapest(Suspect suspect, Instant now);
  [[nodiscard]] static bool is_over(const Entry& entry, Instant now) {
    return entry.failures == 0 || entry.since + period <= now;
  }

  std::uint32_t max_failures_;
  HashSeed seed_;
  std::vector<Entry> entries_;
};

}  // namespace turnpike::auth
