#include "bench/ledger.h"

namespace turnpike::bench {
namespace {

/// How far behind the latest packet of its flow one may come and still be told from a copy.
constexpr std::uint32_t window = 64;

}  // namespace

std::uint32_t Ledger::on_sent(std::size_t flow) {
  ++counts_.sent;
  return flows_[flow].next++;
}

bool Ledger::on_received(const Stamp& stamp, std::size_t payload_bytes) {
  if (stamp.flow >= flows_.size()) return false;
  Flow& flow = flows_[stamp.flow];
  if (stamp.sequence < flow.first || stamp.sequence >= flow.next) return false;
  if (stamp.sequence >= flow.highest) {
    const std::uint32_t ahead = stamp.sequence + 1 - flow.highest;
    flow.seen = ahead < window ? (flow.seen << ahead) | 1 : 1;
    flow.highest = stamp.sequence + 1;
  } else {
    const std::uint32_t behind = flow.highest - 1 - stamp.sequence;
    if (behind >= window) return false;
    const std::uint64_t bit = std::uint64_t{1} << behind;
    if ((flow.seen & bit) != 0) {
      ++counts_.duplicated;
      return false;
    }
    flow.seen |= bit;
    ++counts_.reordered;
  }
  ++counts_.received;
  counts_.bytes += payload_bytes;
  return true;
}

void Ledger::start_over() {
  counts_ = {};
  for (Flow& flow : flows_) {
    flow.first = flow.next;
    flow.highest = flow.next;
    flow.seen = 0;
  }
}

}  // namespace turnpike::bench
