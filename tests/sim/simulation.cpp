#include "sim/simulation.h"

#include <algorithm>

#include "sim/wanted.h"
#include "turn/snapshot.h"

namespace turnpike::sim {
namespace {

using turn::WorkerId;

/// Right; a day ahead; two behind; 1970.
constexpr std::array clock_errors{seconds{0}, seconds{86400}, seconds{-2 * 86400},
                                  -first_wall.time_since_epoch()};

/// The last turns of a world that drains, in which it drains for good.
constexpr unsigned turns_of_drain = 200;
constexpr milliseconds latest_timer{30'000};

WorkerId worker_number(std::size_t index) { return WorkerId{static_cast<std::uint8_t>(index)}; }

turn::Alternates alternates() {
  turn::Alternates made;
  made.servers = {at("203.0.113.50:3478"), at("[2001:db8:50::1]:3478")};
  made.tls_servers = {at("203.0.113.50:5349"), at("[2001:db8:50::1]:5349")};
  made.domain = "other.example.org";
  return made;
}

}  // namespace

Simulation::Simulation(const Settings& settings, bool is_verbose)
    : settings_(settings),
      random_(settings.seed ^ 0x5151),
      server_random_(settings.seed ^ 0xacac),
      model_(settings),
      trace_(is_verbose),
      timers_(settings.workers),
      turns_left_(settings.turns) {
  for (std::size_t variant = 0; variant < book_variants; ++variant) {
    books_.push_back(std::make_unique<auth::CredentialBook>(credentials(variant)));
  }
  say(settings_.to_string());
  build_servers();
  for (unsigned i = 0; i < settings_.clients; ++i) {
    clients_.push_back(std::make_unique<Client>(*this, i));
  }
}

turn::Server::Settings Simulation::server_settings(std::size_t worker) const {
  turn::Server::Settings settings;
  settings.worker = worker_number(worker);
  settings.limits = settings_.limits;
  settings.address_family = settings_.address_family;
  settings.strict_expiry = settings_.strict_expiry;
  settings.authentication.nonce_key.fill(0x4e);
  settings.authentication.nonce_lifetime = settings_.nonce_lifetime;
  settings.authentication.asks_for_users = settings_.asks_for_users;
  settings.authentication.cached_keys = 256;
  settings.authentication.max_failures_per_minute = settings_.max_failures;
  settings.authentication.hash_seed = HashSeed{settings_.seed};
  if (settings_.has_alternates) settings.alternates = alternates();
  settings.tcp_relays = settings_.tcp_relays;
  settings.nat_discovery = settings_.nat_discovery;
  if (settings_.mobility) settings.ticket_key.emplace().fill(0x54);
  return settings;
}

void Simulation::build_servers() {
  servers_.clear();
  policies_.clear();
  ledger_ = std::make_unique<turn::Ledger>(settings_.relays, settings_.ports, settings_.limits);
  policies_.emplace_back(policy(policy_, settings_), ledger_->live_relays());
  for (std::size_t i = 0; i < settings_.workers; ++i) {
    servers_.emplace_back(server_settings(i), *books_.at(book_), policies_.back(), *ledger_,
                          server_random_);
    servers_.back().set_draining(is_draining_);
  }
}

// --- time ----------------------------------------------------------------------------------------

void Simulation::run() {
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    later(milliseconds{random_.below(2000)}, [this, i] { take_turn(i); });
  }
  later(seconds{random_.below(30)}, [this] { operate(); });
  while (turns_left_ > 0) advance(seconds{60});
  wind_up();
}

void Simulation::later(nanoseconds delay, std::function<void()> what) {
  events_.emplace(std::pair{now_ + delay, ++last_event_}, std::move(what));
}

void Simulation::advance(nanoseconds duration) { run_events(now_ + duration); }

void Simulation::run_events(Instant until) {
  for (;;) {
    const auto first = events_.begin();
    const bool is_over = first == events_.end() || first->first.first > until;
    // What comes of a timer may be the first event then.
    if (serve_timer(is_over ? until : first->first.first)) continue;
    if (is_over) break;
    now_ = std::max(now_, first->first.first);
    const auto what = std::move(first->second);
    events_.erase(first);
    if (happens(random_, settings_.restarts)) restart();
    what();
  }
  now_ = until;
}

/// Timers fire when they are due, or somewhat later where that is among the faults. False: none is
/// due.
bool Simulation::serve_timer(Instant until) {
  std::optional<std::size_t> earliest;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    Timer& timer = timers_[i];
    const auto deadline = servers_[i].next_deadline();
    if (timer.deadline != deadline) {
      timer.deadline = deadline;
      const bool is_late = happens(random_, settings_.late_timers);
      const auto most = static_cast<std::uint64_t>(latest_timer.count());
      const milliseconds lateness{is_late ? random_.below(most) : 0};
      if (deadline) timer.fires = *deadline + lateness;
    }
    if (!deadline || timer.fires > until) continue;
    if (!earliest || timer.fires < timers_[*earliest].fires) earliest = i;
  }
  if (!earliest) return false;
  now_ = std::max(now_, timers_[*earliest].fires);
  const WorkerId worker = worker_number(*earliest);
  const Verdict verdict = model_.on_deadline(worker, now());
  server(worker).on_deadline(now(), effects_);
  settle(worker, verdict, nullptr, {});
  const auto next = server(worker).next_deadline();
  require(!next || *next > now_, "what is due has not been done");  // I-8
  return true;
}

