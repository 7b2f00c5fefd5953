#include "stun/message.h"

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/aborts.h"
#include "base/seeded_random.h"
#include "catch.h"
#include "stun/attributes.h"
#include "stun/samples.h"

namespace turnpike::stun {

namespace {

using test::SeededRandom;

/// Three attributes, one of them padded, both integrity attributes and FINGERPRINT.
Bytes full_message() {
  Draft draft;
  draft->put_text(AttributeType::username, "alice")
      .put_u32(AttributeType::lifetime, 600)
      .put_empty(AttributeType::dont_fragment)
      .put_message_integrity(HmacSha1Key{bytes_of("key")})
      .put_message_integrity_sha256(HmacSha256Key{bytes_of("key")})
      .put_fingerprint();
  return draft.bytes();
}

/// `attributes` followed by a FINGERPRINT with the right value for the whole.
Bytes fingerprinted(const Bytes& attributes) {
  Bytes message = message_with(attributes + Bytes(8, 0));
  const ByteView covered = ByteView{message}.first(message.size() - 8);
  const std::uint32_t crc = crc32(covered) ^ fingerprint_xor;
  const MutableByteView at = MutableByteView{message}.last(8);
  store_be16(at, 0x8028);
  store_be16(at.subspan(2), 4);
  store_be32(at.subspan(4), crc);
  return message;
}

}  // namespace

// --- The published messages ----------------------------------------------------------------------

TEST_CASE("the sample request of RFC 5769 is read", "[stun][rfc5769-2.1]") {
  const Bytes bytes = from_hex(rfc5769_2_1_request);
  const MessageView message = parsed(bytes);
  CHECK(message.message_class() == Class::request);
  CHECK(message.method() == Method::binding);
  CHECK(to_hex(message.transaction_id()) == "b7e7a701bc34d686fa87dfae");
  CHECK(message.has_fingerprint());
  CHECK(text_of(message.find(AttributeType::software).value()) == "STUN test client");
  CHECK(to_hex(message.find(AttributeType::priority).value()) == "6e0001ff");
  CHECK(to_hex(message.find(AttributeType::ice_controlled).value()) == "932ff9b151263b36");
  CHECK(text_of(message.find(AttributeType::username).value()) == "evtj:h6vY");
  CHECK(to_hex(message.message_integrity().value()) == "9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2");
  CHECK_FALSE(message.message_integrity_sha256());
  CHECK(visible(message).size() == 4);
}

TEST_CASE("the sample IPv4 response of RFC 5769 is read", "[stun][rfc5769-2.2]") {
  const Bytes bytes = from_hex(rfc5769_2_2_ipv4_response);
  const MessageView message = parsed(bytes);
  CHECK(message.message_class() == Class::success);
  CHECK(message.method() == Method::binding);
  CHECK(message.has_fingerprint());
  CHECK(text_of(message.find(AttributeType::software).value()) == "test vector");
  const auto mapped = message.find(AttributeType::xor_mapped_address);
  CHECK(decode_xor_address(mapped.value(), message.transaction_id()) ==
        Endpoint::parse("192.0.2.1:32853"));
}

TEST_CASE("the sample IPv6 response of RFC 5769 is read", "[stun][rfc5769-2.3]") {
  const Bytes bytes = from_hex(rfc5769_2_3_ipv6_response);
  const MessageView message = parsed(bytes);
  CHECK(message.message_class() == Class::success);
  CHECK(message.has_fingerprint());
  CHECK(text_of(message.find(AttributeType::software).value()) == "test vector");
  const auto mapped = message.find(AttributeType::xor_mapped_address);
  CHECK(decode_xor_address(mapped.value(), message.transaction_id()) ==
        Endpoint::parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
}

TEST_CASE("the sample long-term request of RFC 5769 is read", "[stun][rfc5769-2.4]") {
  const Bytes bytes = from_hex(rfc5769_2_4_long_term_request);
  const MessageView message = parsed(bytes);
  CHECK(message.message_class() == Class::request);
  CHECK(to_hex(message.transaction_id()) == "78ad3433c6ad72c029da412e");
  CHECK_FALSE(message.has_fingerprint());
  CHECK(text_of(message.find(AttributeType::username).value()) == matrix_user);
  CHECK(text_of(message.find(AttributeType::nonce).value()) == "f//499k954d6OL34oL9FSTvy64sA");
  CHECK(text_of(message.find(AttributeType::realm).value()) == matrix_realm);
  CHECK(message.message_integrity());
}

TEST_CASE("the USERHASH request of RFC 8489 is read once its length is right",
          "[stun][rfc8489-B.1]") {
  Bytes bytes = from_hex(rfc8489_b_1_request);
  // As printed the header counts 156 bytes, its own 20 among them.
  CHECK(outcome_of_parsing(bytes) == "bad_length");
  CHECK(bytes.size() == 156);
  store_be16(MutableByteView{bytes}.subspan(2), 136);

  const MessageView message = parsed(bytes);
  CHECK(to_hex(message.find(AttributeType::userhash).value()) ==
        "4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704");
  CHECK(text_of(message.find(AttributeType::nonce).value()) == rfc8489_b_1_nonce);
  CHECK(text_of(message.find(AttributeType::realm).value()) == matrix_realm);
  CHECK_FALSE(message.has(AttributeType::username));
  CHECK_FALSE(message.message_integrity());
  CHECK(message.message_integrity_sha256().value().size() == 32);
}

// --- The header ----------------------------------------------------------------------------------

TEST_CASE("fewer bytes than a header are no message", "[stun][rfc8489-5][S01]") {
  const Bytes message = full_message();
  for (std::size_t size = 0; size < header_bytes; ++size) {
    CAPTURE(size);
    CHECK(outcome_of_parsing(ByteView{message}.first(size)) == "too_short");
    CHECK(outcome_of_parsing(Bytes(size, 0x00)) == "too_short");
    CHECK(outcome_of_parsing(Bytes(size, 0xff)) == "too_short");
  }
}

TEST_CASE("a header alone is a message without attributes", "[stun][rfc8489-5]") {
  const Bytes bytes = message_with({});
  const MessageView message = parsed(bytes);
  CHECK(visible(message).empty());
  CHECK_FALSE(message.has_fingerprint());
  CHECK_FALSE(message.message_integrity());
  CHECK_FALSE(message.message_integrity_sha256());
  CHECK_FALSE(message.find(AttributeType::username));
  CHECK(message.bytes().size() == 20);
}

TEST_CASE("the first two bits must be zero", "[stun][rfc8489-5][S02]") {
  Bytes message = full_message();
  for (unsigned first = 0; first <= 0xff; ++first) {
    message[0] = static_cast<std::uint8_t>(first);
    const std::string outcome = outcome_of_parsing(message);
    CAPTURE(first);
    if (first >= 0x40) {
      CHECK(outcome == "not_stun");
    } else {
      // Another class or method: a message all the same, were it not for the CRC.
      CHECK(outcome == (first == 0 ? "ok" : "bad_fingerprint"));
    }
  }
}

TEST_CASE("what is malformed in the header is refused", "[stun][rfc8489-5][S02]") {
  auto [name, hex, outcome] = GENERATE(table<std::string, std::string, std::string>({
      {"length 1", "0001 0001 2112a442 000102030405060708090a0b 00", "bad_length"},
      {"length 2", "0001 0002 2112a442 000102030405060708090a0b 0000", "bad_length"},
      {"length 3", "0001 0003 2112a442 000102030405060708090a0b 000000", "bad_length"},
      {"length 5", "0001 0005 2112a442 000102030405060708090a0b 8022000000", "bad_length"},
      {"length four too small", "0001 0000 2112a442 000102030405060708090a0b 80220000",
       "bad_length"},
      {"length four too great", "0001 0008 2112a442 000102030405060708090a0b 80220000",
       "bad_length"},
      {"length counts the header", "0001 0018 2112a442 000102030405060708090a0b 80220000",
       "bad_length"},
      {"length in the wrong byte order", "0001 0400 2112a442 000102030405060708090a0b 80220000",
       "bad_length"},
      {"length 65,535", "0001 ffff 2112a442 000102030405060708090a0b", "bad_length"},
      {"length 65,532 and nothing there", "0001 fffc 2112a442 000102030405060708090a0b",
       "bad_length"},
      {"length 65,516: with the header 65,536", "0001 ffec 2112a442 000102030405060708090a0b",
       "bad_length"},
      {"a byte after the end", "0001 0000 2112a442 000102030405060708090a0b 00", "bad_length"},
      {"a second message after the end",
       "0001 0000 2112a442 000102030405060708090a0b 0001 0000 2112a442 000102030405060708090a0b",
       "bad_length"},
      {"no cookie (RFC 3489)", "0001 0000 00000000 000102030405060708090a0b", "bad_cookie"},
      {"cookie reversed", "0001 0000 42a41221 000102030405060708090a0b", "bad_cookie"},
      {"first byte of the cookie wrong", "0001 0000 2012a442 000102030405060708090a0b",
       "bad_cookie"},
      {"last byte of the cookie wrong", "0001 0000 2112a443 000102030405060708090a0b",
       "bad_cookie"},
      {"all ones but the first two bits", "3fff ffff ffffffff ffffffffffffffffffffffff",
       "bad_length"},
      {"all zeros", "0000 0000 00000000 000000000000000000000000", "bad_cookie"},
  }));
  CAPTURE(name);
  CHECK(outcome_of_parsing(from_hex(hex)) == outcome);
}

TEST_CASE("every wrong bit of the cookie is noticed", "[stun][rfc8489-5][S02]") {
  for (unsigned bit = 0; bit < 32; ++bit) {
    Bytes message = message_with({});
    store_be32(MutableByteView{message}.subspan(4), magic_cookie ^ (1U << bit));
    CAPTURE(bit);
    CHECK(outcome_of_parsing(message) == "bad_cookie");
  }
}

TEST_CASE("no length but the right one is accepted", "[stun][rfc8489-5][F01]") {
  Bytes message = message_with(attribute(AttributeType::software, bytes_of("turnpike")));
  const std::size_t right = message.size() - header_bytes;
  for (std::size_t length = 0; length <= 0xffff; ++length) {
    store_be16(MutableByteView{message}.subspan(2), static_cast<std::uint16_t>(length));
    if (MessageView::parse(message).has_value() != (length == right))
      FAIL_CHECK("length " << length);
  }
}

TEST_CASE("class and method are spread over the type as the RFC draws them", "[stun][rfc8489-5]") {
  auto [type, message_class, method] = GENERATE(table<unsigned, Class, unsigned>({
      {0x0001, Class::request, 0x001},
      {0x0011, Class::indication, 0x001},
      {0x0101, Class::success, 0x001},
      {0x0111, Class::error, 0x001},
      {0x0003, Class::request, 0x003},
      {0x0103, Class::success, 0x003},
      {0x0016, Class::indication, 0x006},
      {0x0017, Class::indication, 0x007},
      {0x0108, Class::success, 0x008},
      {0x0119, Class::error, 0x009},
      {0x001c, Class::indication, 0x00c},
      {0x3eef, Class::request, 0xfff},
      {0x3fff, Class::error, 0xfff},
      {0x0020, Class::request, 0x010},
      {0x0200, Class::request, 0x080},
      {0x2000, Class::request, 0x800},
  }));
  CAPTURE(type);
  Bytes bytes = message_with({});
  store_be16(bytes, static_cast<std::uint16_t>(type));
  const MessageView message = parsed(bytes);
  CHECK(message.message_class() == message_class);
  CHECK(static_cast<unsigned>(message.method()) == method);
}

TEST_CASE("each of the 16,384 message types is one class and one method", "[stun][rfc8489-5]") {
  std::set<std::pair<Class, Method>> seen;
  Bytes bytes = message_with({});
  for (unsigned type = 0; type < 0x4000; ++type) {
    store_be16(bytes, static_cast<std::uint16_t>(type));
    const MessageView message = parsed(bytes);
    seen.emplace(message.message_class(), message.method());
    if (static_cast<unsigned>(message.method()) > 0xfff) FAIL_CHECK("type " << type);
  }
  CHECK(seen.size() == 0x4000);
}

TEST_CASE("all of the transaction id is kept", "[stun][rfc8489-5]") {
  const Bytes bytes = from_hex("0101 0000 2112a442 fffefdfcfbfaf9f8f7f6f5f4");
  CHECK(to_hex(parsed(bytes).transaction_id()) == "fffefdfcfbfaf9f8f7f6f5f4");
}

// --- Attributes ----------------------------------------------------------------------------------

TEST_CASE("attributes that do not fit are refused", "[stun][rfc8489-14][S03]") {
  auto [name, hex, outcome] = GENERATE(table<std::string, std::string, std::string>({
      {"no attribute", "", "ok"},
      {"an empty one", "80220000", "ok"},
      {"one byte and padding", "80220001 61000000", "ok"},
      {"four bytes", "80220004 61626364", "ok"},
      {"one byte, none there", "80220001", "attribute_overrun"},
      {"four bytes, none there", "80220004", "attribute_overrun"},
      {"five bytes, four there", "80220005 61626364", "attribute_overrun"},
      {"eight bytes, four there", "80220008 61626364", "attribute_overrun"},
      {"65,532 bytes", "8022fffc 61626364", "attribute_overrun"},
      {"65,533 bytes, padded 65,536", "8022fffd 61626364", "attribute_overrun"},
      {"65,535 bytes", "8022ffff 61626364", "attribute_overrun"},
      {"32,768 bytes", "80228000 61626364", "attribute_overrun"},
      {"the second too long", "80220000 80220001", "attribute_overrun"},
      {"the second 65,535 bytes", "80220004 61626364 0006ffff", "attribute_overrun"},
      {"one after MESSAGE-INTEGRITY too long", "00080000 00060001", "attribute_overrun"},
      {"MESSAGE-INTEGRITY cut short", "00080014 0000000000000000000000000000000000", "bad_length"},
      {"MESSAGE-INTEGRITY four short", "00080014 00000000000000000000000000000000",
       "attribute_overrun"},
  }));
  CAPTURE(name);
  CHECK(outcome_of_parsing(message_with(from_hex(hex))) == outcome);
}

TEST_CASE("an attribute header of one to three bytes is refused", "[stun][rfc8489-14][S03]") {
  const std::size_t size = GENERATE(1U, 2U, 3U);
  // The length in the header cannot say so without breaking the rule of four.
  Bytes bytes = message_with(attribute(AttributeType::software, {}) + Bytes(size, 0));
  CHECK(outcome_of_parsing(bytes) == "bad_length");
  store_be16(MutableByteView{bytes}.subspan(2), 4);
  CHECK(outcome_of_parsing(bytes) == "bad_length");
  store_be16(MutableByteView{bytes}.subspan(2), 8);
  CHECK(outcome_of_parsing(bytes) == "bad_length");
}

TEST_CASE("every attribute length but those that fit is refused", "[stun][rfc8489-14][S03]") {
  // One attribute with room for 12 bytes. 0, 1…4, 5…8 leave zeros behind that read as attributes of
  // type 0 and length 0.
  Bytes message = message_with(Bytes(16, 0));
  for (std::size_t length = 0; length <= 0xffff; ++length) {
    store_be16(MutableByteView{message}.subspan(22), static_cast<std::uint16_t>(length));
    if (MessageView::parse(message).has_value() != (length <= 12)) FAIL_CHECK("length " << length);
  }
}

TEST_CASE("a valid message cut at any length is refused", "[stun][rfc8489-5]") {
  const Bytes message = full_message();
  REQUIRE(outcome_of_parsing(message) == "ok");
  for (std::size_t size = 0; size < message.size(); ++size) {
    CAPTURE(size);
    CHECK(outcome_of_parsing(ByteView{message}.first(size)) ==
          (size < header_bytes ? "too_short" : "bad_length"));
  }
}

TEST_CASE("a message cut and its length corrected is read only when cut between attributes",
          "[stun][S03]") {
  const Bytes message = full_message();
  std::set<std::size_t> boundaries{header_bytes};
  for (std::size_t at = header_bytes; at < message.size();) {
    at += 4 + padded_to_4(load_be16(ByteView{message}.subspan(at + 2)));
    boundaries.insert(at);
  }
  for (std::size_t size = header_bytes; size <= message.size(); size += 4) {
    Bytes cut = copy_of(ByteView{message}.first(size));
    store_be16(MutableByteView{cut}.subspan(2), static_cast<std::uint16_t>(size - header_bytes));
    CAPTURE(size);
    CHECK(outcome_of_parsing(cut) == (boundaries.contains(size) ? "ok" : "attribute_overrun"));
  }
}

TEST_CASE("attributes are walked in order with their exact values", "[stun][rfc8489-14]") {
  const Bytes bytes =
      message_with(from_hex("0006 0005 616c696365 ffffff"  // padding of ones
                            "001a 0000"
                            "8022 0001 7a 000000"
                            "7fff 0004 01020304"));
  CHECK(visible(parsed(bytes)) ==
        std::vector<std::string>{"0006:616c696365", "001a:", "8022:7a", "7fff:01020304"});
}

TEST_CASE("the value of padding does not matter on receipt", "[stun][rfc8489-14]") {
  for (std::size_t size = 0; size <= 16; ++size) {
    const Bytes value = SeededRandom{size}.bytes(size);
    const Bytes zeros = message_with(attribute(AttributeType::software, value, 0x00) +
                                     attribute(AttributeType::lifetime, Bytes(4, 1)));
    const Bytes ones = message_with(attribute(AttributeType::software, value, 0xff) +
                                    attribute(AttributeType::lifetime, Bytes(4, 1)));
    CAPTURE(size);
    CHECK(visible(parsed(zeros)) == visible(parsed(ones)));
    CHECK(to_hex(parsed(ones).find(AttributeType::software).value()) == to_hex(value));
  }
}

TEST_CASE("values point into the message that was parsed", "[stun]") {
  const Bytes bytes = message_with(attribute(AttributeType::software, bytes_of("abc")));
  const MessageView message = parsed(bytes);
  CHECK(message.find(AttributeType::software).value().data() == bytes.data() + 24);
  CHECK(message.bytes().data() == bytes.data());
}

TEST_CASE("of each type the first attribute counts", "[stun][rfc8489-14][S11]") {
  for (unsigned number = 0; number <= 0xffff; ++number) {
    const auto type = static_cast<AttributeType>(number);
    if (type == AttributeType::fingerprint) continue;  // twice is an error, see below
    const Bytes bytes =
        message_with(attribute(AttributeType::dont_fragment, {}) + attribute(type, from_hex("01")) +
                     attribute(type, from_hex("02020202")) + attribute(type, {}));
    const MessageView message = parsed(bytes);
    std::optional<ByteView> found = message.find(type);
    if (type == AttributeType::message_integrity) found = message.message_integrity();
    if (type == AttributeType::message_integrity_sha256) found = message.message_integrity_sha256();
    const std::string expected = type == AttributeType::dont_fragment ? "" : "01";
    if (!found || to_hex(*found) != expected) FAIL_CHECK("attribute " << number);
  }
}

TEST_CASE("repeated attributes are all walked, for CreatePermission has several peers",
          "[stun][rfc8656-10]") {
  const Bytes bytes = message_with(attribute(AttributeType::xor_peer_address, from_hex("01")) +
                                   attribute(AttributeType::lifetime, {}) +
                                   attribute(AttributeType::xor_peer_address, from_hex("02")));
  CHECK(visible(parsed(bytes)) == std::vector<std::string>{"0012:01", "000d:", "0012:02"});
}

TEST_CASE("an attribute of type zero is an attribute like others", "[stun]") {
  const Bytes bytes = message_with(from_hex("00000000 00000001 ff000000"));
  CHECK(visible(parsed(bytes)) == std::vector<std::string>{"0000:", "0000:ff"});
}

TEST_CASE("a thousand empty attributes are walked, ten thousand are no message", "[stun][S04]") {
  Bytes attributes;
  for (std::size_t i = 0; i < max_attributes; ++i)
    attributes = std::move(attributes) + attribute(AttributeType::software, {});
  const Bytes most = message_with(attributes);
  const MessageView message = parsed(most);
  CHECK(visible(message).size() == max_attributes);
  CHECK_FALSE(message.find(AttributeType::username));

  const Bytes one_more = message_with(attributes + attribute(AttributeType::software, {}));
  CHECK(outcome_of_parsing(one_more) == "too_many_attributes");
  CHECK(outcome_of_parsing(message_with(Bytes(40'000, 0))) == "too_many_attributes");
}

TEST_CASE("the longest possible message is parsed", "[stun][S07]") {
  const Bytes bytes = message_with(attribute(AttributeType::data, Bytes(65'528, 0x5a)));
  CHECK(bytes.size() == 65'552);
  CHECK(parsed(bytes).find(AttributeType::data).value().size() == 65'528);
  // One attribute more than the length can count.
  CHECK(outcome_of_parsing(bytes + Bytes(4, 0)) == "bad_length");
}

TEST_CASE("an attribute of 65,533 to 65,535 bytes fits in no message", "[stun][S03]") {
  const std::uint16_t length = GENERATE(as<std::uint16_t>{}, 65533, 65534, 65535);
  Bytes bytes = message_with(attribute(AttributeType::data, Bytes(65'528, 0x5a)));
  store_be16(MutableByteView{bytes}.subspan(22), length);
  CHECK(outcome_of_parsing(bytes) == "attribute_overrun");
}

TEST_CASE("a message is read the same at every offset of a buffer", "[stun][S17]") {
  const std::size_t offset = GENERATE(range(std::size_t{0}, std::size_t{8}));
  const std::string_view hex = GENERATE(
      values<std::string_view>({rfc5769_2_1_request, rfc5769_2_2_ipv4_response,
                                rfc5769_2_3_ipv6_response, rfc5769_2_4_long_term_request}));
  const Bytes original = from_hex(hex);
  Bytes shifted(offset, 0xee);
  shifted.insert(shifted.end(), original.begin(), original.end());
  CAPTURE(offset);

  const auto there = MessageView::parse(ByteView{shifted}.subspan(offset));
  REQUIRE(there);
  const MessageView here = parsed(original);
  CHECK(visible(*there) == visible(here));
  CHECK(there->message_class() == here.message_class());
  CHECK(there->method() == here.method());
  CHECK(there->transaction_id() == here.transaction_id());
  CHECK(there->has_fingerprint() == here.has_fingerprint());
  CHECK(to_hex(there->message_integrity().value()) == to_hex(here.message_integrity().value()));
  CHECK(there->protected_by_integrity().header == here.protected_by_integrity().header);
}

// --- What follows integrity ----------------------------------------------------------------------

TEST_CASE("what follows MESSAGE-INTEGRITY is not visible, whatever it is",
          "[stun][rfc8489-14.5][S12]") {
  Draft draft;
  draft->put_text(AttributeType::software, "before")
      .put_message_integrity(HmacSha1Key{bytes_of("key")});
  const Bytes before = draft.bytes();
  std::vector<AttributeType> types = known_attribute_types();
  for (const unsigned unknown : {0x0000U, 0x0002U, 0x7fffU, 0x8005U, 0xffffU}) {
    types.push_back(static_cast<AttributeType>(unknown));
  }
  for (const AttributeType type : types) {
    if (type == AttributeType::fingerprint) continue;  // has a meaning there
    const Bytes after = appended(before, attribute(type, from_hex("0a0b0c0d")));
    CAPTURE(name_of(type));
    const MessageView message = parsed(after);
    CHECK(visible(message) == visible(parsed(before)));
    CHECK(message.has(type) == (type == AttributeType::software));
    CHECK(to_hex(message.message_integrity().value()) ==
          to_hex(parsed(before).message_integrity().value()));
    CHECK(message.message_integrity_sha256().has_value() ==
          (type == AttributeType::message_integrity_sha256));
    CHECK_FALSE(message.has_fingerprint());
  }
}

TEST_CASE("what follows MESSAGE-INTEGRITY-SHA256 is not visible, whatever it is",
          "[stun][rfc8489-14.6][S12]") {
  Draft draft;
  draft->put_text(AttributeType::software, "before")
      .put_message_integrity_sha256(HmacSha256Key{bytes_of("key")});
  const Bytes before = draft.bytes();
  for (const AttributeType type : known_attribute_types()) {
    if (type == AttributeType::fingerprint) continue;
    const Bytes after = appended(before, attribute(type, from_hex("0a0b0c0d")));
    CAPTURE(name_of(type));
    const MessageView message = parsed(after);
    CHECK(visible(message) == visible(parsed(before)));
    CHECK(message.has(type) == (type == AttributeType::software));
    CHECK(message.message_integrity_sha256().value().size() == 32);
    CHECK_FALSE(message.message_integrity());  // MESSAGE-INTEGRITY must stand before -SHA256
    CHECK_FALSE(message.has_fingerprint());
  }
}

TEST_CASE("integrity attributes count in their order only", "[stun][rfc8489-9][rfc8489-14.5]") {
  // 'u' USERNAME, 'm' MESSAGE-INTEGRITY, 's' -SHA256. Each instance has its position as its value.
  auto [layout, mi, sha256, users] = GENERATE(table<std::string, int, int, std::size_t>({
      {"u", -1, -1, 1},
      {"um", 1, -1, 1},
      {"us", -1, 1, 1},
      {"ums", 1, 2, 1},
      {"usm", -1, 1, 1},
      {"umms", 1, 3, 1},
      {"umm", 1, -1, 1},
      {"uss", -1, 1, 1},
      {"umus", 1, 3, 1},
      {"usum", -1, 1, 1},
      {"m", 0, -1, 0},
      {"s", -1, 0, 0},
      {"ms", 0, 1, 0},
      {"sm", -1, 0, 0},
      {"mu", 0, -1, 0},
      {"su", -1, 0, 0},
      {"uumusmsu", 2, 4, 2},
  }));
  CAPTURE(layout);
  Bytes attributes;
  for (std::size_t i = 0; i < layout.size(); ++i) {
    const AttributeType type = layout[i] == 'u'   ? AttributeType::username
                               : layout[i] == 'm' ? AttributeType::message_integrity
                                                  : AttributeType::message_integrity_sha256;
    attributes = std::move(attributes) + attribute(type, Bytes(1, static_cast<std::uint8_t>(i)));
  }
  const Bytes bytes = message_with(attributes);
  const MessageView message = parsed(bytes);
  const auto position = [](std::optional<ByteView> value) {
    return value ? static_cast<int>((*value)[0]) : -1;
  };
  CHECK(position(message.message_integrity()) == mi);
  CHECK(position(message.message_integrity_sha256()) == sha256);
  CHECK(visible(message).size() == users);
}

TEST_CASE("integrity attributes and FINGERPRINT are not among the visible ones", "[stun]") {
  const Bytes bytes = full_message();
  const MessageView message = parsed(bytes);
  CHECK(visible(message) == std::vector<std::string>{"0006:616c696365", "000d:00000258", "001a:"});
  CHECK_FALSE(message.has(AttributeType::message_integrity));
  CHECK_FALSE(message.has(AttributeType::message_integrity_sha256));
  CHECK_FALSE(message.has(AttributeType::fingerprint));
  CHECK(message.message_integrity().value().size() == 20);
  CHECK(message.message_integrity_sha256().value().size() == 32);
  CHECK(message.has_fingerprint());
}

TEST_CASE("integrity covers the header with the length up to its own end", "[stun][rfc8489-14.5]") {
  const Bytes bytes = full_message();
  const MessageView message = parsed(bytes);
  // USERNAME 4+8, LIFETIME 4+4, DONT-FRAGMENT 4: 24; MESSAGE-INTEGRITY 24; -SHA256 36;
  // FINGERPRINT 8.
  const auto sha1 = message.protected_by_integrity();
  CHECK(to_hex(sha1.header) == "000100302112a442000102030405060708090a0b");
  CHECK(to_hex(sha1.attributes) == to_hex(ByteView{bytes}.subspan(20, 24)));
  const auto sha256 = message.protected_by_integrity_sha256();
  CHECK(to_hex(sha256.header) == "000100542112a442000102030405060708090a0b");
  CHECK(to_hex(sha256.attributes) == to_hex(ByteView{bytes}.subspan(20, 48)));
}

TEST_CASE("asking what absent integrity covers is a bug", "[stun]") {
  const Bytes bytes = message_with({});
  const MessageView message = parsed(bytes);
  CHECK(test::aborts([&] { (void)message.protected_by_integrity(); }));
  CHECK(test::aborts([&] { (void)message.protected_by_integrity_sha256(); }));
}

// --- FINGERPRINT ---------------------------------------------------------------------------------

TEST_CASE("FINGERPRINT must be right", "[stun][rfc8489-7][rfc8489-14.7][S09]") {
  const Bytes right = fingerprinted(attribute(AttributeType::software, bytes_of("turnpike")));
  CHECK(outcome_of_parsing(right) == "ok");
  CHECK(parsed(right).has_fingerprint());
  Bytes wrong = right;
  wrong.back() = static_cast<std::uint8_t>(wrong.back() ^ 1);
  CHECK(outcome_of_parsing(wrong) == "bad_fingerprint");
  // Without the XOR it is a plain CRC-32, as another protocol might carry.
  Bytes plain = right;
  store_be32(MutableByteView{plain}.last(4), load_be32(ByteView{plain}.last(4)) ^ fingerprint_xor);
  CHECK(outcome_of_parsing(plain) == "bad_fingerprint");
}

TEST_CASE("FINGERPRINT alone is enough and alone is seen", "[stun][rfc8489-14.7]") {
  const Bytes bytes = fingerprinted({});
  CHECK(parsed(bytes).has_fingerprint());
  CHECK(visible(parsed(bytes)).empty());
}

TEST_CASE("FINGERPRINT notices every single wrong bit", "[stun][rfc8489-7][S09]") {
  const Bytes right = full_message();
  const std::size_t type_at = right.size() - 8;
  // One bit of the length of the attribute before it makes it part of that attribute's value.
  const std::size_t length_before_at = type_at - 36 + 3;
  for (std::size_t bit = 0; bit < right.size() * 8; ++bit) {
    Bytes wrong = right;
    wrong[bit / 8] = static_cast<std::uint8_t>(wrong[bit / 8] ^ (1U << (bit % 8)));
    const bool hidden =
        bit / 8 == type_at || bit / 8 == type_at + 1 || bit == length_before_at * 8 + 3;
    const auto message = MessageView::parse(wrong);
    if (message.has_value() != hidden) FAIL_CHECK("bit " << bit);
    if (message && message->has_fingerprint()) FAIL_CHECK("bit " << bit);
  }
}

TEST_CASE("FINGERPRINT must be the last attribute", "[stun][rfc8489-14.7][S09]") {
  const Bytes right = fingerprinted(attribute(AttributeType::software, bytes_of("turnpike")));
  for (const AttributeType type : known_attribute_types()) {
    CAPTURE(name_of(type));
    CHECK(outcome_of_parsing(appended(right, attribute(type, {}))) == "misplaced_fingerprint");
    CHECK(outcome_of_parsing(appended(right, attribute(type, Bytes(20, 0)))) ==
          "misplaced_fingerprint");
  }
  // Also when the whole ends with a second, right one.
  const Bytes attributes = copy_of(ByteView{right}.subspan(header_bytes));
  CHECK(outcome_of_parsing(fingerprinted(attributes)) == "misplaced_fingerprint");
}

TEST_CASE("FINGERPRINT after integrity is checked as well", "[stun][rfc8489-14.7]") {
  Draft draft;
  draft->put_message_integrity(HmacSha1Key{bytes_of("key")}).put_fingerprint();
  Bytes bytes = draft.bytes();
  CHECK(parsed(bytes).has_fingerprint());
  bytes[bytes.size() - 1] = static_cast<std::uint8_t>(bytes.back() ^ 0x80);
  CHECK(outcome_of_parsing(bytes) == "bad_fingerprint");
}

TEST_CASE("FINGERPRINT has four bytes", "[stun][rfc8489-14.7]") {
  const std::size_t size = GENERATE(range(std::size_t{0}, std::size_t{17}));
  CAPTURE(size);
  CHECK(outcome_of_parsing(message_with(attribute(AttributeType::fingerprint, Bytes(size, 0)))) ==
        "bad_fingerprint");
  // The right CRC followed by more, or cut within a word, is no better.
  Bytes right = fingerprinted({});
  if (size == 4) return;
  store_be16(MutableByteView{right}.subspan(22), static_cast<std::uint16_t>(size));
  CHECK(outcome_of_parsing(right) != "ok");
}

// --- Anything ------------------------------------------------------------------------------------

TEST_CASE("random attributes come out as they went in", "[stun]") {
  const std::uint64_t seed = test::seed_or(1);
  CAPTURE(seed);
  SeededRandom random{seed};
  for (int round = 0; round < 500; ++round) {
    Bytes attributes;
    std::vector<std::string> expected;
    const std::uint64_t count = random.below(12);
    for (std::uint64_t i = 0; i < count; ++i) {
      // Types of the range that nobody uses: none of them means anything to the parser.
      const auto type = static_cast<AttributeType>(0xc000 + random.below(0x3fff));
      const Bytes value = random.bytes(random.below(40));
      attributes =
          std::move(attributes) + attribute(type, value, static_cast<std::uint8_t>(random.next()));
      std::array<std::uint8_t, 2> number{};
      store_be16(number, static_cast<std::uint16_t>(type));
      expected.push_back(to_hex(number) + ":" + to_hex(value));
    }
    const Bytes bytes = message_with(attributes);
    REQUIRE(visible(parsed(bytes)) == expected);
  }
}

TEST_CASE("random bytes never lead outside of their buffer", "[stun][S01]") {
  const std::uint64_t seed = test::seed_or(2);
  CAPTURE(seed);
  SeededRandom random{seed};
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    Bytes attributes = random.bytes(4 * random.below(20));
    for (std::size_t i = 2; i < attributes.size(); i += 4) {
      // Small lengths, or nothing would be accepted.
      if (random.below(3) != 0)
        store_be16(MutableByteView{attributes}.subspan(i),
                   static_cast<std::uint16_t>(random.below(12)));
    }
    const Bytes bytes = message_with(attributes);  // exactly sized: ASan watches the end
    const auto message = MessageView::parse(bytes);
    if (!message) continue;
    ++accepted;
    std::size_t total = 0;
    for (const AttributeView each : message->attributes()) {
      total += 4 + padded_to_4(each.value.size());
      if (each.value.data() + each.value.size() > bytes.data() + bytes.size())
        FAIL("beyond the end");
    }
    if (total > attributes.size()) FAIL("more attributes than bytes");
  }
  CHECK(accepted > 1000);
}

}  // namespace turnpike::stun
