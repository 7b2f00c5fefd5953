// What one server has done, in numbers that other threads may read: allocations and relayed volume.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/endpoint.h"
#include "base/relaxed_counter.h"
#include "stun/registry.h"
#include "turn/allocation_view.h"

namespace turnpike::turn {

/// Which way payload goes.
enum class RelayDirection : std::uint8_t { to_peer, to_client };
/// How the client's side of it is packed.
enum class RelayPath : std::uint8_t {
  channel,  ///< ChannelData
  send,     ///< Send and Data indications
  stream,   ///< a data connection (RFC 6062): bytes without packets
};
/// Which limit a request ran into.
enum class QuotaScope : std::uint8_t {
  user,     ///< allocations of one user
  network,  ///< allocations from one network
  total,    ///< allocations of the server
  ports,    ///< free relay ports
  peers,    ///< permissions, channels or connections of one allocation, or new peers a second
};

inline constexpr std::size_t transport_count = 4;
inline constexpr std::size_t relay_path_count = 3;
inline constexpr std::size_t quota_scope_count = 5;

/// "to_peer", "channel", "user", as metrics spell them.
[[nodiscard]] std::string_view to_string(RelayDirection direction);
[[nodiscard]] std::string_view to_string(RelayPath path);
[[nodiscard]] std::string_view to_string(QuotaScope scope);

/// Methods of the requests that are answered.
inline constexpr std::array<stun::Method, 7> answered_methods{
    stun::Method::binding,           stun::Method::allocate,     stun::Method::refresh,
    stun::Method::create_permission, stun::Method::channel_bind, stun::Method::connect,
    stun::Method::connection_bind};
/// Where `method` stands in answered_methods. Precondition: it is one of them.
[[nodiscard]] std::size_t method_index(stun::Method method);
/// "create_permission", as metrics spell it. The same precondition.
[[nodiscard]] std::string_view metric_name(stun::Method method);

/// 200, for a success, and the error codes that requests are answered with.
inline constexpr std::array<std::uint16_t, 18> answer_codes{
    200, 300, 400, 401, 403, 405, 420, 437, 438, 440, 441, 442, 443, 446, 447, 486, 500, 508};
/// Where `code` stands in answer_codes; where 500 does when it is none of them.
[[nodiscard]] std::size_t answer_code_index(std::uint16_t code);

/// Upper bounds of the classes of durations; the last class has none.
inline constexpr std::array<std::uint32_t, 9> duration_bounds_s{1,    10,   60,    300,  600,
                                                                1800, 3600, 14400, 86400};
/// The class of `duration`.
[[nodiscard]] std::size_t duration_class(nanoseconds duration);

/// `Number` is RelaxedCounter where it is counted and std::uint64_t where it is summed up.
template <class Number>
struct BasicRelayCounters {
  struct Volume {
    Number packets{};
    Number bytes{};
  };

  /// Relays in use now, by Transport (that of the client's Allocate) and family (IPv4, IPv6).
  std::array<std::array<Number, 2>, transport_count> relays{};
  /// Requests of one method by Transport and answer_codes.
  using Answers = std::array<std::array<Number, answer_codes.size()>, transport_count>;
  /// By answered_methods: every request that was answered, retransmissions too.
  std::array<Answers, answered_methods.size()> requests{};
  /// Allocations that their clients were told of, by Transport; each once.
  std::array<Number, transport_count> opened{};
  std::array<Number, close_reason_count> closed{};                ///< by CloseReason
  std::array<Number, duration_bounds_s.size() + 1> durations{};   ///< of those, not cumulated
  Number duration_seconds{};                                      ///< of those, in all
  std::array<std::array<Volume, relay_path_count>, 2> relayed{};  ///< by RelayDirection, RelayPath
  std::array<Number, quota_scope_count> quota_rejections{};       ///< by QuotaScope

  [[nodiscard]] Answers& answers_to(stun::Method method) { return requests[method_index(method)]; }
  [[nodiscard]] const Answers& answers_to(stun::Method method) const {
    return requests[method_index(method)];
  }
  [[nodiscard]] Volume& volume(RelayDirection direction, RelayPath path) {
    return relayed[static_cast<std::size_t>(direction)][static_cast<std::size_t>(path)];
  }
  [[nodiscard]] const Volume& volume(RelayDirection direction, RelayPath path) const {
    return relayed[static_cast<std::size_t>(direction)][static_cast<std::size_t>(path)];
  }
};

/// Of one server. Its own thread counts, any thread reads.
using RelayCounters = BasicRelayCounters<RelaxedCounter>;
/// Of several servers together.
using RelayTotals = BasicRelayCounters<std::uint64_t>;

RelayTotals& operator+=(RelayTotals& totals, const RelayCounters& some);

/// All that only ever grows, in one row: not `relays`.
[[nodiscard]] std::vector<std::uint64_t> growing_values(const RelayCounters& counters);
/// Adds what growing_values() has given. Precondition: as many as it gives.
void add_growing_values(RelayCounters& counters, std::span<const std::uint64_t> values);

}  // namespace turnpike::turn