void Simulation::take_turn(std::size_t client) {
  if (turns_left_ == 0) return;
  if (settings_.drains && turns_left_ == turns_of_drain && !is_draining_) set_draining(true);
  --turns_left_;
  if (client != muted_) clients_[client]->act();
  later(clients_[client]->pause(), [this, client] { take_turn(client); });
}

// --- the network ---------------------------------------------------------------------------------

WorkerId Simulation::worker_of(const Endpoint& client) const {
  const std::size_t spread = std::size_t{client.port} + client.address.bytes().back();
  return worker_number(spread % settings_.workers);
}

/// In the network, with sockets and with peers. Each has its own, so that what happens to one does
/// not depend on what others do.
SeededRandom& Simulation::luck_of(const IpAddress& client) {
  const std::uint64_t seed = hash_of(client, HashSeed{settings_.seed});
  return luck_.try_emplace(seed, seed).first->second;
}

/// With the key source.
SeededRandom& Simulation::luck_of(const std::string& username) {
  const std::uint64_t seed = hash_bytes(bytes_of(username), HashSeed{settings_.seed});
  return luck_.try_emplace(seed, seed).first->second;
}

bool Simulation::is_of_another(const turn::ClientFlow& flow, const Client& one) const {
  return std::any_of(clients_.begin(), clients_.end(), [&](const auto& client) {
    const bool is_his = client->flow().tuple.client.address == flow.tuple.client.address;
    return is_his && client.get() != &one;
  });
}

void Simulation::transmit(const turn::ClientFlow& flow, const Bytes& datagram) {
  overheard_.emplace_back(flow, datagram);
  if (overheard_.size() > 64) overheard_.pop_front();
  deliver(flow, datagram, true);
}

/// Streams lose nothing and keep the order; datagrams do as the settings say.
void Simulation::deliver(const turn::ClientFlow& flow, const Bytes& datagram, bool to_server) {
  const auto arrive = [this, flow, to_server](const Bytes& bytes) {
    if (to_server) return from_client(flow, bytes);
    for (const auto& client : clients_) client->receive(flow.tuple, bytes);
  };
  if (is_stream(flow.tuple.transport)) {
    Instant& last = last_arrival_[flow.tuple.client];
    last = std::max(last, now_ + settings_.delay);
    return later(last - now_, [=] { arrive(datagram); });
  }
  SeededRandom& luck = luck_of(flow.tuple.client.address);
  const unsigned copies = happens(luck, settings_.duplicates) ? 2 : 1;
  for (unsigned i = 0; i < copies; ++i) {
    if (happens(luck, settings_.loss)) continue;
    Bytes bytes = datagram;
    const bool is_protected = flow.tuple.transport == Transport::dtls;
    if (!bytes.empty() && !is_protected && happens(luck, settings_.corruption)) {
      const std::size_t where = luck.below(bytes.size());
      bytes[where] ^= static_cast<std::uint8_t>(1U << luck.below(8));
    }
    if (!bytes.empty() && !is_protected && happens(luck, settings_.truncation)) {
      bytes.resize(luck.below(bytes.size()));
    }
    const auto jitter = static_cast<std::uint64_t>(settings_.jitter.count());
    const milliseconds delay = settings_.delay + milliseconds{luck.below(jitter + 1)};
    later(delay, [=] { arrive(bytes); });
  }
}

