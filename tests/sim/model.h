// A TURN server as RFC 8656, RFC 8489 and RFC 8016 describe one, as naively as it goes: lists that
// are searched from end to end, maps, no timers. It is asked what must come of each input before
// the real server gets it, and the two are compared (simulation.h).
//
// What the RFCs leave to the server is modelled as docs/ say. What is drawn at random (ports,
// tokens, tickets) is taken over from the server after it has been checked.
#pragma once

#include <list>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/settings.h"
#include "sim/wire.h"

namespace turnpike::sim {

/// Who signs an answer. Without a key it is not signed.
struct Signer {
  Bytes key;
  bool is_sha256 = false;
};

/// A response, in what can be known beforehand.
struct Response {
  turn::ClientFlow to;
  unsigned method = 0;
  Bytes id;
  int code = 0;
  bool has_fingerprint = false;
  Signer signer;
  bool is_challenge = false;  ///< with REALM, NONCE and PASSWORD-ALGORITHMS
  std::optional<seconds> lifetime{};
  std::vector<Endpoint> relayed{};
  std::optional<Endpoint> mapped{};
  std::optional<std::uint64_t> token{};  ///< this one
  bool has_new_token = false;            ///< or one that there was not yet
  std::optional<std::pair<Family, int>> address_error{};
  std::vector<unsigned> unknown{};
  std::optional<Bytes> ticket{};
  bool has_new_ticket = false;
  bool has_new_connection = false;  ///< CONNECTION-ID

  // RFC 5780
  std::optional<Endpoint> unmasked{};  ///< MAPPED-ADDRESS
  std::optional<Endpoint> origin{};    ///< RESPONSE-ORIGIN
  std::optional<Endpoint> other{};     ///< OTHER-ADDRESS
  std::optional<std::size_t> padding{};
};

/// What an answer to a stranger is charged as: the budgets of his network.
enum class Expense : std::uint8_t { none, challenge, discovery };

/// Bytes of payload that an allocation has carried.
struct Moved {
  std::uint64_t to_peer = 0;
  std::uint64_t to_client = 0;

  friend auto operator<=>(const Moved&, const Moved&) = default;
};

/// What must come of one input, in full.
struct Verdict {
  std::optional<Response> response{};
  Expense expense = Expense::none;   ///< of the response, out of a budget that others share
  std::optional<Response> beyond{};  ///< what is said without one; nothing: silence

  struct ToPeer {
    turn::RelayId via;
    Endpoint to;
    Bytes payload;
    bool dont_fragment;
  };
  struct ToClient {
    turn::ClientFlow flow;
    std::optional<unsigned> channel;
    Endpoint peer;
    Bytes payload;
  };
  struct ToNeighbour {
    turn::RelayPlace to;
    Endpoint from;
    Bytes payload;
  };
  std::optional<ToPeer> to_peer{};
  std::optional<ToClient> to_client{};
  std::optional<ToNeighbour> to_neighbour{};
  bool may_lack_bandwidth = false;
  std::optional<turn::WorkerId> to_home{};
  std::optional<std::string> parked{};   ///< whose name is asked for
  std::optional<Endpoint> icmp_about{};  ///< a Data indication with ICMP, to `icmp_to`
  turn::ClientFlow icmp_to{};

  // RFC 6062
  struct ToConnect {
    turn::RelayId via;
    Endpoint peer;
  };
  struct ToBind {
    turn::ClientFlow client;
    turn::WorkerId owner;
    turn::PeerConnectionId connection;
  };
  struct Attempt {
    turn::ClientFlow to;
    Endpoint peer;
  };
  std::optional<ToConnect> connects{};
  std::optional<ToBind> binds{};
  std::optional<Attempt> attempt{};         ///< a ConnectionAttempt indication
  std::vector<Response> failed_connects{};  ///< beside the response
  std::vector<std::pair<turn::WorkerId, turn::PeerConnectionId>> closed_connections{};

  std::vector<std::pair<turn::WorkerId, turn::RelayId>> closed_relays{};
  struct Ended {
    FiveTuple client;
    turn::CloseReason reason;
    std::optional<Moved> moved{};  ///< nothing: it is not known
  };
  std::vector<Ended> ended{};
  std::vector<turn::ClientFlow> released{};
  std::optional<turn::WorkerId> reported_to{};
  unsigned wanted_relays = 0;
  bool opened = false;
};

class Model {
 public:
  explicit Model(const Settings& settings);

