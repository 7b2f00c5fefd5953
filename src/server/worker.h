// Where the protocol meets the sockets: one thread, its listeners, its relays, its turn::Server.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/crypto.h"
#include "base/relaxed_counter.h"
#include "net/poller.h"
#include "net/send_queue.h"
#include "net/udp_port.h"
#include "server/allocation_observer.h"
#include "server/coalescer.h"
#include "server/connection_limits.h"
#include "server/control_inbox.h"
#include "server/dtls_sessions.h"
#include "server/handshake_budget.h"
#include "server/http_inbox.h"
#include "server/mailbox.h"
#include "server/parked_requests.h"
#include "server/poll_token.h"
#include "server/stream_session.h"
#include "server/tcp_bridge.h"
#include "server/tls_credentials.h"
#include "server/traffic_samples.h"
#include "turn/server.h"

namespace turnpike::server {

/// How many datagrams ended how, by turn::Reason.
using ReasonCounters = std::array<RelaxedCounter, turn::reason_count>;

/// What became of TCP and TLS connections.
struct StreamCounters {
  RelaxedCounter open{};             ///< now
  RelaxedCounter tls_established{};  ///< handshakes done
  RelaxedCounter accepted{};
  RelaxedCounter refused_limit{};  ///< too many of one address
  RelaxedCounter refused_rate{};   ///< too many TLS handshakes of one network, or in all
  RelaxedCounter handshake_timed_out{};
  RelaxedCounter dropped_half_open{};  ///< TLS handshakes given up for younger ones
  RelaxedCounter timed_out{};          ///< no allocation in time
  RelaxedCounter broken{};             ///< spoke no protocol of ours
  RelaxedCounter flooded{};            ///< sent TLS records without end and with hardly a byte each
  RelaxedCounter dropped_full{};       ///< datagrams for clients that do not read
  RelaxedCounter refused_untrusted{};  ///< at a balancer's listener, from no trusted balancer
  RelaxedCounter no_proxy_header{};    ///< from a balancer that did not say for whom
};

/// Asks who a user is; a UserLetter to the worker will say. From any thread, without waiting.
using AskWhoIs = std::function<void(turn::WorkerId, std::string username)>;

/// What all workers use. The references must outlive them.
struct WorkerShared {
  std::shared_ptr<const auth::CredentialBook> book;
  const turn::PeerPolicy& policy;
  turn::Ledger& ledger;
  Mailboxes& mailboxes;
  ConnectionLimits& connections;
  const TlsCredentials& tls;
  seconds unauthenticated_timeout;
  std::vector<IpPrefix> proxy_trusted{};  ///< the balancers whose PROXY headers are believed
  HandshakeRates handshakes{};
  HttpInbox* http = nullptr;                  ///< who serves HTTP; nullptr: nobody
  AllocationObserver* allocations = nullptr;  ///< nullptr: nobody
  ControlInbox* control = nullptr;            ///< who gives orders; nullptr: nobody
  AskWhoIs who_is{};                          ///< with Authenticator::Settings::asks_for_users
  nanoseconds longest_nap{0};                 ///< under load, between two polls; 0: none
};

/// What is spoken on a UDP port (RFC 7983).
enum class UdpService : std::uint8_t {
  plain,  ///< STUN and ChannelData; DTLS is dropped
  dtls,   ///< DTLS alone
  both,
};

/// A UDP socket for clients.
struct UdpListener {
  net::UdpPort port;
  bool expects_proxy = false;  ///< takes only what balancers bring (PROXY protocol); plain
  UdpService service = UdpService::plain;
};

/// A listening socket and what is spoken on it.
struct StreamListener {
  net::TcpListener socket;
  Transport transport;         ///< tcp or tls
  bool expects_proxy = false;  ///< takes only what balancers bring (PROXY protocol)
};

/// The bound sockets of one worker.
struct WorkerListeners {
  std::vector<UdpListener> udp;
  std::vector<StreamListener> streams;
};

/// One worker. Everything but stop() belongs to the thread that calls run().
class Worker {
 public:
  /// `settings.worker` says which of the mailboxes is this worker's. Throws std::system_error when
  /// the kernel has no descriptors left.
  Worker(const turn::Server::Settings& settings, const WorkerShared& shared,
         WorkerListeners listeners);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Serves until stop().
  void run();
  /// Waits for something to do, and does it: run() is this over and over.
  void take_turn();
  /// After run() has returned: ends all allocations, which is told of like any other end.
  void finish();
  /// Makes run() return soon. From any thread.
  void stop();

