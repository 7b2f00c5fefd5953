// Where the protocol meets the sockets: one thread, its listeners, its relays, its turn::Server.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/crypto.h"
#include "net/poller.h"
#include "net/send_queue.h"
#include "net/udp_port.h"
#include "turn/server.h"

namespace turnpike::server {

/// How many datagrams ended how, by turn::Reason.
using ReasonCounters = std::array<std::uint64_t, turn::reason_count>;

/// One worker. Everything but stop() belongs to the thread that calls run().
class Worker {
 public:
  /// `listeners` are bound already; their index is the ListenerId. The references must outlive the
  /// worker. Throws std::system_error when the kernel has no descriptors left.
  Worker(const turn::Server::Settings& settings, const auth::CredentialBook& book,
         const turn::PeerPolicy& policy, turn::Ledger& ledger, std::vector<net::UdpPort> listeners);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Serves until stop().
  void run();
  /// Makes run() return soon. From any thread.
  void stop();

  /// Read them after run() has returned.
  [[nodiscard]] const ReasonCounters& counters() const { return counters_; }
  [[nodiscard]] const net::SendStats& send_stats() const { return queue_.stats(); }

 private:
  struct RelaySocket {
    turn::RelayId id;
    std::optional<net::UdpPort> port;
  };

  void on_event(const net::Event& event);
  void on_listener_readable(turn::ListenerId id);
  void on_relay_readable(RelaySocket& relay);
  void on_relay_error(RelaySocket& relay);

  void handle(const turn::Handled& handled);
  void forward(const turn::Forward& forward);
  void apply_effects();
  void apply(const turn::SendToClient& effect);
  void apply(const turn::OpenRelay& effect);
  void apply(const turn::CloseRelay& effect);
  [[nodiscard]] std::optional<turn::RelayOpenError> open_relay(const turn::OpenRelay& effect);

  [[nodiscard]] RelaySocket* find_relay(turn::RelayId id);
  [[nodiscard]] net::UdpPort& listener(turn::ListenerId id);
  void count(turn::Reason reason) { ++counters_[static_cast<std::size_t>(reason)]; }

  SecureRandom random_;
  turn::Server server_;
  turn::Effects effects_;
  Now now_{};

  net::Poller poller_;
  net::SendQueue queue_;  // before the ports, which leave it when they close
  net::ReceiveBatch batch_;
  std::vector<net::UdpPort> listeners_;
  std::deque<RelaySocket> relays_;  // by RelayId::slot
  ReasonCounters counters_{};
  Instant relay_warning_after_{};
  std::atomic<bool> stopping_{false};
};

}  // namespace turnpike::server
