#include "server/service.h"

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <thread>

#include "net/clock.h"
#include "net/interfaces.h"
#include "server/log.h"
#include "server/quickstart.h"
#include "server/worker.h"

namespace turnpike::server {
namespace {

constexpr int exit_ok = 0;
constexpr int exit_unavailable = 69;

/// What stops the start: a sentence for the operator.
struct StartError {
  std::string sentence;
};

/// One allocation needs one descriptor: take as many as the system allows this process.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

bool can_bind(const IpAddress& address) {
  return net::UdpPort::open({.bind = {address, 0}}).has_value();
}

/// The endpoints to listen on; ":3478" is every address of both families.
std::vector<Endpoint> listen_endpoints(const Config& config) {
  std::vector<Endpoint> endpoints;
  for (const ListenAddress& listen : config.listen.udp) {
    if (listen.address) {
      endpoints.push_back({*listen.address, listen.port});
      continue;
    }
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      const IpAddress any = IpAddress::any(family);
      if (can_bind(any)) endpoints.push_back({any, listen.port});
    }
  }
  return endpoints;
}

/// relay.addresses, or every listening address; what peers see of them by public_ip (1:1 NAT).
std::vector<turn::RelayAddress> relay_addresses(const Config& config,
                                                const std::vector<Endpoint>& listeners) {
  std::vector<IpAddress> binds = config.relay.addresses;
  if (binds.empty()) {
    const auto interfaces = net::interface_addresses();
    for (const Endpoint& listener : listeners) {
      if (!listener.address.is_any()) binds.push_back(listener.address);
      std::copy_if(interfaces.begin(), interfaces.end(), std::back_inserter(binds),
                   [&](const IpAddress& address) {
                     return listener.address.is_any() && address.family() == listener.family();
                   });
    }
  }
  std::vector<turn::RelayAddress> addresses;
  for (const IpAddress& bind : binds) {
    turn::RelayAddress address{bind, bind};
    for (const IpAddress& public_ip : config.public_ip) {
      if (public_ip.family() == bind.family() && !bind.is_loopback()) address.advertised = public_ip;
    }
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
      addresses.push_back(address);
    }
  }
  return addresses;
}

turn::Limits limits_of(const Config& config) {
  turn::Limits limits;
  limits.max_lifetime = config.relay.max_lifetime;
  limits.max_allocations = config.relay.max_allocations;
  limits.max_allocations_per_user = config.relay.max_allocations_per_user;
  limits.challenge_rate = config.limits.challenge_rate;
  return limits;
}

turn::PeerPolicy::Settings policy_settings(const Config& config, const ServeOptions& options,
                                           const std::vector<Endpoint>& listeners,
                                           const std::vector<turn::RelayAddress>& relays) {
  turn::PeerPolicy::Settings settings;
  settings.allow = config.relay.allow_peers;
  settings.deny = config.relay.deny_peers;
  settings.peer_ports = config.relay.peer_ports;
  settings.insecure_allow = options.insecure_allow_peers;
  settings.own_listeners = listeners;
  settings.own_addresses = net::interface_addresses();
  for (const auto& relay : relays) {
    settings.own_addresses.push_back(relay.bind);
    settings.own_addresses.push_back(relay.advertised);
  }
  settings.own_addresses.insert(settings.own_addresses.end(), config.public_ip.begin(),
                                config.public_ip.end());
  return settings;
}

/// The strongest first: a client takes the first it knows (RFC 8489 §9.2.5).
auth::CredentialSettings credential_settings(const Config& config) {
  auto algorithms = config.auth.algorithms;
  std::sort(algorithms.begin(), algorithms.end(), std::greater<>{});
  return {config.effective_realm(), config.auth.users, config.auth.secrets, algorithms};
}

turn::Server::Settings server_settings(const Config& config, Random& random) {
  turn::Server::Settings settings;
  settings.limits = limits_of(config);
  settings.strict_expiry = config.auth.strict_expiry;
  settings.address_family = config.relay.address_family == AddressFamilyPolicy::strict
                                ? turn::AddressFamilyRule::strict
                                : turn::AddressFamilyRule::follow_client;
  settings.authentication.nonce_lifetime = config.auth.nonce_lifetime;
  settings.authentication.hash_seed = HashSeed{random.next_u64()};
  random.fill(settings.authentication.nonce_key);
  return settings;
}

/// Everything the workers share, and the workers. Nothing runs before start().
class Service {
 public:
  Service(const Config& config, const ServeOptions& options)
      : config_(config),
        listen_(listen_endpoints(config)),
        relay_addresses_(relay_addresses(config, listen_)),
        book_(credential_settings(config)),
        ledger_(relay_addresses_, config.relay.ports, limits_of(config)),
        policy_(policy_settings(config, options, listen_, relay_addresses_), ledger_.live_relays()) {}

  /// Binds all sockets. Throws StartError.
  void open();
  void start();
  void stop();
  void log_start(const ServeOptions& options) const;
  void log_counters() const;

 private:
  [[nodiscard]] net::UdpPort open_listener(const Endpoint& endpoint) const;
  [[nodiscard]] unsigned worker_count() const;

