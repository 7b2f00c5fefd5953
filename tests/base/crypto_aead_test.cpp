#include "base/crypto_aead.h"

#include "base/crypto.h"
#include "base/hex.h"
#include "catch.h"

namespace turnpike::test {
namespace {

/// Gives the same bytes each time.
class FixedRandom final : public Random {
 public:
  explicit FixedRandom(Bytes bytes) : bytes_(std::move(bytes)) {}
  void fill(MutableByteView out) override { copy_bytes(ByteView{bytes_}.first(out.size()), out); }

 private:
  Bytes bytes_;
};

AeadKey key_of(std::string_view hex) {
  AeadKey key{};
  copy_bytes(from_hex(hex), key);
  return key;
}

// Test case 16 of "The Galois/Counter Mode of Operation (GCM)", McGrew and Viega, Appendix B.
const AeadKey key = key_of("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
const Bytes nonce = from_hex("cafebabefacedbaddecaf888");
const Bytes context = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
const Bytes plain = from_hex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
const Bytes sealed = from_hex(
    "cafebabefacedbaddecaf888"
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
    "76fc6ece0f4e1768cddf8853bb2d551b");

}  // namespace

TEST_CASE("AES-256-GCM seals as its authors do", "[base][gcm]") {
  FixedRandom random{nonce};
  CHECK(aead_seal(key, plain, context, random) == sealed);
  CHECK(aead_open(key, sealed, context) == plain);
}

TEST_CASE("what is sealed twice differs, and opens to the same", "[base][gcm]") {
  SecureRandom random;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{16}, std::size_t{500}}) {
    const Bytes text(size, 0x5a);
    const Bytes first = aead_seal(key, text, context, random);
    const Bytes second = aead_seal(key, text, context, random);
    CHECK(first.size() == size + aead_extra_bytes);
    CHECK(first != second);
    CHECK(aead_open(key, first, context) == text);
    CHECK(aead_open(key, second, context) == text);
  }
}

TEST_CASE("what was changed, cut or moved elsewhere does not open", "[base][gcm]") {
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    Bytes changed = sealed;
    changed[at] ^= 1;
    CHECK_FALSE(aead_open(key, changed, context));
    CHECK_FALSE(aead_open(key, ByteView{sealed}.first(at), context));
  }
  CHECK_FALSE(aead_open(key, sealed, {}));
  CHECK_FALSE(aead_open(key, sealed, ByteView{context}.first(19)));
  AeadKey other = key;
  other[31] ^= 1;
  CHECK_FALSE(aead_open(other, sealed, context));
}

}  // namespace turnpike::test
