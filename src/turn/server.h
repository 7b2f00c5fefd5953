// The TURN server as a function of datagrams and time: no sockets, no clock, no threads.
// This file is the dispatch; each RFC procedure has a file of its own beside it.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>
#include <variant>

#include "auth/authenticator.h"
#include "base/deadline_queue.h"
#include "base/network_budget.h"
#include "base/random.h"
#include "turn/allocation_table.h"
#include "turn/effects.h"
#include "turn/framing.h"
#include "turn/guest_table.h"
#include "turn/ledger.h"
#include "turn/limits.h"
#include "turn/nat_discovery.h"
#include "turn/peer_connection.h"
#include "turn/peer_policy.h"
#include "turn/reason.h"
#include "turn/redirect.h"
#include "turn/relay_counters.h"

namespace turnpike::turn {

struct SavedAllocation;
struct SavedConnection;
struct SavedRelay;
struct SavedServer;
struct SavedUser;

/// What an Allocate without REQUESTED-ADDRESS-FAMILY gets.
enum class AddressFamilyRule : std::uint8_t {
  strict,         ///< IPv4, as RFC 8656 §7.2 says
  follow_client,  ///< the family the client came with
};

/// Why a relay socket could not be opened.
enum class RelayOpenError : std::uint8_t {
  port_in_use,   ///< some other program has the port: another one is tried
  no_resources,  ///< no descriptors, no memory, no such address: answered with 508
};

/// Attributes that are understood besides those that always are.
using AlsoUnderstood = std::span<const stun::AttributeType>;

/// What came of a ConnectToPeer.
enum class ConnectOutcome : std::uint8_t { connected, failed };

/// What becomes of a connection that a peer made.
struct PeerAccepted {
  Reason reason;
  std::optional<PeerConnectionId> connection;  ///< its name; nothing: close it at once
};

/// True when `message` has a comprehension-required attribute that this server does not understand
/// (RFC 8489 §6.3.1, §6.3.2).
[[nodiscard]] bool has_unknown_attribute(const stun::MessageView& message,
                                         AlsoUnderstood also = {});

/// One worker's TURN server.
///
/// Feed it datagrams (or a stream's messages, one by one), peers' datagrams, ICMP errors and
/// deadlines; carry out the effects it collects. Nothing an unauthenticated sender does makes it
/// keep state.
class Server {
 public:
  struct Settings {
    Limits limits;
    auth::Authenticator::Settings authentication;
    AddressFamilyRule address_family = AddressFamilyRule::strict;
    WorkerId worker{};           ///< who this server belongs to
    bool strict_expiry = false;  ///< time-limited users that have run out cannot refresh either
    /// The origins of RFC 5780, a square for each family; none: the usage is off.
    std::vector<DiscoverySquare> nat_discovery;
    Alternates alternates;    ///< where clients are sent when this server is full; none: 508
    bool tcp_relays = false;  ///< RFC 6062 is served
    /// Seals MOBILITY-TICKETs; the same for all workers. Nothing: a server without RFC 8016.
    std::optional<SealKey> ticket_key;
  };

  /// The referenced objects must outlive the server; book, policy and ledger are shared by workers.
  Server(const Settings& settings, const auth::CredentialBook& book, const PeerPolicy& policy,
         Ledger& ledger, Random& random);

  /// One UDP datagram from a client, or one message of its stream or of its DTLS association, by
  /// the network or from another worker (Forward::ToHome). The Forward, if any, points into
  /// `datagram`.
  Handled on_client_datagram(const ClientFlow& flow, ByteView datagram, Now now, Effects& effects);

  /// One UDP datagram that arrived at a relayed transport address (RFC 8656 §11.3, §12.7), by the
  /// network or from another worker (Forward::ToNeighbour).
  Handled on_peer_datagram(RelayId relay, const Endpoint& peer, ByteView datagram, Instant now);

  /// Does `datagram` go the way of the one before it, without being judged anew? They arrived as
  /// one train: from the same sender, at the same place and instant. `verdict` is what was said of
  /// the one before, and nothing else has been handed in since. True: it is counted, and
  /// verdict.forward has its payload and header now. False: nothing has happened, and it is to be
  /// handed in as any other.
  [[nodiscard]] bool relays_next(Handled& verdict, ByteView datagram, Instant now);

