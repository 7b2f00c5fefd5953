#include "bench/links.h"

#include "base/assert.h"
#include "bench/dtls_links.h"
#include "bench/stream_links.h"
#include "bench/udp_links.h"

namespace turnpike::bench {
namespace {

/// What servers count as one source, and clients of theirs should not all be in.
constexpr unsigned network_length = 24;
constexpr std::size_t hosts_in_network = 254;

std::size_t networks_in(const IpPrefix& prefix) {
  return prefix.length() >= network_length ? 1
                                           : std::size_t{1} << (network_length - prefix.length());
}

}  // namespace

std::unique_ptr<Links> open_links(const LinkOptions& options) {
  switch (options.transport) {
    case Transport::udp:
      return std::make_unique<UdpLinks>(options);
    case Transport::dtls:
      return std::make_unique<DtlsLinks>(options);
    case Transport::tcp:
    case Transport::tls:
      break;
  }
  return std::make_unique<StreamLinks>(options);
}

std::size_t addresses_in(const IpPrefix& prefix) {
  TURNPIKE_ASSERT(prefix.address().family() == Family::ipv4);
  if (prefix.length() < network_length) return networks_in(prefix) * hosts_in_network;
  const unsigned host_bits = 32 - prefix.length();
  if (host_bits < 2) return std::size_t{1} << host_bits;
  return (std::size_t{1} << host_bits) - 2;
}

IpAddress address_in(const IpPrefix& prefix, std::size_t index) {
  const std::size_t networks = networks_in(prefix);
  const std::size_t first = prefix.length() <= 30 ? 1 : 0;
  const std::size_t host = index % addresses_in(prefix) / networks;
  const std::size_t offset = index % networks * (hosts_in_network + 2) + first + host;
  return IpAddress::v4(load_be32(prefix.address().bytes()) + static_cast<std::uint32_t>(offset));
}

}  // namespace turnpike::bench