void Simulation::reach_client(const turn::ClientFlow& flow, const Bytes& bytes) {
  deliver(flow, bytes, false);
}

void Simulation::from_client(const turn::ClientFlow& flow, const Bytes& datagram) {
  say("client " + flow.tuple.client.to_string() + " sends " + std::to_string(datagram.size()) +
      " bytes" + describe(datagram));
  liveness_.on_arrival(flow.tuple, datagram, now_);
  at_worker(flow.worker, flow, datagram);
}

void Simulation::lose_client(const turn::ClientFlow& flow) {
  say("client " + flow.tuple.client.to_string() + " is gone");
  std::erase_if(parked_, [&](const Parked& parked) { return parked.flow.tuple == flow.tuple; });
  const Verdict verdict = model_.on_client_gone(flow.worker, flow.tuple);
  server(flow.worker).on_client_gone(flow.tuple, now(), effects_);
  settle(flow.worker, verdict, nullptr, {});
}

void Simulation::on_given_up(const FiveTuple& client, const Bytes& id) {
  say("client " + client.client.to_string() + " gives up");
  require(!liveness_.on_given_up(id), "a request has arrived, and was not answered");  // I-20
}

std::size_t Simulation::clients_that_gave_up() const {
  return static_cast<std::size_t>(
      std::count_if(clients_.begin(), clients_.end(),
                    [](const auto& client) { return client->times_given_up() > 0; }));
}

// --- the operator --------------------------------------------------------------------------------

void Simulation::operate() {
  if (turns_left_ == 0) return;
  const auto pace = static_cast<std::uint64_t>(settings_.pace.count());
  later(milliseconds{pace * (1 + random_.below(30))}, [this] { operate(); });
  switch (random_.below(10)) {
    case 0:
      if (settings_.reloads_policy) use_policy(random_.below(policy_variants));
      return;
    case 1:
      if (settings_.reloads_limits) use_limits(Settings::of(random_.next()).limits);
      return;
    case 2:
      if (settings_.reloads_book) use_book(random_.below(book_variants));
      return;
    case 3:
      if (settings_.forgets_users) forget_users();
      return;
    case 4:
      if (settings_.drains && turns_left_ >= turns_of_drain) set_draining(!is_draining_);
      return;
    case 5:
      if (settings_.kills) kill(random_.below(8));
      return;
    case 6:
      if (settings_.kills) end_all_of(logins()[random_.below(logins().size())].username);
      return;
    case 7:
      if (settings_.sets_clock) set_clock(clock_errors.at(random_.below(clock_errors.size())));
      return;
    default:
      return;
  }
}

void Simulation::use_policy(std::size_t variant) {
  say("policy " + std::to_string(variant));
  policy_ = variant;
  policies_.emplace_back(policy(variant, settings_), ledger_->live_relays());
  model_.use_policy(variant);
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const Verdict verdict = model_.recheck_peers(worker_number(i), now_);
    servers_[i].use_policy(policies_.back());
    servers_[i].recheck_peers(now(), effects_);
    settle(worker_number(i), verdict, nullptr, {});
  }
}

void Simulation::use_limits(const turn::Limits& limits) {
  say("limits");
  settings_.limits = limits;
  ledger_->set_limits(limits);
  model_.set_limits(limits);
  for (turn::Server& each : servers_) each.set_limits(limits);
}

/// As at a reload: then end those whose credentials are not believed any more.
void Simulation::use_book(std::size_t variant) {
  say("book " + std::to_string(variant));
  book_ = variant;
  model_.use_book(variant);
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    servers_[i].use_book(*books_.at(variant));
    std::vector<std::pair<turn::AllocationName, Endpoint>> revoked;
    static_cast<void>(servers_[i].for_each_allocation(0, ~0U, [&](const auto& view) {
      if (!books_.at(variant)->is_revoked(view.username, view.account, now().wall)) return;
      revoked.emplace_back(view.name, view.relayed[0] ? *view.relayed[0] : *view.relayed[1]);
    }));
    for (const auto& [name, relayed] : revoked) {
      const Verdict verdict = model_.end(relayed, turn::CloseReason::revoked);
      require(servers_[i].end(name, turn::CloseReason::revoked, now(), effects_), "it was there");
      settle(worker_number(i), verdict, nullptr, {});
    }
  }
}

