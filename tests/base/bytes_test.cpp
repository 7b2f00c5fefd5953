#include "base/bytes.h"

#include "base/aborts.h"
#include "base/hex.h"
#include "catch.h"

namespace turnpike::test {

TEST_CASE("integers are read big-endian", "[base]") {
  const Bytes bytes = from_hex("0123456789abcdef");
  CHECK(load_be16(bytes) == 0x0123);
  CHECK(load_be32(bytes) == 0x01234567U);
  CHECK(load_be64(bytes) == 0x0123456789abcdefU);
}

TEST_CASE("the highest bit of an integer is not taken for a sign", "[base]") {
  const Bytes bytes(8, 0xff);
  CHECK(load_be16(bytes) == 0xffff);
  CHECK(load_be32(bytes) == 0xffffffffU);
  CHECK(load_be64(bytes) == 0xffffffffffffffffU);
}

TEST_CASE("integers are written big-endian and nothing after them is touched", "[base]") {
  Bytes out(10, 0xee);
  SECTION("16 bits") {
    store_be16(out, 0x0123);
    CHECK(to_hex(out) == "0123eeeeeeeeeeeeeeee");
  }
  SECTION("32 bits") {
    store_be32(out, 0x89abcdef);
    CHECK(to_hex(out) == "89abcdefeeeeeeeeeeee");
  }
  SECTION("64 bits") {
    store_be64(out, 0x0123456789abcdef);
    CHECK(to_hex(out) == "0123456789abcdefeeee");
  }
}

TEST_CASE("integers can be read and written at any alignment", "[base][S17]") {
  const std::size_t offset = GENERATE(range(std::size_t{0}, std::size_t{8}));
  Bytes bytes(16, 0);
  const MutableByteView at = MutableByteView{bytes}.subspan(offset);
  store_be64(at, 0x0123456789abcdef);
  CHECK(load_be64(at) == 0x0123456789abcdefU);
  CHECK(load_be32(at) == 0x01234567U);
  CHECK(load_be16(at) == 0x0123);
}

TEST_CASE("loads and stores work in constant expressions", "[base]") {
  constexpr auto stored = [] {
    std::array<std::uint8_t, 8> bytes{};
    store_be64(bytes, 0x1122334455667788);
    return bytes;
  }();
  static_assert(load_be32(stored) == 0x11223344);
  CHECK(to_hex(stored) == "1122334455667788");
}

TEST_CASE("text and bytes are two views of the same memory", "[base]") {
  const std::string_view text{"a\0\xff", 3};
  CHECK(text_of(bytes_of(text)) == text);
  CHECK(text_of(bytes_of(text)).data() == text.data());
  CHECK(bytes_of(std::string_view{"\xff"})[0] == 0xff);
  CHECK(bytes_of("").empty());
}

TEST_CASE("sizes are rounded up to multiples of four", "[base][rfc8489-14]") {
  auto [size, padded] = GENERATE(table<std::size_t, std::size_t>(
      {{0, 0}, {1, 4}, {2, 4}, {3, 4}, {4, 4}, {5, 8}, {8, 8}, {65533, 65536}, {65535, 65536}}));
  CAPTURE(size);
  CHECK(padded_to_4(size) == padded);
}

TEST_CASE("copying bytes leaves the rest of the target alone", "[base]") {
  Bytes to(5, 0xee);
  copy_bytes(from_hex("010203"), to);
  CHECK(to_hex(to) == "010203eeee");
  copy_bytes(ByteView{}, to);
  CHECK(to_hex(to) == "010203eeee");
  copy_bytes(ByteView{}, MutableByteView{});
}

TEST_CASE("copying more than fits is a bug", "[base]") {
  CHECK(aborts([] {
    std::array<std::uint8_t, 2> to{};
    copy_bytes(from_hex("010203"), to);
  }));
}

TEST_CASE("small bytes start empty and hold what is written to them", "[base]") {
  SmallBytes<4> bytes;
  CHECK(bytes.empty());
  CHECK(bytes.view().empty());

  copy_bytes(from_hex("0102"), bytes.resize(2));
  CHECK(bytes.size() == 2);
  CHECK(to_hex(bytes.view()) == "0102");

  const SmallBytes<4> copy = bytes;
  copy_bytes(from_hex("0a0b0c0d"), bytes.resize(4));
  CHECK(to_hex(bytes.view()) == "0a0b0c0d");
  CHECK(to_hex(copy.view()) == "0102");

  bytes.resize(0);
  CHECK(bytes.empty());
}

TEST_CASE("small bytes cannot grow beyond their capacity", "[base]") {
  CHECK(aborts([] {
    SmallBytes<4> bytes;
    bytes.resize(5);
  }));
}

}  // namespace turnpike::test
