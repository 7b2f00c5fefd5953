// One TCP or TLS connection of a client: bytes in, messages out, and a bounded queue back.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/endpoint.h"
#include "base/proxy_protocol.h"
#include "base/time.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "turn/framing.h"

namespace turnpike::server {

/// What the input of a session holds next.
enum class StreamInput : std::uint8_t {
  message,       ///< one whole STUN or ChannelData message
  incomplete,    ///< nothing yet
  proxy_header,  ///< a balancer has said whom it speaks for: see tuple(), then accept_client()
  http,          ///< a browser: answer_http() and close
  broken,        ///< no protocol of ours: close
};

/// A connection with its buffers. An idle one holds no memory beyond this object and, for TLS, what
/// OpenSSL keeps.
class StreamSession {
 public:
  /// More than this is never queued towards a client that does not read.
  static constexpr std::size_t max_queued_bytes = 256 * 1024;

  /// `tls`: null for plain TCP. `expects_proxy`: a PROXY header comes first, before TLS or as the
  /// first bytes inside it.
  StreamSession(net::TcpSocket socket, const FiveTuple& tuple,
                std::shared_ptr<const net::TlsContext> tls, bool expects_proxy = false);

  /// Its client is the balancer until the PROXY header has been taken.
  [[nodiscard]] const FiveTuple& tuple() const { return tuple_; }
  [[nodiscard]] int descriptor() const { return socket_.descriptor(); }

  /// See TcpSocket::keep_alive().
  void keep_alive() { socket_.keep_alive(); }

  /// The TLS handshake has been done. True for plain TCP.
  [[nodiscard]] bool is_established() const { return !tls_ || tls_->is_established(); }

  /// Reads once, at most scratch.size() bytes. False when the connection is over; what was read
  /// before that can still be taken.
  [[nodiscard]] bool receive(MutableByteView scratch);
  /// True when, over TLS, the client has had us decrypt more records of hardly any content than one
  /// that speaks TURN or HTTP has a use for (HOSTILE.md L05). To be asked after each receive().
  [[nodiscard]] bool floods_with_records(Instant now);
  /// Takes the next message; `message` points into the session until compact().
  [[nodiscard]] StreamInput next(ByteView& message);
  /// After StreamInput::proxy_header: what follows the header is the client's. False when it breaks
  /// TLS, and the connection is over.
  [[nodiscard]] bool accept_client();
  /// True when next() has something to say without another receive().
  [[nodiscard]] bool has_input() const;
  /// Forgets what next() has given out.
  void compact();

  /// Queues header, payload and zero padding. False, and nothing queued, when the queue is full.
  [[nodiscard]] bool queue(ByteView header, ByteView payload, std::size_t padding_bytes);
  /// Queues an answer for a browser that came to the wrong door.
  void answer_http();
  /// Sends as much as the kernel takes. False when the connection is over.
  [[nodiscard]] bool flush();
  [[nodiscard]] bool wants_to_write() const { return sent_ < wire_.size(); }
  [[nodiscard]] std::size_t queued_bytes() const { return plain_.size() + wire_.size() - sent_; }

  /// From now on only what is queued is still sent; what comes in is thrown away.
  void begin_close() { is_closing_ = is_finishing_ = true; }
  [[nodiscard]] bool is_closing() const { return is_closing_; }

  // ---- when there are no messages any more, only data (RFC 6062) ----
  /// What has come after the last message and has not been taken; valid until the next call.
  [[nodiscard]] ByteView data() const { return ByteView{input_}.subspan(taken_); }
  void take_data(std::size_t bytes);
  /// Nothing more is queued: once all is sent, FIN is. Over plain TCP the client may go on sending;
  /// TLS is over then, and what comes in is thrown away.
  void finish();
  [[nodiscard]] bool has_finished() const { return has_finished_; }
  [[nodiscard]] bool is_tls() const { return tls_.has_value(); }

 private:
  /// The wait for a PROXY header.
  struct Preface {
    std::vector<std::uint8_t> wire;  // TLS: what came before it was clear where the header stands
    bool is_inside = false;          // not before TLS: it stands in input_
    std::size_t size = 0;            // of the header, once it is there
  };

  [[nodiscard]] bool receive_plain(ByteView bytes);
  /// What there is of the header.
  [[nodiscard]] ProxyState find_preface(ProxyHeader& header) const;
  [[nodiscard]] StreamInput take_preface();
  /// What next() would say; `frame` is set for a message.
  [[nodiscard]] StreamInput peek(turn::StreamFrame& frame) const;
  void forget_sent();

  net::TcpSocket socket_;
  FiveTuple tuple_;
  std::optional<net::TlsSession> tls_;
  std::unique_ptr<Preface> preface_;  // until accept_client(); otherwise null

  std::vector<std::uint8_t> input_;    // decrypted, from the first byte not yet understood
  std::size_t taken_ = 0;              // of input_, given out by next()
  std::vector<std::uint8_t> plain_;    // TLS only: to be encrypted by the next flush, as one record
  std::vector<std::uint8_t> wire_;     // to be sent
  std::size_t sent_ = 0;               // of wire_
  Instant tiny_records_paid_until_{};  // each costs its part of a second
  bool has_spoken_turn_ = false;       // so a capital letter begins no HTTP request any more
  bool is_closing_ = false;
  bool is_finishing_ = false;  // FIN follows what is queued
  bool has_finished_ = false;  // FIN is sent
};

}  // namespace turnpike::server
