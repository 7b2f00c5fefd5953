#include "cli/address_range.h"

#include <algorithm>
#include <array>

namespace turnpike::cli {
namespace {

/// An address as a number: most significant byte first, as many as the family has.
using Number = std::vector<std::uint8_t>;

Number number_of(const IpAddress& address) {
  const ByteView bytes = address.bytes();
  return {bytes.begin(), bytes.end()};
}

IpAddress address_of(const IpAddress& like, const Number& number) {
  return IpAddress::from_bytes(like.family(), number);
}

bool is_bit_set(const Number& number, std::size_t bit) {
  return (number[bit / 8] & (0x80U >> (bit % 8))) != 0;
}

/// All bits from `length` on set to `value`.
Number with_host_bits(Number number, std::size_t length, bool value) {
  for (std::size_t bit = length; bit < number.size() * 8; ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
    number[bit / 8] = static_cast<std::uint8_t>(value ? number[bit / 8] | mask
                                                      : number[bit / 8] & ~unsigned{mask});
  }
  return number;
}

/// One more; nothing after the last address there is.
std::optional<Number> next(Number number) {
  for (auto byte = number.rbegin(); byte != number.rend(); ++byte) {
    if (++*byte != 0) return number;
  }
  return std::nullopt;
}

/// One less; nothing before the first address there is.
std::optional<Number> previous(Number number) {
  for (auto byte = number.rbegin(); byte != number.rend(); ++byte) {
    if ((*byte)-- != 0) return number;
  }
  return std::nullopt;
}

/// The length of the largest block that begins at `first` and ends at `last` or before.
std::size_t widest_block(const Number& first, const Number& last) {
  std::size_t length = first.size() * 8;
  while (length > 0 && !is_bit_set(first, length - 1) &&
         with_host_bits(first, length - 1, true) <= last) {
    --length;
  }
  return length;
}

std::optional<AddressRange> range_of(const std::optional<IpPrefix>& prefix) {
  if (!prefix) return std::nullopt;
  const Number last = with_host_bits(number_of(prefix->address()), prefix->length(), true);
  return AddressRange{prefix->address(), address_of(prefix->address(), last)};
}

}  // namespace

std::optional<AddressRange> parse_address_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return range_of(IpPrefix::parse(text));
  const auto first = IpAddress::parse(text.substr(0, dash));
  const auto last = IpAddress::parse(text.substr(dash + 1));
  if (!first || !last || first->family() != last->family() || *last < *first) return std::nullopt;
  return AddressRange{*first, *last};
}

std::vector<AddressRange> without(const AddressRange& range,
                                  const std::vector<AddressRange>& holes) {
  std::vector<AddressRange> left{range};
  for (const AddressRange& hole : holes) {
    std::vector<AddressRange> smaller;
    for (const AddressRange& part : left) {
      const bool is_apart = hole.first.family() != part.first.family() || hole.last < part.first ||
                            part.last < hole.first;
      if (is_apart) {
        smaller.push_back(part);
        continue;
      }
      const auto before = previous(number_of(hole.first));
      if (before && part.first < hole.first) {
        smaller.push_back({part.first, address_of(part.first, *before)});
      }
      const auto after = next(number_of(hole.last));
      if (after && hole.last < part.last) {
        smaller.push_back({address_of(part.last, *after), part.last});
      }
    }
    left = std::move(smaller);
  }
  return left;
}

std::vector<IpPrefix> prefixes_of(const AddressRange& range) {
  const Number last = number_of(range.last);
  std::vector<IpPrefix> prefixes;
  std::optional<Number> first = number_of(range.first);
  while (first && *first <= last) {
    const std::size_t length = widest_block(*first, last);
    prefixes.emplace_back(address_of(range.first, *first), static_cast<unsigned>(length));
    first = next(with_host_bits(*first, length, true));
  }
  return prefixes;
}

}  // namespace turnpike::cli