  // ---- inputs, each at one worker ----
  Verdict on_client(turn::WorkerId worker, const turn::ClientFlow& flow, ByteView datagram,
                    Now now);
  Verdict on_peer(turn::WorkerId worker, turn::RelayId relay, const Endpoint& peer,
                  ByteView payload, Instant now);
  Verdict on_icmp(turn::WorkerId worker, turn::RelayId relay, const Endpoint& peer, unsigned type,
                  Instant now);
  Verdict on_relay_opened(turn::WorkerId worker, turn::RelayId relay,
                          std::optional<turn::RelayOpenError> error, Now now);
  Verdict on_peer_connected(turn::WorkerId worker, turn::PeerConnectionId id,
                            turn::ConnectOutcome outcome, Instant now);
  Verdict on_peer_accepted(turn::WorkerId worker, turn::RelayId relay, const Endpoint& peer,
                           Instant now);
  [[nodiscard]] bool on_streams_bound(turn::WorkerId worker, turn::PeerConnectionId id);
  /// Until when its streams are not read; nothing: they are.
  [[nodiscard]] std::optional<Instant> on_streams_moved(turn::WorkerId worker,
                                                        turn::PeerConnectionId id,
                                                        const Moved& moved, Instant now);
  void on_peer_closed(turn::WorkerId worker, turn::PeerConnectionId id);
  Verdict on_client_gone(turn::WorkerId worker, const FiveTuple& tuple);
  void on_guest_over(turn::WorkerId worker, const FiveTuple& tuple, turn::WorkerId home);
  Verdict on_deadline(turn::WorkerId worker, Now now);
  void on_user_known(turn::WorkerId worker, const std::string& username, bool exists,
                     Instant until);
  Verdict on_user_unanswered(turn::WorkerId worker, const turn::ClientFlow& flow);

  // ---- the operator ----
  void use_book(std::size_t variant);
  void forget_users() { answers_.clear(); }
  void use_policy(std::size_t variant) { policy_ = variant; }
  Verdict recheck_peers(turn::WorkerId worker, Instant now);
  /// Of all workers at once. What strangers and the key source have left is forgotten, and
  /// Allocates that are not answered yet (docs/adr/0044).
  Verdict on_restart();
  void set_limits(const turn::Limits& limits);
  void set_draining(bool is_draining) { is_draining_ = is_draining; }
  /// The allocation with that relayed address.
  Verdict end(const Endpoint& relayed, turn::CloseReason reason);
  /// Of everybody, if `user` is empty.
  Verdict end_all_of(turn::WorkerId worker, const std::string& user, turn::CloseReason reason);

  // ---- what was left to the server ----
  /// It opens `relay` on `bind`; false: that may not be.
  [[nodiscard]] bool adopt(turn::WorkerId worker, const turn::OpenRelay& open);
  /// The connection that has no name yet has this one; false: there is none.
  [[nodiscard]] bool adopt(turn::WorkerId worker, turn::PeerConnectionId id);
  [[nodiscard]] bool learn_connection(std::uint32_t number, const FiveTuple& client);
  /// Whose relay that is. Precondition: somebody's.
  [[nodiscard]] FiveTuple client_of(turn::WorkerId worker, turn::RelayId relay);
  void learn_nonce(const std::string& nonce, const Endpoint& client, Instant now);
  /// False when there has been such a token.
  [[nodiscard]] bool learn_token(std::uint64_t token, const FiveTuple& client);
  [[nodiscard]] bool learn_ticket(const Bytes& ticket, const FiveTuple& client);
  /// `worker` has answered a stranger at `source`, or has not; false when that is against the
  /// budget of its network.
  [[nodiscard]] bool note_expense(Expense expense, turn::WorkerId worker, const IpAddress& source,
                                  bool is_answered, Instant now);

  // ---- balances ----
  void sweep_reservations(Instant now);
  [[nodiscard]] std::size_t free_ports() const;
  [[nodiscard]] std::size_t allocation_count() const { return allocations_.size(); }
  [[nodiscard]] std::size_t allocation_count(turn::WorkerId worker) const;
  [[nodiscard]] std::uint32_t allocations_of(const std::string& account) const;
  [[nodiscard]] std::size_t guest_count(turn::WorkerId worker) const;
  [[nodiscard]] std::size_t connection_count(turn::WorkerId worker) const;
  [[nodiscard]] bool is_live(const Endpoint& relayed,
                             turn::PeerTransport transport = turn::PeerTransport::udp) const;
  [[nodiscard]] bool has_deadline(turn::WorkerId worker) const;
  [[nodiscard]] bool leads_to(turn::WorkerId worker, const turn::ClientFlow& flow) const;

