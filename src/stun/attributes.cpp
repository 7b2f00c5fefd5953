#include "stun/attributes.h"

namespace turnpike::stun {
namespace {

std::optional<std::uint8_t> first_of_four(ByteView value) {
  if (value.size() != 4) return std::nullopt;
  return value[0];
}

/// Class and number of an error code (RFC 8489 §14.8); the class must be 3..6.
std::optional<std::uint16_t> error_number(ByteView class_and_number) {
  const unsigned hundreds = class_and_number[0] & 7;
  const unsigned rest = class_and_number[1];
  if (hundreds < 3 || hundreds > 6 || rest > 99) return std::nullopt;
  return static_cast<std::uint16_t>(hundreds * 100 + rest);
}

}  // namespace

std::optional<Family> family_from_wire(std::uint8_t byte) {
  if (byte == static_cast<std::uint8_t>(Family::ipv4)) return Family::ipv4;
  if (byte == static_cast<std::uint8_t>(Family::ipv6)) return Family::ipv6;
  return std::nullopt;
}

std::optional<Endpoint> decode_address(ByteView value) {
  if (value.size() < 4) return std::nullopt;
  const auto family = family_from_wire(value[1]);
  if (!family || value.size() != 4 + address_bytes(*family)) return std::nullopt;
  return Endpoint{IpAddress::from_bytes(*family, value.subspan(4)), load_be16(value.subspan(2))};
}

std::optional<Endpoint> decode_xor_address(ByteView value, const TransactionId& id) {
  auto endpoint = decode_address(value);
  if (!endpoint) return std::nullopt;
  std::array<std::uint8_t, 16> mask{};
  store_be32(mask, magic_cookie);
  copy_bytes(id, MutableByteView{mask}.subspan(4));
  std::array<std::uint8_t, 16> address{};
  const ByteView scrambled = endpoint->address.bytes();
  for (std::size_t i = 0; i < scrambled.size(); ++i) {
    address[i] = static_cast<std::uint8_t>(scrambled[i] ^ mask[i]);
  }
  endpoint->address =
      IpAddress::from_bytes(endpoint->family(), ByteView{address}.first(scrambled.size()));
  endpoint->port = static_cast<std::uint16_t>(endpoint->port ^ (magic_cookie >> 16));
  return endpoint;
}

std::optional<seconds> decode_lifetime(ByteView value) {
  if (value.size() != 4) return std::nullopt;
  return seconds{load_be32(value)};
}

std::optional<ChannelNumber> decode_channel_number(ByteView value) {
  if (value.size() != 4) return std::nullopt;
  return ChannelNumber{load_be16(value)};
}

std::optional<std::uint8_t> decode_requested_transport(ByteView value) {
  return first_of_four(value);
}

std::optional<bool> decode_even_port(ByteView value) {
  if (value.size() != 1) return std::nullopt;
  return (value[0] & 0x80) != 0;
}

std::optional<std::uint8_t> decode_address_family(ByteView value) { return first_of_four(value); }

std::optional<std::uint64_t> decode_reservation_token(ByteView value) {
  if (value.size() != 8) return std::nullopt;
  return load_be64(value);
}

std::optional<std::uint32_t> decode_connection_id(ByteView value) {
  if (value.size() != 4) return std::nullopt;
  return load_be32(value);
}

std::optional<ErrorCodeView> decode_error_code(ByteView value) {
  if (value.size() < 4) return std::nullopt;
  const auto code = error_number(value.subspan(2));
  if (!code) return std::nullopt;
  return ErrorCodeView{*code, text_of(value.subspan(4))};
}

std::optional<AddressErrorCode> decode_address_error_code(ByteView value) {
  if (value.size() < 4) return std::nullopt;
  const auto family = family_from_wire(value[0]);
  const auto code = error_number(value.subspan(2));
  if (!family || !code) return std::nullopt;
  return AddressErrorCode{*family, *code};
}

std::optional<Icmp> decode_icmp(ByteView value) {
  if (value.size() != 8) return std::nullopt;
  return Icmp{value[2], value[3], load_be32(value.subspan(4))};
}

std::optional<std::uint16_t> decode_password_algorithm(ByteView value) {
  if (value.size() < 4) return std::nullopt;
  const std::size_t parameter_bytes = load_be16(value.subspan(2));
  if (value.size() != 4 + parameter_bytes && value.size() != 4 + padded_to_4(parameter_bytes)) {
    return std::nullopt;
  }
  return load_be16(value);
}

}  // namespace turnpike::stun