  /// Makes run() take a turn, for turns(). From any thread.
  void wake() { poller_.wake(); }
  /// Turns of run(). From any thread.
  [[nodiscard]] const RelaxedCounter& turns() const { return turns_; }

  /// From any thread.
  [[nodiscard]] const ReasonCounters& counters() const { return counters_; }
  [[nodiscard]] const turn::RelayCounters& relay_counters() const { return server_.counters(); }
  /// From any thread.
  [[nodiscard]] const StreamCounters& stream_counters() const { return stream_counters_; }
  [[nodiscard]] const DtlsCounters& dtls_counters() const { return dtls_.counters(); }
  /// Datagrams for other workers that were too busy to take them. From any thread.
  [[nodiscard]] std::uint64_t lost_mail() const { return lost_mail_; }
  /// From any thread.
  [[nodiscard]] const net::SendStats& send_stats() const { return queue_.stats(); }

 private:
  struct TupleHash {
    HashSeed seed;
    std::size_t operator()(const FiveTuple& tuple) const { return hash_of(tuple, seed); }
  };
  struct RelaySocket {
    turn::RelayId id;
    std::optional<net::UdpPort> port;
  };
  struct SessionSlot {
    std::optional<StreamSession> session;
    std::uint32_t generation = 0;
    bool watches_writable = false;
    bool is_touched = false;     // has output since the last flush, or must be closed
    bool is_in_backlog = false;  // is not read again before what is left over has been taken
    bool is_over = false;        // to be closed at the end of this turn
    bool is_counted = false;     // its client is, in ConnectionLimits
    bool is_proxied = false;     // a balancer's: its five-tuple is what that claims
    bool awaits_proxy = false;   // and has not claimed yet
    bool speaks_http = false;    // to be handed over at the end of this turn
    std::optional<turn::BindStreams> bound;  // to be handed over at the end of this turn
  };
  struct TcpRelay {
    turn::RelayId id;
    std::optional<net::TcpListener> listener;
    bool is_paused = false;  // not watched before there are descriptors again
  };
  struct BridgeSlot {
    turn::PeerConnectionId id;
    std::optional<TcpBridge> bridge;
    net::Interest watched_peer{.read = false, .write = false};
    net::Interest watched_client{.read = false, .write = false};
    bool is_connecting = false;
    bool is_paused = false;  // neither side is read: it has no bandwidth
  };

  static constexpr std::size_t read_bytes = 64 * 1024;  // of one read of a stream

  [[nodiscard]] std::optional<Instant> next_deadline();
  void notice_trains();
  void on_event(const net::Event& event);
  void on_relay_event(const PollToken& token, const net::Event& event);
  void on_listener_readable(turn::ListenerId id);
  void on_datagram(const turn::ClientFlow& flow, ByteView bytes);
  void lose_client(const FiveTuple& tuple);
  void on_relay_readable(RelaySocket& relay);
  void on_relay_error(RelaySocket& relay);

