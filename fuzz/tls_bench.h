// What the targets over TLS and DTLS sessions share: OpenSSL without chance, and a certificate.
#pragma once

#include <openssl/err.h>
#include <openssl/rand.h>

#include <memory>

#include "net/certificates.h"
#include "server_bench.h"

namespace turnpike::fuzz {

/// From now on OpenSSL's random bytes are the same after each call, so that an input always means
/// the same. Only what its clock tells (the age of tickets) is not.
inline void restart_openssl_randomness() {
  static test::SeededRandom random{0};
  static const RAND_METHOD method = [] {
    const auto fill = [](unsigned char* out, int size) {
      random.fill({out, static_cast<std::size_t>(size)});
      return 1;
    };
    RAND_METHOD made{};
    made.bytes = fill;
    made.pseudorand = fill;
    made.status = [] { return 1; };
    return made;
  }();
  random = test::SeededRandom{1};
  // Deprecated, and the one way to replace OpenSSL's randomness that both 3.0 and later know.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  PROMISE(RAND_set_rand_method(&method) == 1);
#pragma GCC diagnostic pop
}

/// The server's, made once.
inline const std::shared_ptr<const net::TlsContext>& server_context() {
  static const std::shared_ptr<const net::TlsContext> context =
      net::load_context(net::KeyKind::p256);
  return context;
}

/// The protocol agreed on by ALPN is one that the server knows.
inline bool is_our_protocol(std::string_view alpn) {
  return alpn.empty() || alpn == "stun.turn" || alpn == "stun.nat-discovery" || alpn == "http/1.1";
}

}  // namespace turnpike::fuzz
