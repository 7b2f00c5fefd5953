// What attribute values mean: decoders from a value to a type. The inverse is stun/builder.h.
// Every decoder answers nothing when the value is malformed; reserved bits are ignored.
#pragma once

#include <optional>
#include <string_view>

#include "base/endpoint.h"
#include "base/time.h"
#include "stun/message.h"

namespace turnpike::stun {

/// A channel number as it comes (RFC 8656 §12); only 0x4000..0x4FFF may be bound.
struct ChannelNumber {
  std::uint16_t value = 0;

  [[nodiscard]] constexpr bool is_allowed() const { return 0x4000 <= value && value <= 0x4fff; }
  friend bool operator==(const ChannelNumber&, const ChannelNumber&) = default;
};

/// ERROR-CODE; `reason` lives as long as the message.
struct ErrorCodeView {
  std::uint16_t code;
  std::string_view reason;
};

/// ADDRESS-ERROR-CODE (RFC 8656 §18.12).
struct AddressErrorCode {
  Family family;
  std::uint16_t code;
};

/// ICMP (RFC 8656 §18.13): type and code of the ICMP packet; `error_data` is the next hop's MTU for
/// "fragmentation needed" and "packet too big", else zero.
struct Icmp {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t error_data = 0;

  friend bool operator==(const Icmp&, const Icmp&) = default;
};

/// The family a byte stands for (RFC 8489 §14.1); nothing for any but 1 and 2.
[[nodiscard]] std::optional<Family> family_from_wire(std::uint8_t byte);

/// MAPPED-ADDRESS and its kind, as written (RFC 8489 §14.1).
[[nodiscard]] std::optional<Endpoint> decode_address(ByteView value);
/// XOR-MAPPED-ADDRESS, XOR-PEER-ADDRESS, XOR-RELAYED-ADDRESS (RFC 8489 §14.2).
[[nodiscard]] std::optional<Endpoint> decode_xor_address(ByteView value, const TransactionId& id);
/// LIFETIME in seconds (RFC 8656 §18.2).
[[nodiscard]] std::optional<seconds> decode_lifetime(ByteView value);
/// CHANNEL-NUMBER, any number (RFC 8656 §18.1).
[[nodiscard]] std::optional<ChannelNumber> decode_channel_number(ByteView value);
/// REQUESTED-TRANSPORT: an IP protocol number, 17 is UDP (RFC 8656 §18.8).
[[nodiscard]] std::optional<std::uint8_t> decode_requested_transport(ByteView value);
/// EVEN-PORT: true when the next-higher port is to be reserved (RFC 8656 §18.7).
[[nodiscard]] std::optional<bool> decode_even_port(ByteView value);
/// REQUESTED-ADDRESS-FAMILY, ADDITIONAL-ADDRESS-FAMILY: the byte as it comes (RFC 8656 §18.6).
[[nodiscard]] std::optional<std::uint8_t> decode_address_family(ByteView value);
/// RESERVATION-TOKEN: 8 bytes (RFC 8656 §18.10).
[[nodiscard]] std::optional<std::uint64_t> decode_reservation_token(ByteView value);
/// CONNECTION-ID (RFC 6062 §6.2.1).
[[nodiscard]] std::optional<std::uint32_t> decode_connection_id(ByteView value);
/// ERROR-CODE (RFC 8489 §14.8): 300..699.
[[nodiscard]] std::optional<ErrorCodeView> decode_error_code(ByteView value);
/// ADDRESS-ERROR-CODE (RFC 8656 §18.12).
[[nodiscard]] std::optional<AddressErrorCode> decode_address_error_code(ByteView value);
/// ICMP (RFC 8656 §18.13), laid out as 16 reserved, 8 type, 8 code, 32 data bits.
[[nodiscard]] std::optional<Icmp> decode_icmp(ByteView value);
/// PASSWORD-ALGORITHM: the algorithm's number (RFC 8489 §14.12); its parameters must fit.
[[nodiscard]] std::optional<std::uint16_t> decode_password_algorithm(ByteView value);

}  // namespace turnpike::stun
