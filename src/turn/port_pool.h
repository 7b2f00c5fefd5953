// The free relay ports of one address. Ports are handed out at random (RFC 6056).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/port_range.h"
#include "base/random.h"

namespace turnpike::turn {

/// A bitmap of free ports.
class PortPool {
 public:
  explicit PortPool(PortRange range);

  /// A random free port.
  [[nodiscard]] std::optional<std::uint16_t> take_any(Random& random);
  /// A random free even port (RFC 8656 §7.2, EVEN-PORT with R=0).
  [[nodiscard]] std::optional<std::uint16_t> take_even(Random& random);
  /// A random even port N such that N and N+1 are free; takes both (EVEN-PORT with R=1).
  [[nodiscard]] std::optional<std::uint16_t> take_pair(Random& random);
  /// This very port; false when it is none of the range, or taken.
  [[nodiscard]] bool take(std::uint16_t port);
  /// Gives a taken port back.
  void give_back(std::uint16_t port);

  [[nodiscard]] std::size_t free_count() const { return free_count_; }

 private:
  enum class Wish : std::uint8_t { any, even, pair };

  [[nodiscard]] std::optional<std::uint16_t> take(Wish wish, Random& random);
  /// The free ports of `word` that fulfil the wish.
  [[nodiscard]] std::uint64_t candidates(std::size_t word, Wish wish) const;
  void set_free(std::uint16_t port, bool free);

  PortRange range_;
  std::uint32_t first_word_;          // index of the word that holds range_.first
  std::vector<std::uint64_t> words_;  // bit p % 64 of word p / 64 - first_word_: port p is free
  std::size_t free_count_ = 0;
};

}  // namespace turnpike::turn