void Simulation::set_draining(bool is_draining) {
  say(is_draining ? "drain" : "drain no more");
  is_draining_ = is_draining;
  model_.set_draining(is_draining);
  for (turn::Server& each : servers_) each.set_draining(is_draining);
}

void Simulation::forget_users() {
  say("forget users");
  model_.forget_users();
  for (turn::Server& each : servers_) each.forget_users();
}

void Simulation::set_clock(seconds ahead) {
  say("clock " + std::to_string(ahead.count()) + " s ahead");
  clock_ahead_ = ahead;
}

void Simulation::kill(std::size_t which) {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    std::optional<std::pair<turn::AllocationName, Endpoint>> target;
    static_cast<void>(servers_[i].for_each_allocation(0, ~0U, [&](const auto& view) {
      if (which-- != 0) return;
      target.emplace(view.name, view.relayed[0] ? *view.relayed[0] : *view.relayed[1]);
    }));
    if (!target) continue;
    say("kill " + target->second.to_string());
    const Verdict verdict = model_.end(target->second, turn::CloseReason::killed);
    require(servers_[i].end(target->first, turn::CloseReason::killed, now(), effects_),
            "it was there");
    return settle(worker_number(i), verdict, nullptr, {});
  }
}

void Simulation::end_all_of(const std::string& user) {
  say("end all of " + user);
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const WorkerId worker = worker_number(i);
    const std::size_t before = model_.allocation_count(worker);
    const Verdict verdict = model_.end_all_of(worker, user, turn::CloseReason::revoked);
    const std::size_t count =
        servers_[i].end_all_of(user, turn::CloseReason::revoked, now(), effects_);
    require(count == before - model_.allocation_count(worker), "how many a user had");
    settle(worker, verdict, nullptr, {});
  }
}

void Simulation::restart() {
  say("restart");
  liveness_.excuse_all();
  std::vector<const turn::Server*> before;
  for (const turn::Server& each : servers_) before.push_back(&each);
  const Bytes snapshot = turn::take_snapshot(before, *ledger_);
  trace_.note(snapshot);
  build_servers();
  std::vector<turn::Effects> effects(servers_.size());
  std::vector<turn::Heir> heirs;
  for (std::size_t i = 0; i < servers_.size(); ++i) heirs.push_back({servers_[i], effects[i]});
  const auto error = turn::restore_snapshot(snapshot, heirs, *ledger_, now());
  if (error) fail("a snapshot is refused: " + std::string{to_string(*error)});
  const Verdict verdict = model_.on_restart();
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    std::swap(effects_, effects[i]);
    settle(worker_number(i), verdict, nullptr, {});
  }
}

/// When clients ask for no more, a drain is over once the last lifetime that was granted is (I-20).
void Simulation::finish_drain() {
  require(is_draining_, "no drain");
  const Instant over = std::max(now_, lives_until_ + latest_timer);
  advance(over - now_);
  require(ledger_->allocations() == 0 && sockets_.empty(), "the drain does not end");
  say("drained");
}

/// In a network that loses few enough, everybody has had one sooner or later (I-20).
void Simulation::check_everybody_served() const {
  for (const auto& client : clients_) {
    const bool was_served = client->allocations() > 0 || client->is_intruder();
    require(was_served, "a correct client has never had an allocation");
  }
}

/// What runs out when nobody does anything: all of it (I-13).
void Simulation::wind_up() {
  turns_left_ = 0;
  for (const auto& client : clients_) client->stop();
  if (settings_.is_apart) check_everybody_served();
  if (settings_.drains) finish_drain();
  advance(std::chrono::hours{2});
  check_balance();
  require(model_.allocation_count() == 0 && ledger_->allocations() == 0, "allocations are left");
  require(sockets_.empty() && connections_.empty(), "sockets are left");
  const auto all = static_cast<std::size_t>(settings_.ports.last - settings_.ports.first + 1);
  require(ledger_->free_ports() == all * settings_.relays.size(), "ports are lost");
  for (const turn::Server& each : servers_) {
    require(!each.next_deadline(), "a timer of nobody");  // I-9
    require(each.guest_count() == 0 && each.peer_connection_count() == 0, "guests are left");
  }
  for (const turn::RelayAddress& relay : settings_.relays) {
    require(!ledger_->live_relays().contains_any(relay.advertised), "a relay lives on");
  }
  say("balanced");
}

}  // namespace turnpike::sim