  const Config& config_;
  std::vector<Endpoint> listen_;
  std::vector<turn::RelayAddress> relay_addresses_;
  auth::CredentialBook book_;
  turn::Ledger ledger_;
  turn::PeerPolicy policy_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
};

void Service::open() {
  for (const auto& relay : relay_addresses_) {
    if (can_bind(relay.bind)) continue;
    throw StartError{"relay address " + relay.bind.to_string() +
                     " is not an address of this host; set relay.addresses to addresses that are, and "
                     "public_ip to what peers see of them"};
  }
  // SO_REUSEPORT would let a second server join the first one's ports in silence. A bind without it
  // tells.
  for (const Endpoint& endpoint : listen_) {
    const auto probe = net::UdpPort::open({.bind = endpoint});
    if (probe) continue;
    throw StartError{"cannot listen on udp " + endpoint.to_string() + ": " + probe.error().message() +
                     "; stop the program that has the port, or change listen.udp"};
  }
  SecureRandom random;
  const turn::Server::Settings settings = server_settings(config_, random);
  for (unsigned i = 0; i < worker_count(); ++i) {
    std::vector<net::UdpPort> listeners;
    for (const Endpoint& endpoint : listen_) listeners.push_back(open_listener(endpoint));
    workers_.push_back(std::make_unique<Worker>(settings, book_, policy_, ledger_, std::move(listeners)));
  }
}

net::UdpPort Service::open_listener(const Endpoint& endpoint) const {
  constexpr int buffer_bytes = 4 << 20;  // bursts of many clients meet in one socket
  auto port = net::UdpPort::open({.bind = endpoint,
                                  .reuse_port = worker_count() > 1,
                                  .destination_address = endpoint.address.is_any(),
                                  .receive_buffer_bytes = buffer_bytes,
                                  .send_buffer_bytes = buffer_bytes});
  if (port) return std::move(*port);
  throw StartError{"cannot listen on udp " + endpoint.to_string() + ": " + port.error().message()};
}

unsigned Service::worker_count() const {
  if (config_.workers != 0) return config_.workers;
  return std::max(1U, std::thread::hardware_concurrency());
}

void Service::start() {
  for (const auto& worker : workers_) {
    threads_.emplace_back([&worker = *worker] { worker.run(); });
  }
}

void Service::stop() {
  for (const auto& worker : workers_) worker->stop();
  for (std::thread& thread : threads_) thread.join();
}

void Service::log_start(const ServeOptions& options) const {
  for (const Endpoint& endpoint : listen_) {
    log_event(LogLevel::info, "listening",
              {{"transport", "udp"}, {"address", endpoint.to_string()}, {"workers", workers_.size()}});
  }
  for (const auto& relay : relay_addresses_) {
    log_event(LogLevel::info, "relaying",
              {{"address", relay.bind.to_string()},
               {"seen_as", relay.advertised.to_string()},
               {"ports", std::to_string(config_.relay.ports.first) + "-" +
                             std::to_string(config_.relay.ports.last)}});
  }
  for (const IpPrefix& prefix : options.insecure_allow_peers) {
    log_event(LogLevel::warn, "insecure_allow_peers",
              {{"prefix", prefix.to_string()}, {"meaning", "users can reach what this host protects"}});
  }
}

void Service::log_counters() const {
  std::vector<LogField> fields;
  for (std::size_t i = 0; i < turn::reason_count; ++i) {
    std::uint64_t total = 0;
    for (const auto& worker : workers_) total += worker->counters()[i];
    if (total > 0) fields.emplace_back(turn::to_string(static_cast<turn::Reason>(i)), total);
  }
  log_event(LogLevel::info, "counters", fields);
}

/// SIGINT, SIGTERM and SIGHUP, kept from all threads and waited for by one.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  [[nodiscard]] int wait() const {
    int signal = 0;
    sigwait(&set_, &signal);
    return signal;
  }

 private:
  sigset_t set_{};
};

}  // namespace

int run(const Config& config, const ServeOptions& options) {
  const StopSignals signals;  // before there are threads, which inherit the mask
  const Log log{config.log};
  raise_descriptor_limit();
  try {
    Service service{config, options};
    service.open();
    if (options.quickstart) {  // before the log, whose thread would write in between
      std::fputs(quickstart_banner(config, net::read_clock().wall).c_str(), stdout);
      std::fflush(stdout);
    }
    service.start();
    service.log_start(options);
    log_event(LogLevel::info, "started", {{"configuration", options.config_origin}});
    const int signal = signals.wait();
    log_event(LogLevel::info, "stopping", {{"signal", signal}});
    service.stop();
    service.log_counters();
    return exit_ok;
  } catch (const StartError& error) {
    log_event(LogLevel::error, "start_failed", {{"reason", error.sentence}});
    return exit_unavailable;
  } catch (const std::system_error& error) {
    log_event(LogLevel::error, "start_failed", {{"reason", error.what()}});
    return exit_unavailable;
  }
}

}  // namespace turnpike::server
