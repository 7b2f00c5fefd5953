// Packets through the server and what becomes of them: sends, receives, echoes, accounts.
#pragma once

#include <vector>

#include "bench/latency_histogram.h"
#include "bench/ledger.h"
#include "bench/links.h"
#include "bench/on_their_way.h"
#include "bench/pacer.h"
#include "bench/plan.h"
#include "bench/udp_socket.h"
#include "bench/upkeep.h"

namespace turnpike::bench {

/// One flow: a client and its peer, which with Plan::pair is another client.
struct FlowEnds {
  std::size_t client = 0;
  std::optional<std::size_t> peer_client;
  Endpoint peer;     ///< where the client's packets go
  Endpoint relayed;  ///< where the peer's packets go
};

class Traffic final : private MessageSink {
 public:
  /// `links` and `peers` outlive it, and so does `upkeep`; null: the allocations last without.
  Traffic(const Plan& plan, const std::vector<FlowEnds>& flows, Links& links, UdpSocket& peers,
          bool spins, Upkeep* upkeep);

  /// Sends for `duration`, then waits for what is still on its way. Counts anew.
  void run(Pacer pacer, nanoseconds duration);

  [[nodiscard]] const PacketCounts& counts() const { return ledger_.counts(); }
  [[nodiscard]] const LatencyHistogram& latency() const { return latency_; }
  /// Of the latest run: from its start until the last packet came or was given up.
  [[nodiscard]] nanoseconds elapsed() const { return elapsed_; }
  /// The same, sending only.
  [[nodiscard]] nanoseconds sending() const { return sending_; }
  /// Packets that the load was too late to send.
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  struct Flow {
    FlowEnds ends;
    Envelope there;                // client to peer
    std::optional<Envelope> back;  // the peer's, when it is a client
    net::SocketAddress relayed;
  };

  bool turn(Instant now);
  void send_train(Instant now);
  void put_train(MutableByteView room, const Envelope* envelope, std::size_t flow, Instant now);
  bool receive_from_peers();
  void on_message(ByteView message, Instant now) override;
  void on_payload(ByteView payload, Instant now);
  void send_back(const Stamp& stamp, ByteView payload);
  void echo(const IncomingTrain& train);
  void wait(std::optional<Instant> until) const;

  const Plan& plan_;
  Links& links_;
  UdpSocket& peers_;
  bool spins_;
  Upkeep* upkeep_;
  std::vector<Flow> flows_;
  std::size_t next_flow_ = 0;
  Ledger ledger_;
  OnTheirWay on_their_way_;
  LatencyHistogram latency_;
  nanoseconds elapsed_{0};
  nanoseconds sending_{0};
  std::uint64_t left_out_ = 0;
  Instant last_received_;
};

}  // namespace turnpike::bench
