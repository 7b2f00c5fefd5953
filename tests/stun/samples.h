// Messages that several tests use: the published vectors, and a way to spell any other.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hex.h"
#include "stun/builder.h"
#include "stun/message.h"

namespace turnpike::stun {

using test::Bytes;
using test::copy_of;
using test::from_hex;
using test::to_hex;

/// 00 01 02 … 0b, after the magic cookie's own bytes easy to find in a dump.
inline constexpr TransactionId sample_id{0x00, 0x01, 0x02, 0x03, 0x04, 0x05,
                                         0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b};

/// The outcome of parsing in words, for failures that can be read: "ok" or the error's name.
inline std::string outcome_of_parsing(ByteView bytes) {
  const Bytes exact = copy_of(bytes);  // on the heap, so that ASan sees a read past the end
  const auto message = MessageView::parse(exact);
  if (message) return "ok";
  switch (message.error()) {
    case ParseError::too_short:
      return "too_short";
    case ParseError::not_stun:
      return "not_stun";
    case ParseError::bad_length:
      return "bad_length";
    case ParseError::bad_cookie:
      return "bad_cookie";
    case ParseError::attribute_overrun:
      return "attribute_overrun";
    case ParseError::too_many_attributes:
      return "too_many_attributes";
    case ParseError::misplaced_fingerprint:
      return "misplaced_fingerprint";
    case ParseError::bad_fingerprint:
      return "bad_fingerprint";
  }
  return "?";
}

/// A Binding request whose attributes are `attributes`, byte for byte, with a length that fits.
inline Bytes message_with(ByteView attributes) {
  Bytes bytes = from_hex("0001 0000 2112a442 000102030405060708090a0b");
  bytes.insert(bytes.end(), attributes.begin(), attributes.end());
  store_be16(MutableByteView{bytes}.subspan(2), static_cast<std::uint16_t>(attributes.size()));
  return bytes;
}

/// `message` with `attributes` after its end and the length in its header corrected.
inline Bytes appended(ByteView message, ByteView attributes) {
  Bytes bytes = copy_of(message);
  bytes.insert(bytes.end(), attributes.begin(), attributes.end());
  store_be16(MutableByteView{bytes}.subspan(2),
             static_cast<std::uint16_t>(bytes.size() - header_bytes));
  return bytes;
}

/// One attribute as it stands on the wire, padded with `padding`.
inline Bytes attribute(AttributeType type, ByteView value, std::uint8_t padding = 0) {
  Bytes bytes(4);
  store_be16(bytes, static_cast<std::uint16_t>(type));
  store_be16(MutableByteView{bytes}.subspan(2), static_cast<std::uint16_t>(value.size()));
  bytes.insert(bytes.end(), value.begin(), value.end());
  while (bytes.size() % 4 != 0) bytes.push_back(padding);
  return bytes;
}

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// The message in `bytes`, which must be one and outlive the answer.
inline MessageView parsed(const Bytes& bytes) {
  const auto message = MessageView::parse(bytes);
  if (!message) throw std::runtime_error("no STUN message: " + outcome_of_parsing(bytes));
  return *message;
}
MessageView parsed(Bytes&&) = delete;

/// The attributes that count, as "type:value" in hexadecimal.
inline std::vector<std::string> visible(const MessageView& message) {
  std::vector<std::string> attributes;
  for (const AttributeView each : message.attributes()) {
    std::array<std::uint8_t, 2> type{};
    store_be16(type, static_cast<std::uint16_t>(each.type));
    attributes.push_back(to_hex(type) + ":" + to_hex(each.value));
  }
  return attributes;
}

/// A Binding request under construction in a buffer of its own, filled with 0xcc to begin with.
class Draft {
 public:
  explicit Draft(Class message_class = Class::request, Method method = Method::binding,
                 const TransactionId& id = sample_id, std::size_t capacity = 2048,
                 std::uint8_t fill = 0xcc)
      : buffer(capacity, fill), builder(buffer, message_class, method, id) {}
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  MessageBuilder* operator->() { return &builder; }
  Bytes bytes() const { return copy_of(builder.bytes()); }

