// A peer's TCP connection and the client's data connection, joined (RFC 6062 §5.4, §5.5). Which
// connection it is, and when it is asked, is the worker's business.
#pragma once

#include <optional>

#include "net/poller.h"
#include "net/tcp.h"
#include "server/stream_session.h"

namespace turnpike::server {

/// Bytes both ways, as they come. Neither side is read while the other one is slow: what waits is
/// bounded, and in the end the sender's TCP window closes. An idle bridge holds no buffers.
///
/// The end of one side is passed on once everything before it has been: FIN for FIN, so that
/// whoever only has no more to say still gets the answer. TLS ends both ways at once.
class TcpBridge {
 public:
  /// A side is not read while as much as this waits for the other one.
  static constexpr std::size_t mark_bytes = 64 * 1024;

  explicit TcpBridge(net::TcpSocket peer) : peer_(std::move(peer)) {}

  /// Joins the client's side; its unread input is data.
  void bind(StreamSession client);
  [[nodiscard]] bool is_bound() const { return client_.has_value(); }
  [[nodiscard]] net::TcpSocket& peer() { return peer_; }
  [[nodiscard]] const net::TcpSocket& peer() const { return peer_; }
  /// Precondition: is_bound().
  [[nodiscard]] const StreamSession& client() const { return *client_; }

  /// What a side's descriptor has to say.
  struct Ready {
    bool readable = false;
    bool hung_up = false;
  };
  /// Reads each side once if it is ready and wanted, at most scratch.size() bytes, and writes what
  /// the kernel takes. Precondition: is_bound().
  void move(Ready client, Ready peer, MutableByteView scratch);

  /// What to wait for. Nothing at all on the peer's side before it is bound.
  [[nodiscard]] net::Interest client_interest() const;
  [[nodiscard]] net::Interest peer_interest() const;

  /// Something has ended; the rest should follow soon.
  [[nodiscard]] bool is_ending() const {
    return client_ended_ || client_finished_ || peer_ended_ || peer_finished_;
  }
  /// Both sides have ended, both ways: close them.
  [[nodiscard]] bool is_over() const {
    return client_ended_ && client_finished_ && peer_ended_ && peer_finished_;
  }
  /// Grows as long as anything gets on.
  [[nodiscard]] std::uint64_t moved_bytes() const { return to_peer_bytes_ + to_client_bytes_; }
  [[nodiscard]] std::uint64_t to_peer_bytes() const { return to_peer_bytes_; }
  [[nodiscard]] std::uint64_t to_client_bytes() const { return to_client_bytes_; }

 private:
  void read_client(MutableByteView scratch, bool hung_up);
  void read_peer(MutableByteView scratch, bool hung_up);
  void write_peer();
  void write_client();

  net::TcpSocket peer_;
  std::optional<StreamSession> client_;
  std::uint64_t to_peer_bytes_ = 0;
  std::uint64_t to_client_bytes_ = 0;
  bool client_ended_ = false;     // nothing more comes from it
  bool client_finished_ = false;  // nothing more goes to it
  bool peer_ended_ = false;
  bool peer_finished_ = false;
};

}  // namespace turnpike::server
