// A STUN message as it stands in somebody's buffer: checked once, then read without copying.
// What an attribute's value means is in stun/attributes.h.
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "stun/registry.h"

namespace turnpike::stun {

/// Why bytes are no STUN message that may be processed (RFC 8489 §6.3). All of them mean silence.
enum class ParseError : std::uint8_t {
  too_short,              ///< fewer than 20 bytes
  not_stun,               ///< the first two bits are not zero
  bad_length,             ///< length not a multiple of 4, or not that of the datagram
  bad_cookie,             ///< no magic cookie (RFC 3489 client, or no STUN at all)
  attribute_overrun,      ///< an attribute's length points past the end
  too_many_attributes,    ///< more than max_attributes
  misplaced_fingerprint,  ///< FINGERPRINT is not the last attribute (§14.7)
  bad_fingerprint,        ///< the CRC does not match (§7)
};

/// Far more than any message has. Looking an attribute up walks them all, so a stranger must not be
/// able to send ten thousand (HOSTILE.md S04).
inline constexpr std::size_t max_attributes = 1024;

using TransactionId = std::array<std::uint8_t, transaction_id_bytes>;

/// One attribute; `value` is without padding and lives as long as the message's bytes.
struct AttributeView {
  AttributeType type;
  ByteView value;
};

/// Walks well-formed attributes. Dereferencing gives an AttributeView by value.
class AttributeIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = AttributeView;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = AttributeView;

  explicit AttributeIterator(ByteView rest) : rest_(rest) {}
  AttributeView operator*() const;
  AttributeIterator& operator++();
  friend bool operator==(const AttributeIterator& a, const AttributeIterator& b) {
    return a.rest_.size() == b.rest_.size();
  }

 private:
  ByteView rest_;
};

/// The attributes that count: those before the first integrity attribute (RFC 8489 §14.5, §14.6).
class AttributeRange {
 public:
  explicit AttributeRange(ByteView bytes) : bytes_(bytes) {}
  [[nodiscard]] AttributeIterator begin() const { return AttributeIterator{bytes_}; }
  [[nodiscard]] AttributeIterator end() const { return AttributeIterator{bytes_.last(0)}; }

 private:
  ByteView bytes_;
};

/// A structurally valid STUN message. A view: valid while the bytes it was parsed from are.
class MessageView {
 public:
  /// Checks header, attribute boundaries and FINGERPRINT if there is one (RFC 8489 §6.3, §7).
  /// `bytes` must be exactly one message.
  [[nodiscard]] static Result<MessageView, ParseError> parse(ByteView bytes);

  [[nodiscard]] Class message_class() const;
  /// May be a number without a name in `Method`.
  [[nodiscard]] Method method() const;
  [[nodiscard]] TransactionId transaction_id() const;
  [[nodiscard]] ByteView bytes() const { return bytes_; }

  /// Attributes in order. What follows MESSAGE-INTEGRITY(-SHA256) is not among them, whatever it
  /// claims; the integrity attributes and FINGERPRINT have accessors of their own.
  [[nodiscard]] AttributeRange attributes() const;
  /// The value of the first attribute of `type`; later ones are ignored (RFC 8489 §14).
  [[nodiscard]] std::optional<ByteView> find(AttributeType type) const;
  [[nodiscard]] bool has(AttributeType type) const { return find(type).has_value(); }

  /// MESSAGE-INTEGRITY, any length.
  [[nodiscard]] std::optional<ByteView> message_integrity() const;
  /// MESSAGE-INTEGRITY-SHA256, any length.
  [[nodiscard]] std::optional<ByteView> message_integrity_sha256() const;
  [[nodiscard]] bool has_fingerprint() const { return has_fingerprint_; }

  /// The bytes a MAC covers: the header with its length set to end after the integrity attribute,
  /// and all attributes before it (RFC 8489 §14.5).
  struct Protected {
    std::array<std::uint8_t, header_bytes> header;
    ByteView attributes;
  };
  /// What MESSAGE-INTEGRITY covers. Precondition: message_integrity() has a value.
  [[nodiscard]] Protected protected_by_integrity() const;
  /// What MESSAGE-INTEGRITY-SHA256 covers. Precondition: message_integrity_sha256() has a value.
  [[nodiscard]] Protected protected_by_integrity_sha256() const;

 private:
  explicit MessageView(ByteView bytes) : bytes_(bytes) {}
  [[nodiscard]] std::optional<ParseError> scan();
  [[nodiscard]] AttributeView attribute_at(std::size_t offset) const;
  [[nodiscard]] Protected protected_until(std::size_t offset) const;

  ByteView bytes_;
  std::uint32_t visible_end_ = 0;       // end of the attributes that count
  std::uint32_t integrity_ = 0;         // offset of MESSAGE-INTEGRITY, 0: none
  std::uint32_t integrity_sha256_ = 0;  // offset of MESSAGE-INTEGRITY-SHA256, 0: none
  bool has_fingerprint_ = false;
};

}  // namespace turnpike::stun
