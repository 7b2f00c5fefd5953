// The client side of TLS and DTLS over a socket of its own, blocking with deadlines: for tools.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/result.h"
#include "base/time.h"

struct ssl_session_st;  // OpenSSL's SSL_SESSION

namespace turnpike::net {

/// Protocol versions, as a range. DTLS has no 1.3 here.
enum class TlsVersion : std::uint8_t { v1_0, v1_1, v1_2, v1_3 };

/// How to connect.
struct TlsConnectionOptions {
  std::string server_name;        ///< SNI and what --verify compares; an address is not sent as SNI
  std::vector<std::string> alpn;  ///< protocols offered; empty: no ALPN extension
  bool verify = false;            ///< the certificate must be valid for `server_name`
  TlsVersion min_version = TlsVersion::v1_2;
  TlsVersion max_version = TlsVersion::v1_3;
  std::shared_ptr<ssl_session_st> resume;  ///< an earlier connection's resumption()
};

/// Why no bytes came.
enum class TlsStop : std::uint8_t {
  deadline,  ///< nothing came in time
  closed,    ///< the server has ended the connection, or broke it
};

/// Why there is no connection.
struct TlsConnectError {
  enum class Kind : std::uint8_t {
    network,    ///< refused, no route, or no answer in time
    handshake,  ///< the server answered, and the handshake failed: `text` names the alert
  };
  Kind kind = Kind::network;
  std::string text;
};

/// One TLS (over TCP) or DTLS (over UDP) connection to a server. The process must ignore SIGPIPE.
class TlsConnection {
 public:
  /// Connects and shakes hands, both before `until`. `transport` is tls or dtls.
  [[nodiscard]] static Result<TlsConnection, TlsConnectError> connect(
      Transport transport, const Endpoint& server, const TlsConnectionOptions& options,
      Instant until);
  ~TlsConnection();
  TlsConnection(TlsConnection&& other) noexcept;
  TlsConnection& operator=(TlsConnection&& other) noexcept;

  /// Sends all of `plaintext`: over DTLS in one record. False when the connection is gone.
  [[nodiscard]] bool send(ByteView plaintext, Instant until);
  /// DTLS: one record for each of `plaintexts`, all of them in one datagram.
  [[nodiscard]] bool send_together(std::span<const std::vector<std::uint8_t>> plaintexts);
  /// What comes next: a piece of the stream, or over DTLS the content of one record.
  [[nodiscard]] Result<std::vector<std::uint8_t>, TlsStop> receive(Instant until);
  /// Says goodbye and closes the socket. The destructor does so too.
  void close();

  [[nodiscard]] const Endpoint& local() const { return local_; }
  /// The protocol the server chose by ALPN; empty: none.
  [[nodiscard]] std::string alpn() const;
  /// "TLSv1.3", "DTLSv1.2"…
  [[nodiscard]] std::string version() const;
  /// What a later connection may begin with. TLS 1.3 servers send it with their first data.
  [[nodiscard]] std::shared_ptr<ssl_session_st> resumption() const;
  /// The server took `TlsConnectionOptions::resume`.
  [[nodiscard]] bool is_resumed() const;
  /// The server's certificate is neither too young nor too old. False without one.
  [[nodiscard]] bool certificate_is_in_force() const;

 private:
  struct Native;
  TlsConnection();

  std::unique_ptr<Native> native_;
  Endpoint local_;
};

}  // namespace turnpike::net
