// find_proxy_header over any bytes: the same answer however they arrive, never beyond its bounds,
// and addresses only where a reader without haste finds the same ones.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/proxy_protocol.h"

namespace {

using namespace turnpike;
using Bytes = std::vector<std::uint8_t>;

/// The addresses of a version 2 header once more, byte by byte.
void check_v2(const Bytes& input, const ProxyHeader& header) {
  TURNPIKE_ASSERT(header.size == 16U + input.at(14) * 256U + input.at(15));
  TURNPIKE_ASSERT(header.size <= proxy_v2_bytes_max);
  if (!header.ends) return;
  TURNPIKE_ASSERT(input.at(12) == 0x21);
  const std::size_t size = input.at(13) >> 4 == 1 ? 4 : 16;
  const Family family = size == 4 ? Family::ipv4 : Family::ipv6;
  const Bytes source{input.begin() + 16, input.begin() + 16 + static_cast<std::ptrdiff_t>(size)};
  TURNPIKE_ASSERT(header.ends->source.address == unmapped(IpAddress::from_bytes(family, source)));
  TURNPIKE_ASSERT(header.ends->source.port ==
                  input.at(16 + 2 * size) * 256U + input.at(17 + 2 * size));
}

void check(const Bytes& input, ProxyCarrier carrier) {
  ProxyHeader whole;
  const ProxyState state = find_proxy_header(input, carrier, whole);
  // Piece by piece: incomplete, incomplete, …, and then one answer that stays.
  for (std::size_t size = 0; size < input.size(); ++size) {
    const Bytes piece{input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size)};
    ProxyHeader header;
    const ProxyState then = find_proxy_header(piece, carrier, header);
    if (then == ProxyState::incomplete) {
      TURNPIKE_ASSERT(size < proxy_v2_bytes_max);
      continue;
    }
    TURNPIKE_ASSERT(then == state);
    if (state == ProxyState::broken) break;
    TURNPIKE_ASSERT(size >= whole.size && header.size == whole.size && header.ends == whole.ends);
    break;
  }
  if (state != ProxyState::complete) return;
  TURNPIKE_ASSERT(whole.size <= input.size() && may_begin_proxy_header(input.at(0)));
  if (input.at(0) == '\r') return check_v2(input, whole);
  TURNPIKE_ASSERT(carrier == ProxyCarrier::stream && whole.size <= proxy_v1_bytes_max);
  TURNPIKE_ASSERT(input.at(whole.size - 2) == '\r' && input.at(whole.size - 1) == '\n');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size > 2500) return 0;
  const Bytes input{bytes, bytes + size};
  check(input, ProxyCarrier::stream);
  check(input, ProxyCarrier::datagram);
  return 0;
}
