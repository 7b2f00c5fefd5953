// The thread that serves HTTP: rooms, their doors, and the connections that lead to them.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/crypto.h"
#include "base/deadline_queue.h"
#include "base/relaxed_counter.h"
#include "net/local_listener.h"
#include "net/poller.h"
#include "net/tcp.h"
#include "server/config.h"
#include "server/connection_limits.h"
#include "server/control_door.h"
#include "server/control_inbox.h"
#include "server/credentials.h"
#include "server/http_inbox.h"
#include "server/mailbox.h"
#include "server/metrics_door.h"
#include "server/signaling_ice.h"
#include "server/stream_session.h"
#include "server/webhooks.h"
#include "signaling/api_keys.h"
#include "signaling/doors.h"
#include "signaling/native_door.h"
#include "signaling/openvidu_door.h"
#include "signaling/relay_door.h"
#include "signaling/rest_door.h"
#include "signaling/rest_gate.h"
#include "signaling/socketio_door.h"

namespace turnpike::server {

/// Rooms are one for the whole server, for peers of one room must meet; so this is one thread, and
/// the workers hand it the connections on which HTTP is spoken. It never touches the data plane.
///
/// Everything but stop() belongs to the thread that calls run().
class SignalingHost {
 public:
  struct Counters {
    std::uint64_t connections = 0;
    std::uint64_t broken = 0;  ///< ended by an error of TCP or TLS
  };

  /// Sockets of its own.
  struct Listeners {
    std::vector<net::TcpListener> http;           ///< `listen.http`
    std::vector<net::TcpListener> metrics;        ///< `metrics.listen`
    std::optional<net::LocalListener> control{};  ///< `control.socket`
  };

  /// What it uses of the rest of the server, and outlives it.
  struct Surroundings {
    ConnectionLimits& connections;
    Mailboxes& workers;
    store::Store* store = nullptr;         ///< nullptr: none
    ControlDoor::Hooks hooks;              ///< called by run()
    std::vector<std::string> listeners{};  ///< as ControlDoor::Settings has them
  };

  /// `config` must outlive it. Throws std::system_error when the kernel has no descriptors left.
  SignalingHost(const Config& config, Listeners listeners, Surroundings surroundings);
  SignalingHost(const SignalingHost&) = delete;
  SignalingHost& operator=(const SignalingHost&) = delete;

  /// Where workers bring connections. Any thread.
  [[nodiscard]] HttpInbox& inbox() { return inbox_; }
  /// Where workers answer the operator, and tell of allocations. Any thread.
  [[nodiscard]] ControlInbox& control_inbox() { return control_inbox_; }

  /// The credentials that hold from now on. From any thread.
  void use(RoomCredentials credentials);

  /// Serves until stop(). Then everyone is asked to go elsewhere, and it returns when they have, or
  /// when the time for that (signaling::Limits::drain_spread) is over.
  void run();
  /// Sends new clients elsewhere, as `turnpike drain` does. From any thread.
  void drain();
  /// Makes run() end. From any thread.
  void stop();
  /// The same, without asking anyone. From any thread.
  void stop_at_once();
  /// Makes run() take a turn, for turns(). From any thread.
  void wake() { poller_.wake(); }
  /// Turns of run(). From any thread.
  [[nodiscard]] const RelaxedCounter& turns() const { return turns_; }
  /// After run() has returned and all workers have ended: keeps what they have told since.
  void finish();
  /// True when run() is about to return. From any thread.
  [[nodiscard]] bool has_ended() const { return has_ended_; }

  /// On the thread of run().
  [[nodiscard]] std::size_t open_connections() const { return slot_of_.size(); }
  /// Read them after run() has returned.
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] const signaling::Rooms& rooms() const { return rooms_; }

 private:
  struct Listener {
    net::TcpListener socket;
    bool is_for_operators = false;
  };
  /// One connection. Its place in slots_ does not move.
  struct Slot {
    std::optional<StreamSession> session;
    std::unique_ptr<signaling::HttpConnection> connection;
    signaling::ConnectionId id{};
    std::uint32_t generation = 0;
    bool is_counted = false;  // in ConnectionLimits
    bool watches_writable = false;
    bool is_touched = false;  // is in touched_
    bool is_over = false;     // to be closed at the end of this turn
    bool is_ending = false;   // all is said; only what is queued is still sent
  };

  [[nodiscard]] std::optional<Instant> next_deadline() const;
  void on_event(const net::Event& event);
  void on_connections_waiting(Listener& listener);
  void add_doors_to_rooms();
  void take_from_inbox();
  void on_operators_waiting();
  void admit_operator(net::LocalAccepted accepted);
  void take_news();
  [[nodiscard]] std::error_code watch_listeners();
  void pause_accepting(const std::error_code& error);
  void unwatch_listeners();
  void admit_to(const Listener& listener, net::Accepted accepted);
  void admit(StreamSession session, const signaling::Site& site, signaling::Doors::Peer peer,
             bool is_counted);
  [[nodiscard]] bool is_reverse_proxy(const IpAddress& address) const;
  void on_session_event(std::uint32_t number, const net::Event& event);
  void take_input(std::uint32_t number);
  void on_deadlines();
  void take_webhook_answers();
  void take_credentials();
  void tell_of_events();
  void begin_drain();
  void touch(std::uint32_t number);
  void note_touched_by_doors();
  void flush();
  void flush(std::uint32_t number);
  void end_output(Slot& slot, std::uint32_t number);
  void close(std::uint32_t number);

  const Config& config_;
  ConnectionLimits& connections_;
  SecureRandom random_;
  Now now_;

  net::Poller poller_;
  HttpInbox inbox_;
  ControlInbox control_inbox_;
  std::vector<Listener> listeners_;
  std::optional<net::LocalListener> control_listener_;
  std::optional<Instant> news_again_at_;       // to look into control_inbox_ unasked
  std::optional<Instant> accepting_again_at_;  // set while there is no room for connections

  SignalingIce ice_;
  signaling::FixedApiKeys api_keys_;
  signaling::Rooms rooms_;
  signaling::Doors doors_{rooms_};
  signaling::NativeDoor native_{doors_};
  signaling::SocketIoDoor socketio_;
  signaling::RelayDoor relay_{doors_, {}, random_};
  signaling::OpenViduDoor openvidu_;
  signaling::RestGate gate_;
  signaling::RestDoor rest_;
  MetricsDoor metrics_;
  std::unique_ptr<StoreThread> store_thread_;  // null without a store
  ControlDoor control_;
  signaling::ConnectionLimits limits_;
  std::unique_ptr<const signaling::Site> site_;
  std::unique_ptr<const signaling::Site> operator_site_;
  std::unique_ptr<const signaling::Site> control_site_;

  std::deque<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<std::uint32_t> touched_;
  std::unordered_map<signaling::ConnectionId, std::uint32_t> slot_of_;
  DeadlineQueue deadlines_;  // of connections, by slot
  std::vector<std::uint8_t> scratch_;
  std::vector<signaling::ConnectionEvent> events_;

  std::mutex credentials_mutex_;
  std::optional<RoomCredentials> new_credentials_;  // guarded by credentials_mutex_

  std::mutex answers_mutex_;
  std::vector<Webhooks::Answer> answers_;  // of the webhook, from its thread
  std::unique_ptr<Webhooks> webhooks_;     // before what its thread writes to is gone

  Counters counters_;
  RelaxedCounter turns_;
  std::optional<Instant> drained_by_;  // set once it is stopping
  std::atomic<bool> drain_wanted_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> stopping_at_once_{false};
  std::atomic<bool> has_ended_{false};
};

}  // namespace turnpike::server
