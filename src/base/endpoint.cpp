#include "base/endpoint.h"

#include <arpa/inet.h>

#include <charconv>
#include <limits>

namespace turnpike {
namespace {

std::optional<unsigned> parse_number(std::string_view text, unsigned max) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

/// The bits of byte `index` that a prefix of `length` bits covers.
std::uint8_t mask_byte(unsigned length, unsigned index) {
  if (length >= (index + 1) * 8) return 0xff;
  if (length <= index * 8) return 0;
  return static_cast<std::uint8_t>(0xff << (8 - (length - index * 8)));
}

bool host_bits_are_zero(const IpAddress& address, unsigned length) {
  const ByteView bytes = address.bytes();
  for (unsigned i = 0; i < bytes.size(); ++i) {
    if ((bytes[i] & static_cast<std::uint8_t>(~mask_byte(length, i))) != 0) return false;
  }
  return true;
}

}  // namespace

IpAddress IpAddress::from_bytes(Family family, ByteView network_order) {
  TURNPIKE_ASSERT(network_order.size() == address_bytes(family));
  IpAddress address;
  address.family_ = family;
  copy_bytes(network_order, address.bytes_);
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;  // inet_pton would stop there
  const std::string terminated{text};
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1) {
    return from_bytes(Family::ipv4, ByteView{bytes}.first(4));
  }
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) {
    return from_bytes(Family::ipv6, bytes);
  }
  return std::nullopt;
}

IpAddress IpAddress::any(Family family) {
  IpAddress address;
  address.family_ = family;
  return address;
}

bool IpAddress::is_loopback() const {
  if (family_ == Family::ipv4) return bytes_[0] == 127;
  IpAddress loopback = any(Family::ipv6);
  loopback.bytes_[15] = 1;
  return *this == loopback;
}

bool IpAddress::is_link_local() const {
  if (family_ == Family::ipv4) return bytes_[0] == 169 && bytes_[1] == 254;
  return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family_ == Family::ipv4 ? AF_INET : AF_INET6, bytes_.data(), text.data(), text.size());
  return text.data();
}

IpPrefix::IpPrefix(IpAddress address, unsigned length) : address_(address), length_(length) {
  TURNPIKE_ASSERT(length <= address.bytes().size() * 8 && host_bits_are_zero(address, length));
}

IpPrefix IpPrefix::host(IpAddress address) {
  return {address, static_cast<unsigned>(address.bytes().size()) * 8};
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return host(*address);
  const auto length =
      parse_number(text.substr(slash + 1), static_cast<unsigned>(address->bytes().size()) * 8);
  if (!length || !host_bits_are_zero(*address, *length)) return std::nullopt;
  return IpPrefix{*address, *length};
}

bool IpPrefix::contains(const IpAddress& address) const {
  if (address.family() != address_.family()) return false;
  const ByteView mine = address_.bytes();
  const ByteView theirs = address.bytes();
  for (unsigned i = 0; i < mine.size(); ++i) {
    if (((mine[i] ^ theirs[i]) & mask_byte(length_, i)) != 0) return false;
  }
  return true;
}

std::string IpPrefix::to_string() const {
  return address_.to_string() + "/" + std::to_string(length_);
}

std::string Endpoint::to_string() const {
  std::string host = address.to_string();
  if (scope != 0) host += "%" + std::to_string(scope);
  const std::string colon_port = ":" + std::to_string(port);
  return family() == Family::ipv4 ? host + colon_port : "[" + host + "]" + colon_port;
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_number(text.substr(colon + 1), 65535);
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const std::size_t percent = host.find('%');
  const auto address = IpAddress::parse(host.substr(0, percent));
  if (!address || !port || bracketed != (address->family() == Family::ipv6)) return std::nullopt;
  Endpoint endpoint{*address, static_cast<std::uint16_t>(*port)};
  if (percent == std::string_view::npos) return endpoint;
  const auto scope = parse_number(host.substr(percent + 1), std::numeric_limits<unsigned>::max());
  if (!scope || *scope == 0 || !address->needs_scope()) return std::nullopt;
  endpoint.scope = *scope;
  return endpoint;
}

std::string_view to_string(Transport transport) {
  switch (transport) {
    case Transport::udp:
      return "udp";
    case Transport::tcp:
      return "tcp";
    case Transport::tls:
      return "tls";
    case Transport::dtls:
      return "dtls";
  }
  return "?";
}

std::uint64_t hash_of(const IpAddress& address, HashSeed seed) {
  return hash_words(address.word(0), address.word(1), static_cast<std::uint64_t>(address.family_),
                    seed);
}

std::uint64_t hash_of(const Endpoint& endpoint, HashSeed seed) {
  return hash_and(hash_of(endpoint.address, seed),
                  std::uint64_t{endpoint.scope} << 16 | endpoint.port);
}

std::uint64_t hash_of(const FiveTuple& tuple, HashSeed seed) {
  const HashSeed client{hash_of(tuple.client, seed)};
  return hash_and(hash_of(tuple.server, client), static_cast<std::uint64_t>(tuple.transport));
}

IpAddress unmapped(const IpAddress& address) {
  static constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0,    0,
                                                              0, 0, 0, 0, 0xff, 0xff};
  const ByteView bytes = address.bytes();
  if (bytes.size() != 16 ||
      !std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes.begin())) {
    return address;
  }
  return IpAddress::from_bytes(Family::ipv4, bytes.subspan(12));
}

IpAddress subscriber_of(const IpAddress& address) {
  if (address.family() == Family::ipv4) return address;
  constexpr std::size_t prefix_bytes = 8;
  std::array<std::uint8_t, 16> bytes{};
  copy_bytes(address.bytes().first(prefix_bytes), bytes);
  return IpAddress::from_bytes(Family::ipv6, bytes);
}

}  // namespace turnpike
