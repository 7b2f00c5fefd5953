// Writes a STUN message, attribute by attribute, into a buffer of the caller.
#pragma once

#include <span>
#include <string_view>

#include "base/crypto.h"
#include "base/endpoint.h"
#include "base/time.h"
#include "stun/attributes.h"
#include "stun/message.h"

namespace turnpike::stun {

/// Room for any message this server or its clients write themselves (payloads aside).
inline constexpr std::size_t max_own_message_bytes = 2048;

/// Builds one message. Padding is always zero. The buffer must be large enough for what is put in:
/// running out of it is a bug of ours, not something the network can cause.
///
/// Usage: construct, put attributes, put integrity, put FINGERPRINT, take `bytes()`.
class MessageBuilder {
 public:
  /// Writes the header. `buffer` is borrowed until the last use of bytes().
  MessageBuilder(MutableByteView buffer, Class message_class, Method method,
                 const TransactionId& id);

  MessageBuilder& put(AttributeType type, ByteView value);
  MessageBuilder& put_empty(AttributeType type) { return put(type, ByteView{}); }
  MessageBuilder& put_text(AttributeType type, std::string_view text) {
    return put(type, bytes_of(text));
  }
  MessageBuilder& put_u32(AttributeType type, std::uint32_t value);
  MessageBuilder& put_u64(AttributeType type, std::uint64_t value);
  /// MAPPED-ADDRESS and its kind (RFC 8489 §14.1).
  MessageBuilder& put_address(AttributeType type, const Endpoint& endpoint);
  /// XOR-MAPPED-ADDRESS and its kind (RFC 8489 §14.2).
  MessageBuilder& put_xor_address(AttributeType type, const Endpoint& endpoint);
  /// LIFETIME, at most 2^32-1 seconds.
  MessageBuilder& put_lifetime(seconds lifetime);
  MessageBuilder& put_channel_number(ChannelNumber number);
  /// REQUESTED-TRANSPORT with an IP protocol number (17: UDP).
  MessageBuilder& put_requested_transport(std::uint8_t ip_protocol);
  /// EVEN-PORT with its R bit.
  MessageBuilder& put_even_port(bool reserve_next);
  /// REQUESTED-ADDRESS-FAMILY or ADDITIONAL-ADDRESS-FAMILY.
  MessageBuilder& put_family(AttributeType type, Family family);
  /// ERROR-CODE without reason phrase: shorter than the request it answers (HOSTILE M01).
  MessageBuilder& put_error_code(ErrorCode code);
  MessageBuilder& put_address_error_code(Family family, ErrorCode code);
  MessageBuilder& put_unknown_attributes(std::span<const AttributeType> types);
  MessageBuilder& put_icmp(const Icmp& icmp);
  /// PASSWORD-ALGORITHM without parameters (RFC 8489 §14.12).
  MessageBuilder& put_password_algorithm(PasswordAlgorithm algorithm);
  /// PASSWORD-ALGORITHMS, in order of preference (RFC 8489 §14.11).
  MessageBuilder& put_password_algorithms(std::span<const PasswordAlgorithm> algorithms);

  /// Signs all that was put before (RFC 8489 §14.5).
  MessageBuilder& put_message_integrity(const HmacSha1Key& key);
  /// The same with SHA-256, all 32 bytes (RFC 8489 §14.6).
  MessageBuilder& put_message_integrity_sha256(const HmacSha256Key& key);
  /// Must be the last (RFC 8489 §14.7).
  MessageBuilder& put_fingerprint();

  /// The message so far; points into the buffer.
  [[nodiscard]] ByteView bytes() const { return ByteView{buffer_}.first(size_); }

 private:
  /// Appends an attribute header with room for `size` value bytes, padding zeroed.
  MutableByteView append(AttributeType type, std::size_t size);
  static void store_class_and_number(MutableByteView out, ErrorCode code);

  MutableByteView buffer_;
  std::size_t size_ = header_bytes;
};

}  // namespace turnpike::stun
