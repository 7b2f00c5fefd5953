// From the text of a configuration value to the value it means. Pure: no files, no positions.
// Command line options that take the same kinds of value use these too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/config.h"

namespace turnpike::server {

/// What is wrong with a value, and what to do about it. Two halves of one sentence.
struct Complaint {
  std::string problem;  ///< `"90" has no unit`
  std::string remedy;   ///< `write for example "90s"`
};

template <class T>
using Parsed = Result<T, Complaint>;

/// Without the spaces around it.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// "600s", "90m", "1h", "1h30m": whole numbers with units, larger units first, more than nothing.
[[nodiscard]] Parsed<seconds> parse_duration(std::string_view text);
/// `duration` as parse_duration() reads it, in the largest unit that divides it: "90m".
[[nodiscard]] std::string duration_text(seconds duration);

/// "4mbit", "500kbit", "1gbit" a second in bits, or "0". At least 8 kbit, at most 1000 gbit.
[[nodiscard]] Parsed<std::uint64_t> parse_bandwidth(std::string_view text);
/// As parse_bandwidth() reads it, in the largest unit that divides it.
[[nodiscard]] std::string bandwidth_text(std::uint64_t bits_per_second);

/// "49152-65535", or one port. Never port 0, never reversed.
[[nodiscard]] Parsed<PortRange> parse_port_range(std::string_view text);
[[nodiscard]] std::string port_range_text(const PortRange& range);
/// Port ranges separated by commas: "443,1024-65535". At least one.
[[nodiscard]] Parsed<std::vector<PortRange>> parse_port_list(std::string_view text);
[[nodiscard]] std::string port_list_text(const std::vector<PortRange>& ranges);

/// An address in the usual spelling.
[[nodiscard]] Parsed<IpAddress> parse_address(std::string_view text);
/// An address that can be put on an interface and shown to others: not 0.0.0.0, ::, multicast,
/// link-local IPv6 or an IPv4-mapped IPv6 address.
[[nodiscard]] Parsed<IpAddress> parse_unicast_address(std::string_view text);

/// ":3478", "192.0.2.1:3478", "[2001:db8::1]:3478", "[fe80::1%eth0]:3478". Names are not resolved;
/// whether there is such an interface is found out later.
[[nodiscard]] Parsed<ListenAddress> parse_listen_address(std::string_view text);

/// "203.0.113.5:3478", "[2001:db8::5]:3478": the address and port of one other server.
[[nodiscard]] Parsed<Endpoint> parse_server_endpoint(std::string_view text);

/// "203.0.113.10", or "10.0.0.5/203.0.113.10" for an address of this host and what a 1:1 NAT makes
/// of it.
[[nodiscard]] Parsed<DiscoveryAddress> parse_discovery_address(std::string_view text);

/// A listener by its name: transport, colon, and what parse_listen_address() reads ("udp::3478").
[[nodiscard]] Parsed<ListenerName> parse_listener_name(std::string_view text);

/// "10.0.0.0/8" or one address. Host bits that are set are an error whose remedy is the corrected
/// prefix (HOSTILE C02).
[[nodiscard]] Parsed<IpPrefix> parse_prefix(std::string_view text);

/// As parse_prefix(), for the balancers of `listen.proxy_trusted`: refuses "0.0.0.0/0" and "::/0",
/// since everybody could then claim any address, and IPv4-mapped IPv6, which no source ever is.
[[nodiscard]] Parsed<IpPrefix> parse_trusted_prefix(std::string_view text);

/// CIDR[:ports][/udp|tcp]; IPv6 with ports in brackets: "[2001:db8::/32]:1000-2000/udp". Not
/// IPv4-mapped IPv6: what is judged by rules has been unmapped.
[[nodiscard]] Parsed<turn::PeerRule> parse_peer_rule(std::string_view text);
[[nodiscard]] std::string peer_rule_text(const turn::PeerRule& rule);
/// As parse_peer_rule(), and refuses a prefix shorter than /8 (IPv4) or /32 (IPv6): an exception
/// from the built-in list that wide is a mistake.
[[nodiscard]] Parsed<turn::PeerRule> parse_allow_rule(std::string_view text);

/// A host name or an address without port; empty is allowed.
[[nodiscard]] Parsed<std::string> parse_domain(std::string_view text);
/// A DNS name as ALTERNATE-DOMAIN takes it (RFC 8489 §14.16), or nothing; no address.
[[nodiscard]] Parsed<std::string> parse_alternate_domain(std::string_view text);
/// What may stand in REALM (RFC 8489 §14.9): fewer than 128 characters, none of them a control.
[[nodiscard]] Parsed<std::string> parse_realm(std::string_view text);
/// A user name: 1 to 508 bytes (RFC 8489 §14.3), no control characters, no colon.
[[nodiscard]] Parsed<std::string> parse_user_name(std::string_view text);

/// Refuses a shared secret that is too short or no secret at all (HOSTILE C03). The complaint
/// never contains the secret.
[[nodiscard]] Parsed<std::string> check_secret(std::string value);

[[nodiscard]] std::string_view to_string(LogLevel level);
[[nodiscard]] std::string_view to_string(LogFormat format);
[[nodiscard]] std::string_view to_string(AddressFamilyPolicy policy);

}  // namespace turnpike::server
