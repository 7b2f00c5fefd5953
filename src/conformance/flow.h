// One user on one connection: builds messages, asks, waits, and tells silence from slowness.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "base/random.h"
#include "client/long_term.h"
#include "conformance/connection.h"
#include "conformance/outcome.h"
#include "conformance/reply.h"
#include "stun/builder.h"

namespace turnpike::conformance {

/// Puts a request's own attributes; what authenticates it follows. May be called more than once.
using Body = std::function<void(stun::MessageBuilder&)>;

/// How long things take on this path.
struct Timing {
  milliseconds rto{500};   ///< first wait for an answer (RFC 8489 §6.2.1)
  milliseconds quiet{50};  ///< how long silence is listened to after a fence
  milliseconds connect_timeout{5000};
  /// The method of the fence: a request that this server answers without credentials.
  stun::Method fence = stun::Method::binding;
};

/// What a message that deserves no answer got.
struct Silence {
  std::optional<Received> answer;  ///< something came before or shortly after the fence's answer
  bool closed = false;             ///< the server closed the connection
};

/// What reached the client through its allocation.
struct FromPeer {
  std::optional<std::uint16_t> channel;  ///< it came as ChannelData
  std::optional<Endpoint> peer;          ///< XOR-PEER-ADDRESS of a Data indication
  std::optional<Bytes> payload;          ///< DATA, or the payload of ChannelData
  std::optional<stun::Icmp> icmp;
  std::optional<std::uint8_t> traffic_class;  ///< over UDP: DSCP and ECN
  Bytes raw;                                  ///< the whole message, padding included
};

class Flow {
 public:
  Flow(std::unique_ptr<Connection> connection, Transport transport,
       std::optional<client::LongTermClient> user, Random& random, const Timing& timing);

  // --- Messages ---

  /// A message without credentials, with a new transaction id.
  [[nodiscard]] Bytes build(stun::Class message_class, stun::Method method, const Body& body = {});
  [[nodiscard]] Bytes build_request(stun::Method method, const Body& body = {}) {
    return build(stun::Class::request, method, body);
  }
  /// A request with `signature`.
  [[nodiscard]] Bytes build_signed(stun::Method method, const Body& body,
                                   const client::Signature& signature);
  /// What a good client would sign with now. Fetches a challenge when there is none yet; the check
  /// ends as not tried when no user was given.
  [[nodiscard]] client::Signature signature();
  /// The user; the check ends as not tried when none was given. Knows the server's challenge.
  [[nodiscard]] client::LongTermClient& user();
  /// Begins as the same user with the nonce that `other` has from this server, as a client may
  /// (RFC 8489 §9.2.3), instead of fetching one of its own.
  void take_challenge_of(const Flow& other) { user_ = other.user_; }

  // --- Asking ---

  /// Sends `request` as it is and waits for the response with its transaction id; over datagrams it
  /// is sent again as it must be. Nothing: the server is alive and does not answer. The check fails
  /// when the server answers nothing at all, or something that is no STUN message.
  [[nodiscard]] std::optional<Reply> ask(ByteView request);
  /// The same; no answer fails the check.
  [[nodiscard]] Reply ask_for_reply(ByteView request);
  /// Signs, sends, and answers challenges as a good client does. The check fails on silence, on an
  /// integrity attribute that is wrong, and on a success without one.
  [[nodiscard]] Reply request(stun::Method method, const Body& body = {});
  /// The same with this very signature: no retry.
  [[nodiscard]] Reply request_as(stun::Method method, const Body& body,
                                 const client::Signature& signature);
  [[nodiscard]] Reply request_unsigned(stun::Method method, const Body& body = {}) {
    return ask_for_reply(build_request(method, body));
  }

  /// Sends `message` and then a fence: a request whose answer shows that the message was read.
  [[nodiscard]] Silence listen_after(ByteView message);
  /// Fails the check when `message` is answered. A stream that is closed over it fails too, unless
  /// `may_close`: framing that is lost cannot be found again.
  void expect_silence(ByteView message, const std::string& what, bool may_close = false);
  /// Waits until all that was sent has been read by the server, by the same means.
  void fence();

  // --- Sending and receiving ---

  /// Bytes as they are: one datagram, or a piece of a stream.
  void send(ByteView bytes);
  /// The next message that is no answer to a request of ask(). On streams with its padding.
  [[nodiscard]] std::optional<Received> next(Instant until);
  /// Bytes of a stream that carries no messages any more, as they come: first those behind the last
  /// message. Nothing: none came, or the stream is_closed().
  [[nodiscard]] std::optional<Bytes> next_bytes(Instant until);
  /// The next Data indication or ChannelData.
  [[nodiscard]] std::optional<FromPeer> next_from_peer(Instant until);
  /// Forgets what has come so far.
  void clear_inbox() { inbox_.clear(); }

  /// A request of this flow made an allocation that is not known to be gone.
  [[nodiscard]] bool has_allocation() const { return has_allocation_; }
  /// Deletes the allocation. False when the server does not confirm it.
  [[nodiscard]] bool delete_allocation();

  [[nodiscard]] Connection& connection() { return *connection_; }
  [[nodiscard]] Endpoint local() const { return connection_->local(); }
  [[nodiscard]] Transport transport() const { return transport_; }
  [[nodiscard]] bool is_datagram() const { return !is_stream(transport_); }
  /// The server has closed the connection.
  [[nodiscard]] bool is_closed() const { return is_closed_; }
  /// Waits for the server to close the connection.
  [[nodiscard]] bool wait_closed(Instant until);
  [[nodiscard]] const Timing& timing() const { return timing_; }

 private:
  [[nodiscard]] std::optional<Received> read_frame(Instant until);
  [[nodiscard]] Bytes fence_request();
  [[nodiscard]] Reply checked(Received answer);
  void learn_challenge();
  void note_allocation(const Reply& reply);

  std::unique_ptr<Connection> connection_;
  Transport transport_;
  std::optional<client::LongTermClient> user_;
  Random& random_;
  Timing timing_;
  Bytes stream_;  // what has come of the next frame
  std::deque<Received> inbox_;
  bool is_closed_ = false;
  bool has_allocation_ = false;
};

}  // namespace turnpike::conformance
