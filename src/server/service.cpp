#include "server/service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <thread>

#include "net/certificate_watcher.h"
#include "net/clock.h"
#include "net/interfaces.h"
#include "server/config_value.h"
#include "server/credentials.h"
#include "server/log.h"
#include "server/pulse.h"
#include "server/quickstart.h"
#include "server/reload.h"
#include "server/reload_desk.h"
#include "server/signaling_host.h"
#include "server/store_location.h"
#include "server/user_source.h"
#include "server/worker.h"

namespace turnpike::server {
namespace {

constexpr int exit_ok = 0;
constexpr int exit_unavailable = 69;
constexpr int exit_configuration = 78;

/// What stops the start: a sentence for the operator.
struct StartError {
  std::string sentence;
  int exit_code = exit_unavailable;
};

/// A listening address and what is spoken there.
struct Listener {
  Transport transport;
  Endpoint endpoint;
  bool expects_proxy = false;
  UdpService service = UdpService::plain;  // of UDP and DTLS: what its socket serves
};

std::string described(const Listener& listener) {
  return std::string{to_string(listener.transport)} + " " + listener.endpoint.to_string();
}

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

/// The UDP socket that datagrams to `endpoint` come in on, by its number among the UDP listeners,
/// which is its turn::ListenerId. The kernel prefers a socket of the very address to a wildcard.
std::optional<std::uint32_t> udp_listener_of(const std::vector<Listener>& listeners,
                                             const Endpoint& endpoint) {
  const Endpoint any{IpAddress::any(endpoint.family()), endpoint.port};
  for (const Endpoint& wanted : {endpoint, any}) {
    std::uint32_t number = 0;
    for (const Listener& listener : listeners) {
      if (listener.transport != Transport::udp) continue;
      if (listener.endpoint == wanted) return number;
      ++number;
    }
  }
  return std::nullopt;
}

/// The sockets of NAT behaviour discovery that listen.udp does not name anyway.
void add_discovery_listeners(const Config& config, std::vector<Listener>& listeners) {
  for (const DiscoveryAddress& address : config.nat_discovery.addresses) {
    for (const std::uint16_t port : config.nat_discovery.ports) {
      const Endpoint origin{address.bind, port};
      if (!udp_listener_of(listeners, origin)) listeners.push_back({Transport::udp, origin});
    }
  }
}

/// A1 and A2 of `family` with P1 and P2, in the order of turn::DiscoverySquare.
std::optional<turn::DiscoverySquare> discovery_square(const Config& config,
                                                      const std::vector<Listener>& listeners,
                                                      Family family) {
  turn::DiscoverySquare square{};
  std::size_t filled = 0;
  for (const DiscoveryAddress& address : config.nat_discovery.addresses) {
    if (address.bind.family() != family) continue;
    for (const std::uint16_t port : config.nat_discovery.ports) {
      const Endpoint local{address.bind, port};
      const auto listener = turn::ListenerId{udp_listener_of(listeners, local).value()};
      square.at(filled++) = {listener, local, {address.advertised, port}};
    }
  }
  if (filled == 0) return std::nullopt;
  return square;
}

/// Where one listener with an address of its own is bound.
Endpoint endpoint_of(const ListenerName& name) {
  Endpoint endpoint{*name.address.address, name.address.port};
  if (name.address.interface.empty()) return endpoint;
  const auto index = net::interface_index(name.address.interface);
  if (!index) {
    throw StartError{"there is no interface \"" + name.address.interface + "\" for " +
                         name.to_string() + "; change listen." +
                         std::string{to_string(name.transport)},
                     exit_configuration};
  }
  endpoint.scope = *index;
  return endpoint;
}

/// The endpoints that `name` stands for; ":3478" is every address of both families.
std::vector<Endpoint> endpoints_of(const ListenerName& name) {
  if (name.address.address) return {endpoint_of(name)};
  std::vector<Endpoint> endpoints;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const IpAddress any = IpAddress::any(family);
    if (can_bind(any)) endpoints.push_back({any, name.address.port});
  }
  return endpoints;
}

/// Sockets for DTLS alone; an endpoint that is there for UDP serves both. They stand behind the UDP
/// ones, whose numbers are known by now.
void add_dtls_listeners(const Config& config, std::vector<Listener>& listeners) {
  for (const ListenAddress& address : config.listen.dtls) {
    for (const Endpoint& endpoint : endpoints_of({Transport::dtls, address})) {
      const auto shared = std::find_if(listeners.begin(), listeners.end(), [&](const Listener& l) {
        return l.transport == Transport::udp && l.endpoint == endpoint;
      });
      if (shared != listeners.end()) {
        shared->service = UdpService::both;
      } else {
        listeners.push_back({Transport::dtls, endpoint, false, UdpService::dtls});
      }
    }
  }
}

std::vector<Listener> all_listeners(const Config& config) {
  std::vector<Listener> listeners;
  for (const ListenerName& name : config.listener_names()) {
    for (const Endpoint& endpoint : endpoints_of(name)) {
      listeners.push_back({name.transport, endpoint, config.expects_proxy(name)});
    }
  }
  add_discovery_listeners(config, listeners);
  add_dtls_listeners(config, listeners);
  return listeners;
}

/// relay.addresses, or every listening address.
std::vector<IpAddress> relay_binds(const Config& config, const std::vector<Listener>& listeners) {
  if (!config.relay.addresses.empty()) return config.relay.addresses;
  std::vector<IpAddress> binds;
  const auto interfaces = net::interface_addresses();
  for (const Listener& listener : listeners) {
    const IpAddress& at = listener.endpoint.address;
    if (!at.is_any() && !at.needs_scope()) binds.push_back(at);
    std::copy_if(
        interfaces.begin(), interfaces.end(), std::back_inserter(binds),
        [&at](const IpAddress& address) { return at.is_any() && address.family() == at.family(); });
  }
  return binds;
}

/// Where relays are bound and what peers see of them. Behind 1:1 NAT a family has one public
/// address, so its relays share one bind address too: two pools of ports would make relayed
/// addresses twice (RFC 8656 §6: they must be unique).
std::vector<turn::RelayAddress> relay_addresses(const Config& config,
                                                const std::vector<Listener>& listeners) {
  std::vector<turn::RelayAddress> addresses;
  const auto add = [&](const IpAddress& bind, const IpAddress& advertised) {
    const turn::RelayAddress address{bind, advertised};
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
      addresses.push_back(address);
    }
  };
  for (const IpAddress& bind : relay_binds(config, listeners)) {
    const auto public_ip =
        std::find_if(config.public_ip.begin(), config.public_ip.end(),
                     [&](const IpAddress& address) { return address.family() == bind.family(); });
    if (bind.is_loopback() || public_ip == config.public_ip.end()) {
      add(bind, bind);
    } else {
      add(config.relay.addresses.empty() ? IpAddress::any(bind.family()) : bind, *public_ip);
    }
  }
  return addresses;
}

