#include "server/serving.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/crypto.h"
#include "server/open_sockets.h"
#include "server/service_settings.h"
#include "server/start_error.h"
#include "server/store_location.h"

namespace turnpike::server {

Service::Service(const Config& config, const ServeOptions& options)
    : config_(config),
      options_(options),
      listen_(all_listeners(config)),
      relay_addresses_(relay_addresses(config, listen_)),
      ledger_(relay_addresses_, config.relay.ports, limits_of(config)),
      policy_(policy_settings(config, options.insecure_allow_peers, listen_, relay_addresses_),
              ledger_.live_relays()),
      mailboxes_(worker_count()),
      running_(config),
      connections_(config.limits.tcp_connections_per_address) {}

void Service::bind() {
  check_addresses(config_, relay_addresses_);
  load_certificate();
  check_listeners(listen_);
  open_store();
  bound_.http = {open_http(config_), open_metrics(config_), open_control(config_)};
  for (unsigned i = 0; i < worker_count(); ++i) {
    bound_.workers.push_back(open_listeners(listen_, worker_count()));
  }
}

void Service::open() {
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
    workers_.push_back(std::make_unique<Worker>(settings, shared, std::move(bound_.workers[i])));
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
      store_lock_.emplace(config_.store.path);
      store_ = std::move(*opened);
      open_credential_store();
    } else if (!is_default || config_.store.may_have_credentials()) {
      const bool may_pass = opened.error().fault == store::Fault::unavailable;
      throw StartError{opened.error().sentence, may_pass ? exit_unavailable : exit_configuration};
    }
  }
  settle_usage();
  credentials_ = std::make_unique<Credentials>(config_.auth, config_.effective_realm(),
                                               credential_store_.get(), mailboxes_);
}

/// While another process locks the database, a writer waits for seconds and keeps its connection;
/// who is looked up to be let in reads through another one, which waits for no writer.
void Service::open_credential_store() {
  auto opened = store::open_sqlite(store_location(config_.store, store_environment()),
                                   store::IfAbsent::fail, store::Check::quick);
  if (!opened) throw StartError{opened.error().sentence, exit_unavailable};
  credential_store_ = std::move(*opened);
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
  users_ = std::make_unique<UserSource>(
      user_source_settings(config_, random), credential_store_.get(), mailboxes_,
      [this] { credentials_->read_store(net::read_clock().wall); });
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
  signaling_ =
      std::make_unique<SignalingHost>(config_, std::move(bound_.http), std::move(surroundings));
  signaling_->use(credentials_->for_rooms());
  credentials_->watch([this](const RoomCredentials& rooms) { signaling_->use(rooms); });
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
  look_at_memory();
  log_suppressed();
}

/// Who is there keeps what he has; without that the kernel would end everybody's calls.
void Service::look_at_memory() {
  const bool is_short = memory_.is_short();
  if (is_short == ledger_.is_closed()) return;
  ledger_.set_closed(is_short);
  if (is_short) {
    log_event(LogLevel::warn, "memory_short");
  } else {
    log_event(LogLevel::info, "memory_enough");
  }
}

/// The workers change over in their next turn.
void Service::use_rules(const Config& config) {
  const turn::Limits limits = limits_of(config);
  ledger_.set_limits(limits);
  const auto policy = std::make_shared<const turn::PeerPolicy>(
      policy_settings(config, options_.insecure_allow_peers, listen_, relay_addresses_),
      ledger_.live_relays());
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

}  // namespace turnpike::server
