#include "signaling/base64url.h"

#include "base/seeded_random.h"
#include "catch.h"

namespace turnpike::signaling::test {

TEST_CASE("base64url has its own alphabet and no padding", "[signaling]") {
  CHECK(base64url_encode(bytes_of("")).empty());
  CHECK(base64url_encode(bytes_of("f")) == "Zg");
  CHECK(base64url_encode(bytes_of("fo")) == "Zm8");
  CHECK(base64url_encode(bytes_of("foo")) == "Zm9v");
  CHECK(base64url_encode(bytes_of("\xfb\xff\xfe")) == "-__-");
}

TEST_CASE("only the one spelling of base64url is read", "[signaling]") {
  CHECK(text_of(base64url_decode("Zg").value()) == "f");
  CHECK(text_of(base64url_decode("-__-").value()) == "\xfb\xff\xfe");
  for (const char* const bad :
       {"Zg==", "Zg=", "Zh", "Z", "Zm9vZ", "+//+", "Zm 9v", "Zm9v\n", "Zm.v", "Zm8="}) {
    CAPTURE(bad);
    CHECK_FALSE(base64url_decode(bad));
  }
}

TEST_CASE("every byte string survives base64url", "[signaling]") {
  turnpike::test::SeededRandom random{3};
  for (std::size_t size = 0; size < 100; ++size) {
    const auto bytes = random.bytes(size);
    CHECK(base64url_decode(base64url_encode(bytes)) == bytes);
  }
}

}  // namespace turnpike::signaling::test
