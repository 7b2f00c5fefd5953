#include "stun/attributes.h"

#include <string>

#include "base/seeded_random.h"
#include "catch.h"
#include "stun/samples.h"

namespace turnpike::stun {

namespace {

using test::SeededRandom;

Endpoint endpoint(std::string_view text) {
  const auto parsed_text = Endpoint::parse(text);
  REQUIRE(parsed_text);
  return *parsed_text;
}

/// Calls `decode` with zeros of every size from 0 to 40; the answer lists the sizes it accepts.
template <class Decode>
std::vector<std::size_t> sizes_accepted(Decode decode, std::uint8_t fill = 0) {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size <= 40; ++size) {
    const Bytes value(size, fill);
    if (decode(ByteView{value})) sizes.push_back(size);
  }
  return sizes;
}

using Sizes = std::vector<std::size_t>;

}  // namespace

TEST_CASE("channel numbers from 0x4000 to 0x4FFF are allowed", "[stun][rfc8656-12][F06]") {
  for (unsigned number = 0; number <= 0xffff; ++number) {
    const bool allowed = number >= 0x4000 && number <= 0x4fff;
    if (ChannelNumber{static_cast<std::uint16_t>(number)}.is_allowed() != allowed)
      FAIL_CHECK(number);
  }
}

// --- Addresses -----------------------------------------------------------------------------------

TEST_CASE("plain addresses are decoded", "[stun][rfc8489-14.1]") {
  CHECK(decode_address(from_hex("0001 0d96 c0000201")) == endpoint("192.0.2.1:3478"));
  CHECK(decode_address(from_hex("0002 0d96 20010db8000000000000000000000001")) ==
        endpoint("[2001:db8::1]:3478"));
  CHECK(decode_address(from_hex("0001 0000 00000000")) == endpoint("0.0.0.0:0"));
}

TEST_CASE("an address is XORed with cookie and transaction id", "[stun][rfc8489-14.2]") {
  CHECK(decode_xor_address(from_hex("0001 2112 2112a442"), sample_id) == endpoint("0.0.0.0:0"));
  CHECK(decode_xor_address(from_hex("0002 2112 2112a442000102030405060708090a0b"), sample_id) ==
        endpoint("[::]:0"));
  CHECK(decode_xor_address(from_hex("0001 deed deed5bbd"), sample_id) ==
        endpoint("255.255.255.255:65535"));
  // IPv4 does not depend on the transaction id, IPv6 does.
  TransactionId other = sample_id;
  other[11] = 0xff;
  const Bytes v4 = from_hex("0001 a147 e112a643");
  const Bytes v6 = from_hex("0002 a147 0113a9faa5d3f179bc25f4b5bed2b9d9");
  CHECK(decode_xor_address(v4, sample_id) == decode_xor_address(v4, other));
  CHECK(decode_xor_address(v6, sample_id) != decode_xor_address(v6, other));
}

TEST_CASE("the first byte of an address is reserved and ignored", "[stun][rfc8489-14.1]") {
  for (unsigned reserved = 0; reserved <= 0xff; ++reserved) {
    Bytes value = from_hex("0001 0d96 c0000201");
    value[0] = static_cast<std::uint8_t>(reserved);
    CAPTURE(reserved);
    CHECK(decode_address(value) == endpoint("192.0.2.1:3478"));
    CHECK(decode_xor_address(value, sample_id).has_value());
  }
}

TEST_CASE("families other than IPv4 and IPv6 are no addresses", "[stun][rfc8489-14.1][S05]") {
  for (unsigned family = 0; family <= 0xff; ++family) {
    for (const std::size_t size : Sizes{4, 8, 20}) {
      Bytes value(size, 0);
      value[1] = static_cast<std::uint8_t>(family);
      const bool right = (family == 1 && size == 8) || (family == 2 && size == 20);
      CAPTURE(family, size);
      CHECK(decode_address(value).has_value() == right);
      CHECK(decode_xor_address(value, sample_id).has_value() == right);
    }
  }
}