/// One connection has what one user has, and a member of a full room has one with each other.
std::uint32_t max_allocations_per_member(const Config& config) {
  const std::uint64_t connections = config.signaling.max_peers - 1;
  const std::uint64_t allocations = connections * config.relay.max_allocations_per_user;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(allocations, UINT32_MAX));
}

turn::Limits limits_of(const Config& config) {
  turn::Limits limits;
  limits.max_lifetime = config.relay.max_lifetime;
  limits.max_allocations = config.relay.max_allocations;
  limits.max_allocations_per_user = config.relay.max_allocations_per_user;
  limits.max_allocations_per_member = max_allocations_per_member(config);
  limits.max_allocations_per_network = config.relay.max_allocations_per_network;
  limits.max_permissions = config.relay.max_permissions_per_allocation;
  limits.max_channels = config.relay.max_channels_per_allocation;
  limits.new_peers_per_second = config.relay.new_peers_per_second;
  limits.bandwidth_per_allocation = config.relay.bandwidth_per_allocation;
  limits.bandwidth_per_user = config.relay.bandwidth_per_user;
  limits.bandwidth_total = config.relay.bandwidth_total;
  limits.challenge_rate = config.limits.challenge_rate;
  return limits;
}

turn::PeerPolicy::Settings policy_settings(const Config& config, const ServeOptions& options,
                                           const std::vector<Listener>& listeners,
                                           const std::vector<turn::RelayAddress>& relays) {
  turn::PeerPolicy::Settings settings;
  settings.allow = config.relay.allow_peers;
  settings.deny = config.relay.deny_peers;
  settings.peer_ports = config.relay.peer_ports;
  settings.insecure_allow = options.insecure_allow_peers;
  for (const Listener& listener : listeners) {
    settings.own_listeners.push_back(listener.endpoint);
    for (const IpAddress& public_ip : config.public_ip) {  // the same port seen through 1:1 NAT
      if (!listener.endpoint.address.is_loopback()) {
        settings.own_listeners.push_back({public_ip, listener.endpoint.port});
      }
    }
  }
  for (const DiscoveryAddress& address : config.nat_discovery.addresses) {
    settings.own_listeners.push_back({address.advertised, config.nat_discovery.ports.at(0)});
    settings.own_listeners.push_back({address.advertised, config.nat_discovery.ports.at(1)});
  }
  settings.own_addresses = net::interface_addresses();
  for (const DiscoveryAddress& address : config.nat_discovery.addresses) {
    settings.own_addresses.push_back(address.advertised);
  }
  for (const auto& relay : relays) {
    settings.own_addresses.push_back(relay.bind);
    settings.own_addresses.push_back(relay.advertised);
  }
  settings.own_addresses.insert(settings.own_addresses.end(), config.public_ip.begin(),
                                config.public_ip.end());
  return settings;
}

UserSource::Settings user_source_settings(const Config& config, Random& random) {
  UserSource::Settings settings;
  settings.realm = config.effective_realm();
  settings.has_hook = !config.auth.hook.empty();
  settings.hook.url = config.auth.hook;
  settings.hook.secret = config.auth.hook_secret;
  settings.hook.timeout = config.auth.hook_timeout;
  settings.cache.ttl = config.auth.hook_ttl;
  settings.cache.negative_ttl = std::min(settings.cache.negative_ttl, config.auth.hook_ttl);
  settings.cache.hash_seed = HashSeed{random.next_u64()};
  return settings;
}

