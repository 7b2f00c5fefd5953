#include "support/nat_box.h"

#include <algorithm>

namespace turnpike::test {
namespace {

/// As much of `destination` as `dependence` looks at.
std::optional<Endpoint> relevant(Dependence dependence, const Endpoint& destination) {
  switch (dependence) {
    case Dependence::endpoint_independent:
      return std::nullopt;
    case Dependence::address_dependent:
      return Endpoint{destination.address, 0};
    case Dependence::address_and_port_dependent:
      break;
  }
  return destination;
}

IpAddress nth(const IpAddress& first, std::size_t n) {
  const std::uint32_t value = load_be32(first.bytes());
  return IpAddress::v4(value + static_cast<std::uint32_t>(n));
}

}  // namespace

bool NatBox::is_external(const IpAddress& address) const {
  for (std::size_t i = 0; options_.translates && i < options_.addresses; ++i) {
    if (nth(external_, i) == address) return true;
  }
  return false;
}

Endpoint NatBox::choose_external(const Endpoint& inner, Instant now) {
  if (!options_.translates) return inner;
  const IpAddress address = nth(external_, next_address_++ % options_.addresses);
  const auto is_taken = [&](const Endpoint& candidate) {
    return std::any_of(mappings_.begin(), mappings_.end(), [&](const Mapping& one) {
      return one.external == candidate && is_alive(one, now);
    });
  };
  if (options_.ports == PortChoice::preserve && !is_taken({address, inner.port})) {
    return {address, inner.port};
  }
  for (;;) {
    ++last_port_;
    const bool same_parity = last_port_ % 2 == inner.port % 2;
    if (options_.ports == PortChoice::parity && !same_parity) continue;
    if (!is_taken({address, last_port_})) return {address, last_port_};
  }
}

std::optional<Endpoint> NatBox::outbound(const Endpoint& inner, const Endpoint& to, Instant now) {
  if (options_.blocks_udp) return std::nullopt;
  const auto destination = relevant(options_.mapping, to);
  auto found = std::find_if(mappings_.begin(), mappings_.end(), [&](const Mapping& one) {
    return one.inner == inner && one.destination == destination && is_alive(one, now);
  });
  if (found == mappings_.end()) {
    const Endpoint external = choose_external(inner, now);
    mappings_.push_back({inner, destination, external, now, {}});
    found = mappings_.end() - 1;
  }
  found->used = now;
  found->contacted.insert(to);
  return found->external;
}

bool NatBox::lets_in(const Mapping& mapping, const Endpoint& from) const {
  const auto wanted = relevant(options_.filtering, from);
  return !wanted ||
         std::any_of(mapping.contacted.begin(), mapping.contacted.end(), [&](const Endpoint& one) {
           return relevant(options_.filtering, one) == wanted;
         });
}

std::optional<Endpoint> NatBox::inbound(const Endpoint& from, const Endpoint& external,
                                        Instant now) {
  if (options_.blocks_udp) return std::nullopt;
  const auto found = std::find_if(mappings_.begin(), mappings_.end(), [&](const Mapping& one) {
    return one.external == external && is_alive(one, now) && lets_in(one, from);
  });
  if (found == mappings_.end()) return std::nullopt;
  return found->inner;
}

}  // namespace turnpike::test