 private:
  struct Relay {
    enum class State : std::uint8_t { absent, wanted, opening, open, failed };
    State state = State::absent;
    turn::RelayId id{};
    Endpoint bind;
    Endpoint relayed;
    Instant expires{};
    unsigned attempts = 0;
    std::optional<Endpoint> refused{};  ///< its port is given back once there is another one
    [[nodiscard]] bool is_held() const { return state == State::opening || state == State::open; }
  };
  struct Channel {
    Endpoint peer;
    Instant expires;
  };
  struct Pending {
    Signer signer;
    bool has_fingerprint = false;
    turn::PortWish wish = turn::PortWish::any;
    bool is_redeemed = false;
    std::optional<int> additional_error{};
  };
  /// A peer data connection (RFC 6062).
  struct PeerConnection {
    enum class State : std::uint8_t { connecting, waiting, bound };
    State state = State::connecting;
    Endpoint peer;
    bool is_of_peer = false;  // that made it
    std::optional<turn::PeerConnectionId> id{};
    std::optional<std::uint32_t> number{};  // until it is claimed
    bool is_unnumbered = false;             // its number comes with what is sent now
    Instant deadline{};
    Response answer{};  // to its Connect
  };
  struct Allocation {
    turn::WorkerId home{};
    turn::ClientFlow flow;
    turn::PeerTransport transport = turn::PeerTransport::udp;
    bool has_client = true;
    std::optional<turn::ClientFlow> next{};
    Bytes transaction;
    std::string username;
    std::string account;
    std::string network;
    std::map<Family, Relay> relays;
    std::map<IpAddress, Instant> permissions{};
    std::map<unsigned, Channel> channels{};
    std::list<PeerConnection> connections{};
    std::optional<Pending> pending{};
    std::optional<std::uint64_t> token{};
    std::optional<std::pair<Family, int>> address_error{};
    bool is_mobile = false;
    std::uint64_t serial = 0;
    std::uint64_t ticket_number = 0;
    Bytes ticket{};
    Instant previous_until{};
    bool has_bucket = false;
    double bucket = 0;
    Instant bucket_filled{};
    Moved moved{};         // in datagrams, or by all its streams
    bool may_have_lost{};  // some of them, for want of bandwidth
    Instant paid_until{};  // for what its streams have moved

    [[nodiscard]] bool has(Family family) const;
    [[nodiscard]] bool has_any() const { return has(Family::ipv4) || has(Family::ipv6); }
    [[nodiscard]] bool relays_at(Family family, Instant now) const;
    [[nodiscard]] bool permits(const IpAddress& address, Instant now) const;
  };
  using Allocations = std::list<Allocation>;
  struct Reservation {
    Endpoint bind;
    std::string account;
    Instant expires;
  };
  struct KnownTicket {
    turn::WorkerId home;
    std::uint64_t serial;
    std::uint64_t number;
  };
  struct Guest {
    turn::WorkerId home;
    Instant expires;
  };
  struct Answer {
    bool exists;
    Instant until;
  };
  /// What authentication comes to.
  struct Identity {
    enum class Kind : std::uint8_t { known, denied, no_such_login, asked, silenced };
    Kind kind = Kind::denied;
    bool is_proven = false;  // the password was right
    int code = 0;
    std::string username{};
    std::string account{};
    Signer signer{};
    std::optional<std::uint32_t> max_allocations{};
  };
  /// A request on its way.
  struct Request {
    turn::WorkerId worker;
    const turn::ClientFlow& flow;
    const wire::Message& message;
    Now now;
    Identity who{};
  };
  struct AllocateWish;