/// What decides where the store's key is.
std::map<std::string, std::string> store_environment() {
  const char* const directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr) return {};
  return {{"CREDENTIALS_DIRECTORY", directory}};
}

turn::Server::Settings server_settings(const Config& config, const std::vector<Listener>& listeners,
                                       Random& random) {
  turn::Server::Settings settings;
  settings.limits = limits_of(config);
  settings.strict_expiry = config.auth.strict_expiry;
  settings.tcp_relays = config.relay.tcp;
  settings.address_family = config.relay.address_family == AddressFamilyPolicy::strict
                                ? turn::AddressFamilyRule::strict
                                : turn::AddressFamilyRule::follow_client;
  settings.alternates = {config.relay.alternate_servers, config.relay.alternate_tls_servers,
                         config.relay.alternate_domain};
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (const auto square = discovery_square(config, listeners, family)) {
      settings.nat_discovery.push_back(*square);
    }
  }
  settings.authentication.nonce_lifetime = config.auth.nonce_lifetime;
  settings.authentication.hash_seed = HashSeed{random.next_u64()};
  random.fill(settings.authentication.nonce_key);
  if (config.relay.mobility) random.fill(settings.ticket_key.emplace());
  return settings;
}

/// Everything the workers share, and the workers. Nothing runs before start().
class Service {
 public:
  Service(const Config& config, const ServeOptions& options)
      : config_(config),
        options_(options),
        listen_(all_listeners(config)),
        relay_addresses_(relay_addresses(config, listen_)),
        ledger_(relay_addresses_, config.relay.ports, limits_of(config)),
        policy_(policy_settings(config, options, listen_, relay_addresses_), ledger_.live_relays()),
        mailboxes_(worker_count()),
        running_(config),
        connections_(config.limits.tcp_connections_per_address) {}

  /// Binds all sockets. Throws StartError.
  void open();
  void start();
  /// True when all threads have made progress since the last true.
  [[nodiscard]] bool is_alive() { return pulse_.beats(); }
  /// One line for people.
  [[nodiscard]] std::string status() const;
  /// Sends new clients elsewhere, while all that lives goes on.
  void drain();
  /// Asks everybody in a room to go elsewhere, while their calls go on.
  void begin_stop();
  /// True while some of them are still there.
  [[nodiscard]] bool is_draining() const;
  void stop();
  /// Call it about once a second: takes renewed certificate files into use, and has secrets begin
  /// and end.
  void on_time();
  /// Takes up what can be taken up of `wanted`, all of it or nothing.
  ReloadReport reload(const Config& wanted);
  /// For the metrics.
  void note_reload(bool succeeded) { reload_succeeded_ = succeeded ? 1 : 0; }
  [[nodiscard]] ReloadDesk& reload_desk() { return reload_desk_; }
  void log_start(const ServeOptions& options) const;
  void log_counters() const;

 private:
  [[nodiscard]] ReasonTotals reason_totals() const;
  [[nodiscard]] Capacity capacity() const;
  [[nodiscard]] std::vector<net::TcpListener> open_http() const;
  [[nodiscard]] std::optional<net::LocalListener> open_control() const;
  [[nodiscard]] ServerNumbers numbers();
  [[nodiscard]] ConnectionTotals connection_totals() const;
  void add_dtls_counters(std::vector<LogField>& fields) const;
  [[nodiscard]] std::vector<net::TcpListener> open_metrics() const;
  void load_certificate();
  void refresh_certificate();
  void open_store();
  void settle_usage() const;
  void use_rules(const Config& config);
  void open_users(Random& random);
  void open_signaling();
  [[nodiscard]] WorkerListeners open_listeners() const;
  [[nodiscard]] net::UdpPort open_udp(const Listener& listener) const;
  [[nodiscard]] unsigned worker_count() const;

  const Config& config_;
  const ServeOptions& options_;
  ReloadDesk reload_desk_;
  std::vector<Listener> listen_;
  std::vector<turn::RelayAddress> relay_addresses_;
  turn::Ledger ledger_;
  turn::PeerPolicy policy_;
  Mailboxes mailboxes_;
  Config running_;  // config_ and what reloads have changed
  ConnectionLimits connections_;
  TlsCredentials tls_;
  std::optional<net::CertificateWatcher> certificate_;
  std::unique_ptr<store::Store> store_;  // null: there is none
  std::unique_ptr<Credentials> credentials_;
  std::unique_ptr<SignalingHost> signaling_;  // before the workers, which bring it connections
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<UserSource> users_;  // after the workers: it wakes them
  std::vector<std::thread> threads_;
  std::thread signaling_thread_;
  std::atomic<int> reload_succeeded_{-1};  // the last one; -1: there was none
  WallTime started_ = net::read_clock().wall;
  ProcessReader process_;  // the thread of the rooms'
  Pulse pulse_;
};

