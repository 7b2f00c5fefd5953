// What net/tls and net/dtls_endpoint share of OpenSSL. Nobody else includes it.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "net/ticket_keys.h"
#include "net/tls.h"
#include "net/tls_openssl.h"

namespace turnpike::net {

/// Empties OpenSSL's error queue of this thread before and after: what an earlier call left there
/// would be taken for the result of the next one.
class CleanErrorQueue {
 public:
  CleanErrorQueue() { ERR_clear_error(); }
  ~CleanErrorQueue() { ERR_clear_error(); }
  CleanErrorQueue(const CleanErrorQueue&) = delete;
  CleanErrorQueue& operator=(const CleanErrorQueue&) = delete;
};

/// Bytes a client may send until the handshake is done. A ClientHello with post-quantum key shares
/// has 2 KiB; OpenSSL alone would store one of 128 KiB.
inline constexpr std::size_t handshake_bytes_max = 32768;

/// What every message of ours has at least: ChannelData's header. A record below this that is no
/// part of a stream of data is work for nothing (HOSTILE.md L05).
inline constexpr std::size_t smallest_message_bytes = 4;

/// The protocol that ALPN has chosen, as a literal; empty when there is none.
[[nodiscard]] std::string_view alpn_of(const SSL* ssl);

/// The settings of DTLS contexts that only net/dtls_endpoint understands.
void configure_datagrams(SSL_CTX* context);

/// One certificate under the settings of each protocol.
struct TlsContext::Native {
  std::unique_ptr<TicketKeys> ticket_keys;  // of both
  SslContextPtr stream;
  SslContextPtr datagram;  // DTLS 1.2
};

}  // namespace turnpike::net
