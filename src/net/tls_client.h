// The client side of TLS and DTLS over bytes: handshake and records. No sockets, no clock. For
// tools with many connections at once; tls_connection.h is one that blocks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/result.h"

namespace turnpike::net {

/// What many sessions share. Certificates are not verified: these tools measure servers, they do
/// not trust them.
class TlsClientContext {
 public:
  /// `transport` is tls or dtls; `server_name` goes into SNI unless it is an address.
  /// Error: OpenSSL's words.
  [[nodiscard]] static Result<std::unique_ptr<TlsClientContext>, std::string> make(
      Transport transport, const std::string& server_name);
  ~TlsClientContext();
  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;

 private:
  friend class TlsClientSession;
  struct Native;
  explicit TlsClientContext(std::unique_ptr<Native> native);

  std::unique_ptr<Native> native_;
};

/// One connection. What must be sent is appended to `wire`; over DTLS what one call appends is one
/// datagram, and receive() takes one.
class TlsClientSession {
 public:
  using Bytes = std::vector<std::uint8_t>;

  /// `context` outlives the session. Appends the ClientHello.
  TlsClientSession(TlsClientContext& context, Bytes& wire);
  ~TlsClientSession();
  TlsClientSession(TlsClientSession&& other) noexcept;
  TlsClientSession& operator=(TlsClientSession&& other) noexcept;

  /// What has been decrypted: with DTLS each piece is the content of one record.
  struct Plaintext {
    Bytes bytes;
    std::vector<std::size_t> pieces;  ///< their sizes, in order
    void clear() {
      bytes.clear();
      pieces.clear();
    }
  };
  /// Takes what came, appends what it decrypts to `plaintext`. False: the connection is over, and
  /// problem() says why.
  [[nodiscard]] bool receive(ByteView from_network, Plaintext& plaintext, Bytes& wire);
  /// Encrypts `plaintext`: over DTLS in one record. Precondition: is_established(), not empty.
  [[nodiscard]] bool send(ByteView plaintext, Bytes& wire);
  /// DTLS: sends the latest flight of the handshake again when it is time to.
  void on_timer(Bytes& wire);

  [[nodiscard]] bool is_established() const { return is_established_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  struct Native;
  void shake_hands();
  void drain(Bytes& wire);
  bool fail();

  std::unique_ptr<Native> native_;
  bool is_established_ = false;
  std::string problem_;
};

}  // namespace turnpike::net