/// Nothing when `listener` can be had by nobody else now; SO_REUSEPORT would let a second server
/// join the first one's ports in silence.
std::error_code probe(const Listener& listener) {
  if (!is_stream(listener.transport)) {
    const auto port = net::UdpPort::open({.bind = listener.endpoint});
    return port ? std::error_code{} : port.error();
  }
  const auto socket = net::TcpListener::open({.bind = listener.endpoint});
  return socket ? std::error_code{} : socket.error();
}

StartError cannot_listen(std::string_view what, std::string_view key,
                         const std::error_code& error) {
  std::string remedy = "stop the program that has the port, or change ";
  if (error == std::errc::permission_denied) {
    remedy =
        "ports below 1024 need CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=); or change ";
  } else if (error == std::errc::address_not_available) {
    remedy = "this host has no such address; change ";
  }
  return {fmt::format("cannot listen on {}: {}; {}{}", what, error.message(), remedy, key)};
}

StartError cannot_listen(const Listener& listener, const std::error_code& error) {
  return cannot_listen(described(listener), fmt::format("listen.{}", to_string(listener.transport)),
                       error);
}

StartError cannot_listen_http(const Endpoint& endpoint, const std::error_code& error) {
  return cannot_listen("http " + endpoint.to_string(), "listen.http", error);
}

void Service::open() {
  if (relay_addresses_.empty()) {
    throw StartError{
        "there is no address for relays: every listener is link-local; set relay.addresses to "
        "addresses of this host that peers can reach",
        exit_configuration};
  }
  for (const auto& relay : relay_addresses_) {
    if (can_bind(relay.bind)) continue;
    throw StartError{
        "relay address " + relay.bind.to_string() +
            " is not an address of this host; set relay.addresses to addresses that are, "
            "and public_ip to what peers see of them",
        exit_configuration};
  }
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto shares = std::count_if(
        relay_addresses_.begin(), relay_addresses_.end(),
        [&](const auto& r) { return r.bind.family() == family && r.bind != r.advertised; });
    if (shares <= 1) continue;
    throw StartError{
        "public_ip gives one address that several of relay.addresses would share; leave one "
        "address of that family in relay.addresses",
        exit_configuration};
  }
  for (const DiscoveryAddress& address : config_.nat_discovery.addresses) {
    if (can_bind(address.bind)) continue;
    throw StartError{"nat_discovery address " + address.bind.to_string() +
                         " is not an address of this host; write one that is, and behind NAT " +
                         in_quotes("address of this host/public address"),
                     exit_configuration};
  }
  load_certificate();
  for (const Listener& listener : listen_) {
    if (const auto error = probe(listener)) throw cannot_listen(listener, error);
  }
  open_store();
  open_signaling();
  SecureRandom random;
  turn::Server::Settings settings = server_settings(config_, listen_, random);
  settings.authentication.asks_for_users = store_ != nullptr || !config_.auth.hook.empty();
  WorkerShared shared{credentials_->book(),
                      policy_,
                      ledger_,
                      mailboxes_,
                      connections_,
                      tls_,
                      config_.limits.unauthenticated_timeout,
                      config_.listen.proxy_trusted,
                      {config_.limits.handshake_rate, config_.limits.handshake_rate_total},
                      config_.signaling.enabled ? &signaling_->inbox() : nullptr,
                      &signaling_->control_inbox(),
                      &signaling_->control_inbox()};
  shared.longest_nap = std::chrono::microseconds{config_.relay.batch_us};
  if (settings.authentication.asks_for_users) {
    shared.who_is = [this](turn::WorkerId worker, std::string username) {
      users_->ask(worker, std::move(username));
    };
  }
  for (unsigned i = 0; i < worker_count(); ++i) {
    settings.worker = turn::WorkerId{static_cast<std::uint8_t>(i)};
    workers_.push_back(std::make_unique<Worker>(settings, shared, open_listeners()));
  }
  if (settings.authentication.asks_for_users) open_users(random);
}

/// The store of the default path is given up where there is no place for one: most who try the
/// server out need none.
void Service::open_store() {
  if (!config_.store.path.empty()) {
    const bool is_default = config_.store.is_default;
    auto opened = store::open_sqlite(store_location(config_.store, store_environment()),
                                     is_default ? store::IfAbsent::fail : store::IfAbsent::create,
                                     store::Check::whole);
    if (opened) {
      store_ = std::move(*opened);
    } else if (!is_default || config_.store.may_have_credentials()) {
      const bool may_pass = opened.error().fault == store::Fault::unavailable;
      throw StartError{opened.error().sentence, may_pass ? exit_unavailable : exit_configuration};
    }
  }
  settle_usage();
  credentials_ = std::make_unique<Credentials>(config_.auth, config_.effective_realm(),
                                               store_.get(), mailboxes_);
}

/// A server before this one may have died.
void Service::settle_usage() const {
  if (store_ == nullptr) return;
  const auto settled = store_->settle_live_usage();
  if (!settled) {
    log_event(LogLevel::error, "store_failed", {{"problem", settled.error().sentence}});
  } else if (*settled > 0) {
    log_event(LogLevel::info, "usage_recovered", {{"records", *settled}});
  }
}