  /// An ICMP error about a datagram that `relay` sent to `peer` (RFC 8656 §11.5).
  Reason on_peer_icmp(RelayId relay, const Endpoint& peer, const stun::Icmp& icmp, Now now,
                      Effects& effects);

  /// The outcome of OpenRelay; once all relays of the allocation are known, the Allocate is
  /// answered.
  void on_relay_opened(RelayId relay, std::optional<RelayOpenError> error, Now now,
                       Effects& effects);

  // ---- TCP allocations (RFC 6062) ----
  /// The outcome of ConnectToPeer; the Connect is answered. Nothing is read from the peer before
  /// on_streams_bound().
  Reason on_peer_connected(PeerConnectionId connection, ConnectOutcome outcome, Now now,
                           Effects& effects);
  /// `peer` has connected to a TCP relay (§5.3). With a name in the answer the connection is kept,
  /// unread, until on_streams_bound() or ClosePeerConnection.
  [[nodiscard]] PeerAccepted on_peer_accepted(RelayId relay, const Endpoint& peer, Now now,
                                              Effects& effects);
  /// A client's data connection has come for `connection`, which is of this worker. False when it
  /// is gone by now: close the client's connection too.
  [[nodiscard]] bool on_streams_bound(PeerConnectionId connection);
  /// The shell has closed `connection`, because one of its sides did. Not to be called after a
  /// failed connect or a ClosePeerConnection; nothing happens then.
  void on_peer_closed(PeerConnectionId connection);
  /// So many bytes have gone through `connection` since it was said last. Until when nothing more
  /// is to be read from either side, for want of bandwidth; nothing: go on.
  [[nodiscard]] std::optional<Instant> on_streams_moved(PeerConnectionId connection,
                                                        std::size_t to_peer, std::size_t to_client,
                                                        Instant now);

  /// The client's connection or DTLS association is gone: its allocation ends at once, unless it
  /// has a ticket to come back with. Nothing happens when there is no allocation.
  void on_client_gone(const FiveTuple& tuple, Now now, Effects& effects);

  /// The worker `home` has done with the client at `tuple` (ReleaseGuest).
  void on_guest_over(const FiveTuple& tuple, WorkerId home, Instant now);
  /// How to reach the client of `home` at `tuple`, which comes in here; null when it does not any
  /// more.
  [[nodiscard]] const ClientFlow* flow_of_guest(const FiveTuple& tuple, WorkerId home) const {
    return guests_.flow_of(tuple, home);
  }

  // ---- who is known ----
  /// The answer to AskForUser. Then its requests may be handed in again.
  void on_user_known(std::string_view username, auth::UserAnswer answer) {
    authenticator_.remember(username, std::move(answer));
  }
  /// Nobody has answered AskForUser, and a request of `flow` is given up.
  void on_user_unanswered(const ClientFlow& flow, Effects& effects);
  /// Other limits than on_user_known() has said hold for a user now; what it has follows at once.
  /// New allocations are counted by the next answer: comes after forget_users().
  void on_user_limits(std::string_view username, const auth::UserLimits& limits);
  /// What on_user_known() has said is not true any more.
  void forget_users() { authenticator_.forget_answers(); }
  /// Exchanges the credentials: `book` must outlive the server, or be exchanged before its end.
  void use_book(const auth::CredentialBook& book) { authenticator_.use(book); }
  /// True: new clients are sent elsewhere (300), or away (508) when there is nowhere; what lives
  /// lives on, and reservations are honoured.
  void set_draining(bool is_draining) { is_draining_ = is_draining; }

  /// Ends what has run out. Call it when next_deadline() has come.
  void on_deadline(Now now, Effects& effects);
  /// When on_deadline() is needed next. O(1).
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  // ---- a changed configuration ----
  /// From now on; what is there already stays, be it more than that. The ledger has limits too.
  void set_limits(const Limits& limits);
  /// Exchanges the policy: `policy` must outlive the server, or be exchanged before its end. Then
  /// comes recheck_peers().
  void use_policy(const PeerPolicy& policy) { policy_ = &policy; }
  /// Ends permissions, channels and connections whose peers the policy does not allow any more
  /// (HOSTILE.md P12). O(permissions of all allocations).
  void recheck_peers(Now now, Effects& effects);

