#include "base/crypto.h"

#include <array>
#include <bit>
#include <cstdlib>
#include <set>
#include <string>

#include "base/hex.h"
#include "base/seeded_random.h"
#include "catch.h"

namespace turnpike::test {

TEST_CASE("MD5 gives the digests of its RFC", "[base][rfc1321-A.5]") {
  auto [text, digest] = GENERATE(table<std::string, std::string>({
      {"", "d41d8cd98f00b204e9800998ecf8427e"},
      {"a", "0cc175b9c0f1b6a831c399e269772661"},
      {"abc", "900150983cd24fb0d6963f7d28e17f72"},
      {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
      {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
      {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
       "d174ab98d277d9f5a5611c2c9f419d9f"},
      {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
       "57edf4a22be3c955ac49da2e2107b67a"},
  }));
  CAPTURE(text);
  CHECK(to_hex(md5(bytes_of(text))) == digest);
}

TEST_CASE("SHA-1 gives the digests of its standard", "[base][fips180]") {
  auto [text, digest] = GENERATE(table<std::string, std::string>({
      {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
      {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
  }));
  CHECK(to_hex(sha1(bytes_of(text))) == digest);
}

TEST_CASE("SHA-256 gives the digests of its standard", "[base][fips180]") {
  auto [text, digest] = GENERATE(table<std::string, std::string>({
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {std::string(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  }));
  CHECK(to_hex(sha256(bytes_of(text))) == digest);
}

TEST_CASE("CRC-32 is that of ITU V.42", "[base][rfc8489-14.7]") {
  CHECK(crc32({}) == 0U);
  CHECK(crc32(bytes_of("123456789")) == 0xcbf43926U);
  CHECK(crc32(bytes_of("The quick brown fox jumps over the lazy dog")) == 0x414fa339U);
  CHECK(crc32(Bytes(32, 0x00)) == 0x190a55adU);
  CHECK(crc32(Bytes(32, 0xff)) == 0xff6cab0bU);
}

TEST_CASE("CRC-32C agrees with the published check values", "[base]") {
  CHECK(crc32c({}) == 0U);
  CHECK(crc32c({bytes_of("123456789")}) == 0xe3069283U);
  CHECK(crc32c({bytes_of("1234"), {}, bytes_of("56789")}) == 0xe3069283U);
  CHECK(crc32c({Bytes(32, 0x00)}) == 0x8a9136aaU);
  CHECK(crc32c({Bytes(32, 0xff)}) == 0x62a8ab43U);
}

TEST_CASE("the digest of parts is that of their concatenation", "[base]") {
  const std::string text = "a text that is longer than one block of the hash, which has 64 bytes";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(cut);
    const ByteView first = bytes_of(text).first(cut);
    const ByteView second = bytes_of(text).subspan(cut);
    CHECK(md5({first, {}, second}) == md5(bytes_of(text)));
    CHECK(sha256({first, {}, second}) == sha256(bytes_of(text)));
  }
}

TEST_CASE("CRC-32 over two parts is that over their concatenation", "[base]") {
  const std::string_view text = "123456789";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(cut);
    CHECK(crc32(bytes_of(text.substr(0, cut)), bytes_of(text.substr(cut))) == 0xcbf43926U);
  }
}

namespace {

struct HmacVector {
  const char* name;
  std::string key;
  std::string input;
  std::string mac;
};

std::string repeated(const char* hex_byte, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += hex_byte;
  return text;
}

std::string hex_of(std::string_view text) { return to_hex(bytes_of(text)); }

}  // namespace

TEST_CASE("HMAC-SHA1 gives the MACs of its RFC", "[base][rfc2202-3]") {
  const auto vector = GENERATE(values<HmacVector>({
      {"1", repeated("0b", 20), hex_of("Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00"},
      {"2", hex_of("Jefe"), hex_of("what do ya want for nothing?"),
       "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
      {"3", repeated("aa", 20), repeated("dd", 50), "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
      {"4", "0102030405060708090a0b0c0d0e0f10111213141516171819", repeated("cd", 50),
       "4c9007f4026250c6bc8414f9bf50c86c2d7235da"},
      {"5", repeated("0c", 20), hex_of("Test With Truncation"),
       "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"},
      {"6: a key longer than a block", repeated("aa", 80),
       hex_of("Test Using Larger Than Block-Size Key - Hash Key First"),
       "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
      {"7: key and text longer than a block", repeated("aa", 80),
       hex_of("Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data"),
       "e8e99d0f45237d786d6bbaa7965c7808bbff1a91"},
  }));
  CAPTURE(vector.name);
  const HmacSha1Key key{from_hex(vector.key)};
  const Bytes input = from_hex(vector.input);
  CHECK(to_hex(key.mac({input})) == vector.mac);
}

TEST_CASE("HMAC-SHA256 gives the MACs of its RFC", "[base][rfc4231-4]") {
  const auto vector = GENERATE(values<HmacVector>({
      {"1", repeated("0b", 20), hex_of("Hi There"),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"2", hex_of("Jefe"), hex_of("what do ya want for nothing?"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {"3", repeated("aa", 20), repeated("dd", 50),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {"4", "0102030405060708090a0b0c0d0e0f10111213141516171819", repeated("cd", 50),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {"6: a key longer than a block", repeated("aa", 131),
       hex_of("Test Using Larger Than Block-Size Key - Hash Key First"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {"7: key and text longer than a block", repeated("aa", 131),
       hex_of("This is a test using a larger than block-size key and a larger than block-size "
              "data. The key needs to be hashed before being used by the HMAC algorithm."),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  }));
  CAPTURE(vector.name);
  const HmacSha256Key key{from_hex(vector.key)};
  const Bytes input = from_hex(vector.input);
  CHECK(to_hex(key.mac({input})) == vector.mac);
}

TEST_CASE("a MAC over parts is that over their concatenation", "[base]") {
  const std::uint64_t seed = seed_or(11);
  CAPTURE(seed);
  SeededRandom random{seed};
  const Bytes key_bytes = random.bytes(16);
  const HmacSha1Key sha1{key_bytes};
  const HmacSha256Key sha256_key{key_bytes};
  const Bytes whole = random.bytes(200);
  const ByteView view{whole};
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    CAPTURE(cut);
    CHECK(sha1.mac({view.first(cut), view.subspan(cut)}) == sha1.mac({view}));
    CHECK(sha256_key.mac({view.first(cut), view.subspan(cut)}) == sha256_key.mac({view}));
  }
}

TEST_CASE("a key gives the same MAC every time, and so does a copy of it", "[base]") {
  const HmacSha1Key key{bytes_of("key")};
  const auto first = key.mac({bytes_of("text")});
  CHECK(key.mac({bytes_of("other")}) != first);
  CHECK(key.mac({bytes_of("text")}) == first);
  const HmacSha1Key copy = key;
  CHECK(copy.mac({bytes_of("text")}) == first);
}

TEST_CASE("a key of exactly one block is used as it is, a longer one is hashed",
          "[base][rfc2104-2]") {
  const std::string block(64, 'k');
  const std::string longer(65, 'k');
  // An HMAC key is padded with zeros: a block with a zero at its end equals one byte fewer.
  std::string padded = block.substr(0, 63) + std::string(1, '\0');
  CHECK(HmacSha1Key{bytes_of(padded)}.mac({}) ==
        HmacSha1Key{bytes_of(block.substr(0, 63))}.mac({}));
  CHECK(HmacSha256Key{bytes_of(longer)}.mac({}) == HmacSha256Key{sha256(bytes_of(longer))}.mac({}));
  CHECK(HmacSha256Key{bytes_of(block)}.mac({}) != HmacSha256Key{sha256(bytes_of(block))}.mac({}));
}

TEST_CASE("the empty key and the empty text have a MAC", "[base]") {
  CHECK(to_hex(HmacSha1Key{ByteView{}}.mac({})) == "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
  CHECK(to_hex(HmacSha256Key{ByteView{}}.mac({ByteView{}})) ==
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("comparing secrets finds every single difference", "[base][A13]") {
  const Bytes secret = SeededRandom{3}.bytes(32);
  CHECK(equal_in_constant_time(secret, copy_of(secret)));
  for (std::size_t bit = 0; bit < secret.size() * 8; ++bit) {
    Bytes other = secret;
    other[bit / 8] = static_cast<std::uint8_t>(other[bit / 8] ^ (1U << (bit % 8)));
    CAPTURE(bit);
    CHECK_FALSE(equal_in_constant_time(secret, other));
  }
}

TEST_CASE("secrets of different sizes differ, even when one begins the other", "[base]") {
  const Bytes secret = from_hex("010203");
  CHECK_FALSE(equal_in_constant_time(secret, ByteView{secret}.first(2)));
  CHECK_FALSE(equal_in_constant_time(ByteView{secret}.first(2), secret));
  CHECK_FALSE(equal_in_constant_time(secret, {}));
  CHECK(equal_in_constant_time({}, {}));
}

TEST_CASE("wiping leaves zeros", "[base]") {
  Bytes secret = from_hex("0102030405");
  wipe(MutableByteView{secret}.subspan(1, 3));
  CHECK(to_hex(secret) == "0100000005");
  wipe({});
}

TEST_CASE("base64 has the spellings of its RFC", "[base][rfc4648-10]") {
  auto [plain, encoded] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xfb\xff\xbf", "+/+/"},
  }));
  CAPTURE(encoded);
  CHECK(base64_encode(bytes_of(plain)) == encoded);
  const auto decoded = base64_decode(encoded);
  REQUIRE(decoded);
  CHECK(text_of(*decoded) == plain);
}

TEST_CASE("only canonical base64 is decoded", "[base][rfc4648-4]") {
  const std::string text = GENERATE(values<std::string>({
      "Z",
      "Zg",
      "Zg=",
      "Zm8",
      "Zm9vY",  // cut short
      "Zh==",
      "Zm9=",
      "Zm9vYh==",  // bits set that no byte needs
      "=",
      "==",
      "===",
      "====",
      "Z===",  // too much padding
      "Zg==Zg==",
      "Zg==Zm9v",
      "Z=g=",
      "=Zg=",  // padding before the end
      " Zm9v",
      "Zm9v ",
      "Zm9v\n",
      "Zm 9v",
      "Zm9v    ",
      "    Zm9v",
      "    ",
      "\nZm9vYg==",  // blanks
      "Zm9v\r\n\r\n",
      "Zm9-",
      "Zm9_",
      "Zm9.",
      "Zm\xc3\xa9",
      "Zm9v---- ",
      "----",  // other alphabets
  }));
  CAPTURE(text);
  CHECK_FALSE(base64_decode(text));
}

TEST_CASE("base64 in place fills what it is given, or says that it does not", "[base]") {
  std::array<std::uint8_t, 6> bytes{};
  CHECK(base64_decode_into("Zm9vYmFy", bytes));
  CHECK(text_of(bytes) == "foobar");
  for (const std::string_view text :
       {"", "Zm9v", "Zm9vYmFyZm9v", "Zm9vYmF", "Zm9vYm-y", " Zm9vYmF", "Zm9vYm\xff\xff"}) {
    CAPTURE(text);
    CHECK_FALSE(base64_decode_into(text, bytes));
  }
}

TEST_CASE("a NUL inside base64 is refused", "[base]") {
  CHECK_FALSE(base64_decode(std::string_view{"Zm9\0", 4}));
  CHECK_FALSE(base64_decode(std::string_view{"\0\0\0\0", 4}));
  CHECK_FALSE(base64_decode(std::string_view{"Zm9v\0\0\0\0", 8}));
}

TEST_CASE("every byte string survives base64", "[base]") {
  const std::uint64_t seed = seed_or(17);
  CAPTURE(seed);
  SeededRandom random{seed};
  for (std::size_t size = 0; size < 300; ++size) {
    CAPTURE(size);
    const Bytes bytes = random.bytes(size);
    const auto decoded = base64_decode(base64_encode(bytes));
    REQUIRE(decoded);
    CHECK(*decoded == bytes);
  }
}

// Made with the Python package "cryptography" 38, AESSIV(bytes(range(64))).
TEST_CASE("AES-256-SIV agrees with another implementation", "[base]") {
  SealKey key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  const auto [plain, sealed] = GENERATE(table<std::string, std::string>({
      {"a mobility ticket", "513388e14f18a3aa75d20b49788d46e0ed7a47d0ee22b824ffbcb4e97089da0e04"},
      {std::string("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16),
       "bcfa11bfad493796dce5f460fa29dd3aae3ad5a20ea71e5a0a00e7ef512c66c5"},
  }));
  Bytes out(plain.size() + seal_bytes);
  seal_into(key, bytes_of(plain), out);
  CHECK(to_hex(out) == sealed);
  Bytes opened(plain.size());
  REQUIRE(open_into(key, out, opened));
  CHECK(text_of(opened) == plain);
}

TEST_CASE("what is sealed opens with its key and unchanged, or not at all", "[base][A16]") {
  SealKey key{};
  SecureRandom random;
  random.fill(key);
  const Bytes plain(16, 7);
  Bytes sealed(plain.size() + seal_bytes);
  seal_into(key, plain, sealed);
  Bytes opened(plain.size());
  REQUIRE(open_into(key, sealed, opened));
  CHECK(opened == plain);
  for (std::size_t i = 0; i < sealed.size() * 8; ++i) {
    Bytes forged = sealed;
    forged[i / 8] = static_cast<std::uint8_t>(forged[i / 8] ^ (1 << (i % 8)));
    CHECK_FALSE(open_into(key, forged, opened));
  }
  for (const std::size_t byte : std::vector<std::size_t>{0, 31, 32, 63}) {
    SealKey other = key;
    other.at(byte) ^= 1;
    CHECK_FALSE(open_into(other, sealed, opened));
  }
}

TEST_CASE("an Ed25519 signature verifies, and no other", "[base][rfc8037-A.4]") {
  Ed25519PublicKey key{};
  copy_bytes(from_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"), key);
  const std::string message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
  const Bytes signature = base64_decode(
                              "hgyY0il/MGCjP0JzlnLWG1PPOt7+09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5B"
                              "hVsPt9g7sVvpAr/MuM0KAg==")
                              .value();
  CHECK(ed25519_verify(key, bytes_of(message), signature));
  for (std::size_t at = 0; at < signature.size(); ++at) {
    Bytes other = signature;
    other[at] ^= 1;
    CHECK_FALSE(ed25519_verify(key, bytes_of(message), other));
    CHECK_FALSE(ed25519_verify(key, bytes_of(message), ByteView{signature}.first(at)));
  }
  CHECK_FALSE(ed25519_verify(key, bytes_of("another message"), signature));
  CHECK_FALSE(ed25519_verify(Ed25519PublicKey{}, bytes_of(message), signature));
  key[0] ^= 1;
  CHECK_FALSE(ed25519_verify(key, bytes_of(message), signature));
}

TEST_CASE("the secure generator fills every size, also across its blocks", "[base]") {
  SecureRandom random;
  for (const std::size_t size : std::vector<std::size_t>{0, 1, 8, 511, 512, 513, 4096}) {
    CAPTURE(size);
    // 64 times or-ed: a byte that is never written stays zero, by chance with 2^-512.
    Bytes seen(size, 0);
    for (int round = 0; round < 64; ++round) {
      Bytes out(size, 0);
      random.fill(out);
      for (std::size_t i = 0; i < size; ++i) seen[i] = static_cast<std::uint8_t>(seen[i] | out[i]);
    }
    CHECK(std::find(seen.begin(), seen.end(), 0) == seen.end());
  }
}

TEST_CASE("the secure generator never repeats itself", "[base][A14]") {
  SecureRandom random;
  SecureRandom other;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 5000; ++i) {
    seen.insert(random.next_u64());
    seen.insert(other.next_u64());
  }
  CHECK(seen.size() == 10000);
}

TEST_CASE("a million numbers of the secure generator lean neither way", "[base][A14]") {
  // Nonce keys, reservation tokens and relay ports come from here. Each bit, and each pair of
  // neighbouring bits, within six standard deviations: a sound generator fails once in a million
  // runs of this test.
  constexpr int count = 1'000'000;
  constexpr double allowed = 6 * 500;  // half the root of a million is one
  SecureRandom random;
  std::array<int, 64> ones{};
  std::array<int, 64> changes{};
  std::array<int, 64> repeats{};
  std::uint64_t last = random.next_u64();
  for (int i = 0; i < count; ++i) {
    const std::uint64_t number = random.next_u64();
    for (unsigned bit = 0; bit < 64; ++bit) {
      ones[bit] += static_cast<int>(number >> bit & 1);
      changes[bit] += static_cast<int>((number ^ std::rotr(number, 1)) >> bit & 1);
      repeats[bit] += static_cast<int>((number ^ last) >> bit & 1);
    }
    last = number;
  }
  for (const auto& counts : {ones, changes, repeats}) {
    for (const int each : counts) CHECK(std::abs(each - count / 2) < allowed);
  }
}

}  // namespace turnpike::test