  // model.cpp
  [[nodiscard]] Allocation* find(turn::WorkerId worker, const FiveTuple& tuple);
  [[nodiscard]] Allocation* find(turn::WorkerId worker, turn::RelayId relay, Family& family);
  void sweep(turn::WorkerId worker, Instant now, Verdict& verdict);
  void drop_relay(Allocation& allocation, Family family, Verdict& verdict);
  void end(Allocation& allocation, turn::CloseReason reason, Verdict& verdict);
  void give_port_back(const Endpoint& bind) { taken_.erase(bind); }
  [[nodiscard]] bool is_peer_allowed(const Endpoint& peer, turn::PeerTransport transport) const;
  [[nodiscard]] bool may_be_permitted(const IpAddress& address,
                                      turn::PeerTransport transport) const;
  void drop_denied_peers(Allocation& allocation) const;
  void forget_expired(Allocation& allocation, Instant now);

  // model_auth.cpp
  /// `owner`: who has an allocation on this five-tuple, if anybody.
  [[nodiscard]] Identity identify(const Request& request, bool is_upkeep, const std::string& owner);
  [[nodiscard]] static int find_flaw(const wire::Message& message);
  [[nodiscard]] std::string name_in(const wire::Message& message) const;
  void judge_login(const Request& request, bool is_upkeep, Identity& identity, unsigned algorithm);
  /// By worker, source and name as it was sent; and with a nonce of ours or without.
  using Suspect = std::tuple<turn::WorkerId, std::string, Bytes, bool>;
  [[nodiscard]] bool has_failed_too_often(const Suspect& suspect, Instant now) const;
  void count_failure(const Suspect& suspect, Instant now);
  [[nodiscard]] bool is_fresh(const std::string& nonce, const Endpoint& client, Instant now) const;
  [[nodiscard]] std::string cookie() const;
  [[nodiscard]] bool proves(const wire::Message& message, const Bytes& key) const;
  [[nodiscard]] const Bytes& key_of(unsigned algorithm, const std::string& username,
                                    const std::string& password);

  // model_requests.cpp
  void on_request(turn::WorkerId worker, const turn::ClientFlow& flow, const wire::Message& message,
                  Now now, Verdict& verdict);
  [[nodiscard]] bool must_not_answer(const FiveTuple& tuple) const;
  void deny(const Request& request, const Identity& identity, Verdict& verdict) const;
  Response& answer(const Request& request, int code, Verdict& verdict) const;
  void answer_binding(const Request& request, Verdict& verdict) const;
  [[nodiscard]] static std::vector<unsigned> unknown_in(const wire::Message& message,
                                                        const std::set<unsigned>& also = {});
  Response& answer_unknown(const Request& request, const std::vector<unsigned>& unknown,
                           Verdict& verdict) const;
  void on_refresh(const Request& request, Allocation& allocation, Verdict& verdict);
  void on_create_permission(const Request& request, Allocation& allocation, Verdict& verdict);
  void on_channel_bind(const Request& request, Allocation& allocation, Verdict& verdict);
  [[nodiscard]] bool may_add(Allocation& allocation, std::size_t peers, Instant now);
  [[nodiscard]] std::size_t permissions_with(const Allocation& allocation,
                                             const std::set<IpAddress>& added, Instant now) const;
  struct RefreshWish {
    int error = 0;
    std::optional<Family> only{};
    seconds lifetime{0};
  };
  [[nodiscard]] RefreshWish refresh_wish(const Request& request,
                                         const Allocation& allocation) const;
  Response& carry_out(const RefreshWish& wish, const Request& request, Allocation& allocation,
                      Verdict& verdict);
  [[nodiscard]] seconds granted(std::optional<seconds> requested) const;

  // model_discovery.cpp
  /// Where a request came to, as RFC 5780 §6.1 has it. Without: nobody discovers anything there.
  struct Crossing {
    Endpoint here;   ///< Da:Dp
    Endpoint there;  ///< Ca:Cp
  };
  [[nodiscard]] std::optional<Crossing> crossing_of(const FiveTuple& tuple) const;
  [[nodiscard]] const turn::DiscoveryOrigin& origin_at(const Endpoint& local) const;
  [[nodiscard]] int discovery_flaw(const Request& request) const;
  void answer_discovery(const Request& request, const Crossing& crossing, Verdict& verdict) const;

