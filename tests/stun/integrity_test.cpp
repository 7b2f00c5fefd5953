#include "stun/integrity.h"

#include <string>

#include "base/seeded_random.h"
#include "catch.h"
#include "stun/builder.h"
#include "stun/samples.h"

namespace turnpike::stun {

namespace {

/// "user:realm:password", the input of both long-term keys (RFC 8489 §9.2.2).
std::string matrix_credentials() {
  return std::string{matrix_user} + ":" + std::string{matrix_realm} + ":" +
         std::string{matrix_password};
}

const HmacSha1Key& sha1_key() {
  static const HmacSha1Key key{bytes_of("key")};
  return key;
}

const HmacSha256Key& sha256_key() {
  static const HmacSha256Key key{bytes_of("key")};
  return key;
}

/// A message with one attribute and a MESSAGE-INTEGRITY of `size` bytes that is right as far as it
/// goes, zeros after that.
Bytes message_with_sha1_of(std::size_t size) {
  const Bytes plain = message_with(attribute(AttributeType::software, bytes_of("abc")));
  Bytes signed_length =
      appended(plain, attribute(AttributeType::message_integrity, Bytes(size, 0)));
  const Sha1Digest mac = sha1_key().mac({ByteView{signed_length}.first(plain.size())});
  for (std::size_t i = 0; i < std::min(size, mac.size()); ++i)
    signed_length[plain.size() + 4 + i] = mac[i];
  return signed_length;
}

Bytes message_with_sha256_of(std::size_t size) {
  const Bytes plain = message_with(attribute(AttributeType::software, bytes_of("abc")));
  Bytes signed_length =
      appended(plain, attribute(AttributeType::message_integrity_sha256, Bytes(size, 0)));
  const Sha256Digest mac = sha256_key().mac({ByteView{signed_length}.first(plain.size())});
  for (std::size_t i = 0; i < std::min(size, mac.size()); ++i)
    signed_length[plain.size() + 4 + i] = mac[i];
  return signed_length;
}

}  // namespace

// --- Published messages --------------------------------------------------------------------------

TEST_CASE("the short-term messages of RFC 5769 verify with their password",
          "[stun][rfc5769-2.1][rfc5769-2.2][rfc5769-2.3]") {
  const std::string_view hex = GENERATE(values<std::string_view>(
      {rfc5769_2_1_request, rfc5769_2_2_ipv4_response, rfc5769_2_3_ipv6_response}));
  const Bytes bytes = from_hex(hex);
  CHECK(verify_message_integrity(parsed(bytes), HmacSha1Key{bytes_of(rfc5769_password)}));
  CHECK_FALSE(
      verify_message_integrity(parsed(bytes), HmacSha1Key{bytes_of("VOkJxbRl1RmTxUk/WvJxBT")}));
  CHECK_FALSE(verify_message_integrity(parsed(bytes), HmacSha1Key{ByteView{}}));
}

TEST_CASE("the long-term message of RFC 5769 verifies with the MD5 key",
          "[stun][rfc5769-2.4][rfc8489-9.2.2]") {
  const Bytes bytes = from_hex(rfc5769_2_4_long_term_request);
  const Md5Digest key = md5(bytes_of(matrix_credentials()));
  CHECK(verify_message_integrity(parsed(bytes), HmacSha1Key{key}));
  CHECK(verify_message_integrity(parsed(bytes), IntegrityKey{key}.sha1));
  CHECK_FALSE(verify_message_integrity(parsed(bytes), HmacSha1Key{bytes_of(matrix_password)}));
}

TEST_CASE("the USERHASH message of RFC 8489 verifies with two allowances", "[stun][rfc8489-B.1]") {
  // 1. The key is the SHA-256 one although there is no PASSWORD-ALGORITHM, which by §9.2.4 means
  // MD5.
  // 2. The MAC was made with the wrong length 0x009c in the header. So the printed message must be
  //    refused, and is no test of a server.
  const Bytes printed = from_hex(rfc8489_b_1_request);
  const HmacSha256Key key{sha256(bytes_of(matrix_credentials()))};
  const ByteView covered = ByteView{printed}.first(printed.size() - 36);
  CHECK(to_hex(key.mac({covered})) == to_hex(ByteView{printed}.last(32)));

  Bytes corrected = printed;
  store_be16(MutableByteView{corrected}.subspan(2), 136);
  CHECK(parsed(corrected).message_integrity_sha256());
  CHECK_FALSE(verify_message_integrity_sha256(parsed(corrected), key));
}

// --- MESSAGE-INTEGRITY ---------------------------------------------------------------------------

TEST_CASE("a message without integrity does not verify", "[stun][rfc8489-14.5]") {
  const Bytes bytes = message_with(attribute(AttributeType::software, bytes_of("abc")));
  CHECK_FALSE(verify_message_integrity(parsed(bytes), sha1_key()));
  CHECK_FALSE(verify_message_integrity_sha256(parsed(bytes), sha256_key()));
}

TEST_CASE("one integrity attribute does not stand in for the other", "[stun]") {
  Draft only_sha1;
  only_sha1->put_message_integrity(sha1_key());
  const Bytes first = only_sha1.bytes();
  CHECK(verify_message_integrity(parsed(first), sha1_key()));
  CHECK_FALSE(verify_message_integrity_sha256(parsed(first), sha256_key()));

  Draft only_sha256;
  only_sha256->put_message_integrity_sha256(sha256_key());
  const Bytes second = only_sha256.bytes();
  CHECK(verify_message_integrity_sha256(parsed(second), sha256_key()));
  CHECK_FALSE(verify_message_integrity(parsed(second), sha1_key()));
}

TEST_CASE("both integrity attributes together verify, each over what precedes it",
          "[stun][rfc8489-14.6]") {
  Draft draft;
  draft->put_text(AttributeType::username, "alice")
      .put_message_integrity(sha1_key())
      .put_message_integrity_sha256(sha256_key())
      .put_fingerprint();
  Bytes bytes = draft.bytes();
  CHECK(verify_message_integrity(parsed(bytes), sha1_key()));
  CHECK(verify_message_integrity_sha256(parsed(bytes), sha256_key()));
  // -SHA256 covers MESSAGE-INTEGRITY; without FINGERPRINT, which would notice first.
  bytes.resize(bytes.size() - 8);
  store_be16(MutableByteView{bytes}.subspan(2),
             static_cast<std::uint16_t>(bytes.size() - header_bytes));
  CHECK(verify_message_integrity_sha256(parsed(bytes), sha256_key()));
  bytes[20 + 12 + 4] = static_cast<std::uint8_t>(bytes[20 + 12 + 4] ^ 1);
  CHECK_FALSE(verify_message_integrity(parsed(bytes), sha1_key()));
  CHECK_FALSE(verify_message_integrity_sha256(parsed(bytes), sha256_key()));
}

TEST_CASE("every single wrong bit breaks integrity", "[stun][rfc8489-14.5]") {
  Draft draft;
  draft->put_text(AttributeType::username, "alice").put_message_integrity(sha1_key());
  const Bytes sha1_message = draft.bytes();
  Draft other;
  other->put_text(AttributeType::username, "alice").put_message_integrity_sha256(sha256_key());
  const Bytes sha256_message = other.bytes();
  for (std::size_t bit = 0; bit < sha256_message.size() * 8; ++bit) {
    const auto flipped = [bit](Bytes bytes) {
      bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
      return bytes;
    };
    const Bytes b = flipped(sha256_message);
    const auto second = MessageView::parse(b);
    if (second && verify_message_integrity_sha256(*second, sha256_key()))
      FAIL_CHECK("sha256 bit " << bit);
    if (bit >= sha1_message.size() * 8) continue;
    const Bytes a = flipped(sha1_message);
    const auto first = MessageView::parse(a);
    if (first && verify_message_integrity(*first, sha1_key())) FAIL_CHECK("sha1 bit " << bit);
  }
}

TEST_CASE("padding before integrity is covered although it is ignored", "[stun][rfc8489-14.5]") {
  Draft draft;
  draft->put_text(AttributeType::username, "alice").put_message_integrity(sha1_key());
  Bytes bytes = draft.bytes();
  bytes[20 + 4 + 5] = 0x20;
  CHECK(text_of(parsed(bytes).find(AttributeType::username).value()) == "alice");
  CHECK_FALSE(verify_message_integrity(parsed(bytes), sha1_key()));
}

TEST_CASE("a MESSAGE-INTEGRITY of another length than 20 is refused", "[stun][rfc8489-14.5][S13]") {
  for (std::size_t size = 0; size <= 64; ++size) {
    const Bytes bytes = message_with_sha1_of(size);
    CAPTURE(size);
    CHECK(parsed(bytes).message_integrity().value().size() == size);
    CHECK(verify_message_integrity(parsed(bytes), sha1_key()) == (size == 20));
  }
}

TEST_CASE("a MESSAGE-INTEGRITY-SHA256 of another length than 32 is refused",
          "[stun][rfc8489-14.6][S13]") {
  // 16, 20, 24 and 28 would do where a usage allows truncation; TURN does not.
  for (std::size_t size = 0; size <= 64; ++size) {
    const Bytes bytes = message_with_sha256_of(size);
    CAPTURE(size);
    CHECK(parsed(bytes).message_integrity_sha256().value().size() == size);
    CHECK(verify_message_integrity_sha256(parsed(bytes), sha256_key()) == (size == 32));
  }
}

TEST_CASE("attributes appended after integrity change nothing", "[stun][rfc8489-14.5][S12]") {
  Draft draft;
  draft->put_text(AttributeType::username, "alice").put_message_integrity(sha1_key());
  const Bytes sha1_message = draft.bytes();
  Draft other;
  other->put_text(AttributeType::username, "alice").put_message_integrity_sha256(sha256_key());
  const Bytes sha256_message = other.bytes();
  for (const AttributeType type : known_attribute_types()) {
    if (type == AttributeType::fingerprint) continue;
    const Bytes extra = attribute(type, from_hex("00000001"));
    CAPTURE(name_of(type));
    const Bytes a = appended(sha1_message, extra);
    CHECK(verify_message_integrity(parsed(a), sha1_key()));
    CHECK(visible(parsed(a)) == visible(parsed(sha1_message)));
    const Bytes b = appended(sha256_message, extra);
    CHECK(verify_message_integrity_sha256(parsed(b), sha256_key()));
    CHECK(visible(parsed(b)) == visible(parsed(sha256_message)));
  }
}

TEST_CASE("a second integrity attribute does not repair the first", "[stun][rfc8489-14][S11]") {
  const Bytes wrong = message_with(attribute(AttributeType::message_integrity, Bytes(20, 0)));
  Bytes repaired = appended(wrong, attribute(AttributeType::message_integrity, Bytes(20, 0)));
  const Sha1Digest mac = sha1_key().mac({ByteView{repaired}.first(wrong.size())});
  copy_bytes(mac, MutableByteView{repaired}.last(20));
  CHECK_FALSE(verify_message_integrity(parsed(repaired), sha1_key()));
}

TEST_CASE("MESSAGE-INTEGRITY after -SHA256 does not count, even when it is right",
          "[stun][rfc8489-14.6]") {
  Draft draft;
  draft->put_message_integrity_sha256(sha256_key()).put_message_integrity(sha1_key());
  const Bytes bytes = draft.bytes();
  CHECK(verify_message_integrity_sha256(parsed(bytes), sha256_key()));
  CHECK_FALSE(verify_message_integrity(parsed(bytes), sha1_key()));
}

TEST_CASE("integrity is verified at every offset of a buffer", "[stun][S17]") {
  const std::size_t offset = GENERATE(range(std::size_t{0}, std::size_t{8}));
  CAPTURE(offset);
  Draft draft;
  draft->put_text(AttributeType::username, "alice")
      .put_message_integrity(sha1_key())
      .put_message_integrity_sha256(sha256_key());
  Bytes shifted(offset, 0xee);
  const Bytes bytes = draft.bytes();
  shifted.insert(shifted.end(), bytes.begin(), bytes.end());
  const auto message = MessageView::parse(ByteView{shifted}.subspan(offset));
  REQUIRE(message);
  CHECK(verify_message_integrity(*message, sha1_key()));
  CHECK(verify_message_integrity_sha256(*message, sha256_key()));
}

TEST_CASE("one long-term key serves both attributes", "[stun][rfc8489-14.6]") {
  const IntegrityKey key{md5(bytes_of(matrix_credentials()))};
  Draft draft;
  draft->put_message_integrity(key.sha1).put_message_integrity_sha256(key.sha256);
  const Bytes bytes = draft.bytes();
  CHECK(verify_message_integrity(parsed(bytes), key.sha1));
  CHECK(verify_message_integrity_sha256(parsed(bytes), key.sha256));
  const IntegrityKey other{md5(bytes_of("alice:example.org:wonderland"))};
  CHECK_FALSE(verify_message_integrity(parsed(bytes), other.sha1));
  CHECK_FALSE(verify_message_integrity_sha256(parsed(bytes), other.sha256));
}

}  // namespace turnpike::stun