  // ---- for the operator ----
  /// The allocation of that name; nothing when it has ended. O(allocations).
  [[nodiscard]] std::optional<AllocationView> view(const AllocationName& name) const;
  /// Hands the open allocations among `count` slots from `first` on to `show`, in the order of the
  /// slots. Where to go on; nothing when that was all. An allocation keeps its slot.
  template <class Show>
  std::optional<std::uint32_t> for_each_allocation(std::uint32_t first, std::uint32_t count,
                                                   Show&& show) const {
    const std::uint32_t all = allocations_.slot_count();
    const std::uint32_t end = first < all ? first + std::min(count, all - first) : all;
    for (std::uint32_t slot = first; slot < end; ++slot) {
      const Allocation& allocation = allocations_.at(slot);
      if (allocation.is_open) show(view_of(allocation));
    }
    if (end == all) return std::nullopt;
    return end;
  }
  /// Ends an allocation. False when there is none of that name any more.
  bool end(const AllocationName& name, CloseReason reason, Now now, Effects& effects);
  /// Ends all allocations of a user, by the name that clients send or by that which quotas count,
  /// also those of which the client has not been told yet. How many there were.
  std::size_t end_all_of(std::string_view user, CloseReason reason, Now now, Effects& effects);
  /// Ends all there are.
  void end_all(CloseReason reason, Now now, Effects& effects);

  // ---- snapshots (snapshot.h) ----
  [[nodiscard]] WorkerId worker() const { return settings_.worker; }
  /// What take_snapshot() writes of this server.
  [[nodiscard]] SavedServer save() const;
  /// The first half of restore_snapshot(): allocations and their relays. `addresses`: those that
  /// their relays are numbered by. Precondition: there are none yet.
  void restore_allocations(const SavedServer& saved, std::span<const RelayAddress> addresses,
                           Now now, Effects& effects);
  /// The second half, when the relays of all servers are known, which may be peers: who is
  /// permitted and connected. And the guests.
  void restore_peers(const SavedServer& saved, Effects& effects);

  /// From any thread.
  [[nodiscard]] const RelayCounters& counters() const { return counters_; }

  [[nodiscard]] std::size_t allocation_count() const { return allocations_.size(); }
  [[nodiscard]] std::size_t peer_connection_count() const { return connections_.size(); }
  [[nodiscard]] std::size_t guest_count() const { return guests_.size(); }
  /// Does the client at `tuple` have an allocation, here or with another worker?
  [[nodiscard]] bool has_allocation(const FiveTuple& tuple) {
    return allocations_.find(tuple) != nullptr || guests_.home_of(tuple).has_value();
  }

 private:
  /// A request whose sender is known, on its way through a procedure.
  struct Request {
    const stun::MessageView& message;
    const ClientFlow& flow;
    const auth::Principal& principal;
    Now now;
    Effects& effects;
  };
  static constexpr std::uint16_t success_code = 200;
  struct AllocatePlan;
  /// What a valid Refresh asks for.
  struct RefreshPlan {
    std::optional<Family> only;  // of a dual allocation, this family alone is meant (§8.1)
    bool is_delete = false;
    seconds lifetime{0};
  };
  /// What a valid ticket stands for.
  struct TicketClaim {
    WorkerId home{};
    Allocation* allocation = nullptr;  // null: the home is another worker
    bool is_repeated = false;          // the move has been made, and its answer may have been lost
  };

