// Steps with TCP allocations (RFC 6062) that several checks begin with. What they cannot do ends
// the check.
#pragma once

#include "conformance/session.h"

namespace turnpike::conformance {

inline constexpr std::uint8_t ip_protocol_tcp = 6;

/// REQUESTED-TRANSPORT TCP, and the client's own family where that is IPv6.
void put_tcp_relay(const Session& session, stun::MessageBuilder& message);

/// A TCP allocation; its flow is the control connection.
struct TcpRelay {
  Flow& flow;
  Endpoint relayed;
  bool is_behind_nat;  ///< the client, and with it the suite's peers
};
/// Makes one. Not supported when the server has no TCP relays (442).
[[nodiscard]] TcpRelay open_tcp_relay(Session& session);
/// Ends the check as not supported unless the server makes TCP allocations over the stream that
/// belongs to the transport under test: TCP to UDP, TLS to DTLS.
void need_tcp_relays(Session& session);

/// A request that was sent, once, and may take its time.
struct Asked {
  stun::TransactionId id;
  client::Signature signature;
};
/// Signs and sends; `behind` goes out with it in one piece. No fence follows: a Connect waits for
/// the peer, and what follows a ConnectionBind is the peer's.
[[nodiscard]] Asked send_signed(Flow& flow, stun::Method method, const Body& body,
                                client::Signature signature, ByteView behind = {});
/// Its response; nothing when none came.
[[nodiscard]] std::optional<Reply> await_answer(Flow& flow, const Asked& asked, Instant until);

[[nodiscard]] Asked send_connect(const TcpRelay& relay, const Endpoint& peer);
/// Connect, and its answer, which must come within seconds.
[[nodiscard]] Reply connect_to(const TcpRelay& relay, const Endpoint& peer);

/// A connection on which a ConnectionBind was sent, and the answer.
struct Bind {
  Flow& flow;
  Reply reply;
};
struct BindOptions {
  bool as_second_user = false;
  ByteView behind;  ///< goes out with the request in one piece
};
/// ConnectionBind on a connection of its own. The nonce is first that of the control connection
/// (RFC 8489 §9.2.3: what the server gave is good for further requests to it), and where the server
/// wants one for each source (438), another connection with its own.
[[nodiscard]] std::optional<Bind> try_connection_bind(Session& session, const TcpRelay& relay,
                                                      std::uint32_t connection,
                                                      const BindOptions& options = {});
/// The same; no answer fails the check.
[[nodiscard]] Bind connection_bind(Session& session, const TcpRelay& relay,
                                   std::uint32_t connection, const BindOptions& options = {});
/// CONNECTION-ID of a Connect success or a ConnectionAttempt.
[[nodiscard]] std::uint32_t connection_id(const Reply& message);
/// CONNECTION-ID of a Connect that must succeed. Not tried when the server refuses the suite's
/// peer.
[[nodiscard]] std::uint32_t expect_connected(const TcpRelay& relay, const Reply& reply);

/// A socket that waits for connections on the suite's peer address.
[[nodiscard]] Socket listen_as_peer(Session& session);
/// The next connection to it.
[[nodiscard]] Socket accept_as_peer(Socket& listener);

/// A peer that is connected to the relay, and the CONNECTION-ID for it.
struct Waiting {
  TcpRelay relay;
  Socket peer;
  std::uint32_t connection;
};
/// By Connect.
[[nodiscard]] Waiting connect_out(Session& session);
/// By a peer that connects to the relayed address and is permitted to.
[[nodiscard]] Waiting connect_in(Session& session);

/// Both ends of what the server joins.
struct Joined {
  TcpRelay relay;
  Flow& data;
  Socket peer;
};
/// Binds the connection of `waiting`.
[[nodiscard]] Joined join(Session& session, Waiting waiting);

/// The very next bytes at one end are `expected`.
void expect_bytes(Flow& data, ByteView expected);
void expect_bytes(Socket& peer, ByteView expected);
/// The server ends the connection soon.
void expect_closed(Flow& flow, const std::string& when);
void expect_closed(Socket& peer, const std::string& when);

}  // namespace turnpike::conformance
