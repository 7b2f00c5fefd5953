#include "base/hexadecimal.h"

#include "catch.h"

namespace turnpike::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

}  // namespace

TEST_CASE("hexadecimal is read in either case and written in the lower one", "[base]") {
  CHECK(bytes_of_hex("00fFA9") == Bytes{0x00, 0xff, 0xa9});
  CHECK(bytes_of_hex("") == Bytes{});
  CHECK(hex_of(Bytes{0x00, 0xff, 0xa9}) == "00ffa9");
  CHECK(hex_of({}).empty());
  CHECK(hex_digit('0') == 0);
  CHECK(hex_digit('f') == 15);
}

TEST_CASE("what is not hexadecimal is nothing", "[base]") {
  for (const char* const text : {"f", "fff", "0g", "g0", " 0", "0x", "--"}) {
    INFO(text);
    CHECK_FALSE(bytes_of_hex(text));
  }
  for (const char c : {'/', ':', '@', 'G', '`', 'g', '\0'}) CHECK_FALSE(hex_digit(c));
}

}  // namespace turnpike::test
