#include "base/proxy_protocol.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "base/crypto.h"

namespace turnpike {
namespace {

constexpr std::string_view v1_signature = "PROXY ";
constexpr std::array<std::uint8_t, 12> v2_signature{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                    0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::size_t v2_fixed_bytes = 16;

/// True when `input` and `signature` agree as far as both go.
bool agrees_with(ByteView input, ByteView signature) {
  const std::size_t size = std::min(input.size(), signature.size());
  return std::equal(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size),
                    signature.begin());
}

ProxiedEnds ends_of(const Endpoint& source, const Endpoint& destination) {
  return {{unmapped(source.address), source.port},
          {unmapped(destination.address), destination.port}};
}

// --- Version 1 -----------------------------------------------------------------------------------

/// Takes the text up to the next blank, or to the end, off `line`.
std::string_view take_word(std::string_view& line) {
  const std::size_t blank = line.find(' ');
  const std::string_view word = line.substr(0, blank);
  line.remove_prefix(blank == std::string_view::npos ? line.size() : blank + 1);
  return word;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;  // §2.1: no heading zeroes
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

/// Reads what follows "TCP4 " or "TCP6 ": two addresses, two ports, one blank between them.
std::optional<ProxiedEnds> parse_v1_ends(std::string_view line, Family family) {
  if (std::count(line.begin(), line.end(), ' ') != 3) return std::nullopt;
  const auto source = IpAddress::parse(take_word(line));
  const auto destination = IpAddress::parse(take_word(line));
  const auto source_port = parse_port(take_word(line));
  const auto destination_port = parse_port(take_word(line));
  if (!source || !destination || !source_port || !destination_port) return std::nullopt;
  if (source->family() != family || destination->family() != family) return std::nullopt;
  return ends_of({*source, *source_port}, {*destination, *destination_port});
}

ProxyState find_v1(ByteView input, ProxyHeader& header) {
  const std::string_view text = text_of(input.first(std::min(input.size(), proxy_v1_bytes_max)));
  const std::size_t end = text.find('\r');
  if (end == std::string_view::npos || end + 1 == text.size()) {
    return text.size() < proxy_v1_bytes_max ? ProxyState::incomplete : ProxyState::broken;
  }
  if (text[end + 1] != '\n') return ProxyState::broken;
  std::string_view line = text.substr(0, end);
  line.remove_prefix(v1_signature.size());
  const std::string_view protocol = take_word(line);
  header = {end + 2, std::nullopt};
  if (protocol == "UNKNOWN") return ProxyState::complete;  // whatever else stands there (§2.1)
  if (protocol != "TCP4" && protocol != "TCP6") return ProxyState::broken;
  header.ends = parse_v1_ends(line, protocol == "TCP4" ? Family::ipv4 : Family::ipv6);
  return header.ends ? ProxyState::complete : ProxyState::broken;
}

// --- Version 2 -----------------------------------------------------------------------------------

enum class Command : std::uint8_t { local = 0, proxy = 1 };
enum class AddressKind : std::uint8_t { unspecified = 0, inet = 1, inet6 = 2, local_socket = 3 };
enum class Protocol : std::uint8_t { unspecified = 0, stream = 1, datagram = 2 };

constexpr std::uint8_t tlv_crc32c = 0x03;
constexpr std::size_t tlv_fixed_bytes = 3;

/// How much of the header the two addresses and ports take.
std::size_t ends_bytes(AddressKind kind) {
  switch (kind) {
    case AddressKind::inet:
      return 12;
    case AddressKind::inet6:
      return 36;
    case AddressKind::local_socket:
      return 216;
    case AddressKind::unspecified:
      break;
  }
  return 0;
}

ProxiedEnds read_ends(ByteView block, Family family) {
  const std::size_t size = address_bytes(family);
  const auto source = IpAddress::from_bytes(family, block.first(size));
  const auto destination = IpAddress::from_bytes(family, block.subspan(size, size));
  const ByteView ports = block.subspan(2 * size);
  return ends_of({source, load_be16(ports)}, {destination, load_be16(ports.subspan(2))});
}

/// True when the checksum at `at` is that of `whole` with zeroes in its place (§2.2.3).
bool is_checksum_right(ByteView whole, std::size_t at) {
  static constexpr std::array<std::uint8_t, 4> zeroes{};
  return crc32c({whole.first(at), zeroes, whole.subspan(at + 4)}) == load_be32(whole.subspan(at));
}

/// True when the TLVs from `at` on fill `whole` exactly and what can be checked of them is right.
bool are_tlvs_right(ByteView whole, std::size_t at) {
  while (at < whole.size()) {
    if (whole.size() - at < tlv_fixed_bytes) return false;
    const std::uint8_t type = whole[at];
    const std::size_t value_bytes = load_be16(whole.subspan(at + 1));
    at += tlv_fixed_bytes;
    if (whole.size() - at < value_bytes) return false;
    if (type == tlv_crc32c && (value_bytes != 4 || !is_checksum_right(whole, at))) return false;
    at += value_bytes;
  }
  return true;
}

/// Reads what a PROXY command says. `whole` is the header to its end.
ProxyState read_v2_proxy(ByteView whole, ProxyCarrier carrier, ProxyHeader& header) {
  if (whole[13] >> 4 > 3 || (whole[13] & 15) > 2) return ProxyState::broken;
  const auto kind = static_cast<AddressKind>(whole[13] >> 4);
  const auto protocol = static_cast<Protocol>(whole[13] & 15);
  const auto carried = carrier == ProxyCarrier::stream ? Protocol::stream : Protocol::datagram;
  if (protocol != Protocol::unspecified && protocol != carried) return ProxyState::broken;
  if (kind == AddressKind::unspecified) return ProxyState::complete;

  const std::size_t tlvs_at = v2_fixed_bytes + ends_bytes(kind);
  if (whole.size() < tlvs_at || !are_tlvs_right(whole, tlvs_at)) return ProxyState::broken;
  if (kind == AddressKind::local_socket || protocol == Protocol::unspecified) {
    return ProxyState::complete;
  }
  header.ends = read_ends(whole.subspan(v2_fixed_bytes),
                          kind == AddressKind::inet ? Family::ipv4 : Family::ipv6);
  return ProxyState::complete;
}

ProxyState find_v2(ByteView input, ProxyCarrier carrier, ProxyHeader& header) {
  // Broken is said as early as it can be known: the balancer's operator is to notice (§2.1).
  if (input.size() > 12 && input[12] >> 4 != 2) return ProxyState::broken;
  if (input.size() > 12 && (input[12] & 15) > 1) return ProxyState::broken;
  if (input.size() < v2_fixed_bytes) return ProxyState::incomplete;
  const std::size_t size = v2_fixed_bytes + load_be16(input.subspan(14));
  if (size > proxy_v2_bytes_max) return ProxyState::broken;
  if (input.size() < size) return ProxyState::incomplete;
  header = {size, std::nullopt};
  if (static_cast<Command>(input[12] & 15) == Command::local) return ProxyState::complete;
  return read_v2_proxy(input.first(size), carrier, header);
}

}  // namespace

ProxyState find_proxy_header(ByteView input, ProxyCarrier carrier, ProxyHeader& header) {
  if (input.empty()) return ProxyState::incomplete;
  if (agrees_with(input, v2_signature)) return find_v2(input, carrier, header);
  if (carrier == ProxyCarrier::datagram) return ProxyState::broken;
  if (agrees_with(input, bytes_of(v1_signature))) return find_v1(input, header);
  return ProxyState::broken;
}

}  // namespace turnpike