/// Last, for its thread writes to all the others.
void Service::open_users(Random& random) {
  users_ =
      std::make_unique<UserSource>(user_source_settings(config_, random), store_.get(), mailboxes_,
                                   [this] { credentials_->read_store(net::read_clock().wall); });
}

std::vector<net::TcpListener> Service::open_http() const {
  std::vector<net::TcpListener> listeners;
  if (!config_.signaling.enabled) return listeners;
  for (const ListenAddress& address : config_.listen.http) {
    for (const Endpoint& endpoint : endpoints_of({Transport::tcp, address})) {
      auto socket = net::TcpListener::open({.bind = endpoint});
      if (!socket) throw cannot_listen_http(endpoint, socket.error());
      listeners.push_back(std::move(*socket));
    }
  }
  return listeners;
}

void Service::open_signaling() {
  ControlDoor::Hooks hooks;
  hooks.capacity = [this] { return capacity(); };
  hooks.reasons = [this] { return reason_totals(); };
  hooks.numbers = [this] { return numbers(); };
  hooks.sources = [this] { return users_ ? users_->health() : SourceHealth{}; };
  hooks.reload = [this] { return reload_desk_.ask(); };
  hooks.store_changed = [this] {
    if (users_) users_->look_at_store();
  };
  SignalingHost::Surroundings surroundings{connections_, mailboxes_, store_.get(),
                                           std::move(hooks)};
  for (const Listener& listener : listen_) surroundings.listeners.push_back(described(listener));
  signaling_ = std::make_unique<SignalingHost>(
      config_, SignalingHost::Listeners{open_http(), open_metrics(), open_control()},
      std::move(surroundings));
  signaling_->use(credentials_->for_rooms());
  credentials_->watch([this](const RoomCredentials& rooms) { signaling_->use(rooms); });
}

/// The default socket is given up where its directory is not there, or another server has it.
std::optional<net::LocalListener> Service::open_control() const {
  const std::string& path = config_.control.socket;
  if (path.empty()) return std::nullopt;
  auto listener = net::LocalListener::open(path);
  if (listener) return std::move(*listener);
  const std::error_code& error = listener.error();
  if (config_.control.is_default) {
    log_event(LogLevel::info, "no_control_socket", {{"path", path}, {"error", error.message()}});
    return std::nullopt;
  }
  std::string remedy = "make its directory, writable for this server, or change control.socket";
  if (error == std::errc::address_in_use) {
    remedy = "another server runs with this socket: stop it, or change control.socket";
  } else if (error == std::errc::file_exists) {
    remedy = "there is a file that is no socket: remove it, or change control.socket";
  }
  throw StartError{fmt::format("cannot listen on {}: {}; {}", path, error.message(), remedy)};
}

/// The default listener is given up where something else has its port: two servers on one host, or
/// a developer's third.
std::vector<net::TcpListener> Service::open_metrics() const {
  std::vector<net::TcpListener> listeners;
  const auto& address = config_.metrics.listen;
  if (!address) return listeners;
  for (const Endpoint& endpoint : endpoints_of({Transport::tcp, *address})) {
    auto socket = net::TcpListener::open({.bind = endpoint});
    if (socket) {
      listeners.push_back(std::move(*socket));
    } else if (config_.metrics.is_default) {
      log_event(LogLevel::warn, "no_metrics",
                {{"address", endpoint.to_string()}, {"error", socket.error().message()}});
    } else {
      throw cannot_listen("http " + endpoint.to_string(), "metrics.listen", socket.error());
    }
  }
  return listeners;
}

void Service::load_certificate() {
  const Config::Tls& tls = config_.tls;
  if (tls.certificate.empty()) return;
  auto context = net::TlsContext::load(tls.certificate, tls.key, {.now = net::read_clock().wall});
  if (!context) throw StartError{context.error(), exit_configuration};
  tls_.set(*context);
  certificate_.emplace(tls.certificate, tls.key, *context);
}

void Service::on_time() {
  refresh_certificate();
  credentials_->on_time(net::read_clock().wall);
  log_suppressed();
}

/// The workers change over in their next turn.
void Service::use_rules(const Config& config) {
  const turn::Limits limits = limits_of(config);
  ledger_.set_limits(limits);
  const auto policy = std::make_shared<const turn::PeerPolicy>(
      policy_settings(config, options_, listen_, relay_addresses_), ledger_.live_relays());
  for (const turn::WorkerId worker : mailboxes_.tell_all(RulesLetter{limits, policy})) {
    log_event(LogLevel::error, "rules_not_delivered",
              {{"worker", static_cast<std::size_t>(worker)}});
  }
}

ReloadReport Service::reload(const Config& wanted) {
  ReloadPlan plan = plan_reload(running_, wanted);
  if (plan.config.tls.certificate != running_.tls.certificate ||
      plan.config.tls.key != running_.tls.key) {
    const Config::Tls& tls = plan.config.tls;
    auto context = net::TlsContext::load(tls.certificate, tls.key, {.now = net::read_clock().wall});
    if (!context) return {{context.error()}, {}, {}};
    tls_.set(*context);
    certificate_.emplace(tls.certificate, tls.key, *context);
  }
  set_log_level(plan.config.log.level);
  use_rules(plan.config);
  credentials_->use(plan.config.auth, net::read_clock().wall);
  running_ = std::move(plan.config);
  return {{}, std::move(plan.changed), std::move(plan.needs_restart)};
}