  net::UdpPort* handle(const turn::Handled& handled);
  [[nodiscard]] std::span<const net::Received> handle_train(turn::Handled& handled,
                                                            std::span<const net::Received> rest);
  net::UdpPort* forward(const turn::Forward& forward);
  void apply_effects();
  void apply(const turn::SendToClient& effect);
  void apply(const turn::OpenRelay& effect);
  void apply(const turn::CloseRelay& effect);
  void apply(const turn::ConnectToPeer& effect);
  void apply(const turn::ClosePeerConnection& effect);
  void apply(const turn::BindStreams& effect);
  void apply(const turn::ReleaseGuest& effect);
  void apply(const turn::ReportGone& effect);
  void apply(const turn::AskForUser& effect);
  // worker_orders.cpp
  void carry_out(const ListOrder& order, WorkerAnswer& answer);
  void carry_out(const ShowOrder& order, WorkerAnswer& answer);
  void carry_out(const EndOrder& order, WorkerAnswer& answer);
  void carry_out(const EndAllOrder& order, WorkerAnswer& answer);
  void carry_out(const DrainOrder& order, WorkerAnswer& answer);
  [[nodiscard]] AllocationRow row_of(const turn::AllocationView& allocation) const;
  [[nodiscard]] AllocationRow look_at(const turn::AllocationView& allocation);
  // worker_allocations.cpp
  void apply(const turn::AllocationOpened& effect);
  void apply(const turn::AllocationClosed& effect);
  [[nodiscard]] std::optional<turn::RelayOpenError> open_relay(const turn::OpenRelay& effect);
  [[nodiscard]] std::error_code open_udp_relay(const turn::OpenRelay& effect);

  // worker_mail.cpp
  void read_mail();
  void read(const PeerLetter& letter);
  void read(StreamLetter& letter);
  void read(const GuestLetter& letter);
  void read(const ClientLetter& letter);
  void read(const GuestOverLetter& letter);
  void read(const ClientGoneLetter& letter);
  void read(const OrderLetter& letter);
  void read(const UserLetter& letter);
  void read(const ForgetUsersLetter& letter);
  void read(const UserLimitsLetter& letter);
  void read(const BookLetter& letter);
  void read(const RulesLetter& letter);
  void read(const LiveUsageLetter& letter);
  void end_revoked_allocations();
  void give_up_parked();
  void end_overdue_allocations();
  void on_other_deadlines();
  void give_up(const std::vector<ParkedRequests::Request>& requests);
  void send_abroad(const turn::ClientFlow& flow, ByteView header, ByteView payload,
                   std::size_t padding_bytes);
  [[nodiscard]] Mail& outbox(turn::WorkerId worker);
  void deliver_mail();

  // worker_streams.cpp
  void on_connections_waiting(StreamListener& listener);
  void admit(net::Accepted accepted, const StreamListener& listener);
  void begin_tls_handshake(std::uint32_t slot);
  void pause_accepting();
  std::error_code resume_accepting();
  void on_session_event(std::uint32_t slot, const net::Event& event);
  void take_messages(std::uint32_t slot);
  void take_backlog();
  void send_to_session(std::uint32_t slot, const turn::Forward& forward);
  void reply_to_session(std::uint32_t slot, ByteView bytes);
  void touch(std::uint32_t slot);
  void flush_sessions();
  void hand_over_to_http(std::uint32_t slot);
  void end_overdue_sessions();
  void close_session(std::uint32_t slot);
  void free_session(std::uint32_t slot);

  // worker_tcp_relay.cpp
  [[nodiscard]] std::error_code open_tcp_relay(const turn::OpenRelay& effect);
  void close_tcp_relay(turn::RelayId id);
  [[nodiscard]] TcpRelay* find_tcp_relay(turn::RelayId id);
  void on_tcp_relay_event(const PollToken& token);
  void pause_tcp_relay(TcpRelay& relay);
  void resume_tcp_relays();
  BridgeSlot& keep_peer(turn::PeerConnectionId id, net::TcpSocket peer);
  [[nodiscard]] BridgeSlot* find_bridge(turn::PeerConnectionId id);
  void on_bridge_event(const PollToken& token, const net::Event& event);
  void on_peer_connected(BridgeSlot& slot);
  void hand_over(std::uint32_t session);
  void move_bytes(BridgeSlot& slot, TcpBridge::Ready client, TcpBridge::Ready peer);
  [[nodiscard]] bool watch(BridgeSlot& slot);
  void end_overdue_bridges();
  void pause_bridge(BridgeSlot& slot, Instant until);
  void resume_bridges();
  void end_bridge(BridgeSlot& slot);
  void close_bridge(BridgeSlot& slot);

