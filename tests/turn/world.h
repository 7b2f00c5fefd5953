// One turn::Server, or several that share a ledger, in virtual time: clients that speak real
// messages, peers, and a shell that opens sockets or refuses to. Tests read as scripts of what each
// does.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/credentials.h"
#include "base/hex.h"
#include "base/seeded_random.h"
#include "stun/builder.h"
#include "turn/server.h"
#include "turn/snapshot.h"

namespace turnpike::turn {

inline std::ostream& operator<<(std::ostream& out, Reason reason) {
  return out << to_string(reason);
}

}  // namespace turnpike::turn

namespace turnpike {

inline std::ostream& operator<<(std::ostream& out, const Endpoint& endpoint) {
  return out << endpoint.to_string();
}

}  // namespace turnpike

namespace turnpike::test {

using stun::AttributeType;
using stun::Method;
using turn::Reason;
using namespace std::chrono_literals;
using namespace std::string_literals;

/// What Reply::code() says besides error codes.
inline constexpr int ok = 200;
inline constexpr int silence = 0;

/// The endpoint or address that `text` spells.
[[nodiscard]] Endpoint endpoint(std::string_view text);
[[nodiscard]] IpAddress address(std::string_view text);

/// Adds attributes to a message under construction.
using Add = std::function<void(stun::MessageBuilder&)>;

/// What a world is made of; the defaults serve most tests.
struct WorldSettings {
  std::uint64_t seed = 7;
  /// Bound and advertised alike. The servers' own addresses, 192.0.2.1 and 2001:db8::1.
  std::vector<turn::RelayAddress> relays = default_relays();
  PortRange ports{49152, 65535};
  turn::Limits limits = default_limits();  ///< challenges, new peers without limit
  auth::CredentialSettings credentials = default_credentials();
  seconds nonce_lifetime{600};
  seconds clock_skew{30};
  seconds max_credential_age{86400};
  std::uint32_t max_failures_per_minute = 0;
  turn::AddressFamilyRule address_family = turn::AddressFamilyRule::strict;
  bool strict_expiry = false;
  bool tcp_relays = false;
  bool mobility = false;
  bool asks_for_users = false;  ///< those that are not in `credentials`
  std::uint8_t workers = 1;
  turn::PeerPolicy::Settings policy = default_policy();
  std::vector<turn::DiscoverySquare> nat_discovery;  ///< RFC 5780; none: off
  turn::Alternates alternates;                       ///< none: a full server says 508

  static std::vector<turn::RelayAddress> default_relays();
  static turn::Limits default_limits();
  /// Realm example.org; alice:wonderland and bob:builder.
  static auth::CredentialSettings default_credentials();
  /// The defaults, with the world's addresses and listeners as its own.
  static turn::PeerPolicy::Settings default_policy();
};

/// Who signed a response, by the client's own key.
enum class SignedBy { nobody, sha1, sha256, stranger };

/// The answer to a request, or that there was none.
class Reply {
 public:
  Reply(Reason why, std::optional<Bytes> message) : reason(why), bytes(std::move(message)) {}

  /// `ok`, an error code, or `silence`.
  [[nodiscard]] int code() const;
  [[nodiscard]] bool has(AttributeType type) const { return view().has(type); }
  [[nodiscard]] std::string text(AttributeType type) const;
  /// The first XOR-…-ADDRESS of `type`.
  [[nodiscard]] std::optional<Endpoint> endpoint(AttributeType type) const;
  [[nodiscard]] std::vector<Endpoint> endpoints(AttributeType type) const;
  [[nodiscard]] std::optional<seconds> lifetime() const;
  [[nodiscard]] std::optional<std::uint64_t> token() const;
  [[nodiscard]] std::optional<std::uint32_t> connection_id() const;
  [[nodiscard]] std::optional<stun::AddressErrorCode> address_error() const;
  /// The numbers in UNKNOWN-ATTRIBUTES.
  [[nodiscard]] std::vector<unsigned> unknown_attributes() const;
  /// Every attribute type in order, integrity and FINGERPRINT not among them.
  [[nodiscard]] std::vector<AttributeType> types() const;
  [[nodiscard]] bool has_fingerprint() const { return view().has_fingerprint(); }
  [[nodiscard]] std::size_t size() const { return bytes ? bytes->size() : 0; }
  /// Precondition: not silence.
  [[nodiscard]] stun::MessageView view() const;

