// What everything here that uses OpenSSL has in common.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>

namespace turnpike::net {

/// A deleter that calls `function`: std::unique_ptr<SSL, FreeWith<SSL_free>>.
template <auto function>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    function(object);
  }
};
using BioPtr = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, FreeWith<SSL_free>>;

/// The most plaintext that one TLS record carries (RFC 8446 §5.1).
inline constexpr std::size_t record_bytes_max = 16384;

/// The latest thing that OpenSSL complained about in this thread, in its words; `otherwise` when it
/// has not.
[[nodiscard]] inline std::string openssl_reason(const char* otherwise) {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason != nullptr ? reason : otherwise;
}

}  // namespace turnpike::net