TEST_CASE("an address has exactly the size of its family", "[stun][rfc8489-14.1][S05]") {
  auto [family, right] =
      GENERATE(table<std::uint8_t, std::size_t>({{std::uint8_t{1}, 8}, {std::uint8_t{2}, 20}}));
  for (std::size_t size = 0; size <= 40; ++size) {
    Bytes value(size, 0);
    if (size > 1) value[1] = family;
    CAPTURE(family, size);
    CHECK(decode_address(value).has_value() == (size == right));
    CHECK(decode_xor_address(value, sample_id).has_value() == (size == right));
  }
}

TEST_CASE("every address survives being XORed and back", "[stun][rfc8489-14.2]") {
  const std::uint64_t seed = test::seed_or(3);
  CAPTURE(seed);
  SeededRandom random{seed};
  for (int round = 0; round < 2000; ++round) {
    const Family family = random.below(2) == 0 ? Family::ipv4 : Family::ipv6;
    const Endpoint original{IpAddress::from_bytes(family, random.bytes(address_bytes(family))),
                            static_cast<std::uint16_t>(random.next())};
    TransactionId id{};
    random.fill(id);
    CAPTURE(original.to_string());

    Draft draft{Class::success, Method::binding, id};
    draft->put_xor_address(AttributeType::xor_mapped_address, original)
        .put_address(AttributeType::mapped_address, original);
    const Bytes bytes = draft.bytes();
    const MessageView message = parsed(bytes);
    REQUIRE(decode_xor_address(message.find(AttributeType::xor_mapped_address).value(), id) ==
            original);
    REQUIRE(decode_address(message.find(AttributeType::mapped_address).value()) == original);
  }
}

// --- Numbers -------------------------------------------------------------------------------------

