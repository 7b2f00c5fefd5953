// Which packets have left and which have come: lost, doubled, out of order. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/stamp.h"

namespace turnpike::bench {

/// Packets of a measurement, each in one of these.
struct PacketCounts {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;    ///< each once
  std::uint64_t reordered = 0;   ///< of the received ones: after a later one of their flow
  std::uint64_t duplicated = 0;  ///< more copies of received ones
  std::uint64_t bytes = 0;       ///< payload of the received ones

  [[nodiscard]] std::uint64_t lost() const { return sent - received; }
  friend bool operator==(const PacketCounts&, const PacketCounts&) = default;
};

/// Keeps account of every flow.
class Ledger {
 public:
  explicit Ledger(std::size_t flows) : flows_(flows) {}

  /// The next packet of `flow` leaves; its number.
  std::uint32_t on_sent(std::size_t flow);
  /// A packet has come. False when it does not count: a copy, or none of ours.
  bool on_received(const Stamp& stamp, std::size_t payload_bytes);

  [[nodiscard]] const PacketCounts& counts() const { return counts_; }
  [[nodiscard]] std::uint64_t outstanding() const { return counts_.lost(); }
  /// Counts from zero. Packets that are still on their way are none of ours from now on.
  void start_over();

 private:
  struct Flow {
    std::uint32_t first = 0;    // number of the first packet that counts
    std::uint32_t next = 0;     // to be sent
    std::uint32_t highest = 0;  // received, plus one; 0: none yet
    std::uint64_t seen = 0;     // bit n: highest - 1 - n has come
  };

  std::vector<Flow> flows_;
  PacketCounts counts_;
};

}  // namespace turnpike::bench