void Service::refresh_certificate() {
  if (!certificate_) return;
  const auto outcome = certificate_->poll({.now = net::read_clock().wall});
  if (!outcome.error.empty()) {
    log_event(LogLevel::error, "certificate_not_taken", {{"reason", outcome.error}});
  }
  if (!outcome.context) return;
  tls_.set(outcome.context);
  log_event(LogLevel::info, "certificate_taken",
            {{"not_after", outcome.context->not_after().time_since_epoch().count()}});
}

WorkerListeners Service::open_listeners() const {
  WorkerListeners listeners;
  for (const Listener& listener : listen_) {
    if (!is_stream(listener.transport)) {
      listeners.udp.push_back({open_udp(listener), listener.expects_proxy, listener.service});
      continue;
    }
    auto socket =
        net::TcpListener::open({.bind = listener.endpoint, .reuse_port = worker_count() > 1});
    if (!socket) throw cannot_listen(listener, socket.error());
    listeners.streams.push_back({std::move(*socket), listener.transport, listener.expects_proxy});
  }
  return listeners;
}

net::UdpPort Service::open_udp(const Listener& listener) const {
  constexpr int buffer_bytes = 4 << 20;  // bursts of many clients meet in one socket
  auto port = net::UdpPort::open({.bind = listener.endpoint,
                                  .reuse_port = worker_count() > 1,
                                  .proxied_group = listener.expects_proxy ? worker_count() : 0,
                                  .destination_address = listener.endpoint.address.is_any(),
                                  .receive_trains = true,
                                  .receive_buffer_bytes = buffer_bytes,
                                  .send_buffer_bytes = buffer_bytes});
  if (port) return std::move(*port);
  throw cannot_listen(listener, port.error());
}

unsigned Service::worker_count() const {
  if (config_.workers != 0) return config_.workers;
  return std::clamp(std::thread::hardware_concurrency(), 1U, 255U);
}

void Service::start() {
  pulse_.watch(signaling_->turns(), [this] { signaling_->wake(); });
  signaling_thread_ = std::thread{[this] { signaling_->run(); }};
  for (const auto& worker : workers_) {
    pulse_.watch(worker->turns(), [&worker = *worker] { worker.wake(); });
    threads_.emplace_back([&worker = *worker] { worker.run(); });
  }
}

std::string Service::status() const {
  return fmt::format("Serving on {} listeners with {} workers", listen_.size(), workers_.size());
}

void Service::drain() { signaling_->drain(); }

void Service::begin_stop() { signaling_->stop(); }

bool Service::is_draining() const { return !signaling_->has_ended(); }

void Service::stop() {
  for (const auto& worker : workers_) worker->stop();
  for (std::thread& thread : threads_) thread.join();
  for (const auto& worker : workers_) worker->finish();
  signaling_->stop_at_once();
  signaling_thread_.join();
  signaling_->finish();  // what has ended just now is used, and to be kept
  users_.reset();        // it writes to all of those, and they asked it
}

void Service::log_start(const ServeOptions& options) const {
  for (const Listener& listener : listen_) {
    std::vector<LogField> fields{{"transport", to_string(listener.transport)},
                                 {"address", listener.endpoint.to_string()},
                                 {"workers", workers_.size()}};
    if (listener.expects_proxy) fields.emplace_back("behind", "proxy_protocol");
    log_event(LogLevel::info, "listening", fields);
  }
  for (const auto& relay : relay_addresses_) {
    log_event(LogLevel::info, "relaying",
              {{"address", relay.bind.to_string()},
               {"seen_as", relay.advertised.to_string()},
               {"ports", std::to_string(config_.relay.ports.first) + "-" +
                             std::to_string(config_.relay.ports.last)}});
  }
  for (const DiscoveryAddress& address : config_.nat_discovery.addresses) {
    log_event(LogLevel::info, "discovering",
              {{"address", address.bind.to_string()},
               {"seen_as", address.advertised.to_string()},
               {"ports", std::to_string(config_.nat_discovery.ports.at(0)) + "," +
                             std::to_string(config_.nat_discovery.ports.at(1))}});
  }
  for (const IpPrefix& prefix : options.insecure_allow_peers) {
    log_event(
        LogLevel::warn, "insecure_allow_peers",
        {{"prefix", prefix.to_string()}, {"meaning", "users can reach what this host protects"}});
  }
}

Capacity Service::capacity() const {
  const std::uint64_t ports_each = config_.relay.ports.last - config_.relay.ports.first + 1U;
  return {ledger_.allocations(), config_.relay.max_allocations,
          ports_each * relay_addresses_.size(), ledger_.free_ports()};
}

ReasonTotals Service::reason_totals() const {
  ReasonTotals totals{};
  for (const auto& worker : workers_) {
    for (std::size_t i = 0; i < totals.size(); ++i) totals[i] += worker->counters()[i].value();
  }
  return totals;
}