TEST_CASE("LIFETIME is four bytes of seconds", "[stun][rfc8656-18.2]") {
  CHECK(decode_lifetime(from_hex("00000258")) == seconds{600});
  CHECK(decode_lifetime(from_hex("00000000")) == seconds{0});
  CHECK(decode_lifetime(from_hex("ffffffff")) == seconds{4'294'967'295});  // not -1
  CHECK(sizes_accepted(decode_lifetime) == Sizes{4});
}

TEST_CASE("CHANNEL-NUMBER is two bytes and two that are ignored", "[stun][rfc8656-18.1]") {
  CHECK(decode_channel_number(from_hex("4000 0000")) == ChannelNumber{0x4000});
  CHECK(decode_channel_number(from_hex("4fff ffff")) == ChannelNumber{0x4fff});
  CHECK(decode_channel_number(from_hex("ffff 0000")) ==
        ChannelNumber{0xffff});  // for the caller to refuse
  CHECK(sizes_accepted(decode_channel_number) == Sizes{4});
}

TEST_CASE("REQUESTED-TRANSPORT is one byte and three that are ignored",
          "[stun][rfc8656-18.8][S14]") {
  CHECK(decode_requested_transport(from_hex("11000000")) == std::uint8_t{17});
  CHECK(decode_requested_transport(from_hex("11ffffff")) == std::uint8_t{17});
  CHECK(decode_requested_transport(from_hex("06000000")) == std::uint8_t{6});
  CHECK(decode_requested_transport(from_hex("ff000000")) == std::uint8_t{255});
  CHECK(decode_requested_transport(from_hex("00000011")) == std::uint8_t{0});
  CHECK(sizes_accepted(decode_requested_transport) == Sizes{4});
}

TEST_CASE("EVEN-PORT is one bit, seven that are ignored, in one byte", "[stun][rfc8656-18.7]") {
  for (unsigned byte = 0; byte <= 0xff; ++byte) {
    const Bytes value(1, static_cast<std::uint8_t>(byte));
    CAPTURE(byte);
    CHECK(decode_even_port(value) == (byte >= 0x80));
  }
  CHECK(sizes_accepted(decode_even_port) == Sizes{1});
}

TEST_CASE("an address family is one byte and three that are ignored", "[stun][rfc8656-18.6]") {
  CHECK(decode_address_family(from_hex("01000000")) == std::uint8_t{1});
  CHECK(decode_address_family(from_hex("02ffffff")) == std::uint8_t{2});
  CHECK(decode_address_family(from_hex("03000000")) ==
        std::uint8_t{3});  // for the caller to refuse
  CHECK(sizes_accepted(decode_address_family) == Sizes{4});
}

TEST_CASE("RESERVATION-TOKEN is eight bytes", "[stun][rfc8656-18.10]") {
  CHECK(decode_reservation_token(from_hex("0123456789abcdef")) ==
        std::uint64_t{0x0123456789abcdef});
  CHECK(sizes_accepted(decode_reservation_token) == Sizes{8});
}

TEST_CASE("CONNECTION-ID is four bytes", "[stun][rfc6062-6.2.1]") {
  CHECK(decode_connection_id(from_hex("89abcdef")) == std::uint32_t{0x89abcdef});
  CHECK(sizes_accepted(decode_connection_id) == Sizes{4});
}

TEST_CASE("ICMP is 16 reserved bits, 8 of type, 8 of code and 32 of data",
          "[stun][rfc8656-18.13]") {
  CHECK(decode_icmp(from_hex("0000 03 04 000005dc")) == Icmp{3, 4, 1500});
  CHECK(decode_icmp(from_hex("ffff 03 04 000005dc")) == Icmp{3, 4, 1500});
  CHECK(decode_icmp(from_hex("0000 ff fe ffffffff")) == Icmp{255, 254, 0xffffffff});
  CHECK(decode_icmp(from_hex("0000 80 01 00000000")) == Icmp{0x80, 0x01, 0});
  CHECK(sizes_accepted(decode_icmp) == Sizes{8});
}

// --- Errors --------------------------------------------------------------------------------------

TEST_CASE("ERROR-CODE has a class, a number and a phrase", "[stun][rfc8489-14.8]") {
  auto [hex, code, reason] = GENERATE(table<std::string, unsigned, std::string>({
      {"00000401", 401U, ""},
      {"00000401 556e61757468656e74696361746564", 401U, "Unauthenticated"},
      {"00000300", 300U, ""},
      {"00000663", 699U, ""},
      {"fffffc14 78", 420U, "x"},  // all 21 reserved bits set
      {"00000508 c3a9", 508U, "\xc3\xa9"},
      {"00000400 00", 400U, std::string(1, '\0')},
  }));
  CAPTURE(hex);
  const Bytes value = from_hex(hex);
  const auto decoded = decode_error_code(value);
  REQUIRE(decoded);
  CHECK(decoded->code == code);
  CHECK(decoded->reason == reason);
}

TEST_CASE("error classes are 3 to 6 and numbers 0 to 99", "[stun][rfc8489-14.8]") {
  for (unsigned hundreds = 0; hundreds <= 0xff; ++hundreds) {
    for (unsigned rest = 0; rest <= 0xff; ++rest) {
      const unsigned error_class = hundreds & 7;
      const bool right = error_class >= 3 && error_class <= 6 && rest <= 99;
      const std::array<std::uint8_t, 4> value{0, 0, static_cast<std::uint8_t>(hundreds),
                                              static_cast<std::uint8_t>(rest)};
      const auto decoded = decode_error_code(value);
      if (decoded.has_value() != right) FAIL_CHECK(hundreds << " " << rest);
      if (decoded && decoded->code != error_class * 100 + rest) FAIL_CHECK(hundreds << " " << rest);
      const std::array<std::uint8_t, 4> with_family{1, value[1], value[2], value[3]};
      if (decode_address_error_code(with_family).has_value() != right)
        FAIL_CHECK(hundreds << " " << rest);
    }
  }
}

TEST_CASE("an error code shorter than four bytes is none", "[stun][rfc8489-14.8]") {
  const Bytes value = from_hex("01000440");
  for (std::size_t size = 0; size < 4; ++size) {
    CAPTURE(size);
    CHECK_FALSE(decode_error_code(copy_of(ByteView{value}.first(size))));
    CHECK_FALSE(decode_address_error_code(copy_of(ByteView{value}.first(size))));
  }
}

TEST_CASE("ADDRESS-ERROR-CODE has a family in place of reserved bits", "[stun][rfc8656-18.12]") {
  const auto v6 = decode_address_error_code(from_hex("02000428"));
  REQUIRE(v6);
  CHECK(v6->family == Family::ipv6);
  CHECK(v6->code == 440);
  const auto with_phrase = decode_address_error_code(from_hex("01fffd08 496e737566"));
  REQUIRE(with_phrase);
  CHECK(with_phrase->family == Family::ipv4);
  CHECK(with_phrase->code == 508);
  for (unsigned family = 0; family <= 0xff; ++family) {
    const std::array<std::uint8_t, 4> value{static_cast<std::uint8_t>(family), 0, 4, 40};
    CAPTURE(family);
    CHECK(decode_address_error_code(value).has_value() == (family == 1 || family == 2));
  }
}

// --- Password algorithms -------------------------------------------------------------------------

TEST_CASE("PASSWORD-ALGORITHM is a number and parameters that fit", "[stun][rfc8489-14.12]") {
  auto [name, hex, number] = GENERATE(table<std::string, std::string, int>({
      {"MD5", "0001 0000", 1},
      {"SHA-256", "0002 0000", 2},
      {"a number without a name", "beef 0000", 0xbeef},
      {"three bytes of parameters, padded", "0003 0003 01020300", 3},
      {"three bytes of parameters, padding not zero", "0003 0003 010203ff", 3},
      {"three bytes of parameters, not padded", "0003 0003 010203", 3},
      {"four bytes of parameters", "0003 0004 01020304", 3},
      {"empty", "", -1},
      {"one byte", "00", -1},
      {"two bytes", "0002", -1},
      {"three bytes", "000200", -1},
      {"parameters announced but absent", "0002 0004", -1},
      {"parameters one byte short", "0003 0004 010203", -1},
      {"more than the parameters", "0002 0000 00", -1},
      {"more than the padding", "0003 0003 01020300 00", -1},
      {"two algorithms", "0002 0000 0001 0000", -1},
      {"parameters of 65,535 bytes", "0002 ffff", -1},
  }));
  CAPTURE(name);
  const auto decoded = decode_password_algorithm(from_hex(hex));
  CHECK((decoded ? static_cast<int>(*decoded) : -1) == number);
}

// --- All -----------------------------------------------------------------------------------------

TEST_CASE("no decoder reads beyond the value it is given", "[stun][S05]") {
  const std::uint64_t seed = test::seed_or(4);
  CAPTURE(seed);
  SeededRandom random{seed};
  for (int round = 0; round < 5000; ++round) {
    const Bytes value = random.bytes(random.below(40));  // on the heap: ASan watches the end
    (void)decode_address(value);
    (void)decode_xor_address(value, sample_id);
    (void)decode_lifetime(value);
    (void)decode_channel_number(value);
    (void)decode_requested_transport(value);
    (void)decode_even_port(value);
    (void)decode_address_family(value);
    (void)decode_reservation_token(value);
    (void)decode_connection_id(value);
    const auto error = decode_error_code(value);
    if (error && error->reason.size() + 4 != value.size()) FAIL("a phrase of the wrong size");
    (void)decode_address_error_code(value);
    (void)decode_icmp(value);
    (void)decode_password_algorithm(value);
  }
}

}  // namespace turnpike::stun