  Bytes buffer;
  MessageBuilder builder;
};

/// Every attribute type that src/stun/registry.h names.
inline std::vector<AttributeType> known_attribute_types() {
  std::vector<AttributeType> types;
  for (unsigned number = 0; number <= 0xffff; ++number) {
    const auto type = static_cast<AttributeType>(number);
    if (name_of(type) != "unknown") types.push_back(type);
  }
  return types;
}

// --- RFC 5769 §2 ---------------------------------------------------------------------------------
// 2.1 to 2.3 pad with 0x20, 2.4 with zero.

inline constexpr std::string_view rfc5769_password = "VOkJxbRl1RmTxUk/WvJxBt";

inline constexpr std::string_view rfc5769_2_1_request =
    "00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae"
    "80 22 00 10 53 54 55 4e 20 74 65 73 74 20 63 6c 69 65 6e 74"
    "00 24 00 04 6e 00 01 ff"
    "80 29 00 08 93 2f f9 b1 51 26 3b 36"
    "00 06 00 09 65 76 74 6a 3a 68 36 76 59 20 20 20"
    "00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49 c1 b5 71 a2"
    "80 28 00 04 e5 7a 3b cf";

inline constexpr std::string_view rfc5769_2_2_ipv4_response =
    "01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae"
    "80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20"
    "00 20 00 08 00 01 a1 47 e1 12 a6 43"
    "00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9 2a f9 ba 53 f0 6b e7 d7"
    "80 28 00 04 c0 7d 4c 96";

inline constexpr std::string_view rfc5769_2_3_ipv6_response =
    "01 01 00 48 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae"
    "80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20"
    "00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9"
    "00 08 00 14 a3 82 95 4e 4b e6 7b f1 17 84 c9 7c 82 92 c2 75 bf e3 ed 41"
    "80 28 00 04 c8 fb 0b 4c";

/// U+30DE U+30C8 U+30EA U+30C3 U+30AF U+30B9 in UTF-8.
inline constexpr std::string_view matrix_user =
    "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9";
/// After SASLprep or OpaqueString.
inline constexpr std::string_view matrix_password = "TheMatrIX";
inline constexpr std::string_view matrix_realm = "example.org";

inline constexpr std::string_view rfc5769_2_4_long_term_request =
    "00 01 00 60 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e"
    "00 06 00 12 e3 83 9e e3 83 88 e3 83 aa e3 83 83 e3 82 af e3 82 b9 00 00"
    "00 15 00 1c 66 2f 2f 34 39 39 6b 39 35 34 64 36 4f 4c 33 34 6f 4c 39 46 53 54 76 79 36 34 73 "
    "41"
    "00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00"
    "00 08 00 14 f6 70 24 65 6d d6 4a 3e 02 b8 e0 71 2e 85 c9 a2 8c a8 96 66";

// --- RFC 8489 Appendix B.1, as printed: the length says 0x9c where 0x88 is right -----------------

inline constexpr std::string_view rfc8489_b_1_nonce = "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA";

inline constexpr std::string_view rfc8489_b_1_request =
    "00 01 00 9c 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e"
    "00 1e 00 20 4a 3c f3 8f ef 69 92 bd a9 52 c6 78 04 17 da 0f 24 81 94 15 56 9e 60 b2 05 c4 6e "
    "41 40 7f 17 04"
    "00 15 00 29 6f 62 4d 61 74 4a 6f 73 32 41 41 41 43 66 2f 2f 34 39 39 6b 39 35 34 64 36 4f 4c "
    "33 34 6f 4c 39"
    "            46 53 54 76 79 36 34 73 41 00 00 00"
    "00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00"
    "00 1c 00 20 e4 68 6c 8f 0e de b5 90 13 e0 70 90 01 0a 93 ef cc bc cc 54 4c 0a 45 d9 f8 30 aa "
    "6d 6f 73 5a 01";

inline TransactionId id_of(ByteView message) {
  TransactionId id{};
  copy_bytes(message.subspan(8, id.size()), id);
  return id;
}

}  // namespace turnpike::stun