void Service::log_counters() const {
  std::vector<LogField> fields;
  const ReasonTotals totals = reason_totals();
  for (std::size_t i = 0; i < turn::reason_count; ++i) {
    if (totals[i] > 0)
      fields.emplace_back(turn::to_string(static_cast<turn::Reason>(i)), totals[i]);
  }
  std::uint64_t lost_mail = 0;
  StreamCounters streams;
  for (const auto& worker : workers_) {
    lost_mail += worker->lost_mail();
    const StreamCounters& some = worker->stream_counters();
    streams.accepted += some.accepted;
    streams.refused_limit += some.refused_limit;
    streams.refused_rate += some.refused_rate;
    streams.handshake_timed_out += some.handshake_timed_out;
    streams.dropped_half_open += some.dropped_half_open;
    streams.timed_out += some.timed_out;
    streams.broken += some.broken;
    streams.flooded += some.flooded;
    streams.dropped_full += some.dropped_full;
    streams.refused_untrusted += some.refused_untrusted;
    streams.no_proxy_header += some.no_proxy_header;
  }
  if (lost_mail > 0) fields.emplace_back("lost_between_workers", lost_mail);
  if (streams.accepted + streams.refused_limit + streams.refused_rate + streams.refused_untrusted >
      0) {
    fields.emplace_back("streams_accepted", streams.accepted.value());
    fields.emplace_back("streams_refused_limit", streams.refused_limit.value());
    fields.emplace_back("streams_refused_rate", streams.refused_rate.value());
    fields.emplace_back("streams_handshake_timed_out", streams.handshake_timed_out.value());
    fields.emplace_back("streams_dropped_half_open", streams.dropped_half_open.value());
    fields.emplace_back("streams_timed_out", streams.timed_out.value());
    fields.emplace_back("streams_broken", streams.broken.value());
    fields.emplace_back("streams_flooded", streams.flooded.value());
    fields.emplace_back("streams_dropped_full", streams.dropped_full.value());
    fields.emplace_back("streams_refused_untrusted", streams.refused_untrusted.value());
    fields.emplace_back("streams_no_proxy_header", streams.no_proxy_header.value());
  }
  if (!config_.listen.dtls.empty()) add_dtls_counters(fields);
  log_event(LogLevel::info, "counters", fields);
}

/// For the metrics; on the thread of the rooms.
ServerNumbers Service::numbers() {
  ServerNumbers numbers;
  numbers.reasons = reason_totals();
  for (const auto& worker : workers_) numbers.relays += worker->relay_counters();
  const std::uint64_t ports = config_.relay.ports.last - config_.relay.ports.first + 1U;
  numbers.relay_ports = ports * relay_addresses_.size();
  numbers.relay_ports_in_use = numbers.relay_ports - ledger_.free_ports();
  numbers.connections = connection_totals();
  if (users_) {
    const UserSource::Counters& users = users_->counters();
    numbers.users =
        UserTotals{users.found.value(),      users.absent.value(),      users.unanswered.value(),
                   users.hook_asked.value(), users.hook_failed.value(), users.stood_in.value(),
                   users_->is_hook_up()};
  }
  if (const auto context = tls_.get()) numbers.certificate_not_after = context->not_after();
  const int reloaded = reload_succeeded_;
  if (reloaded >= 0) numbers.reload_succeeded = reloaded == 1;
  numbers.started = started_;
  numbers.process = process_.read();
  return numbers;
}

ConnectionTotals Service::connection_totals() const {
  ConnectionTotals totals;
  for (const auto& worker : workers_) {
    const StreamCounters& streams = worker->stream_counters();
    const DtlsCounters& dtls = worker->dtls_counters();
    totals.streams_open += streams.open;
    totals.dtls_open += dtls.open;
    totals.streams_accepted += streams.accepted;
    totals.handshakes_done += streams.tls_established + dtls.established;
    totals.handshakes_timed_out += streams.handshake_timed_out + dtls.handshake_timed_out;
    totals.handshakes_given_up += streams.dropped_half_open + dtls.dropped_half_open;
    totals.handshakes_refused += streams.refused_rate + dtls.refused_rate;
  }
  totals.http_open = signaling_->open_connections();
  return totals;
}

void Service::add_dtls_counters(std::vector<LogField>& fields) const {
  static constexpr std::pair<std::string_view, RelaxedCounter DtlsCounters::*> all[]{
      {"dtls_challenged", &DtlsCounters::challenged},
      {"dtls_accepted", &DtlsCounters::accepted},
      {"dtls_established", &DtlsCounters::established},
      {"dtls_replaced", &DtlsCounters::replaced},
      {"dtls_refused_rate", &DtlsCounters::refused_rate},
      {"dtls_refused_limit", &DtlsCounters::refused_limit},
      {"dtls_dropped_half_open", &DtlsCounters::dropped_half_open},
      {"dtls_handshake_timed_out", &DtlsCounters::handshake_timed_out},
      {"dtls_timed_out", &DtlsCounters::timed_out},
      {"dtls_failed", &DtlsCounters::failed},
      {"dtls_dropped_stray", &DtlsCounters::dropped_stray},
      {"dtls_dropped_too_large", &DtlsCounters::dropped_too_large}};
  for (const auto& [name, member] : all) {
    std::uint64_t total = 0;
    for (const auto& worker : workers_) total += worker->dtls_counters().*member;
    fields.emplace_back(name, total);
  }
}