  // worker_proxy.cpp
  [[nodiscard]] bool is_trusted(const IpAddress& source) const;
  void on_proxied_datagram(turn::ClientFlow flow, ByteView bytes);
  [[nodiscard]] bool has_room_for(const IpAddress& source, const StreamListener& listener);
  [[nodiscard]] bool has_handshake_for(const IpAddress& client, Transport transport);
  [[nodiscard]] bool accept_client(std::uint32_t slot);
  void claim(std::uint32_t slot);
  void end_claim(std::uint32_t slot);

  // worker_dtls.cpp
  [[nodiscard]] bool is_for_dtls(const turn::ClientFlow& flow, UdpService service,
                                 ByteView datagram);
  void on_dtls_datagram(const turn::ClientFlow& arrived, ByteView datagram);
  void send_to_dtls(std::uint32_t slot, const turn::Forward& forward);
  void reply_to_dtls(std::uint32_t slot, ByteView bytes);
  void send_dtls_output(const FiveTuple& tuple, turn::ListenerId id);
  void end_dtls_session(std::uint32_t slot);
  void on_dtls_deadlines();

  [[nodiscard]] RelaySocket* find_relay(turn::RelayId id);
  [[nodiscard]] net::UdpPort& listener(turn::ListenerId id);
  /// Replies leave from the address the client wrote to, which a wildcard socket must be told.
  [[nodiscard]] static std::optional<net::LocalAddress> source_on(const net::UdpPort& port,
                                                                  const FiveTuple& tuple);
  void count(turn::Reason reason) { ++counters_[static_cast<std::size_t>(reason)]; }

  const turn::WorkerId id_;
  SecureRandom random_;
  turn::Server server_;
  turn::Effects effects_;
  Now now_{};

  net::Poller poller_;
  net::SendQueue queue_;  // before the ports, which leave it when they close
  net::ReceiveBatch batch_;
  WorkerShared shared_;
  WorkerListeners listeners_;
  std::deque<RelaySocket> relays_;  // by RelayId::slot
  std::deque<SessionSlot> sessions_;
  std::vector<std::uint32_t> free_sessions_;
  std::vector<std::uint32_t> touched_;  // sessions to be flushed at the end of this turn
  std::vector<std::uint32_t> backlog_;  // sessions with whole messages left over for the next turn
  DeadlineQueue session_deadlines_;
  std::deque<TcpRelay> tcp_relays_;  // by RelayId::slot
  std::vector<turn::RelayId> paused_tcp_relays_;
  std::deque<BridgeSlot> bridges_;  // by PeerConnectionId::slot
  DeadlineQueue bridge_deadlines_;
  DeadlineQueue bridge_pauses_;                // of those that are paused
  std::optional<Instant> accepting_again_at_;  // set while there is no room for connections
  std::vector<std::uint8_t> scratch_;
  HandshakeBudget handshakes_;
  DtlsSessions dtls_;
  std::vector<std::uint8_t> dtls_message_;  // being put together
  ParkedRequests parked_;
  std::shared_ptr<const turn::PeerPolicy> policy_;  // of the last RulesLetter
  Mail inbox_;
  std::vector<Mail> outboxes_;    // by WorkerId
  DeadlineQueue tls_handshakes_;  // of sessions that are not established yet
  // The session that speaks for each five-tuple that a balancer claims: no kernel keeps them
  // unique.
  std::unordered_map<FiveTuple, std::uint32_t, TupleHash> claims_;
  std::size_t awaiting_proxy_ = 0;  // sessions with awaits_proxy

  TrafficSamples samples_;
  ReasonCounters counters_{};
  RelaxedCounter turns_;
  StreamCounters stream_counters_;
  RelaxedCounter lost_mail_;
  Instant relay_warning_after_{};
  bool sends_trains_ = true;
  Coalescer coalescer_;
  std::atomic<bool> stopping_{false};
};

}  // namespace turnpike::server
