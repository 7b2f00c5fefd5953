// The low-level SHA functions are deprecated in OpenSSL 3 in favour of EVP, which allocates for
// each MAC; here their plain-data states let one key serve many MACs (docs/adr/0003).
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/md5.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <memory>

namespace turnpike {
namespace {

struct Md5 {
  using State = MD5_CTX;
  using Digest = Md5Digest;
  static void init(State& s) { MD5_Init(&s); }
  static void update(State& s, ByteView b) { MD5_Update(&s, b.data(), b.size()); }
  static void final(State& s, Digest& d) { MD5_Final(d.data(), &s); }
};

struct Sha1 {
  using State = SHA_CTX;
  using Digest = Sha1Digest;
  static void init(State& s) { SHA1_Init(&s); }
  static void update(State& s, ByteView b) { SHA1_Update(&s, b.data(), b.size()); }
  static void final(State& s, Digest& d) { SHA1_Final(d.data(), &s); }
};

struct Sha256 {
  using State = SHA256_CTX;
  using Digest = Sha256Digest;
  static void init(State& s) { SHA256_Init(&s); }
  static void update(State& s, ByteView b) { SHA256_Update(&s, b.data(), b.size()); }
  static void final(State& s, Digest& d) { SHA256_Final(d.data(), &s); }
};

template <class Hash>
typename Hash::Digest digest_of(std::initializer_list<ByteView> parts) {
  typename Hash::State state;
  typename Hash::Digest digest;
  Hash::init(state);
  for (const ByteView part : parts) Hash::update(state, part);
  Hash::final(state, digest);
  OPENSSL_cleanse(&state, sizeof state);  // the parts may be a password
  return digest;
}

constexpr std::size_t block_bytes = 64;  // of both hashes (RFC 2104 §2)

template <class Hash>
typename Hash::State load_state(ByteView stored) {
  typename Hash::State state;
  static_assert(std::is_trivially_copyable_v<typename Hash::State>);
  std::memcpy(&state, stored.data(), sizeof state);
  return state;
}

template <class Hash>
void store_pad(const std::array<std::uint8_t, block_bytes>& key, std::uint8_t pad,
               MutableByteView out) {
  static_assert(std::is_trivially_copyable_v<typename Hash::State>);
  std::array<std::uint8_t, block_bytes> padded{};
  for (std::size_t i = 0; i < block_bytes; ++i) {
    padded[i] = static_cast<std::uint8_t>(key[i] ^ pad);
  }
  typename Hash::State state;
  Hash::init(state);
  Hash::update(state, padded);
  TURNPIKE_ASSERT(out.size() == sizeof state);
  std::memcpy(out.data(), &state, sizeof state);
  wipe(padded);
}

template <class Hash>
void store_pads(ByteView key, MutableByteView inner, MutableByteView outer) {
  std::array<std::uint8_t, block_bytes> block{};
  if (key.size() > block_bytes) {
    copy_bytes(digest_of<Hash>({key}), block);
  } else {
    copy_bytes(key, block);
  }
  store_pad<Hash>(block, 0x36, inner);
  store_pad<Hash>(block, 0x5c, outer);
  wipe(block);
}

template <class Hash>
typename Hash::Digest hmac(ByteView inner, ByteView outer, std::initializer_list<ByteView> parts) {
  typename Hash::Digest digest;
  auto state = load_state<Hash>(inner);
  for (const ByteView part : parts) Hash::update(state, part);
  Hash::final(state, digest);
  state = load_state<Hash>(outer);
  Hash::update(state, digest);
  Hash::final(state, digest);
  return digest;
}

using CrcTable = std::array<std::uint32_t, 256>;

/// For the polynomial whose bits, the lowest power first, are `reversed`.
constexpr CrcTable crc_table(std::uint32_t reversed) {
  CrcTable table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? reversed : 0U);
    table[i] = value;
  }
  return table;
}

constexpr CrcTable crc32_table = crc_table(0xedb88320U);
constexpr CrcTable crc32c_table = crc_table(0x82f63b78U);

/// The state after `bytes`.
std::uint32_t crc_continue(const CrcTable& table, std::uint32_t state, ByteView bytes) {
  for (const std::uint8_t byte : bytes) state = table[(state ^ byte) & 0xff] ^ (state >> 8);
  return state;
}

/// AES-256-SIV with its key set, for one use.
class Siv {
 public:
  enum class Use : std::uint8_t { open, seal };

  Siv(const SealKey& key, Use use)
      : cipher_(EVP_CIPHER_fetch(nullptr, "AES-256-SIV", nullptr)), context_(EVP_CIPHER_CTX_new()) {
    const int ok = EVP_CipherInit_ex2(context_, cipher_, key.data(), nullptr,
                                      use == Use::seal ? 1 : 0, nullptr);
    TURNPIKE_ASSERT(ok == 1);
  }
  ~Siv() {
    EVP_CIPHER_CTX_free(context_);
    EVP_CIPHER_free(cipher_);
  }
  Siv(const Siv&) = delete;
  Siv& operator=(const Siv&) = delete;

  /// The synthetic IV, which is the tag too.
  [[nodiscard]] bool control(int command, std::span<std::uint8_t, seal_bytes> tag) {
    return EVP_CIPHER_CTX_ctrl(context_, command, seal_bytes, tag.data()) == 1;
  }
  [[nodiscard]] bool run(ByteView in, MutableByteView out) {
    int written = 0;
    return EVP_CipherUpdate(context_, out.data(), &written, in.data(),
                            static_cast<int>(in.size())) == 1;
  }

