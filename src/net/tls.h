// The server side of TLS over bytes: certificates, handshakes, records. No sockets, no clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"
#include "base/time.h"

namespace turnpike::net {

/// A certificate with its key, and the settings of TLS and DTLS listeners: TLS 1.2 and 1.3,
/// DTLS 1.2, with forward secrecy only. Immutable; sessions and threads share it.
class TlsContext {
 public:
  struct LoadOptions {
    /// What the certificate's dates are compared with.
    WallTime now;
    /// Load a certificate that has expired, or that is not valid yet, all the same.
    bool allow_expired = false;
  };

  /// Loads a PEM chain (the server's own certificate first) and its PEM key.
  /// Error: one sentence naming the file and the remedy: a file that is missing, unreadable or not
  /// PEM, an encrypted or too weak key, a key of another certificate, a certificate out of date.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>, std::string> load(
      const std::string& certificate_file, const std::string& key_file, const LoadOptions& options);

  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// The end of the validity of the server's own certificate.
  [[nodiscard]] WallTime not_after() const { return not_after_; }

  /// The same for contexts loaded from the same bytes.
  [[nodiscard]] const Sha256Digest& fingerprint() const { return fingerprint_; }

 private:
  friend class TlsSession;
  friend class DtlsListener;
  struct Native;
  TlsContext(std::unique_ptr<Native> native, WallTime not_after, const Sha256Digest& fingerprint);

  std::unique_ptr<Native> native_;
  WallTime not_after_;
  Sha256Digest fingerprint_;
};

/// One TLS connection, seen from the server; belongs to one thread. It keeps its context alive.
///
/// Calls append what must be sent to `wire`, also when they report `failed` (an alert) or `closed`
/// (our close_notify); the caller sends that before it closes the connection. After `closed` or
/// `failed`, further calls append nothing and report the same. Idle sessions hold no buffers.
class TlsSession {
 public:
  enum class Status {
    open,    ///< in the handshake, or established
    closed,  ///< one of the sides has sent close_notify
    failed,  ///< the other side broke a rule, or shares no version, cipher or protocol with us
  };

  /// Throws std::bad_alloc when there is no memory.
  explicit TlsSession(std::shared_ptr<const TlsContext> context);
  ~TlsSession();
  TlsSession(TlsSession&& other) noexcept;
  TlsSession& operator=(TlsSession&& other) noexcept;

  /// Takes what came from the network, in pieces of any size. Appends what it decrypts to
  /// `plaintext`: complete even when the status is `closed` or `failed`.
  [[nodiscard]] Status receive(ByteView from_network, std::vector<std::uint8_t>& plaintext,
                               std::vector<std::uint8_t>& wire);

  /// Appends `plaintext` encrypted to `wire`, in as few records as possible.
  /// Precondition: is_established().
  [[nodiscard]] Status send(ByteView plaintext, std::vector<std::uint8_t>& wire);

  /// Says goodbye with close_notify; the session is `closed` from then on. Appends nothing when the
  /// handshake has not been done.
  void close(std::vector<std::uint8_t>& wire);

  /// The handshake has been done. Stays true after `closed` and `failed`.
  [[nodiscard]] bool is_established() const { return established_; }

  /// The protocol agreed on by ALPN: "stun.turn", "stun.nat-discovery" (RFC 7443) or "http/1.1".
  /// Empty when the client offered none, and before the handshake is done.
  [[nodiscard]] std::string_view alpn() const { return alpn_; }

  /// How many records of one to three bytes, less than a message of TURN has, have come since the
  /// last call. What too many are, who knows what is spoken inside must say.
  [[nodiscard]] unsigned take_tiny_records() { return std::exchange(tiny_records_, 0); }

 private:
  struct Native;
  void shake_hands();
  void decrypt(std::vector<std::uint8_t>& plaintext);
  void release_unless_open();

  // Both given up as soon as the session is no longer open.
  std::unique_ptr<Native> native_;
  std::shared_ptr<const TlsContext> context_;
  std::string_view alpn_;  // a literal
  unsigned tiny_records_ = 0;
  Status status_ = Status::open;
  bool established_ = false;
};

}  // namespace turnpike::net
