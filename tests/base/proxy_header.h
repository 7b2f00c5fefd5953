// What balancers send, byte by byte: headers of the PROXY protocol.
#pragma once

#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "base/hex.h"

namespace turnpike::test {

inline const Bytes proxy_v2_signature = from_hex("0d0a0d0a000d0a515549540a");

/// A header of version 2: `ver_cmd` 0x21 is PROXY, 0x20 LOCAL; `family` 0x11 TCP over IPv4, 0x12
/// UDP over IPv4, 0x21 and 0x22 the same over IPv6.
inline Bytes proxy_v2(unsigned ver_cmd, unsigned family, const Bytes& block) {
  Bytes header = proxy_v2_signature;
  header.push_back(static_cast<std::uint8_t>(ver_cmd));
  header.push_back(static_cast<std::uint8_t>(family));
  header.push_back(static_cast<std::uint8_t>(block.size() >> 8));
  header.push_back(static_cast<std::uint8_t>(block.size()));
  header.insert(header.end(), block.begin(), block.end());
  return header;
}

/// Addresses and ports as they stand in a header.
inline Bytes proxy_block(std::string_view source, std::string_view destination) {
  const Endpoint from = Endpoint::parse(source).value();
  const Endpoint to = Endpoint::parse(destination).value();
  Bytes block = copy_of(from.address.bytes());
  block.insert(block.end(), to.address.bytes().begin(), to.address.bytes().end());
  for (const std::uint16_t port : {from.port, to.port}) {
    block.push_back(static_cast<std::uint8_t>(port >> 8));
    block.push_back(static_cast<std::uint8_t>(port));
  }
  return block;
}

/// "I speak for `source`", in version 2.
inline Bytes proxy_v2_for(std::string_view source, bool is_datagram = false) {
  const bool is_v4 = Endpoint::parse(source).value().family() == Family::ipv4;
  const unsigned family = (is_v4 ? 0x10U : 0x20U) | (is_datagram ? 2U : 1U);
  return proxy_v2(0x21, family,
                  proxy_block(source, is_v4 ? "198.51.100.1:3478" : "[2001:db8::1]:3478"));
}

}  // namespace turnpike::test
