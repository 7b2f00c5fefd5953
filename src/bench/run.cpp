#include "bench/run.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "bench/forwarder_protocol.h"
#include "bench/set_up.h"
#include "bench/traffic.h"
#include "bench/transactions.h"
#include "net/clock.h"
#include "net/socket_address.h"

namespace turnpike::bench {
namespace {

/// Caches, pages and tables are as they will be after this.
constexpr nanoseconds warm_up_max = milliseconds{500};

BenchFailure refused(const std::string& sentence) {
  return {BenchFailure::Kind::refused, sentence};
}

// --- The host ------------------------------------------------------------------------------------

/// Thousands of clients need thousands of descriptors: as many as the system lets us have.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// The address of this host that packets to `remote` leave from.
std::optional<IpAddress> address_towards(const Endpoint& remote) {
  const int descriptor =
      ::socket(net::native_family(remote.family()), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return std::nullopt;
  net::SocketAddress native = net::to_socket_address(remote);
  net::SocketAddress own;
  const bool is_known = ::connect(descriptor, native.pointer(), native.size) == 0 &&
                        ::getsockname(descriptor, own.pointer(), &own.size) == 0;
  ::close(descriptor);
  if (!is_known) return std::nullopt;
  return net::to_endpoint(own).address;
}

IpAddress peer_address(const Plan& plan) {
  if (plan.peer_address) return *plan.peer_address;
  const auto address = address_towards(plan.server);
  if (!address) throw refused("this host has no route to " + plan.server.address.to_string());
  return *address;
}

std::unique_ptr<Links> open_links(const Plan& plan, std::size_t clients) {
  return open_links(LinkOptions{plan.server, plan.transport, clients, plan.server_name,
                                plan.clients_from, plan.mode == Mode::churn});
}

ProcessUsage usage_now(pid_t process) {
  const auto usage = usage_of(process);
  if (!usage) throw refused(fmt::format("--server-pid: there is no process {}", process));
  return *usage;
}

/// What the server and the load use between its construction and stop().
class Meter {
 public:
  explicit Meter(const Plan& plan) : plan_(plan), own_before_(own_usage()) {
    if (plan.server_process) before_ = usage_now(*plan.server_process);
  }
  void stop(Report& report) const {
    const ThreadUsage own = own_usage();
    report.own_cpu = own.cpu - own_before_.cpu;
    report.own_waited = own.waited - own_before_.waited;
    if (!before_) return;
    const ProcessUsage after = usage_now(*plan_.server_process);
    report.server =
        ServerUsage{after.since(*before_), before_->resident_bytes, after.resident_bytes};
  }

 private:
  const Plan& plan_;
  ThreadUsage own_before_;
  std::optional<ProcessUsage> before_;
};

// --- Packets -------------------------------------------------------------------------------------

/// So many trains that a server is never out of work, and so few that they fit the receive buffer
/// of a socket that nobody has enlarged (212,992 bytes, which small packets fill at 768 each).
std::size_t trains_in_flight(const Plan& plan) {
  if (plan.in_flight > 0) return plan.in_flight;
  constexpr std::size_t budget_bytes = 96 * 1024;
  return std::clamp<std::size_t>(budget_bytes / (plan.payload_bytes * plan.train), 4, 64);
}

/// Asks the bare forwarder for a relay for each flow.
class ForwarderSetUp final : private MessageSink {
 public:
  ForwarderSetUp(const Plan& plan, Links& links) : plan_(plan), links_(links) {}

  std::vector<Endpoint> relays(std::size_t clients, const Endpoint& peer) {
    relays_.assign(clients, {});
    for (std::size_t client = 0; client < clients; ++client) ask(client, peer);
    return relays_;
  }

 private:
  void ask(std::size_t client, const Endpoint& peer) {
    const auto request = to_bytes({static_cast<std::uint32_t>(client), peer});
    constexpr int attempts = 20;
    for (int i = 0; i < attempts; ++i) {
      links_.add_message(client, request);
      links_.flush();
      wait_for(links_, milliseconds{100});
      links_.receive(*this);
      if (relays_[client].port != 0) return;
    }
    throw failure_from(plan_, {});
  }
  void on_message(ByteView message, Instant) override {
    const auto reply = read_forwarder_message(message);
    if (reply && reply->number < relays_.size()) relays_[reply->number] = reply->endpoint;
  }

  const Plan& plan_;
  Links& links_;
  std::vector<Endpoint> relays_;
};

/// Flow i is client i; with pairs, client i and client i + flows.
std::vector<FlowEnds> make_flows(const Plan& plan, const std::vector<Endpoint>& relays,
                                 const Endpoint& peer) {
  const std::size_t count = plan.pair ? relays.size() / 2 : relays.size();
  std::vector<FlowEnds> flows;
  flows.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    FlowEnds ends{i, std::nullopt, peer, relays[i]};
    if (plan.pair) {
      ends.peer_client = i + count;
      ends.peer = relays[i + count];
    }
    flows.push_back(ends);
  }
  return flows;
}

/// Whom each client talks to.
std::vector<Endpoint> peers_of(const Plan& plan, const std::vector<Endpoint>& relays,
                               const Endpoint& peer) {
  if (!plan.pair) return std::vector<Endpoint>(relays.size(), peer);
  std::vector<Endpoint> peers;
  for (std::size_t i = 0; i < relays.size(); ++i) {
    peers.push_back(relays[(i + relays.size() / 2) % relays.size()]);
  }
  return peers;
}

Pacer pacer_for(const Plan& plan, double packets_a_second) {
  return Pacer::at_rate(packets_a_second / static_cast<double>(plan.train));
}

nanoseconds warm_up(const Plan& plan) { return std::min(warm_up_max, plan.duration / 5); }

void search_rate(const Plan& plan, Traffic& traffic, Report& report) {
  constexpr double first = 10'000;
  RateSearch search{first};
  while (const auto rate = search.next()) {
    traffic.run(pacer_for(plan, *rate), plan.duration);
    const PacketCounts& counts = traffic.counts();
    const double sending_s = std::chrono::duration<double>{traffic.sending()}.count();
    search.on_trial({*rate, static_cast<double>(counts.sent) / sending_s, counts.lost()});
  }
  report.search = search;
}

void fill(const Traffic& traffic, Report& report) {
  report.packets = traffic.counts();
  report.relayed = report.packets.received * (report.plan.mode == Mode::echo ? 2 : 1);
  report.latency = traffic.latency();
  report.elapsed = traffic.elapsed();
  report.left_out = traffic.left_out();
}

void measure_traffic(const Plan& plan, Traffic& traffic, Report& report) {
  Pacer pacer = Pacer::closed(trains_in_flight(plan));
  if (std::holds_alternative<RateSearched>(plan.rate)) {
    search_rate(plan, traffic, report);
    // Once more at what was found, for its cost.
    if (report.search->highest() == 0) return fill(traffic, report);
    pacer = pacer_for(plan, report.search->highest());
  } else if (const double* rate = std::get_if<double>(&plan.rate)) {
    pacer = pacer_for(plan, *rate);
  }
  traffic.run(pacer, warm_up(plan));
  const Meter meter{plan};
  traffic.run(pacer, plan.duration);
  meter.stop(report);
  fill(traffic, report);
}

void run_traffic(const Plan& plan, Random& random, Report& report) {
  UdpBuffers buffers;
  auto peers = UdpSocket::open({{peer_address(plan), 0}, false}, buffers);
  if (!peers) throw refused(peers.error());
  const auto links = open_links(plan, plan.allocations);
  const bool spins = plan.core.has_value();
  const Instant start = net::read_clock().instant;
  const auto done = [&] { report.set_up = net::read_clock().instant - start; };
  if (plan.against == Against::forwarder) {
    const auto relays = ForwarderSetUp{plan, *links}.relays(plan.allocations, peers->local());
    done();
    Traffic traffic{plan, make_flows(plan, relays, peers->local()), *links, *peers, spins, nullptr};
    return measure_traffic(plan, traffic, report);
  }
  SetUp set_up{plan, plan.allocations, *links, random};
  set_up.allocate();
  const auto relays = set_up.relayed();
  const std::vector<Endpoint> bound = peers_of(plan, relays, peers->local());
  set_up.bind(bound);
  done();
  std::optional<Upkeep> upkeep;
  if (plan.refresh_every) {
    upkeep.emplace(plan.framing, *plan.refresh_every, set_up.sessions(), bound, *links,
                   net::read_clock().instant);
  }
  Traffic traffic{plan,   make_flows(plan, relays, peers->local()),
                  *links, *peers,
                  spins,  upkeep ? &*upkeep : nullptr};
  measure_traffic(plan, traffic, report);
  if (upkeep) report.upkeep = upkeep->counts();
  set_up.remove();
}

// --- Requests ------------------------------------------------------------------------------------

void run_transactions(const Plan& plan, Random& random, Report& report) {
  const auto links = open_links(plan, plan.allocations);
  Transactions transactions{plan, *links, random, plan.core.has_value()};
  constexpr std::size_t usual = 32;
  Pacer pacer = Pacer::closed(plan.in_flight > 0 ? plan.in_flight : usual);
  if (const double* rate = std::get_if<double>(&plan.rate)) pacer = Pacer::at_rate(*rate);
  transactions.run(pacer, warm_up(plan));
  const Meter meter{plan};
  transactions.run(pacer, plan.duration);
  meter.stop(report);
  report.transactions = transactions.completed();
  report.failures = transactions.failed();
  report.retransmissions = transactions.retransmissions();
  report.latency = transactions.latency();
  report.elapsed = transactions.elapsed();
  report.left_out = transactions.left_out();
}

// --- Idle allocations ----------------------------------------------------------------------------

/// Makes allocations with a channel each, leaves them alone for a while, and deletes them.
void run_idle(const Plan& plan, Random& random, Report& report) {
  const Endpoint peer{peer_address(plan), 9};  // nothing is sent there
  const auto make = [&](std::size_t count, auto&& then) {
    const auto links = open_links(plan, count);
    SetUp set_up{plan, count, *links, random};
    const Instant start = net::read_clock().instant;
    const Meter meter{plan};
    set_up.allocate();
    set_up.bind(std::vector<Endpoint>(count, peer));
    meter.stop(report);
    report.set_up = net::read_clock().instant - start;
    then();
    set_up.remove();
  };
  // A few first: code and tables that any allocation needs are not the price of each.
  make(std::min<std::size_t>(plan.allocations, 32), [] {});
  make(plan.allocations, [&] {
    const std::optional<ServerUsage> making = report.server;
    const Instant start = net::read_clock().instant;
    const Meter meter{plan};
    ::poll(nullptr, 0, static_cast<int>(std::chrono::ceil<milliseconds>(plan.duration).count()));
    meter.stop(report);
    report.elapsed = net::read_clock().instant - start;
    if (!making) return;
    report.server->resident_before = making->resident_before;
    report.server->set_up_cpu = making->spent.cpu;
  });
}

}  // namespace

Report run(const Plan& plan, Random& random) {
  raise_descriptor_limit();
  if (plan.core && !pin_to_core(*plan.core)) {
    throw refused(fmt::format("--cpu: this process may not run on core {}", *plan.core));
  }
  if (plan.server_process) static_cast<void>(usage_now(*plan.server_process));
  Report report{};
  report.plan = plan;
  switch (plan.mode) {
    case Mode::client_to_peer:
    case Mode::peer_to_client:
    case Mode::echo:
      run_traffic(plan, random, report);
      break;
    case Mode::binding:
    case Mode::churn:
      run_transactions(plan, random, report);
      break;
    case Mode::idle:
      run_idle(plan, random, report);
      break;
  }
  return report;
}

}  // namespace turnpike::bench