  // server.cpp: dispatch and answers
  Handled serve(const ClientFlow& flow, ByteView datagram, Now now, Effects& effects);
  Handled on_stun(const ClientFlow& flow, ByteView datagram, Now now, Effects& effects);
  Reason on_classic_stun(const ClientFlow& flow, ByteView datagram, Effects& effects);
  Handled on_request(const ClientFlow& flow, const stun::MessageView& message, Now now,
                     Effects& effects);
  [[nodiscard]] bool is_served_request(stun::Method method) const;
  [[nodiscard]] auth::ExpiryRule expiry_rule(bool is_upkeep) const;
  static Reason park(const ClientFlow& flow, const stun::MessageView& message,
                     const auth::UserWanted& wanted, Effects& effects);
  Reason on_authenticated(const Request& request);
  Reason deny(const ClientFlow& flow, const stun::MessageView& message, auth::Denial denial,
              Now now, Effects& effects);
  Reason refuse(const Request& request, stun::ErrorCode code);
  /// Takes one answer to a sender that is not known out of his network's budget.
  [[nodiscard]] bool has_challenge_budget(const ClientFlow& flow, Instant now);
  /// To a sender that is not known: not signed. Precondition: has_challenge_budget().
  Reason refuse_stranger(const ClientFlow& flow, const stun::MessageView& message,
                         stun::ErrorCode code, Effects& effects);
  Reason refuse_unknown_attributes(const Request& request);
  /// 420 with the first few unknown attributes, up to where the signature would stand.
  [[nodiscard]] stun::MessageBuilder begin_unknown_attributes(const stun::MessageView& message,
                                                              AlsoUnderstood also = {});
  [[nodiscard]] stun::MessageBuilder begin_success(const stun::MessageView& message);
  /// Signs and sends the answer; `code` is that of its error, or success.
  void finish(const Request& request, stun::MessageBuilder& response,
              std::uint16_t code = success_code);
  void succeed(const Request& request);

  // binding.cpp
  Reason on_binding(const ClientFlow& flow, const stun::MessageView& message, Now now,
                    Effects& effects);
  Reason answer_binding(const ClientFlow& flow, const stun::MessageView& message, Effects& effects);
  Reason refuse_binding(const ClientFlow& flow, const stun::MessageView& message,
                        stun::ErrorCode code, Effects& effects);
  Reason refuse_binding_unknown(const ClientFlow& flow, const stun::MessageView& message,
                                AlsoUnderstood also, Effects& effects);

  // nat_discovery.cpp
  Reason on_discovery(const ClientFlow& flow, const stun::MessageView& message, Now now,
                      Effects& effects);
  [[nodiscard]] bool is_bad_target(const ClientFlow& flow, const Endpoint& to) const;

  // allocate.cpp
  Reason on_allocate(const Request& request);
  Reason on_allocate_again(const Request& request, const Allocation& allocation);
  [[nodiscard]] Result<AllocatePlan, stun::ErrorCode> plan_allocate(const Request& request);
  [[nodiscard]] std::optional<std::uint32_t> max_allocations_of(
      const auth::Principal& principal) const;
  [[nodiscard]] std::optional<stun::ErrorCode> take_relays(const AllocatePlan& plan,
                                                           const Request& request,
                                                           Allocation& allocation);
  [[nodiscard]] std::optional<stun::ErrorCode> take_relay(Allocation& allocation, Family family,
                                                          PortWish wish, Instant now);
  [[nodiscard]] bool retry_on_another_port(Allocation& allocation, Family family, Now now,
                                           Effects& effects);
  [[nodiscard]] static std::optional<stun::ErrorCode> refuses_tcp_relay(const Request& request);
  [[nodiscard]] OpenRelay open_relay(const Allocation& allocation, Family family) const;
  void answer_pending(Allocation& allocation, Now now, Effects& effects);
  static void put_allocate_success(stun::MessageBuilder& response, const Allocation& allocation,
                                   const Endpoint& client, Instant now);
  void drop_relay(Allocation& allocation, Family family, Effects& effects);
  void end_allocation(Allocation& allocation, CloseReason reason, Now now, Effects& effects);
  void set_expiry(Allocation& allocation, Family family, Instant expires);
  [[nodiscard]] seconds granted_lifetime(std::optional<seconds> requested) const;

