#include "turn/port_pool.h"

#include <bit>

namespace turnpike::turn {
namespace {

constexpr std::uint64_t even_bits = 0x5555555555555555;

}  // namespace

PortPool::PortPool(PortRange range) : range_(range), first_word_(range.first / 64U) {
  if (range.last < range.first) return;
  words_.resize(range.last / 64U - first_word_ + 1);
  for (std::uint32_t port = range.first; port <= range.last; ++port) {
    set_free(static_cast<std::uint16_t>(port), true);
  }
}

std::optional<std::uint16_t> PortPool::take_any(Random& random) { return take(Wish::any, random); }
std::optional<std::uint16_t> PortPool::take_even(Random& random) {
  return take(Wish::even, random);
}
std::optional<std::uint16_t> PortPool::take_pair(Random& random) {
  return take(Wish::pair, random);
}

bool PortPool::take(std::uint16_t port) {
  if (!range_.contains(port)) return false;
  const std::uint64_t word = words_.at(port / 64U - first_word_);
  const bool is_free = (word >> (port % 64) & 1) != 0;
  if (is_free) set_free(port, false);
  return is_free;
}

void PortPool::give_back(std::uint16_t port) {
  TURNPIKE_ASSERT(range_.contains(port));
  set_free(port, true);
}

// Starts at a random word and, inside it, at a random bit; then takes the next one that will do.
std::optional<std::uint16_t> PortPool::take(Wish wish, Random& random) {
  if (words_.empty()) return std::nullopt;
  const std::uint64_t draw = random.next_u64();
  const auto rotation = static_cast<int>(draw % 64);
  const std::size_t start = (draw >> 6) % words_.size();
  for (std::size_t step = 0; step < words_.size(); ++step) {
    const std::size_t word = (start + step) % words_.size();
    const std::uint64_t wanted = candidates(word, wish);
    if (wanted == 0) continue;
    const auto bit = (std::countr_zero(std::rotr(wanted, rotation)) + rotation) % 64;
    const auto port =
        static_cast<std::uint16_t>((first_word_ + word) * 64 + static_cast<std::size_t>(bit));
    set_free(port, false);
    if (wish == Wish::pair) set_free(static_cast<std::uint16_t>(port + 1), false);
    return port;
  }
  return std::nullopt;
}

// Words begin at multiples of 64, so a pair (even, odd) never straddles two of them.
std::uint64_t PortPool::candidates(std::size_t word, Wish wish) const {
  const std::uint64_t free = words_[word];
  switch (wish) {
    case Wish::any:
      return free;
    case Wish::even:
      return free & even_bits;
    case Wish::pair:
      return free & (free >> 1) & even_bits;
  }
  return 0;
}

void PortPool::set_free(std::uint16_t port, bool free) {
  std::uint64_t& word = words_.at(port / 64U - first_word_);
  const std::uint64_t bit = std::uint64_t{1} << (port % 64);
  TURNPIKE_ASSERT(((word & bit) != 0) != free);  // a port has one owner and is given back once
  word ^= bit;
  free ? ++free_count_ : --free_count_;
}

}  // namespace turnpike::turn