/// Those who join a room are handed credentials, so there must be a secret to make them with. One
/// that nobody has configured is made anew at each start.
Config with_secret_for_rooms(Config config) {
  if (!config.signaling.enabled || !config.auth.secrets.empty()) return config;
  constexpr std::size_t secret_bytes = 32;
  std::array<std::uint8_t, secret_bytes> bytes{};
  SecureRandom random;
  random.fill(bytes);
  config.auth.secrets.push_back({std::string{makeshift_secret_id}, base64_encode(bytes)});
  return config;
}

/// A secret that was made at the start stays, where the configuration still has none.
Config with_secrets_of(const Config& start, Config config) {
  const bool has_makeshift =
      !start.auth.secrets.empty() && start.auth.secrets.front().id == makeshift_secret_id;
  if (has_makeshift && config.auth.secrets.empty()) config.auth.secrets = start.auth.secrets;
  return config;
}

/// SIGINT, SIGTERM, SIGHUP and SIGUSR1, kept from all threads and waited for by one.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  /// The signal, or nothing after `duration`, which is at most a second.
  [[nodiscard]] std::optional<int> wait(milliseconds duration) const {
    const timespec time{duration.count() / 1000, duration.count() % 1000 * 1'000'000};
    const int signal = sigtimedwait(&set_, nullptr, &time);
    if (signal < 0) return std::nullopt;
    return signal;
  }

 private:
  sigset_t set_{};
};

/// Reads the configuration again and has `service` take it up.
ReloadReport reload(Service& service, const ServeOptions& options, const Config& start) {
  auto read = options.read_again();
  ReloadReport report;
  if (read) {
    report = service.reload(with_secrets_of(start, std::move(*read)));
  } else {
    report.errors = std::move(read.error());
  }
  service.note_reload(report.succeeded());
  for (const std::string& error : report.errors) {
    log_event(LogLevel::error, "reload_failed", {{"reason", error}});
  }
  if (!report.succeeded()) return report;
  log_event(LogLevel::info, "reloaded",
            {{"changed", fmt::format("{}", fmt::join(report.changed, ","))},
             {"needs_restart", fmt::format("{}", fmt::join(report.needs_restart, ","))}});
  return report;
}

/// Tells the service manager often enough that the service is alive, as long as it is.
class Heartbeat {
 public:
  Heartbeat(const ServiceManager& manager, std::optional<milliseconds> watchdog)
      : manager_(manager), watchdog_(watchdog) {}

  /// Between ticks: at most a second.
  [[nodiscard]] milliseconds longest_wait() const {
    return watchdog_ ? std::clamp<milliseconds>(*watchdog_ / checks_per_watchdog, milliseconds{1},
                                                seconds{1})
                     : seconds{1};
  }
  void tick(Service& service) {
    if (!watchdog_) return;
    const Instant now = net::read_clock().instant;
    if (now < next_check_) return;
    next_check_ = now + *watchdog_ / checks_per_watchdog;
    if (service.is_alive()) manager_.alive();
  }

 private:
  static constexpr int checks_per_watchdog = 6;  // a wake-up is seen one check later

  const ServiceManager& manager_;
  std::optional<milliseconds> watchdog_;
  Instant next_check_{};
};

}  // namespace

int run(const Config& configured, const ServeOptions& options) {
  const StopSignals signals;  // before there are threads, which inherit the mask
  const Log log{configured.log};
  raise_descriptor_limit();
  const Config config = with_secret_for_rooms(configured);
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
    const ServiceManager manager{options.manager};
    Heartbeat heartbeat{manager, options.manager.watchdog};
    manager.ready(service.status());
    auto signal = signals.wait(heartbeat.longest_wait());
    for (; !signal || *signal == SIGHUP || *signal == SIGUSR1;
         signal = signals.wait(heartbeat.longest_wait())) {
      if (signal == SIGUSR1) service.drain();
      if (signal == SIGHUP) {
        manager.reloading(net::read_clock().instant);
        service.reload_desk().answer(reload(service, options, config));
        manager.ready(service.status());
      }
      heartbeat.tick(service);
      service.on_time();
    }
    log_event(LogLevel::info, "stopping", {{"signal", *signal}});
    service.reload_desk().close();
    manager.stopping("Asking those in rooms to go elsewhere");
    service.begin_stop();
    while (service.is_draining() && !signals.wait(milliseconds{20})) heartbeat.tick(service);
    service.stop();
    service.log_counters();
    return exit_ok;
  } catch (const StartError& error) {
    log_event(LogLevel::error, "start_failed", {{"reason", error.sentence}});
    return error.exit_code;
  } catch (const std::system_error& error) {
    log_event(LogLevel::error, "start_failed", {{"reason", error.what()}});
    return exit_unavailable;
  }
}

}  // namespace turnpike::server
