// "turn.example.com:3478" and its kind, as typed on a command line or written in a stun: URI.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace turnpike::cli {

/// A host name or address (IPv6 without brackets), and the port if one was written.
struct HostPort {
  std::string host;
  std::optional<std::uint16_t> port;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// Reads "host", "host:port", "192.0.2.1:3478", "[2001:db8::1]:3478", "[2001:db8::1]" or
/// "2001:db8::1". Error: a sentence with a remedy.
[[nodiscard]] Result<HostPort, std::string> parse_host_port(std::string_view text);

/// The same, or a stun: URI (RFC 7064). Other schemes are an error.
[[nodiscard]] Result<HostPort, std::string> parse_stun_target(std::string_view text);

}  // namespace turnpike::cli
