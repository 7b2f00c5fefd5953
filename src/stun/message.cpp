#include "stun/message.h"

#include "base/crypto.h"

namespace turnpike::stun {
namespace {

constexpr std::size_t fingerprint_bytes = attribute_header_bytes + 4;

std::size_t attribute_span(ByteView at) {
  return attribute_header_bytes + padded_to_4(load_be16(at.subspan(2)));
}

AttributeView read_attribute(ByteView at) {
  return {static_cast<AttributeType>(load_be16(at)),
          at.subspan(attribute_header_bytes, load_be16(at.subspan(2)))};
}

std::optional<ParseError> check_header(ByteView bytes) {
  if (bytes.size() < header_bytes) return ParseError::too_short;
  if ((bytes[0] & 0xc0) != 0) return ParseError::not_stun;
  const std::size_t length = load_be16(bytes.subspan(2));
  if (length % 4 != 0 || length + header_bytes != bytes.size()) return ParseError::bad_length;
  if (load_be32(bytes.subspan(4)) != magic_cookie) return ParseError::bad_cookie;
  return std::nullopt;
}

bool fingerprint_matches(ByteView message, AttributeView fingerprint) {
  if (fingerprint.value.size() != 4) return false;
  const ByteView covered = message.first(message.size() - fingerprint_bytes);
  return (crc32(covered) ^ fingerprint_xor) == load_be32(fingerprint.value);
}

}  // namespace

AttributeView AttributeIterator::operator*() const { return read_attribute(rest_); }

AttributeIterator& AttributeIterator::operator++() {
  rest_ = rest_.subspan(attribute_span(rest_));
  return *this;
}

Result<MessageView, ParseError> MessageView::parse(ByteView bytes) {
  if (const auto error = check_header(bytes)) return Failure{*error};
  MessageView message{bytes};
  if (const auto error = message.scan()) return Failure{*error};
  return message;
}

// One pass over all attributes, also over those that will not count: a message that is malformed
// anywhere is dropped as a whole.
std::optional<ParseError> MessageView::scan() {
  std::size_t offset = header_bytes;
  std::size_t count = 0;
  while (offset < bytes_.size()) {
    if (++count > max_attributes) return ParseError::too_many_attributes;
    const ByteView rest = bytes_.subspan(offset);
    if (rest.size() < attribute_header_bytes || rest.size() < attribute_span(rest)) {
      return ParseError::attribute_overrun;
    }
    const AttributeView attribute = read_attribute(rest);
    const auto here = static_cast<std::uint32_t>(offset);
    if (has_fingerprint_) return ParseError::misplaced_fingerprint;
    if (attribute.type == AttributeType::fingerprint) {
      has_fingerprint_ = true;
      if (offset + attribute_span(rest) == bytes_.size() &&
          !fingerprint_matches(bytes_, attribute)) {
        return ParseError::bad_fingerprint;
      }
    }
    const bool after_integrity = integrity_ != 0 || integrity_sha256_ != 0;
    if (attribute.type == AttributeType::message_integrity && !after_integrity) integrity_ = here;
    if (attribute.type == AttributeType::message_integrity_sha256 && integrity_sha256_ == 0) {
      integrity_sha256_ = here;
    }
    const bool counts = integrity_ == 0 && integrity_sha256_ == 0 && !has_fingerprint_;
    offset += attribute_span(rest);
    if (counts) visible_end_ = static_cast<std::uint32_t>(offset);
  }
  return std::nullopt;
}

Class MessageView::message_class() const {
  const unsigned type = load_be16(bytes_);
  return static_cast<Class>(((type >> 7) & 2) | ((type >> 4) & 1));
}

Method MessageView::method() const {
  const unsigned type = load_be16(bytes_);
  return static_cast<Method>((type & 0x000f) | ((type & 0x00e0) >> 1) | ((type & 0x3e00) >> 2));
}

TransactionId MessageView::transaction_id() const {
  TransactionId id;
  copy_bytes(bytes_.subspan(8, transaction_id_bytes), id);
  return id;
}

AttributeRange MessageView::attributes() const {
  if (visible_end_ == 0) return AttributeRange{bytes_.first(0)};
  return AttributeRange{bytes_.first(visible_end_).subspan(header_bytes)};
}

std::optional<ByteView> MessageView::find(AttributeType type) const {
  for (const AttributeView attribute : attributes()) {
    if (attribute.type == type) return attribute.value;
  }
  return std::nullopt;
}

std::optional<ByteView> MessageView::message_integrity() const {
  if (integrity_ == 0) return std::nullopt;
  return attribute_at(integrity_).value;
}

std::optional<ByteView> MessageView::message_integrity_sha256() const {
  if (integrity_sha256_ == 0) return std::nullopt;
  return attribute_at(integrity_sha256_).value;
}

MessageView::Protected MessageView::protected_by_integrity() const {
  return protected_until(integrity_);
}

MessageView::Protected MessageView::protected_by_integrity_sha256() const {
  return protected_until(integrity_sha256_);
}

AttributeView MessageView::attribute_at(std::size_t offset) const {
  return read_attribute(bytes_.subspan(offset));
}

MessageView::Protected MessageView::protected_until(std::size_t offset) const {
  TURNPIKE_ASSERT(offset >= header_bytes);
  Protected covered{{}, bytes_.first(offset).subspan(header_bytes)};
  copy_bytes(bytes_.first(header_bytes), covered.header);
  const std::size_t end = offset + attribute_span(bytes_.subspan(offset));
  store_be16(MutableByteView{covered.header}.subspan(2),
             static_cast<std::uint16_t>(end - header_bytes));
  return covered;
}

}  // namespace turnpike::stun
