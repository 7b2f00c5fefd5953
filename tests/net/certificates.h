// Keys and self-signed certificates for tests, made by libcrypto.
#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>

#include "base/time.h"
#include "catch.h"
#include "net/tls.h"
#include "net/tls_openssl.h"
#include "server/scratch_directory.h"

namespace turnpike::net {

using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, FreeWith<X509_free>>;

/// What the tests take for today, and how long their certificates are valid.
constexpr WallTime today = std::chrono::sys_days{std::chrono::year{2026} / 6 / 15};
constexpr WallTime valid_from = std::chrono::sys_days{std::chrono::year{2026} / 6 / 1};
constexpr WallTime valid_until = std::chrono::sys_days{std::chrono::year{2026} / 7 / 1};

enum class KeyKind { rsa_1024, rsa_2048, p256 };

inline KeyPtr make_key(KeyKind kind) {
  KeyPtr key;
  switch (kind) {
    case KeyKind::rsa_1024:
      key.reset(EVP_RSA_gen(1024U));
      break;
    case KeyKind::rsa_2048:
      key.reset(EVP_RSA_gen(2048U));
      break;
    case KeyKind::p256:
      key.reset(EVP_EC_gen("P-256"));
      break;
  }
  REQUIRE(key != nullptr);
  return key;
}

/// One key of each kind is enough for most tests, and RSA keys take long.
inline EVP_PKEY* shared_key(KeyKind kind) {
  static const KeyPtr rsa_1024 = make_key(KeyKind::rsa_1024);
  static const KeyPtr rsa_2048 = make_key(KeyKind::rsa_2048);
  static const KeyPtr p256 = make_key(KeyKind::p256);
  switch (kind) {
    case KeyKind::rsa_1024:
      return rsa_1024.get();
    case KeyKind::rsa_2048:
      return rsa_2048.get();
    case KeyKind::p256:
      break;
  }
  return p256.get();
}

inline std::string text_of_bio(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  return {text, static_cast<std::size_t>(size)};
}

inline std::string make_certificate(EVP_PKEY* key, const std::string& name = "turn.example.com") {
  const CertificatePtr certificate{X509_new()};
  X509* const raw = certificate.get();
  X509_set_version(raw, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(raw), 1);
  ASN1_TIME_set(X509_getm_notBefore(raw), valid_from.time_since_epoch().count());
  ASN1_TIME_set(X509_getm_notAfter(raw), valid_until.time_since_epoch().count());
  X509_NAME* const subject = X509_get_subject_name(raw);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(raw, subject);
  X509_set_pubkey(raw, key);
  REQUIRE(X509_sign(raw, key, EVP_sha256()) > 0);
  const BioPtr bio{BIO_new(BIO_s_mem())};
  REQUIRE(PEM_write_bio_X509(bio.get(), raw) == 1);
  return text_of_bio(bio.get());
}

/// PEM, encrypted when there is a passphrase.
inline std::string pem_of(EVP_PKEY* key, std::string passphrase = "") {
  const BioPtr bio{BIO_new(BIO_s_mem())};
  const EVP_CIPHER* const cipher = passphrase.empty() ? nullptr : EVP_aes_128_cbc();
  REQUIRE(PEM_write_bio_PrivateKey(bio.get(), key, cipher, nullptr, 0, nullptr,
                                   passphrase.data()) == 1);
  return text_of_bio(bio.get());
}

/// A directory with a certificate file and a key file, which may or may not fit each other.
class CertificateFiles {
 public:
  explicit CertificateFiles(KeyKind kind) : CertificateFiles() { write_pair(kind); }
  CertificateFiles() = default;

  void write_pair(KeyKind kind) {
    write_certificate(make_certificate(shared_key(kind)));
    write_key(pem_of(shared_key(kind)));
  }
  void write_certificate(const std::string& text) const { write(certificate(), text); }
  void write_key(const std::string& text) const { write(key(), text); }

  [[nodiscard]] std::string certificate() const { return path("fullchain.pem"); }
  [[nodiscard]] std::string key() const { return path("privkey.pem"); }

  [[nodiscard]] Result<std::shared_ptr<const TlsContext>, std::string> load(
      const TlsContext::LoadOptions& options = {today, false}) const {
    return TlsContext::load(certificate(), key(), options);
  }

 private:
  [[nodiscard]] std::string path(const std::string& name) const {
    return directory_.path() + "/" + name;
  }
  static void write(const std::string& file, const std::string& text) {
    std::ofstream stream{file, std::ios::trunc | std::ios::binary};
    stream << text;
    REQUIRE(stream.good());
  }

  test::ScratchDirectory directory_;
};

inline std::shared_ptr<const TlsContext> load_context(KeyKind kind) {
  auto loaded = CertificateFiles{kind}.load();
  if (!loaded) FAIL(loaded.error());
  return *std::move(loaded);
}

}  // namespace turnpike::net
