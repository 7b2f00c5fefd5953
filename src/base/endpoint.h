// Addresses: IP address, prefix, transport address (endpoint) and five-tuple.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/hash.h"

namespace turnpike {

/// Address family, with the values that STUN puts on the wire (RFC 8489 §14.1).
enum class Family : std::uint8_t { ipv4 = 1, ipv6 = 2 };

[[nodiscard]] constexpr std::size_t address_bytes(Family family) {
  return family == Family::ipv4 ? 4 : 16;
}

/// An IPv4 or IPv6 address. IPv4 occupies the first four bytes, the rest is zero.
class IpAddress {
 public:
  /// 0.0.0.0
  constexpr IpAddress() = default;

  [[nodiscard]] static constexpr IpAddress v4(std::uint32_t host_order) {
    IpAddress address;
    store_be32(address.bytes_, host_order);
    return address;
  }
  /// Precondition: `network_order` holds 4 or 16 bytes, as `family` says.
  [[nodiscard]] static IpAddress from_bytes(Family family, ByteView network_order);
  /// The address that `text` spells ("192.0.2.1", "2001:db8::1"); nothing for anything else.
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);
  /// 0.0.0.0 or ::
  [[nodiscard]] static IpAddress any(Family family);

  [[nodiscard]] constexpr Family family() const { return family_; }
  /// 4 or 16 bytes in network order; valid while this object is.
  [[nodiscard]] ByteView bytes() const { return ByteView{bytes_}.first(address_bytes(family_)); }
  [[nodiscard]] bool is_any() const { return *this == any(family_); }
  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] bool is_link_local() const;
  /// True for link-local IPv6, which means something only together with a scope.
  [[nodiscard]] bool needs_scope() const { return family_ == Family::ipv6 && is_link_local(); }
  [[nodiscard]] std::string to_string() const;

  /// In three steps, where the default calls memcmp: each packet needs some.
  friend bool operator==(const IpAddress& a, const IpAddress& b) {
    return a.family_ == b.family_ && a.word(0) == b.word(0) && a.word(1) == b.word(1);
  }
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  friend std::uint64_t hash_of(const IpAddress& address, HashSeed seed);

  /// The first or second half of the bytes, in this host's order.
  [[nodiscard]] std::uint64_t word(std::size_t index) const {
    std::uint64_t half = 0;
    std::memcpy(&half, bytes_.data() + index * sizeof half, sizeof half);
    return half;
  }

  Family family_ = Family::ipv4;
  std::array<std::uint8_t, 16> bytes_{};
};

/// A block of addresses in CIDR notation. Host bits are zero.
class IpPrefix {
 public:
  /// Precondition: `length` fits the family and the host bits of `address` are zero.
  IpPrefix(IpAddress address, unsigned length);
  /// The single address.
  [[nodiscard]] static IpPrefix host(IpAddress address);
  /// Reads "10.0.0.0/8", or "10.1.2.3" as a single host. Nothing when it is neither or when host
  /// bits are set.
  [[nodiscard]] static std::optional<IpPrefix> parse(std::string_view text);

  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] const IpAddress& address() const { return address_; }
  [[nodiscard]] unsigned length() const { return length_; }
  [[nodiscard]] bool is_host() const { return length_ == address_.bytes().size() * 8; }
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const IpPrefix&, const IpPrefix&) = default;

 private:
  IpAddress address_;
  unsigned length_;
};

/// A transport address: IP address and port (host order).
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  /// For link-local IPv6, which every link has anew: the index of the interface to the link, as
  /// this host counts them (RFC 4007). Otherwise 0. Never on the wire.
  std::uint32_t scope = 0;

  [[nodiscard]] Family family() const { return address.family(); }
  /// "192.0.2.1:3478", "[2001:db8::1]:3478" or "[fe80::1%2]:3478"
  [[nodiscard]] std::string to_string() const;
  /// Reads what to_string() writes.
  [[nodiscard]] static std::optional<Endpoint> parse(std::string_view text);

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// How a client talks to the server (RFC 8656 §3.1).
enum class Transport : std::uint8_t { udp, tcp, tls, dtls };

[[nodiscard]] std::string_view to_string(Transport transport);
/// True for transports that deliver bytes in order, not datagrams.
[[nodiscard]] constexpr bool is_stream(Transport transport) {
  return transport == Transport::tcp || transport == Transport::tls;
}

/// True for transports whose clients have shown, before their first message, that they receive what
/// is sent to the address they claim.
[[nodiscard]] constexpr bool proves_address(Transport transport) {
  return transport != Transport::udp;
}

/// The five-tuple that names a client's conversation with the server (RFC 8656 §3).
struct FiveTuple {
  Endpoint client;
  Endpoint server;
  Transport transport = Transport::udp;

  friend bool operator==(const FiveTuple&, const FiveTuple&) = default;
};

[[nodiscard]] std::uint64_t hash_of(const IpAddress& address, HashSeed seed);
[[nodiscard]] std::uint64_t hash_of(const Endpoint& endpoint, HashSeed seed);
[[nodiscard]] std::uint64_t hash_of(const FiveTuple& tuple, HashSeed seed);

/// `address` with IPv4-mapped IPv6 (::ffff:a.b.c.d) turned into the IPv4 address it stands for.
[[nodiscard]] IpAddress unmapped(const IpAddress& address);

/// Whom a bound for each address holds for: IPv4 addresses as they are, and of IPv6 the /64, since
/// one host may have all of it. Its lower 8 bytes are zero.
[[nodiscard]] IpAddress subscriber_of(const IpAddress& address);

}  // namespace turnpike