  Reason reason;
  std::optional<Bytes> bytes;
  SignedBy signed_by = SignedBy::nobody;
};

/// A datagram that left a relay for a peer.
struct AtPeer {
  Endpoint from;  ///< as the peer sees it
  Endpoint to;
  std::string payload;
  bool dont_fragment;
};

/// A datagram that was handed to another worker.
struct AtNeighbour {
  turn::RelayPlace to;
  Endpoint from;
  std::string payload;
};

/// What became of the datagrams of a train.
struct TrainFate {
  std::vector<Reason> reasons;
  std::vector<std::string> payloads;  ///< of those that left, to peers or a client
  std::size_t not_judged_anew = 0;    ///< that went the way of the one before them
};

/// Data from a peer as it came to a client.
struct AtClient {
  Endpoint client;
  Bytes bytes;                           ///< the whole datagram
  std::optional<std::uint16_t> channel;  ///< nothing: a Data indication
  std::optional<Endpoint> peer;          ///< of a Data indication
  std::string payload;
};

/// What is in use. Equal before and after means that nothing was lost.
struct Balance {
  std::size_t free_ports;
  std::size_t charged;      ///< allocations in the ledger
  std::size_t allocations;  ///< in the server
  std::size_t sockets;
  std::size_t connections = 0;  ///< of peers to TCP relays, in the server
  std::size_t peers = 0;        ///< and in the shell
  std::size_t pending = 0;      ///< CONNECTION-IDs in the ledger
  std::size_t guests = 0;       ///< clients that have moved to another worker

  friend bool operator==(const Balance&, const Balance&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Balance& b) {
    return out << "{free ports " << b.free_ports << ", charged " << b.charged << ", allocations "
               << b.allocations << ", sockets " << b.sockets << ", connections " << b.connections
               << ", peers " << b.peers << ", pending " << b.pending << ", guests " << b.guests
               << "}";
  }
};

/// The end of an allocation.
struct Closed {
  turn::AllocationRecord allocation;
  turn::CloseReason reason;
};

class World;

/// How a client chooses and uses a password algorithm (RFC 8489 §9.2.5).
enum class Algorithm {
  unnamed,  ///< no PASSWORD-ALGORITHM: MD5 and MESSAGE-INTEGRITY, as clients of RFC 5389 do
  md5,      ///< named; MESSAGE-INTEGRITY-SHA256
  sha256,   ///< named; MESSAGE-INTEGRITY-SHA256
};

/// A client at one address: it logs in on demand, renews stale nonces and checks every answer.
class Client {
 public:
  Client(World& world, Endpoint from, Endpoint server, Transport transport = Transport::udp);
  /// From now on its datagrams come in at this worker.
  Client& at(std::uint8_t worker);

  // ---- who it claims to be ----
  Client& is(std::string_view username, std::string_view password);
  Client& uses(Algorithm algorithm);

  std::string username = "alice";
  std::string password = "wonderland";
  bool with_userhash = false;
  bool with_fingerprint = false;
  Algorithm algorithm = Algorithm::unnamed;
  std::string realm;  ///< empty until the first challenge
  std::string nonce;
  Bytes offered;  ///< PASSWORD-ALGORITHMS as they came