 private:
  EVP_CIPHER* cipher_;
  EVP_CIPHER_CTX* context_;
};

}  // namespace

Md5Digest md5(ByteView input) { return md5({input}); }

Md5Digest md5(std::initializer_list<ByteView> parts) { return digest_of<Md5>(parts); }

Sha1Digest sha1(ByteView input) {
  Sha1Digest digest{};
  SHA1(input.data(), input.size(), digest.data());
  return digest;
}

Sha256Digest sha256(ByteView input) { return sha256({input}); }

Sha256Digest sha256(std::initializer_list<ByteView> parts) { return digest_of<Sha256>(parts); }

std::uint32_t crc32(ByteView first, ByteView second) {
  const std::uint32_t state = crc_continue(crc32_table, 0xffffffff, first);
  return crc_continue(crc32_table, state, second) ^ 0xffffffff;
}

std::uint32_t crc32c(std::initializer_list<ByteView> parts) {
  std::uint32_t state = 0xffffffff;
  for (const ByteView part : parts) state = crc_continue(crc32c_table, state, part);
  return state ^ 0xffffffff;
}

bool equal_in_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(MutableByteView secret) { OPENSSL_cleanse(secret.data(), secret.size()); }

std::string base64_encode(ByteView input) {
  // EVP_EncodeBlock ends what it writes with a NUL, for which a std::string has room.
  std::string text((input.size() + 2) / 3 * 4, '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), input.data(),
                  static_cast<int>(input.size()));
  return text;
}

// No heap here: this is what a challenge to a stranger is made with.
void base64_encode_into(ByteView input, std::span<char> out) {
  std::array<unsigned char, 128> text{};  // EVP_EncodeBlock adds a NUL, so not straight into `out`
  TURNPIKE_ASSERT(out.size() == (input.size() + 2) / 3 * 4 && out.size() < text.size());
  EVP_EncodeBlock(text.data(), input.data(), static_cast<int>(input.size()));
  std::copy_n(text.begin(), out.size(), out.begin());
}

std::optional<std::vector<std::uint8_t>> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::vector<std::uint8_t> bytes(text.size() / 4 * 3);
  if (text.empty()) return bytes;
  const int written =
      EVP_DecodeBlock(bytes.data(), bytes_of(text).data(), static_cast<int>(text.size()));
  if (written < 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  bytes.resize(bytes.size() - padding);
  // EVP_DecodeBlock forgives blanks and stray bits; only the canonical spelling is accepted here.
  if (base64_encode(bytes) != text) return std::nullopt;
  return bytes;
}

bool base64_decode_into(std::string_view text, MutableByteView out) {
  TURNPIKE_ASSERT(out.size() % 3 == 0);
  if (text.size() != out.size() / 3 * 4) return false;
  const int written =
      EVP_DecodeBlock(out.data(), bytes_of(text).data(), static_cast<int>(text.size()));
  return written == static_cast<int>(out.size());
}

HmacSha1Key::HmacSha1Key(ByteView key) {
  static_assert(state_bytes == sizeof(Sha1::State));
  store_pads<Sha1>(key, inner_, outer_);
}

Sha1Digest HmacSha1Key::mac(std::initializer_list<ByteView> parts) const {
  return hmac<Sha1>(inner_, outer_, parts);
}

HmacSha256Key::HmacSha256Key(ByteView key) {
  static_assert(state_bytes == sizeof(Sha256::State));
  store_pads<Sha256>(key, inner_, outer_);
}

Sha256Digest HmacSha256Key::mac(std::initializer_list<ByteView> parts) const {
  return hmac<Sha256>(inner_, outer_, parts);
}

void seal_into(const SealKey& key, ByteView plain, MutableByteView out) {
  TURNPIKE_ASSERT(!plain.empty() && out.size() == plain.size() + seal_bytes);
  Siv siv{key, Siv::Use::seal};
  const bool ok = siv.run(plain, out.subspan(seal_bytes)) &&
                  siv.control(EVP_CTRL_AEAD_GET_TAG, out.first<seal_bytes>());
  TURNPIKE_ASSERT(ok);
}

bool open_into(const SealKey& key, ByteView sealed, MutableByteView out) {
  TURNPIKE_ASSERT(!out.empty() && sealed.size() == out.size() + seal_bytes);
  std::array<std::uint8_t, seal_bytes> tag{};
  copy_bytes(sealed.first(seal_bytes), tag);
  Siv siv{key, Siv::Use::open};
  TURNPIKE_ASSERT(siv.control(EVP_CTRL_AEAD_SET_TAG, tag));
  return siv.run(sealed.subspan(seal_bytes), out);
}

bool ed25519_verify(const Ed25519PublicKey& key, ByteView message, ByteView signature) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> public_key{
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()),
      &EVP_PKEY_free};
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free};
  return public_key && context &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, public_key.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

void SecureRandom::fill(MutableByteView out) {
  if (out.size() > block_.size()) {
    TURNPIKE_ASSERT(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1);
    return;
  }
  if (out.size() > block_.size() - used_) {
    TURNPIKE_ASSERT(RAND_bytes(block_.data(), static_cast<int>(block_.size())) == 1);
    used_ = 0;
  }
  const MutableByteView taken = MutableByteView{block_}.subspan(used_, out.size());
  copy_bytes(taken, out);
  wipe(taken);
  used_ += out.size();
}

}  // namespace turnpike