  // administration.cpp
  void recheck_permissions(Allocation& allocation, Instant now);
  [[nodiscard]] bool may_have_connected(const Endpoint& peer) const;
  [[nodiscard]] bool may_be_connected(const PeerConnection& connection) const;
  void recheck_connections(Allocation& allocation, Effects& effects);
  [[nodiscard]] AllocationView view_of(const Allocation& allocation) const;
  [[nodiscard]] AllocationRecord record_of(const Allocation& allocation, Instant now) const;
  void note_opened(Allocation& allocation, Instant now, Effects& effects);
  void note_closed(const Allocation& allocation, CloseReason reason, Instant now, Effects& effects);
  /// How many relays of its kind there are: of that family, and of clients that came like this one.
  [[nodiscard]] RelaxedCounter& live_relays_of(const Allocation& allocation, Family family);
  /// Counts how a request was answered.
  void note_answer(stun::Method method, Transport transport, std::uint16_t code);
  void note_rejection(QuotaScope scope) {
    ++counters_.quota_rejections[static_cast<std::size_t>(scope)];
  }

  // bandwidth.cpp
  void use_bandwidth_limits();
  /// Takes over what the user's credential grants.
  void grant_bandwidth(const auth::UserLimits& limits, const Allocation& allocation);
  void use_bandwidth(const auth::UserLimits& limits, UserBandwidth& user);
  [[nodiscard]] const BandwidthLimit& limit_of(const UserBandwidth& user) const {
    return user.own ? *user.own : user_bandwidth_;
  }
  /// Counts payload of an allocation if there is bandwidth for it.
  [[nodiscard]] bool has_bandwidth(Allocation& allocation, std::size_t bytes, Instant now) {
    return !is_shaping_ || spend_bandwidth(allocation, bytes, now);
  }
  [[nodiscard]] bool spend_bandwidth(Allocation& allocation, std::size_t bytes, Instant now);
  [[nodiscard]] std::optional<Instant> overdraw_bandwidth(Allocation& allocation, std::size_t bytes,
                                                          Instant now);

  // server_snapshot.cpp
  void save_allocations(SavedServer& saved) const;
  [[nodiscard]] SavedAllocation saved_allocation(const Allocation& allocation,
                                                 std::uint32_t user) const;
  void save_connections(SavedServer& saved) const;
  [[nodiscard]] SavedConnection saved_connection(const PeerConnection& connection) const;
  void restore_allocation(std::uint32_t slot, const SavedAllocation& saved, const SavedUser& user,
                          std::span<const RelayAddress> addresses, Now now, Effects& effects);
  void restore_user(Allocation& allocation, const SavedUser& saved);
  void restore_mobility(Allocation& allocation, const SavedAllocation& saved);
  void restore_relays(Allocation& allocation, const SavedAllocation& saved,
                      std::span<const RelayAddress> addresses, Effects& effects);
  [[nodiscard]] bool may_go_on(const Allocation& allocation, const SavedAllocation& saved) const;
  void restore_relay(Allocation& allocation, Family family, const SavedRelay& saved,
                     const RelayAddress& address, bool is_kept, Effects& effects);
  void restore_peers_of(Allocation& allocation, const SavedAllocation& saved);
  [[nodiscard]] bool restore_connection(PeerConnection& connection, const SavedConnection& saved);

  // redirect.cpp
  [[nodiscard]] stun::ErrorCode put_no_room(stun::MessageBuilder& response, const FiveTuple& client,
                                            auth::ResponseIntegrity integrity);
  Reason refuse_for_room(const Request& request);

  // refresh.cpp
  Reason on_refresh(const Request& request, Allocation& allocation);
  [[nodiscard]] Result<RefreshPlan, stun::ErrorCode> plan_refresh(
      const Request& request, const Allocation& allocation) const;
  /// `ticket`: to put into the answer, if any.
  Reason carry_out(const RefreshPlan& plan, const Request& request, Allocation& allocation,
                   const Ticket* ticket);