  // ---- requests; each logs in first where that is needed ----
  Reply binding(const Add& add = {});
  /// Allocate with REQUESTED-TRANSPORT UDP, then `add`.
  Reply allocate(const Add& add = {});
  /// Allocate with REQUESTED-TRANSPORT TCP, then `add`.
  Reply allocate_tcp(const Add& add = {}) { return allocate_for(6, add); }
  Reply refresh(std::optional<seconds> lifetime = std::nullopt, const Add& add = {});
  Reply permit(std::string_view peer) { return permit_all({peer}); }
  Reply permit_all(const std::vector<std::string_view>& peers);
  Reply connect(std::string_view peer);
  Reply bind_connection(std::uint32_t number);
  Reply bind_channel(std::uint16_t channel, std::string_view peer);
  Reply request(Method method, const Add& add = {});
  /// The same as the client is now: a challenge is the answer, not a reason to try again.
  Reply request_once(Method method, const Add& add = {});
  /// Gets a fresh nonce.
  void log_in();

  // ---- data ----
  Reason send(std::string_view peer, std::string_view payload, const Add& add = {});
  Reason send_channel(std::uint16_t channel, std::string_view payload);
  /// What the last peer's datagram became on this client's side, if it came here.
  [[nodiscard]] std::optional<AtClient> data() const;

  // ---- below the procedures ----
  /// A request as it would be sent now, signed if the client has a nonce.
  [[nodiscard]] Bytes build(Method method, const Add& add = {});
  /// Sends any datagram; the answer, if one came.
  Reply transmit(const Bytes& datagram);
  /// Sends the last request again, byte for byte.
  Reply repeat() { return transmit(last_request); }
  /// The next answer that has not been read.
  std::optional<Reply> receive();
  /// Signs `message`, whatever stands in it.
  void sign(stun::MessageBuilder& message) const;
  /// The key of username and password under the client's algorithm.
  [[nodiscard]] stun::IntegrityKey key() const;

  [[nodiscard]] Endpoint relayed(Family family = Family::ipv4) const;
  [[nodiscard]] const turn::ClientFlow& flow() const { return flow_; }
  /// The next answer from `server` to this client at `at`, which may be another port of its.
  std::optional<Reply> receive_from(std::string_view server, std::string_view at);

  Bytes last_request;

 private:
  Reply allocate_for(std::uint8_t ip_protocol, const Add& add);
  void learn(const Reply& challenge);
  void examine(Reply& reply) const;

