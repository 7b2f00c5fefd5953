#include "base/crypto_aead.h"

#include <openssl/evp.h>

#include <memory>

namespace turnpike {
namespace {

constexpr std::size_t nonce_bytes = 12;
constexpr std::size_t tag_bytes = 16;
static_assert(nonce_bytes + tag_bytes == aead_extra_bytes);

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

enum class Use : int { open = 0, seal = 1 };

/// A cipher with key, nonce and context set.
Context begin(Use use, const AeadKey& key, ByteView nonce, ByteView context) {
  Context cipher{EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free};
  int ignored = 0;
  const bool ok = cipher &&
                  EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(),
                                    nonce.data(), static_cast<int>(use)) == 1 &&
                  EVP_CipherUpdate(cipher.get(), nullptr, &ignored, context.data(),
                                   static_cast<int>(context.size())) == 1;
  TURNPIKE_ASSERT(ok);
  return cipher;
}

[[nodiscard]] bool run(EVP_CIPHER_CTX& cipher, ByteView in, MutableByteView out) {
  int written = 0;
  // A null pointer for the input would mean the end of it.
  return in.empty() || EVP_CipherUpdate(&cipher, out.data(), &written, in.data(),
                                        static_cast<int>(in.size())) == 1;
}

[[nodiscard]] bool finish(EVP_CIPHER_CTX& cipher) {
  std::array<std::uint8_t, 16> rest{};  // GCM has none
  int written = 0;
  return EVP_CipherFinal_ex(&cipher, rest.data(), &written) == 1;
}

}  // namespace

std::vector<std::uint8_t> aead_seal(const AeadKey& key, ByteView plain, ByteView context,
                                    Random& random) {
  std::vector<std::uint8_t> sealed(plain.size() + aead_extra_bytes);
  const MutableByteView whole{sealed};
  random.fill(whole.first(nonce_bytes));
  const Context cipher = begin(Use::seal, key, whole.first(nonce_bytes), context);
  const bool ok = run(*cipher, plain, whole.subspan(nonce_bytes, plain.size())) &&
                  finish(*cipher) &&
                  EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, tag_bytes,
                                      whole.last(tag_bytes).data()) == 1;
  TURNPIKE_ASSERT(ok);
  return sealed;
}

std::optional<std::vector<std::uint8_t>> aead_open(const AeadKey& key, ByteView sealed,
                                                   ByteView context) {
  if (sealed.size() < aead_extra_bytes) return std::nullopt;
  std::array<std::uint8_t, tag_bytes> tag{};
  copy_bytes(sealed.last(tag_bytes), tag);
  std::vector<std::uint8_t> plain(sealed.size() - aead_extra_bytes);
  const Context cipher = begin(Use::open, key, sealed.first(nonce_bytes), context);
  const bool ok =
      run(*cipher, sealed.subspan(nonce_bytes, plain.size()), plain) &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, tag_bytes, tag.data()) == 1 &&
      finish(*cipher);
  if (!ok) return std::nullopt;
  return plain;
}

}  // namespace turnpike
