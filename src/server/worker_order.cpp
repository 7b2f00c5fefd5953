#include "server/worker_order.h"

#include <algorithm>
#include <tuple>

namespace turnpike::server {
namespace {

std::tuple<turn::WorkerId, std::uint64_t> place_of(const turn::AllocationName& name) {
  return {name.worker, name.serial};
}

std::uint64_t weight_of(const AllocationRow& row, AllocationOrder order) {
  switch (order) {
    case AllocationOrder::name:
      break;
    case AllocationOrder::bytes:
      return row.bytes();
    case AllocationOrder::bitrate:
      return row.bitrate;
  }
  return 0;
}

}  // namespace

bool AllocationFilter::fits(const turn::AllocationView& allocation) const {
  if (!user.empty() && allocation.username != user && allocation.account != user) return false;
  if (client && allocation.client.client.address != *client) return false;
  if (client_transport && allocation.client.transport != *client_transport) return false;
  return !peer_transport || allocation.transport == *peer_transport;
}

bool comes_before(const AllocationRow& a, const AllocationRow& b, AllocationOrder order) {
  const std::uint64_t weight_a = weight_of(a, order);
  const std::uint64_t weight_b = weight_of(b, order);
  if (weight_a != weight_b) return weight_a > weight_b;
  return place_of(a.name) < place_of(b.name);
}

void keep_first(std::vector<AllocationRow>& rows, AllocationOrder order, std::size_t limit) {
  const auto is_before = [order](const AllocationRow& a, const AllocationRow& b) {
    return comes_before(a, b, order);
  };
  const auto kept = static_cast<std::ptrdiff_t>(std::min(limit, rows.size()));
  std::partial_sort(rows.begin(), rows.begin() + kept, rows.end(), is_before);
  rows.erase(rows.begin() + kept, rows.end());
}

}  // namespace turnpike::server