  World* world_;
  turn::ClientFlow flow_;
  std::vector<Endpoint> relayed_;
};

/// The server with everything around it. When it goes, no answer may be left unread.
class World {
 public:
  explicit World(WorldSettings settings = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// A client at `from`, talking to the server address of its family.
  Client client(std::string_view from);
  /// A client of another server address.
  Client client(std::string_view from, std::string_view server);
  /// A client over `transport`; of a stream, each transmit() is one message that was found in it.
  Client client(std::string_view from, Transport transport);

  // ---- time ----
  /// Lets time pass; deadlines are served when they come.
  void advance(nanoseconds duration);
  /// Lets time pass with nobody calling on_deadline().
  void oversleep(nanoseconds duration) { elapsed_ += duration; }
  [[nodiscard]] Now now() const;
  /// Somebody sets the wall clock forward, or back.
  void set_wall_clock(seconds by) { wall_clock_error_ += by; }

  // ---- snapshots ----
  [[nodiscard]] Bytes snapshot() const;
  /// Fresh servers in place of the ones that are there, which go on from `snapshot`; the shell
  /// keeps its sockets. An error: they have nothing.
  std::optional<turn::SnapshotError> restart_from(const Bytes& snapshot);
  /// From what the servers are like now. Clients, peers and their connections do not notice, except
  /// who waits for a relay or for a peer.
  void restart();

  // ---- peers ----
  /// A datagram from `peer` to the relayed address of `to`, also when its socket is closed by now.
  Reason peer_sends(std::string_view peer, const Client& to, std::string_view payload);
  Reason peer_sends(const Endpoint& peer, const Endpoint& relayed, std::string_view payload);
  /// What peers and clients send as one train, as the network or the kernel had put it together.
  TrainFate train_from(std::string_view peer, const Client& to, const std::vector<Bytes>& train);
  TrainFate train_from(const Client& client, const std::vector<Bytes>& train);
  /// An ICMP error about a datagram that the relay of `to` sent to `peer`.
  Reason icmp(std::string_view peer, const Client& to, const stun::Icmp& icmp);
  /// The connection of `client` has broken.
  void lose(const Client& client);

  // ---- peers of TCP relays ----
  /// The first ConnectToPeer that waits comes to this end.
  Reason answer_connect(turn::ConnectOutcome outcome);
  /// Every ConnectToPeer that waits for its end.
  [[nodiscard]] const std::deque<turn::ConnectToPeer>& connecting() const { return connecting_; }
  /// `peer` connects to the relayed address of `to`; kept if the server says so.
  Reason peer_connects(std::string_view peer, const Client& to);
  /// The kept connection number `index`, in the order in which they were made, has ended.
  void peer_closes(std::size_t index);
  /// The data connection of the latest BindStreams arrives; false: the server has no use for it.
  bool deliver_streams();
  [[nodiscard]] const std::optional<turn::BindStreams>& bound() const { return bound_; }

  /// What the last input sent to a peer.
  [[nodiscard]] const std::optional<AtPeer>& at_peer() const { return at_peer_; }
  [[nodiscard]] const std::optional<AtClient>& at_client() const { return at_client_; }
  [[nodiscard]] const std::optional<AtNeighbour>& at_neighbour() const { return at_neighbour_; }

  // ---- the shell ----
  /// From now on OpenRelay is refused with `error`; nothing: carried out.
  void refuse_relays(std::optional<turn::RelayOpenError> error) { relay_error_ = error; }
  /// Another program binds `port` of every address.
  void occupy(std::uint16_t port) { occupied_.insert(port); }
  /// From now on OpenRelay waits for open_held().
  void hold_relays() { hold_relays_ = true; }
  [[nodiscard]] const std::deque<turn::OpenRelay>& held() const { return held_; }
  /// Answers the first relay that waits.
  void open_held(std::optional<turn::RelayOpenError> error = std::nullopt);
  /// Every OpenRelay so far.
  [[nodiscard]] const std::vector<turn::OpenRelay>& opened() const { return opened_; }

  // ---- users that are not in the book ----
  /// Whose requests wait for an answer about them, one name for each request.
  [[nodiscard]] std::vector<std::string> asked() const;
  /// The answer about `username`, for a minute, and then all its requests again; no password: there
  /// is no such user. The last reason.
  Reason answer_user(const std::string& username, std::optional<std::string> password,
                     const auth::UserLimits& limits = {});
  /// No answer about `username` will come.
  void give_up_user(const std::string& username);
  /// Every AllocationOpened and AllocationClosed so far.
  [[nodiscard]] const std::vector<turn::AllocationRecord>& allocations_opened() const {
    return allocations_opened_;
  }
  [[nodiscard]] const std::vector<Closed>& allocations_closed() const {
    return allocations_closed_;
  }
  /// All servers get this policy in place of theirs, and look again at who is permitted.
  void use_policy(const turn::PeerPolicy::Settings& settings);
  /// Whether the servers that come after the next restart serve TCP relays (RFC 6062).
  void serve_tcp_relays(bool are_served) { settings_.tcp_relays = are_served; }
  /// All servers get these users and secrets in place of theirs.
  void use_credentials(const auth::CredentialSettings& settings);
  /// All servers and the ledger get these limits in place of theirs.
  void set_limits(const turn::Limits& limits);
  /// Ends the allocation of that name as an operator does.
  bool end(const turn::AllocationName& name, turn::CloseReason reason = turn::CloseReason::killed);
  std::size_t end_all_of(std::string_view user,
                         turn::CloseReason reason = turn::CloseReason::revoked);
  void end_all(turn::CloseReason reason);

  [[nodiscard]] Balance balance();
  [[nodiscard]] std::size_t unread() const;
  [[nodiscard]] turn::Ledger& ledger() { return *ledger_; }
  [[nodiscard]] turn::Server& server(std::size_t worker = 0) { return servers_.at(worker); }
  /// How many of a guest's datagrams have gone to the worker with its allocation.
  [[nodiscard]] std::size_t sent_home() const { return sent_home_; }
  [[nodiscard]] SeededRandom& random() { return client_random_; }
  [[nodiscard]] const WorldSettings& settings() const { return settings_; }

  // ---- for Client ----
  Reason from_client(const turn::ClientFlow& flow, const Bytes& datagram);
  std::optional<Bytes> take_message(const FiveTuple& tuple);
  /// What the socket is called that datagrams to `server` come in on.
  [[nodiscard]] turn::ListenerId listener_of(const Endpoint& server) const;

 private:
  void start();
  void carry_out();
  void answer_open(const turn::OpenRelay& relay, std::optional<turn::RelayOpenError> error);
  void carry_out(const turn::SendToClient& send);
  void carry_out(const turn::OpenRelay& open);
  void carry_out(const turn::CloseRelay& close);
  void carry_out(const turn::ConnectToPeer& connect);
  void carry_out(const turn::ClosePeerConnection& close);
  void carry_out(const turn::BindStreams& streams);
  void carry_out(const turn::ReleaseGuest& over);
  void carry_out(const turn::ReportGone& gone);
  void carry_out(const turn::AskForUser& ask);
  void carry_out(const turn::AllocationOpened& opened);
  void carry_out(const turn::AllocationClosed& closed);
  /// Would the worker whose effects are carried out reach that client?
  [[nodiscard]] bool reaches(const turn::ClientFlow& flow) const;
  [[nodiscard]] std::optional<Instant> next_deadline() const;
  void note(const std::optional<turn::Forward>& forward);
  /// A train whose datagrams `judge` hands to the server, as far as that is needed.
  TrainFate carry_train(const std::vector<Bytes>& train,
                        const std::function<turn::Handled(ByteView)>& judge);
  [[nodiscard]] Endpoint advertised(const Endpoint& bound) const;

  WorldSettings settings_;
  SeededRandom server_random_;
  SeededRandom client_random_;
  std::deque<auth::CredentialBook> books_;  // the last one is in use
  std::unique_ptr<turn::Ledger> ledger_;
  std::deque<turn::PeerPolicy> policies_;  // the last one is in use
  std::deque<turn::Server> servers_;       // by WorkerId
  std::size_t worker_ = 0;                 // whose turn it is
  turn::Effects effects_;                  // of that worker
  nanoseconds elapsed_{0};
  seconds wall_clock_error_{0};

  struct Socket {
    std::size_t worker;
    turn::RelayId relay;
    Endpoint bound;
    bool is_open = true;
  };
  std::vector<Socket> sockets_;
  std::vector<turn::OpenRelay> opened_;
  std::deque<turn::OpenRelay> held_;
  std::vector<turn::PeerConnectionId> peers_;  // connections that the shell keeps
  std::deque<turn::ConnectToPeer> connecting_;
  std::optional<turn::BindStreams> bound_;
  struct Parked {
    std::size_t worker;
    turn::ClientFlow flow;
    Bytes request;
    std::string username;
  };
  std::vector<Parked> parked_;
  std::vector<turn::AllocationRecord> allocations_opened_;
  std::vector<Closed> allocations_closed_;
  bool hold_relays_ = false;
  std::optional<turn::RelayOpenError> relay_error_;
  std::set<std::uint16_t> occupied_;
  std::map<std::pair<Endpoint, Endpoint>, std::deque<Bytes>> mailboxes_;  // by client and server
  std::size_t sent_home_ = 0;
  std::optional<AtPeer> at_peer_;
  std::optional<AtClient> at_client_;
  std::optional<AtNeighbour> at_neighbour_;
};

// ---- attributes that tests add often ----
[[nodiscard]] Add with_lifetime(std::uint32_t lifetime_s);
[[nodiscard]] Add with_family(Family family);
[[nodiscard]] Add with_additional(Family family);
[[nodiscard]] Add with_even_port(bool reserve_next);
[[nodiscard]] Add with_token(std::uint64_t token);
[[nodiscard]] Add with_raw(unsigned type, const Bytes& value);
[[nodiscard]] Add operator+(const Add& first, const Add& second);

}  // namespace turnpike::test
