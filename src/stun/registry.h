// The numbers of STUN and TURN: methods, classes, attributes, error codes, password algorithms.
// Names are those of IANA's registries; each with its RFC.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace turnpike::stun {

inline constexpr std::uint32_t magic_cookie = 0x2112A442;             ///< RFC 8489 §5
inline constexpr std::size_t header_bytes = 20;                       ///< RFC 8489 §5
inline constexpr std::size_t transaction_id_bytes = 12;               ///< RFC 8489 §5
inline constexpr std::size_t attribute_header_bytes = 4;              ///< RFC 8489 §14
inline constexpr std::uint32_t fingerprint_xor = 0x5354554e;          ///< RFC 8489 §14.7
inline constexpr std::string_view nonce_cookie_prefix = "obMatJos2";  ///< RFC 8489 §9.2

/// Message class (RFC 8489 §5).
enum class Class : std::uint8_t { request = 0, indication = 1, success = 2, error = 3 };

/// Message method.
enum class Method : std::uint16_t {
  binding = 0x001,             // RFC 8489
  allocate = 0x003,            // RFC 8656 §17
  refresh = 0x004,             // RFC 8656
  send = 0x006,                // RFC 8656, indication only
  data = 0x007,                // RFC 8656, indication only
  create_permission = 0x008,   // RFC 8656
  channel_bind = 0x009,        // RFC 8656
  connect = 0x00A,             // RFC 6062
  connection_bind = 0x00B,     // RFC 6062
  connection_attempt = 0x00C,  // RFC 6062, indication only
};

/// Attribute type. 0x0000-0x7FFF must be understood by the receiver, 0x8000-0xFFFF need not be.
enum class AttributeType : std::uint16_t {
  mapped_address = 0x0001,                // RFC 8489
  change_request = 0x0003,                // RFC 5780
  username = 0x0006,                      // RFC 8489
  message_integrity = 0x0008,             // RFC 8489
  error_code = 0x0009,                    // RFC 8489
  unknown_attributes = 0x000A,            // RFC 8489
  channel_number = 0x000C,                // RFC 8656
  lifetime = 0x000D,                      // RFC 8656
  xor_peer_address = 0x0012,              // RFC 8656
  data = 0x0013,                          // RFC 8656
  realm = 0x0014,                         // RFC 8489
  nonce = 0x0015,                         // RFC 8489
  xor_relayed_address = 0x0016,           // RFC 8656
  requested_address_family = 0x0017,      // RFC 8656
  even_port = 0x0018,                     // RFC 8656
  requested_transport = 0x0019,           // RFC 8656
  dont_fragment = 0x001A,                 // RFC 8656
  access_token = 0x001B,                  // RFC 7635
  message_integrity_sha256 = 0x001C,      // RFC 8489
  password_algorithm = 0x001D,            // RFC 8489
  userhash = 0x001E,                      // RFC 8489
  xor_mapped_address = 0x0020,            // RFC 8489
  reservation_token = 0x0022,             // RFC 8656
  priority = 0x0024,                      // RFC 8445
  use_candidate = 0x0025,                 // RFC 8445
  padding = 0x0026,                       // RFC 5780
  response_port = 0x0027,                 // RFC 5780
  connection_id = 0x002A,                 // RFC 6062
  additional_address_family = 0x8000,     // RFC 8656
  address_error_code = 0x8001,            // RFC 8656
  password_algorithms = 0x8002,           // RFC 8489
  alternate_domain = 0x8003,              // RFC 8489
  icmp = 0x8004,                          // RFC 8656
  software = 0x8022,                      // RFC 8489
  alternate_server = 0x8023,              // RFC 8489
  transaction_transmit_counter = 0x8025,  // RFC 7982
  cache_timeout = 0x8027,                 // RFC 5780
  fingerprint = 0x8028,                   // RFC 8489
  ice_controlled = 0x8029,                // RFC 8445
  ice_controlling = 0x802A,               // RFC 8445
  response_origin = 0x802B,               // RFC 5780
  other_address = 0x802C,                 // RFC 5780
  third_party_authorization = 0x802E,     // RFC 7635
  mobility_ticket = 0x8030,               // RFC 8016
};

/// True when a receiver that does not know `type` must refuse the message (RFC 8489 §14).
[[nodiscard]] constexpr bool is_comprehension_required(AttributeType type) {
  return static_cast<std::uint16_t>(type) < 0x8000;
}

/// ERROR-CODE values (RFC 8489 §14.8, RFC 8656 §19, RFC 6062 §6.3, RFC 8016 §4).
enum class ErrorCode : std::uint16_t {
  try_alternate = 300,
  bad_request = 400,
  unauthenticated = 401,
  forbidden = 403,
  mobility_forbidden = 405,
  unknown_attribute = 420,
  allocation_mismatch = 437,
  stale_nonce = 438,
  address_family_not_supported = 440,
  wrong_credentials = 441,
  unsupported_transport_protocol = 442,
  peer_address_family_mismatch = 443,
  connection_already_exists = 446,
  connection_timeout_or_failure = 447,
  allocation_quota_reached = 486,
  server_error = 500,
  insufficient_capacity = 508,
};

/// PASSWORD-ALGORITHM values (RFC 8489 §18.5).
enum class PasswordAlgorithm : std::uint16_t { md5 = 1, sha256 = 2 };

/// "Allocate", "ChannelBind"…; "unknown" for a number without a name.
[[nodiscard]] std::string_view name_of(Method method);
/// "XOR-PEER-ADDRESS"…; "unknown" for a number without a name.
[[nodiscard]] std::string_view name_of(AttributeType type);
/// The reason phrase of the RFC that defines `code`; "unknown" for a number without one.
[[nodiscard]] std::string_view reason_phrase(ErrorCode code);
/// "md5", "sha256": the spelling of the configuration file.
[[nodiscard]] std::string_view name_of(PasswordAlgorithm algorithm);

}  // namespace turnpike::stun
