// What the thread that serves HTTP asks of the workers for the operator, and what they answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "turn/allocation_view.h"

namespace turnpike::server {

/// Which allocations are meant. What is not said holds for all.
struct AllocationFilter {
  std::string user{};  ///< as clients send it, or as quotas count it
  std::optional<IpAddress> client{};
  std::optional<Transport> client_transport{};
  std::optional<turn::PeerTransport> peer_transport{};

  [[nodiscard]] bool fits(const turn::AllocationView& allocation) const;
};

/// What comes first in a list.
enum class AllocationOrder : std::uint8_t {
  name,     ///< by worker, and there the oldest first
  bytes,    ///< what has relayed most
  bitrate,  ///< what relays most now
};

/// One allocation in a list, with strings of its own.
struct AllocationRow {
  turn::AllocationName name;
  std::string username;
  std::string account;
  FiveTuple client;
  turn::PeerTransport peer_transport = turn::PeerTransport::udp;
  std::array<std::optional<Endpoint>, 2> relayed{};
  seconds age{0};
  seconds expires_in{0};
  std::size_t permissions = 0;
  std::size_t channels = 0;
  turn::Traffic traffic;
  std::uint64_t bitrate = 0;  ///< bits a second, both ways; see TrafficSamples

  [[nodiscard]] std::uint64_t bytes() const {
    return traffic.bytes_to_peer + traffic.bytes_to_client;
  }
};

/// Does `a` come before `b`? What is equal otherwise is in the order of the names.
[[nodiscard]] bool comes_before(const AllocationRow& a, const AllocationRow& b,
                                AllocationOrder order);
/// Puts `rows` in order and cuts them to the first `limit`.
void keep_first(std::vector<AllocationRow>& rows, AllocationOrder order, std::size_t limit);

/// One page of the allocations among some slots of a worker; the others are asked about one after
/// another, so that no list keeps a worker from its packets for long.
struct ListOrder {
  AllocationFilter filter;
  AllocationOrder order = AllocationOrder::name;
  std::optional<turn::AllocationName> after;  ///< in the order of the names alone
  std::size_t limit = 0;
  std::uint32_t first_slot = 0;
};
struct ShowOrder {
  turn::AllocationName name;
};
struct EndOrder {
  turn::AllocationName name;
};
/// Ends all of a user, by the name that clients send or by that which quotas count.
struct EndAllOrder {
  std::string user;
  turn::CloseReason reason;
};
struct DrainOrder {
  bool is_draining;
};

using Order = std::variant<ListOrder, ShowOrder, EndOrder, EndAllOrder, DrainOrder>;

/// To a worker.
struct OrderLetter {
  std::uint64_t question;  ///< comes back with the answer
  Order order;
};

/// What a worker says to any order.
struct WorkerAnswer {
  turn::WorkerId worker{};
  std::uint64_t question = 0;
  std::vector<AllocationRow> rows;         ///< of ListOrder and ShowOrder
  std::optional<std::uint32_t> next_slot;  ///< of ListOrder: where to go on
  std::uint64_t count = 0;                 ///< how many fitted, or were ended
  turn::Traffic traffic;                   ///< of those that fitted
};

/// What some allocations of a worker have used so far, for the store.
struct LiveUsage {
  turn::WorkerId worker{};
  std::vector<AllocationRow> rows{};         ///< without bitrates
  std::optional<std::uint32_t> next_slot{};  ///< where to go on
  WallTime at{};
};

}  // namespace turnpike::server
