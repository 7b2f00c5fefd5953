// A NAT box of any kind that RFC 4787 knows, in virtual time, with one external address or several.
// It translates addresses; whoever uses it carries the datagrams.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/endpoint.h"
#include "base/time.h"

namespace turnpike::test {

/// What decides: nothing of the destination, its address, or its address and port.
enum class Dependence { endpoint_independent, address_dependent, address_and_port_dependent };

/// How external ports are chosen (RFC 4787 §4.2).
enum class PortChoice {
  preserve,  ///< the inner port while it is free
  parity,    ///< another one, even for even and odd for odd
  next,      ///< another one, of any parity
};

class NatBox {
 public:
  struct Options {
    bool translates = true;  ///< false: a firewall, which filters only
    Dependence mapping = Dependence::endpoint_independent;
    Dependence filtering = Dependence::address_and_port_dependent;
    PortChoice ports = PortChoice::preserve;
    bool hairpins = false;
    bool blocks_udp = false;
    seconds lifetime{120};      ///< of a mapping without outbound traffic (REQ-5)
    std::size_t addresses = 1;  ///< external ones; mappings take them in turn ("arbitrary")
  };

  /// `external` is the first external address; further ones follow it.
  NatBox(const IpAddress& external, Options options) : external_(external), options_(options) {}

  /// A datagram from inside: the external source, or nothing when the box drops it.
  [[nodiscard]] std::optional<Endpoint> outbound(const Endpoint& inner, const Endpoint& to,
                                                 Instant now);
  /// A datagram to an external endpoint: the inner endpoint, or nothing when the box drops it.
  [[nodiscard]] std::optional<Endpoint> inbound(const Endpoint& from, const Endpoint& external,
                                                Instant now);
  /// `address` is one of the box's own.
  [[nodiscard]] bool is_external(const IpAddress& address) const;
  [[nodiscard]] const Options& options() const { return options_; }

 private:
  struct Mapping {
    Endpoint inner;
    std::optional<Endpoint> destination;  // what the mapping is for, as far as it matters
    Endpoint external;
    Instant used;
    std::set<Endpoint> contacted;
  };

  [[nodiscard]] bool is_alive(const Mapping& mapping, Instant now) const {
    return now - mapping.used < options_.lifetime;
  }
  [[nodiscard]] Endpoint choose_external(const Endpoint& inner, Instant now);
  [[nodiscard]] bool lets_in(const Mapping& mapping, const Endpoint& from) const;

  IpAddress external_;
  Options options_;
  std::vector<Mapping> mappings_;
  std::uint16_t last_port_ = 20'000;
  std::size_t next_address_ = 0;
};

}  // namespace turnpike::test
