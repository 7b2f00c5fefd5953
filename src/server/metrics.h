// What Prometheus is told, under the names of OPERATIONS §1.5.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"
#include "signaling/rooms.h"
#include "turn/reason.h"
#include "turn/relay_counters.h"

namespace turnpike::server {

/// How many datagrams ended how, over all workers, by turn::Reason.
using ReasonTotals = std::array<std::uint64_t, turn::reason_count>;

/// What became of connections and of handshakes, over all workers.
struct ConnectionTotals {
  std::uint64_t streams_open = 0;  ///< TCP and TLS clients of TURN
  std::uint64_t dtls_open = 0;
  std::uint64_t http_open = 0;
  std::uint64_t streams_accepted = 0;
  std::uint64_t handshakes_done = 0;  ///< TLS and DTLS
  std::uint64_t handshakes_timed_out = 0;
  std::uint64_t handshakes_given_up = 0;  ///< for younger ones
  std::uint64_t handshakes_refused = 0;   ///< too many of one network, or in all
};

/// Datagrams that were on their way out and did not leave, over all workers.
struct UnsentTotals {
  std::uint64_t full = 0;             ///< the buffer of a socket or a network card
  std::uint64_t refused = 0;          ///< by the kernel: no route, too big, forbidden
  std::uint64_t slow_client = 0;      ///< over TCP or TLS, that does not read
  std::uint64_t between_workers = 0;  ///< the other was too busy to take them
};

/// How users were found out about that the configuration does not know.
struct UserTotals {
  std::uint64_t found = 0;
  std::uint64_t absent = 0;
  std::uint64_t unanswered = 0;
  std::uint64_t hook_asked = 0;
  std::uint64_t hook_failed = 0;
  std::uint64_t stood_in = 0;
  bool is_hook_up = true;
};

/// The process, as the kernel counts it.
struct ProcessTotals {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_descriptors = 0;
  std::uint64_t max_descriptors = 0;
};
/// Reads those of this process; zeros where /proc does not tell. For one thread.
///
/// How many descriptors there are Linux says since 6.2. Before that they are listed, which takes a
/// tenth of a second for 100,000: not again before a hundred times as long is over.
class ProcessReader {
 public:
  explicit ProcessReader(bool kernel_counts_descriptors = true)
      : kernel_counts_descriptors_(kernel_counts_descriptors) {}

  [[nodiscard]] ProcessTotals read();

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] std::uint64_t count_descriptors();

  const bool kernel_counts_descriptors_;
  std::uint64_t listed_ = 0;
  Clock::time_point list_again_at_{};
};

/// All numbers of one moment, but for those of the rooms.
struct ServerNumbers {
  ReasonTotals reasons{};
  turn::RelayTotals relays{};
  std::uint64_t relay_ports = 0;
  std::uint64_t relay_ports_in_use = 0;
  ConnectionTotals connections{};
  UnsentTotals unsent{};
  std::optional<UserTotals> users{};                ///< nothing: all are in the configuration
  std::optional<WallTime> certificate_not_after{};  ///< nothing: there is none
  std::optional<bool> reload_succeeded{};           ///< the last reload; nothing: there was none
  bool is_draining = false;
  WallTime started{};
  ProcessTotals process{};
};

/// The text format of Prometheus, version 0.0.4. No label names a user, a room or an address.
[[nodiscard]] std::string metrics_text(const signaling::Rooms& rooms, const ServerNumbers& numbers);

}  // namespace turnpike::server