  // mobility.cpp
  [[nodiscard]] bool is_move(const stun::MessageView& message) const;
  Handled on_move(const ClientFlow& flow, const stun::MessageView& message, Now now,
                  Effects& effects);
  Handled move_abroad(const Request& request, WorkerId home);
  Reason move_here(const Request& request, const TicketClaim& claim);
  [[nodiscard]] Result<TicketClaim, stun::ErrorCode> read_ticket(const ClientFlow& flow,
                                                                 ByteView value, Instant now);
  void give_ticket(Allocation& allocation);
  void begin_move(const Request& request, Allocation& allocation);
  /// Called for what may end a move: data that came from `tuple`.
  void note_data_from(const FiveTuple& tuple, Allocation& allocation, Effects& effects);
  void lose_flow(Allocation& allocation, const FiveTuple& tuple);
  /// Lets a flow of another worker go.
  void release(const ClientFlow& flow, Effects& effects) const;
  /// Lets a flow of another worker go unless it has an allocation here.
  void release_stranger(const ClientFlow& flow, Effects& effects);
  Handled on_datagram_from_abroad(const ClientFlow& flow, ByteView datagram, Now now,
                                  Effects& effects);
  /// What to do with a datagram from a five-tuple that has no allocation here.
  [[nodiscard]] Handled send_home(const ClientFlow& flow, ByteView datagram) const;

  // permission.cpp
  Reason on_create_permission(const Request& request, Allocation& allocation);
  /// Takes new peers out of what the allocation may have a second; false when they are too many.
  [[nodiscard]] bool may_add_peers(Allocation& allocation, std::size_t count, Instant now) const;
  /// 508: an allocation has all the peers it may (RFC 8656 §10.2, §12.2).
  Reason refuse_peers(const Request& request);
  /// What is installed for `peer`; only the scope `peers` opens more than other clients' relays.
  [[nodiscard]] Permission permission_for(const IpAddress& peer, PermissionScope scope,
                                          Instant now) const;

  // tcp_relay.cpp
  Reason on_connect(const Request& request, Allocation& allocation);
  Reason on_connection_bind(const Request& request);
  Reason fail_connect(PeerConnection& connection, Effects& effects);
  void answer_connect(const PendingConnect& pending, const ClientFlow& flow, std::uint16_t code,
                      stun::MessageBuilder& response, Effects& effects);
  void on_connection_deadlines(Instant now, Effects& effects);
  PeerConnection& add_connection(Allocation& allocation, const Endpoint& peer);
  void await_bind(PeerConnection& connection, Instant now);
  void forget_connection(PeerConnection& connection);
  void drop_connections(Allocation& allocation, Family family, Effects& effects);

  // channel.cpp
  Reason on_channel_bind(const Request& request, Allocation& allocation);
  Handled on_channel_data(const ClientFlow& flow, ByteView datagram, Instant now, Effects& effects);

  // send.cpp
  Handled on_send(const ClientFlow& flow, const stun::MessageView& message, Instant now,
                  Effects& effects);
  [[nodiscard]] Handled relay_to_peer(Allocation& allocation, RelayPath path,
                                      const PermittedPeer& peer, ByteView payload,
                                      bool dont_fragment, Instant now);
  [[nodiscard]] bool relays_next_to_peer(Forward& forward, ByteView datagram, Instant now);
  [[nodiscard]] bool relays_next_to_client(Forward& forward, ByteView datagram, Instant now);
  void count_to_peer(Allocation& allocation, RelayPath path, std::size_t bytes);
  void count_to_client(Allocation& allocation, RelayPath path, std::size_t bytes);
  void put_data_indication_header(Forward& forward, const Endpoint& peer);

  Settings settings_;
  auth::Authenticator authenticator_;
  const PeerPolicy* policy_;
  Ledger& ledger_;
  Random& random_;
  NetworkBudget challenges_;
  const NatDiscovery discovery_;
  NetworkBudget discovery_budget_;  // its own: nobody loses a challenge to a discovery
  AllocationTable allocations_;
  GuestTable guests_;
  UserTable users_;
  PeerConnectionTable connections_;
  DeadlineQueue deadlines_;  // of relays, by RelayId::slot; all else is checked when it is used
  DeadlineQueue connection_deadlines_;  // of peers' connections, by PeerConnectionId::slot
  bool is_shaping_ = false;             // once there is any limit of bandwidth
  BandwidthLimit allocation_bandwidth_;
  BandwidthLimit user_bandwidth_;
  BandwidthLimit total_bandwidth_;
  RelayCounters counters_;
  bool is_draining_ = false;
  std::array<std::uint8_t, stun::max_own_message_bytes> scratch_;
};

}  // namespace turnpike::turn