  // model_allocate.cpp
  void on_allocate(const Request& request, Verdict& verdict);
  [[nodiscard]] int read_wish(const Request& request, AllocateWish& wish);
  [[nodiscard]] int quota_error(const Request& request, const AllocateWish& wish) const;
  void refuse_for_room(const Request& request, Verdict& verdict) const;
  [[nodiscard]] int room_code() const;
  [[nodiscard]] const turn::RelayAddress* address_for(const IpAddress& server, Family family) const;
  [[nodiscard]] bool has_port(const IpAddress& bind, turn::PortWish wish) const;
  [[nodiscard]] static bool is_pair(turn::PortWish wish) {
    return wish == turn::PortWish::even_and_next;
  }
  void tell_client(Allocation& allocation, Now now, Verdict& verdict);
  void describe(const Allocation& allocation, Instant now, Response& response) const;

  // model_tcp.cpp
  [[nodiscard]] PeerConnection* find(turn::WorkerId worker, turn::PeerConnectionId id,
                                     Allocation*& owner);
  static void forget(Allocation& allocation, const PeerConnection& connection);
  static void close(Allocation& allocation, const PeerConnection& connection, bool with_answer,
                    Verdict& verdict);
  [[nodiscard]] static Response answer_of(const Allocation& allocation,
                                          const PeerConnection& connection, int code);
  static void sweep_connections(Allocation& allocation, Instant now, Verdict& verdict);
  static void drop_connections(Allocation& allocation, Family family, Verdict& verdict);
  [[nodiscard]] bool may_be_connected(const PeerConnection& connection) const;
  void recheck_connections(Allocation& allocation, bool with_answer, Verdict& verdict) const;
  static void restart_connections(Allocation& allocation, Verdict& verdict);
  void on_connect(const Request& request, Allocation& allocation, Verdict& verdict);
  void on_connection_bind(const Request& request, Verdict& verdict);
  static void await_bind(PeerConnection& connection, Instant now);

  // model_move.cpp
  void on_move(const Request& request, Verdict& verdict);
  void move_here(const Request& request, Allocation& allocation, bool is_repeated,
                 Verdict& verdict);
  void note_data_from(const FiveTuple& tuple, Allocation& allocation, Verdict& verdict);
  void release(const turn::ClientFlow& flow, turn::WorkerId home, Verdict& verdict) const;

  // model_data.cpp
  void on_send(turn::WorkerId worker, const turn::ClientFlow& flow, const wire::Message& message,
               Instant now, Verdict& verdict);
  void on_channel_data(turn::WorkerId worker, const turn::ClientFlow& flow, ByteView datagram,
                       Instant now, Verdict& verdict);
  void send_home(turn::WorkerId worker, const FiveTuple& tuple, Verdict& verdict) const;
  [[nodiscard]] bool may_lose(Allocation& allocation) const;
  void to_peer(Allocation& allocation, const Endpoint& peer, const Bytes& payload,
               bool dont_fragment, Instant now, Verdict& verdict);

  const Settings settings_;
  turn::Limits limits_;
  std::size_t policy_ = 0;
  bool is_draining_ = false;

  Allocations allocations_;
  std::set<Endpoint> taken_;  // by their binding: in use, or reserved
  std::map<std::uint64_t, Reservation> reservations_;
  std::set<std::uint64_t> tokens_;  // all there ever were
  std::map<Bytes, KnownTicket> tickets_;
  std::uint64_t last_serial_ = 0;
  std::map<std::pair<turn::WorkerId, FiveTuple>, Guest,
           bool (*)(const std::pair<turn::WorkerId, FiveTuple>&,
                    const std::pair<turn::WorkerId, FiveTuple>&)>
      guests_;

  auth::CredentialSettings book_;
  std::map<std::pair<turn::WorkerId, std::string>, Answer> answers_;
  std::map<std::string, std::pair<Endpoint, std::int64_t>> nonces_;  // for whom, in which second
  std::map<std::string, Bytes> keys_;                                // computed once
  struct Failures {
    unsigned count = 0;
    Instant since{};
  };
  std::map<Suspect, Failures> failures_;
  struct Budget {
    double tokens;
    Instant filled;
    void fill(std::uint32_t rate, Instant now);
  };
  std::map<std::tuple<Expense, turn::WorkerId, std::string>, Budget> budgets_;
  // As if all networks drew from one: a table of hashes may hold two of them in one place.
  std::map<std::pair<Expense, turn::WorkerId>, Budget> least_budgets_;
};

/// The network of an address as quotas and budgets count it: a /24, or a /56.
[[nodiscard]] std::string network_of(const IpAddress& address);

}  // namespace turnpike::sim
