// What one server has done, in numbers that other threads may read: allocations and relayed volume.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

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
/// Which limit an Allocate ran into.
enum class QuotaScope : std::uint8_t { user, network, total, ports };

inline constexpr std::size_t transport_count = 4;
inline constexpr std::size_t relay_path_count = 3;
inline constexpr std::size_t quota_scope_count = 4;

/// "to_peer", "channel", "user", as metrics spell them.
[[nodiscard]] std::string_view to_string(RelayDirection direction);
[[nodiscard]] std::string_view to_string(RelayPath path);
[[nodiscard]] std::string_view to_string(QuotaScope scope);

/// What an Allocate can be answered with; the code of each place in RelayCounters::answers.
inline constexpr std::array<std::uint16_t, 14> allocate_codes{200, 300, 400, 401, 403, 420, 437,
                                                              438, 440, 441, 442, 486, 500, 508};
/// Where `code` stands in allocate_codes; where 500 does when it is none of them.
[[nodiscard]] std::size_t allocate_code_index(std::uint16_t code);

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
  /// Allocates by Transport and allocate_codes. Retransmissions that are answered again with 200
  /// are not among them.
  std::array<std::array<Number, allocate_codes.size()>, transport_count> answers{};
  std::array<Number, close_reason_count> closed{};                ///< by CloseReason
  std::array<Number, duration_bounds_s.size() + 1> durations{};   ///< of those, not cumulated
  Number duration_seconds{};                                      ///< of those, in all
  std::array<std::array<Volume, relay_path_count>, 2> relayed{};  ///< by RelayDirection, RelayPath
  std::array<Number, quota_scope_count> quota_rejections{};       ///< by QuotaScope

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

}  // namespace turnpike::turn
