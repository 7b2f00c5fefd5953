// What one check works with: connections, allocations and peers, all gone when it ends.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "conformance/flow.h"
#include "conformance/outcome.h"

namespace turnpike::conformance {

/// A name and its password.
struct User {
  std::string name;
  std::string password;
};

/// What to test, and how. The same for all checks of a run over one transport and family.
struct Settings {
  Endpoint server;
  Transport transport = Transport::udp;
  std::string server_name;  ///< as the user wrote it: for TLS
  std::optional<User> user;
  std::optional<User> second_user;
  std::optional<std::string> secret;  ///< that time-limited credentials are made with
  /// How long a nonce serves, if that is known.
  std::optional<seconds> nonce_lifetime;
  std::optional<IpAddress> peer_address;  ///< where the suite's peers are; nothing: by the route
  Timing timing;
  bool slow = false;    ///< checks that wait for minutes run too
  bool verify = false;  ///< the server's certificate must be valid
  /// Client addresses of the run so far, shared by copies. None is used twice: some servers keep a
  /// deleted allocation for a while, and the next check would meet it.
  std::shared_ptr<std::set<Endpoint>> used_addresses = std::make_shared<std::set<Endpoint>>();
};

/// How to open one flow. What is left out is as the Settings say.
struct FlowOptions {
  std::optional<Transport> transport;
  std::optional<Endpoint> server;
  std::optional<Endpoint> local;
  bool as_second_user = false;
  std::optional<User> as_user;
  bool any_source = false;
  std::vector<std::string> alpn;
  std::optional<net::TlsVersion> min_version;
  std::optional<net::TlsVersion> max_version;
};

/// A UDP socket that plays the peer.
class Peer {
 public:
  explicit Peer(Socket socket) : socket_(std::move(socket)), endpoint_(socket_.local()) {}

  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  void send(ByteView datagram, const Endpoint& to) { socket_.send_to(datagram, to); }
  [[nodiscard]] Socket& socket() { return socket_; }
  [[nodiscard]] std::optional<Received> receive(Instant until);

 private:
  Socket socket_;
  Endpoint endpoint_;
};

class Session {
 public:
  Session(const Settings& settings, Random& random) : settings_(settings), random_(random) {}

  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] Transport transport() const { return settings_.transport; }
  [[nodiscard]] Family family() const { return settings_.server.family(); }
  [[nodiscard]] bool is_datagram() const { return !is_stream(settings_.transport); }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] Bytes random_bytes(std::size_t count);

  // --- Connections ---

  /// A new connection from a new port. Stays until the check ends. The check fails when the server
  /// cannot be reached.
  Flow& open(const FlowOptions& options = {});
  /// The same, with the error as a value.
  [[nodiscard]] Result<Flow*, ConnectError> try_open(const FlowOptions& options);
  /// Closes the connection now, without deleting its allocation.
  void close(Flow& flow);

  // --- Peers ---

  /// The suite's own address of the relay's family. The check ends as not tried without one.
  [[nodiscard]] IpAddress peer_address();
  /// A new peer on that address.
  Peer& add_peer();

  // --- Steps that many checks begin with. What they cannot do ends the check. ---

  /// REQUESTED-TRANSPORT UDP, and the client's own family where that is IPv6.
  void put_udp_relay(stun::MessageBuilder& message) const;
  /// An Allocate with put_udp_relay() and `more`. Not supported when the server has no such family,
  /// not tried when it is full; any other error fails the check.
  Reply allocate(Flow& flow, const Body& more = {});
  /// The relayed address of a success.
  [[nodiscard]] static Endpoint relayed(const Reply& reply);
  /// CreatePermission. Not tried when the server refuses the address with 403.
  void permit(Flow& flow, const IpAddress& peer);
  /// ChannelBind. Not tried when the server refuses the address with 403.
  void bind_channel(Flow& flow, std::uint16_t number, const Endpoint& peer);
  /// What a relay answers when CreatePermission or ChannelBind names this peer.
  Reply create_permission(Flow& flow, const std::vector<Endpoint>& peers);
  Reply channel_bind(Flow& flow, std::uint16_t number, const Endpoint& peer);

  /// A Send indication.
  [[nodiscard]] Bytes send_indication(Flow& flow, const Endpoint& peer, ByteView payload,
                                      const Body& more = {});
  /// An allocation with a peer that it may talk to.
  struct Relay {
    Flow& flow;
    Endpoint relayed;
    Peer& peer;
  };
  [[nodiscard]] Relay open_relay();

  /// Sends `message` on `flow` until `payload` has come to `peer`, a few times at most. Anything
  /// else that comes, and nothing at all, fails the check; nothing is not tried behind a NAT.
  Received expect_at_peer(Flow& flow, ByteView message, Peer& peer, ByteView payload);
  /// The same through a Send indication.
  Received expect_sent(const Relay& relay, ByteView payload);
  /// Lets `peer` send `payload` to `relayed` until the client has it.
  FromPeer expect_at_client(Flow& flow, Peer& peer, ByteView payload, const Endpoint& relayed);
  FromPeer expect_received(const Relay& relay, ByteView payload) {
    return expect_at_client(relay.flow, relay.peer, payload, relay.relayed);
  }
  /// Fails when something comes to the client, or to `peer`, while one listens shortly.
  /// Nothing has passed between the relay and `peer`: ends the check as not tried when that says
  /// nothing about the rule.
  void excuse_silence(Flow& flow, const Endpoint& peer);
  void expect_nothing_at_client(Flow& flow, const std::string& what);
  void expect_nothing_at_peer(Flow& flow, Peer& peer, const std::string& what);
  /// How long to wait for one datagram that should come.
  [[nodiscard]] Instant soon() const { return clock_now() + settings_.timing.rto; }
  /// How long to listen for one that should not come.
  [[nodiscard]] Instant briefly() const { return clock_now() + settings_.timing.quiet; }

  /// Deletes all allocations, redeems what was reserved, closes everything. What could not be
  /// undone, in words; empty: nothing was left behind.
  [[nodiscard]] std::string clean_up();
  /// The token of a reservation that some check must redeem or clean_up() will.
  void note_reservation(const Reply& reply);
  void forget_reservation() { reservations_.clear(); }

 private:
  /// Opens until the client's address is one that has not been used yet.
  [[nodiscard]] Result<std::unique_ptr<Connection>, ConnectError> connect(
      const ConnectionOptions& options);
  [[nodiscard]] std::string clean_up(Flow& flow);
  void redeem_reservations();
  [[nodiscard]] bool was_delivered(ByteView payload) const;

  const Settings& settings_;
  Random& random_;
  std::list<Flow> flows_;
  std::list<Peer> peers_;
  std::vector<std::uint64_t> reservations_;
  std::vector<Bytes> delivered_;  // payloads that have arrived: copies of them are no surprise
  bool is_behind_nat_ = false;
};

// --- Expectations ---

void expect_success(const Reply& reply);
void expect_error(const Reply& reply, std::uint16_t code);
/// One of several codes that the text allows.
void expect_error(const Reply& reply, const std::vector<std::uint16_t>& codes);

}  // namespace turnpike::conformance
