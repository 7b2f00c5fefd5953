// What is to be measured, and what came out. Values only.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/endpoint.h"
#include "bench/framing.h"
#include "bench/latency_histogram.h"
#include "bench/ledger.h"
#include "bench/process_usage.h"
#include "bench/rate_search.h"

namespace turnpike::bench {

enum class Mode : std::uint8_t {
  client_to_peer,  ///< packets from clients to peers
  peer_to_client,  ///< packets from peers to clients
  echo,            ///< from a client to its peer and back
  binding,         ///< Binding requests
  churn,           ///< Allocate, challenged, Allocate, Refresh with lifetime 0
  idle,            ///< allocations that do nothing
};
[[nodiscard]] std::string_view to_string(Mode mode);
[[nodiscard]] constexpr bool relays_packets(Mode mode) { return mode <= Mode::echo; }

/// What the other side speaks.
enum class Against : std::uint8_t {
  turn,
  forwarder,  ///< bench/forwarder: the same way through the kernel without TURN
};

/// How fast: as fast as is taken without loss, or to be found out, or packets a second.
struct RateMax {};
struct RateSearched {};
using Rate = std::variant<RateMax, RateSearched, double>;

struct Plan {
  std::string target;  ///< as the user wrote it
  Endpoint server;
  Transport transport = Transport::udp;
  std::string server_name;  ///< for TLS
  Against against = Against::turn;
  std::string username;
  std::string password;
  Mode mode = Mode::client_to_peer;
  Framing framing = Framing::channel;
  bool pair = false;  ///< the peers are allocations of the same server
  std::size_t allocations = 100;
  std::size_t payload_bytes = 160;
  std::size_t train = 1;  ///< packets of a flow that leave together
  Rate rate = RateMax{};
  nanoseconds duration{seconds{5}};
  /// Each allocation is refreshed and its peer bound again so often; nothing: never.
  std::optional<nanoseconds> refresh_every;
  /// RateMax: trains on their way at once; binding and churn: requests. 0: what seems right.
  std::size_t in_flight = 0;
  std::optional<IpPrefix> clients_from;
  std::optional<IpAddress> peer_address;  ///< where peers are; nothing: by the route
  std::optional<pid_t> server_process;
  std::optional<unsigned> core;  ///< the load runs on this one alone
};

/// Time and memory of the server, when its process is known.
struct ServerUsage {
  ProcessUsage spent;  ///< during the measurement
  std::uint64_t resident_before = 0;
  std::uint64_t resident_after = 0;
  std::optional<nanoseconds> set_up_cpu{};  ///< idle: for making the allocations
};

/// Refreshes of allocations and of their permissions and channels.
struct UpkeepCounts {
  std::uint64_t done = 0;
  std::uint64_t failed = 0;      ///< refused, or not answered in spite of retransmissions
  std::uint64_t sent_again = 0;  ///< requests
  std::string failure{};         ///< the first
};

struct Report {
  Plan plan;
  nanoseconds elapsed{0};  ///< of the measurement
  PacketCounts packets;
  std::uint64_t relayed = 0;       ///< packets that the server passed on; echo: both ways
  std::uint64_t transactions = 0;  ///< binding, churn: completed
  std::uint64_t retransmissions = 0;
  std::uint64_t failures = 0;  ///< binding, churn: not completed
  std::uint64_t left_out = 0;  ///< packets that the load was too late to send
  std::optional<UpkeepCounts> upkeep;
  LatencyHistogram latency;  ///< of packets or, for binding and churn, of transactions
  std::optional<ServerUsage> server;
  nanoseconds own_cpu{0};
  nanoseconds own_waited{0};  ///< the load was ready and something else had its core
  nanoseconds set_up{0};      ///< making all allocations
  std::optional<RateSearch> search;
};

}  // namespace turnpike::bench
