// One conversation with the server below the level of messages, the same for UDP, TCP, TLS, DTLS.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "conformance/socket.h"
#include "net/tls_connection.h"

namespace turnpike::conformance {

/// How to open one.
struct ConnectionOptions {
  Transport transport = Transport::udp;
  Endpoint server;
  std::optional<Endpoint> local;  ///< where to send from; nothing: the kernel chooses
  /// UDP: datagrams of any source are received, not only the server's (RFC 5780).
  bool any_source = false;
  net::TlsConnectionOptions tls;  ///< TLS and DTLS
};

/// Why there is none.
struct ConnectError {
  bool handshake = false;  ///< somebody answered, but (D)TLS was not agreed on
  std::string text;
};

/// A datagram socket or a stream. Datagram transports carry one message a send().
class Connection {
 public:
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] static Result<std::unique_ptr<Connection>, ConnectError> open(
      const ConnectionOptions& options, Instant until);

  /// False when the connection is gone.
  virtual bool send(ByteView bytes) = 0;
  /// UDP: to another address than the server's.
  virtual bool send_to(ByteView datagram, const Endpoint& to);
  /// A datagram, or whatever has come of the stream.
  [[nodiscard]] virtual Result<Received, Stop> receive(Instant until) = 0;
  [[nodiscard]] virtual Endpoint local() const = 0;
  /// TCP: the end will be a reset, not a goodbye, and the port is free at once.
  virtual void reset_on_close() {}
  /// The socket beneath UDP and plain TCP; null where (D)TLS has it.
  [[nodiscard]] virtual Socket* socket() { return nullptr; }
  /// What ALPN chose; empty where there is none.
  [[nodiscard]] virtual std::string alpn() const { return {}; }
  /// "TLSv1.3"…; empty where there is none.
  [[nodiscard]] virtual std::string version() const { return {}; }

 protected:
  Connection() = default;
};

}  // namespace turnpike::conformance
