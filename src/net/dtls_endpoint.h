// The server side of DTLS over datagrams (RFC 6347, RFC 7350): the cookie exchange, handshakes,
// records. No sockets.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/endpoint.h"
#include "base/random.h"
#include "base/time.h"
#include "net/datagram_list.h"
#include "net/tls.h"

namespace turnpike::net {

/// True for a datagram that begins with a record of a ClientHello outside any association, whole or
/// a fragment: somebody's first words, or those of a client that has lost its state.
[[nodiscard]] bool is_client_hello(ByteView datagram);

/// One DTLS association, seen from the server; belongs to one thread. Made by DtlsListener::accept.
///
/// Calls add what must be sent to `wire`, one entry a datagram, also when they report `failed` (an
/// alert) or `closed` (our close_notify). After `closed` or `failed`, further calls add nothing and
/// report the same. What cannot be authenticated is ignored and never ends an established session
/// (RFC 6347 §4.1.2.7). Retransmission timers run on OpenSSL's clock, the system's.
class DtlsSession {
 public:
  enum class Status {
    open,    ///< in the handshake, or established
    closed,  ///< one of the sides has sent close_notify
    failed,  ///< the other side broke a rule, or shares no cipher or protocol with us
  };

  /// The most that one record carries, and so one message (RFC 6347 §4.1).
  static constexpr std::size_t message_bytes_max = 16384;

  ~DtlsSession();
  DtlsSession(DtlsSession&& other) noexcept;
  DtlsSession& operator=(DtlsSession&& other) noexcept;

  /// Takes one datagram with any number of records. Each record of application data that is not
  /// empty adds one message to `messages`, whose bytes need no more room than the datagram's.
  [[nodiscard]] Status receive(ByteView datagram, Instant now, DatagramList& messages,
                               DatagramList& wire);

  /// Adds `message` as one record. One above message_bytes_max, or an empty one, adds nothing.
  /// Precondition: is_established().
  [[nodiscard]] Status send(ByteView message, DatagramList& wire);

  /// When on_timer() is needed, from now; nothing when no flight waits for an answer.
  [[nodiscard]] std::optional<nanoseconds> time_to_timer() const;
  /// Sends the latest flight of the handshake again if it is time to (RFC 6347 §4.2.4).
  [[nodiscard]] Status on_timer(DatagramList& wire);

  /// Says goodbye with close_notify; the session is `closed` from then on. Adds nothing when the
  /// handshake has not been done.
  void close(DatagramList& wire);

  [[nodiscard]] Status status() const { return status_; }

  /// The handshake has been done. Stays true after `closed` and `failed`.
  [[nodiscard]] bool is_established() const { return established_; }

  /// The protocol agreed on by ALPN, as TlsSession::alpn().
  [[nodiscard]] std::string_view alpn() const { return alpn_; }

  /// True when `datagram`, a ClientHello, is the one that began this session, sent again.
  [[nodiscard]] bool began_with(ByteView datagram) const;

 private:
  friend class DtlsListener;
  struct Native;
  using ClientRandom = std::array<std::uint8_t, 32>;

  DtlsSession(std::unique_ptr<Native> native, std::shared_ptr<const TlsContext> context,
              const ClientRandom& client_random);
  void take_record(ByteView record, Instant now, DatagramList& messages);
  [[nodiscard]] bool is_too_short(ByteView record) const;
  [[nodiscard]] bool is_welcome(ByteView record);
  void shake_hands();
  void decrypt(std::size_t room, Instant now, DatagramList& messages);
  void count_idle_records(unsigned count, Instant now);
  void begin(DatagramList& wire);
  Status end();

  // Both given up as soon as the session is no longer open.
  std::unique_ptr<Native> native_;
  std::shared_ptr<const TlsContext> context_;
  ClientRandom client_random_;
  std::string_view alpn_;  // a literal
  std::size_t handshake_bytes_ = 0;
  std::uint16_t handshake_records_ = 0;
  std::uint16_t early_records_ = 0;
  std::uint16_t idle_records_ = 0;  // since idle_since_
  Instant idle_since_{};
  Status status_ = Status::open;
  bool established_ = false;
};

/// Meets strangers: nobody gets state before he has sent back the cookie that went to his address
/// (RFC 6347 §4.2.1). Belongs to one thread.
class DtlsListener {
 public:
  enum class Hello {
    dropped,     ///< no whole ClientHello that anything can be done with
    challenged,  ///< answered with a HelloVerifyRequest, which is smaller
    verified,    ///< from where it claims to come: accept() it, or do nothing
  };

  /// `random` must outlive the listener.
  explicit DtlsListener(Random& random);
  ~DtlsListener();
  DtlsListener(const DtlsListener&) = delete;
  DtlsListener& operator=(const DtlsListener&) = delete;

  /// Takes a datagram for which is_client_hello(). `context` is what a session would be made with.
  /// In the long run nothing is kept of what is not accepted, whoever sent it.
  [[nodiscard]] Hello receive(const std::shared_ptr<const TlsContext>& context,
                              const FiveTuple& tuple, ByteView datagram, Instant now,
                              DatagramList& wire);

  /// A session for the client of the latest receive(), its first flight added to `wire`; it may
  /// have `failed` already. This is where the server's signature is made, which costs more than
  /// everything before. Precondition: that receive() said `verified`, and nothing was called since.
  [[nodiscard]] DtlsSession accept(DatagramList& wire);

 private:
  [[nodiscard]] Sha256Digest cookie_for(const FiveTuple& tuple, const HmacSha256Key& key) const;
  [[nodiscard]] HmacSha256Key make_key();
  void rotate_keys(Instant now);
  void make_ready(const std::shared_ptr<const TlsContext>& context);

  Random& random_;
  HmacSha256Key key_;
  HmacSha256Key previous_key_;
  std::optional<Instant> rotated_at_;
  std::shared_ptr<const TlsContext> context_;    // of native_
  std::unique_ptr<DtlsSession::Native> native_;  // listens; becomes the next session's
  DtlsSession::ClientRandom client_random_{};
};

}  // namespace turnpike::net
