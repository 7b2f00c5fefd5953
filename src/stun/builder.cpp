#include "stun/builder.h"

namespace turnpike::stun {
namespace {

/// The 16 bits of class and method (RFC 8489 §5, Figure 3).
std::uint16_t message_type(Class message_class, Method method) {
  const auto m = static_cast<unsigned>(method);
  const auto c = static_cast<unsigned>(message_class);
  return static_cast<std::uint16_t>((m & 0x000f) | ((m & 0x0070) << 1) | ((m & 0x0f80) << 2) |
                                    ((c & 1) << 4) | ((c & 2) << 7));
}

}  // namespace

MessageBuilder::MessageBuilder(MutableByteView buffer, Class message_class, Method method,
                               const TransactionId& id)
    : buffer_(buffer) {
  TURNPIKE_ASSERT(buffer.size() >= header_bytes);
  store_be16(buffer_, message_type(message_class, method));
  store_be16(buffer_.subspan(2), 0);
  store_be32(buffer_.subspan(4), magic_cookie);
  copy_bytes(id, buffer_.subspan(8));
}

MessageBuilder& MessageBuilder::put(AttributeType type, ByteView value) {
  copy_bytes(value, append(type, value.size()));
  return *this;
}

MessageBuilder& MessageBuilder::put_u32(AttributeType type, std::uint32_t value) {
  store_be32(append(type, 4), value);
  return *this;
}

MessageBuilder& MessageBuilder::put_u64(AttributeType type, std::uint64_t value) {
  store_be64(append(type, 8), value);
  return *this;
}

MessageBuilder& MessageBuilder::put_address(AttributeType type, const Endpoint& endpoint) {
  const ByteView address = endpoint.address.bytes();
  const MutableByteView value = append(type, 4 + address.size());
  value[0] = 0;
  value[1] = static_cast<std::uint8_t>(endpoint.family());
  store_be16(value.subspan(2), endpoint.port);
  copy_bytes(address, value.subspan(4));
  return *this;
}

MessageBuilder& MessageBuilder::put_xor_address(AttributeType type, const Endpoint& endpoint) {
  const std::size_t value_at = size_ + attribute_header_bytes;
  put_address(type, endpoint);
  const MutableByteView value = buffer_.first(size_).subspan(value_at);
  // The mask is cookie and transaction id, which stand side by side in the header (§14.2).
  const ByteView mask = ByteView{buffer_}.subspan(4, 16);
  for (std::size_t i = 0; i < 2; ++i)
    value[2 + i] = static_cast<std::uint8_t>(value[2 + i] ^ mask[i]);
  for (std::size_t i = 4; i < value.size(); ++i) {
    value[i] = static_cast<std::uint8_t>(value[i] ^ mask[i - 4]);
  }
  return *this;
}

MessageBuilder& MessageBuilder::put_lifetime(seconds lifetime) {
  TURNPIKE_ASSERT(lifetime >= seconds{0} && lifetime <= seconds{UINT32_MAX});
  return put_u32(AttributeType::lifetime, static_cast<std::uint32_t>(lifetime.count()));
}

MessageBuilder& MessageBuilder::put_channel_number(ChannelNumber number) {
  return put_u32(AttributeType::channel_number, static_cast<std::uint32_t>(number.value) << 16);
}

MessageBuilder& MessageBuilder::put_requested_transport(std::uint8_t ip_protocol) {
  return put_u32(AttributeType::requested_transport, static_cast<std::uint32_t>(ip_protocol) << 24);
}

MessageBuilder& MessageBuilder::put_even_port(bool reserve_next) {
  append(AttributeType::even_port, 1)[0] = reserve_next ? 0x80 : 0x00;
  return *this;
}

MessageBuilder& MessageBuilder::put_family(AttributeType type, Family family) {
  return put_u32(type, static_cast<std::uint32_t>(family) << 24);
}

MessageBuilder& MessageBuilder::put_error_code(ErrorCode code) {
  store_class_and_number(append(AttributeType::error_code, 4), code);
  return *this;
}

MessageBuilder& MessageBuilder::put_address_error_code(Family family, ErrorCode code) {
  const MutableByteView value = append(AttributeType::address_error_code, 4);
  store_class_and_number(value, code);
  value[0] = static_cast<std::uint8_t>(family);
  return *this;
}

MessageBuilder& MessageBuilder::put_unknown_attributes(std::span<const AttributeType> types) {
  MutableByteView value = append(AttributeType::unknown_attributes, types.size() * 2);
  for (const AttributeType type : types) {
    store_be16(value, static_cast<std::uint16_t>(type));
    value = value.subspan(2);
  }
  return *this;
}

MessageBuilder& MessageBuilder::put_icmp(const Icmp& icmp) {
  const MutableByteView value = append(AttributeType::icmp, 8);
  store_be16(value, 0);
  value[2] = icmp.type;
  value[3] = icmp.code;
  store_be32(value.subspan(4), icmp.error_data);
  return *this;
}

MessageBuilder& MessageBuilder::put_password_algorithm(PasswordAlgorithm algorithm) {
  return put_u32(AttributeType::password_algorithm, static_cast<std::uint32_t>(algorithm) << 16);
}

MessageBuilder& MessageBuilder::put_password_algorithms(
    std::span<const PasswordAlgorithm> algorithms) {
  MutableByteView value = append(AttributeType::password_algorithms, algorithms.size() * 4);
  for (const PasswordAlgorithm algorithm : algorithms) {
    store_be32(value, static_cast<std::uint32_t>(algorithm) << 16);
    value = value.subspan(4);
  }
  return *this;
}

MessageBuilder& MessageBuilder::put_message_integrity(const HmacSha1Key& key) {
  const ByteView covered = bytes();
  const MutableByteView value = append(AttributeType::message_integrity, Sha1Digest{}.size());
  copy_bytes(key.mac({covered}), value);
  return *this;
}

MessageBuilder& MessageBuilder::put_message_integrity_sha256(const HmacSha256Key& key) {
  const ByteView covered = bytes();
  const MutableByteView value =
      append(AttributeType::message_integrity_sha256, Sha256Digest{}.size());
  copy_bytes(key.mac({covered}), value);
  return *this;
}

MessageBuilder& MessageBuilder::put_fingerprint() {
  const ByteView covered = bytes();
  const MutableByteView value = append(AttributeType::fingerprint, 4);
  store_be32(value, crc32(covered) ^ fingerprint_xor);
  return *this;
}

// The length in the header counts the new attribute before its value is computed: that is what
// integrity and FINGERPRINT are defined over (§14.5, §14.7).
MutableByteView MessageBuilder::append(AttributeType type, std::size_t size) {
  const std::size_t padded = padded_to_4(size);
  TURNPIKE_ASSERT(size_ + attribute_header_bytes + padded <= buffer_.size());
  TURNPIKE_ASSERT(size_ + attribute_header_bytes + padded <= header_bytes + UINT16_MAX);
  const MutableByteView attribute = buffer_.subspan(size_, attribute_header_bytes + padded);
  store_be16(attribute, static_cast<std::uint16_t>(type));
  store_be16(attribute.subspan(2), static_cast<std::uint16_t>(size));
  for (std::size_t i = size; i < padded; ++i) attribute[attribute_header_bytes + i] = 0;
  size_ += attribute.size();
  store_be16(buffer_.subspan(2), static_cast<std::uint16_t>(size_ - header_bytes));
  return attribute.subspan(attribute_header_bytes, size);
}

void MessageBuilder::store_class_and_number(MutableByteView out, ErrorCode code) {
  const auto number = static_cast<std::uint16_t>(code);
  store_be16(out, 0);
  out[2] = static_cast<std::uint8_t>(number / 100);
  out[3] = static_cast<std::uint8_t>(number % 100);
}

}  // namespace turnpike::stun
