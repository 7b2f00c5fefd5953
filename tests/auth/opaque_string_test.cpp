#include "auth/opaque_string.h"

#include "base/seeded_random.h"
#include "catch.h"

namespace turnpike::auth {

using namespace std::string_literals;

TEST_CASE("the legal passwords of RFC 8265 pass unchanged", "[auth][rfc8265-4.3][c21]") {
  const auto password = GENERATE(as<std::string>{}, "correct horse battery staple",  // 12
                                 "Correct Horse Battery Staple",                     // 13
                                 "\xcf\x80\xc3\x9f\xc3\xa5",                         // 14: πßå
                                 "Jack of \xe2\x99\xa6s");                           // 15: ♦
  CHECK(opaque_string(password) == password);
}

TEST_CASE("other spaces become SPACE", "[auth][rfc8265-4.3][c21]") {
  CHECK(opaque_string("foo\xe1\x9a\x80"s + "bar") == "foo bar");  // 16: U+1680
  CHECK(opaque_string("\xc2\xa0") == " ");                        // U+00A0
  CHECK(opaque_string("a\xe3\x80\x80"s + "b") == "a b");          // U+3000
  CHECK(opaque_string("a\xe2\x80\x83"s + "b") == "a b");          // U+2003
  CHECK(opaque_string(" a  b ") == " a  b ");                     // none is removed
}

TEST_CASE("the illegal passwords of RFC 8265 are refused", "[auth][rfc8265-4.3][c21]") {
  CHECK_FALSE(opaque_string(""));                          // 17
  CHECK_FALSE(opaque_string("my cat is a \x09"s + "by"));  // 18
}

TEST_CASE("text is composed, not folded or widened", "[auth][rfc8265-4.2.2][c21]") {
  CHECK(opaque_string("e\xcc\x81") == "\xc3\xa9");         // é
  CHECK(opaque_string("\xe2\x84\xab") == "\xc3\x85");      // ANGSTROM SIGN is Å in NFC
  CHECK(opaque_string("\xef\xbc\xa1") == "\xef\xbc\xa1");  // FULLWIDTH A stays
  CHECK(opaque_string("\xe2\x85\xab") == "\xe2\x85\xab");  // ROMAN NUMERAL TWELVE stays: no NFKC
  CHECK(opaque_string("TheMatrIX") == "TheMatrIX");
  CHECK(opaque_string("\xe3\x83\x9e\xe3\x83\x88") == "\xe3\x83\x9e\xe3\x83\x88");
}

TEST_CASE("code points outside the FreeformClass are refused", "[auth][rfc8265-4.2.1][c21]") {
  const auto text = GENERATE(as<std::string>{}, "\x01", "\x7f", "\xc2\x80",  // controls
                             "a\nb", "a\rb",
                             "\xc2\xad",       // SOFT HYPHEN: to be ignored
                             "\xe2\x80\xa8",   // LINE SEPARATOR
                             "\xe2\x80\xa9",   // PARAGRAPH SEPARATOR
                             "\xee\x80\x80",   // private use
                             "\xef\xbf\xbf",   // no character
                             "\xcd\xb8",       // U+0378, unassigned
                             "\xe1\x84\x80",   // an old Hangul jamo
                             "\xef\xbb\xbf");  // BOM
  CHECK_FALSE(opaque_string(text));
  CHECK_FALSE(opaque_string("good" + text));
}

TEST_CASE("what is not UTF-8 is refused", "[auth][rfc8265-4.2.1][S06]") {
  CHECK_FALSE(opaque_string("\xff"));
  CHECK_FALSE(opaque_string("\xc3"));              // cut off
  CHECK_FALSE(opaque_string("\xc0\xaf"));          // overlong
  CHECK_FALSE(opaque_string("\xed\xa0\x80"));      // a surrogate
  CHECK_FALSE(opaque_string("\xf4\x90\x80\x80"));  // beyond U+10FFFF
  CHECK_FALSE(opaque_string("a\0b"s));
}

TEST_CASE("what comes out goes in again unchanged", "[auth][rfc8265-4.2.2]") {
  const std::uint64_t seed = test::seed_or(11);
  CAPTURE(seed);
  test::SeededRandom random{seed};
  for (int i = 0; i < 3000; ++i) {
    const auto bytes = random.bytes(random.below(12));
    const auto once = opaque_string(text_of(bytes));
    if (once) CHECK(opaque_string(*once) == once);
  }
}

}  // namespace turnpike::auth
