#include "server/signaling_host.h"

#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "base/assert.h"
#include "net/clock.h"
#include "server/log.h"
#include "server/poll_token.h"
#include "server/web_files.h"
#include "version.h"

namespace turnpike::server {
namespace {

constexpr std::size_t read_bytes = 64 * 1024;       // of one read
constexpr std::size_t write_bytes = 64 * 1024;      // handed to a session at one time
constexpr int connections_per_turn = 64;            // of one listener
constexpr milliseconds accept_pause{200};           // when the host has no descriptors left
constexpr seconds closing_time{2};                  // to take the last answer and go
constexpr seconds drain_margin{1};                  // beyond the last goaway
constexpr std::uint32_t control_slot = 0xffffffff;  // of its listener, among the listeners

signaling::Rooms::Settings room_settings(const Config& config, Random& random) {
  signaling::Rooms::Settings settings;
  settings.auth = config.effective_join_auth();
  settings.limits.max_peers = config.signaling.max_peers;
  settings.limits.joins_per_minute = config.signaling.joins_per_minute;
  settings.limits.ice_ttl = config.auth.credential_ttl;
  settings.version = TURNPIKE_VERSION;
  settings.reports_events = true;
  settings.hash_seed = HashSeed{random.next_u64()};
  return settings;
}

std::vector<signaling::FixedApiKeys::Entry> api_keys_of(const Config& config) {
  std::vector<signaling::FixedApiKeys::Entry> entries;
  for (const auth::Secret& key : config.auth.api_keys) entries.push_back({key.id, key.value});
  return entries;
}

signaling::RestDoor::Settings rest_settings(const Config& config, Instant started) {
  signaling::RestDoor::Settings settings;
  settings.version = TURNPIKE_VERSION;
  settings.started = started;
  settings.ice_ttl = config.auth.credential_ttl;
  return settings;
}

std::unique_ptr<StoreThread> make_store_thread(store::Store* store, ControlInbox& inbox) {
  if (store == nullptr) return nullptr;
  return std::make_unique<StoreThread>(StoreThread::Settings{}, *store, inbox);
}

ControlDoor::Settings control_settings(const Config& config, Now started,
                                       std::vector<std::string> listeners) {
  ControlDoor::Settings settings;
  settings.version = TURNPIKE_VERSION;
  settings.realm = config.effective_realm();
  settings.started = started;
  settings.listeners = std::move(listeners);
  return settings;
}

signaling::OpenViduDoor::Settings openvidu_settings(const Config& config, Random& random) {
  signaling::OpenViduDoor::Settings settings;
  if (!config.auth.api_keys.empty()) {
    const auth::Secret& key = config.auth.api_keys.front();
    settings.key.emplace(
        signaling::OpenViduDoor::Key{key.id, HmacSha256Key{bytes_of(std::string_view{key.value})}});
  }
  settings.hash_seed = HashSeed{random.next_u64()};
  return settings;
}

signaling::SocketIoDoor::Settings socketio_settings(const Config& config) {
  const Config::Signaling& chosen = config.signaling;
  signaling::SocketIoDoor::Settings settings;
  settings.engine.ping_interval = chosen.socketio_ping_interval;
  settings.engine.ping_timeout = chosen.socketio_ping_timeout;
  settings.profiles.clear();
  for (const SocketIoProfile profile : chosen.socketio_profiles) {
    switch (profile) {
      case SocketIoProfile::zoom:
        settings.profiles.push_back(signaling::zoom_profile());
        break;
      case SocketIoProfile::codelab:
        settings.profiles.push_back(signaling::codelab_profile());
        break;
      case SocketIoProfile::echo:
        settings.profiles.push_back(signaling::echo_profile());
        settings.engineio_echo = true;
        break;
    }
  }
  return settings;
}

signaling::OriginPolicy origin_policy(const Config& config) {
  std::string wrong;  // none: the configuration has been checked
  auto policy = signaling::make_origin_policy(config.signaling.allowed_origins, wrong);
  TURNPIKE_ASSERT(policy);
  if (!config.domain.empty()) policy->hosts = {config.domain};
  return std::move(*policy);
}

}  // namespace

SignalingHost::SignalingHost(const Config& config, Listeners listeners, Surroundings surroundings)
    : config_(config),
      connections_(surroundings.connections),
      now_(net::read_clock()),
      ice_(config),
      api_keys_(api_keys_of(config)),
      rooms_(room_settings(config, random_), api_keys_, ice_, random_),
      socketio_(doors_, random_, socketio_settings(config)),
      openvidu_(doors_, openvidu_settings(config, random_), random_),
      gate_({}, api_keys_, doors_),
      rest_(rest_settings(config, now_.instant), gate_, ice_, doors_),
      metrics_(doors_, surroundings.hooks.numbers),
      store_thread_(make_store_thread(surroundings.store, control_inbox_)),
      control_(control_settings(config, now_, std::move(surroundings.listeners)),
               std::move(surroundings.hooks), gate_, doors_, surroundings.workers, control_inbox_,
               store_thread_.get()) {
  inbox_.attach(poller_);
  control_inbox_.attach(poller_);
  add_doors_to_rooms();
  doors_.add(rest_);
  doors_.add(control_);
  doors_.add(metrics_);
  if (!config.signaling.webhook.empty()) {
    webhooks_ =
        std::make_unique<Webhooks>(Webhooks::Settings{.url = config.signaling.webhook,
                                                      .secret = config.signaling.webhook_secret},
                                   [this](Webhooks::Answer answer) {
                                     {
                                       const std::lock_guard lock{answers_mutex_};
                                       answers_.push_back(std::move(answer));
                                     }
                                     poller_.wake();
                                   });
  }
  site_ =
      std::make_unique<signaling::Site>(origin_policy(config), web_files(config), doors_.routes());
  operator_site_ =
      std::make_unique<signaling::Site>(signaling::OriginPolicy{}, signaling::StaticFiles{},
                                        doors_.routes(), signaling::Audience::operators);
  control_site_ =
      std::make_unique<signaling::Site>(signaling::OriginPolicy{}, signaling::StaticFiles{},
                                        doors_.routes(), signaling::Audience::administrators);
  for (net::TcpListener& socket : listeners.http) listeners_.push_back({std::move(socket), false});
  for (net::TcpListener& socket : listeners.metrics) {
    listeners_.push_back({std::move(socket), true});
  }
  control_listener_ = std::move(listeners.control);
  if (const auto error = watch_listeners()) throw std::system_error{error, "epoll"};
}

/// Whatever the configuration opens; none when there are no rooms.
void SignalingHost::add_doors_to_rooms() {
  if (!config_.signaling.enabled) return;
  if (config_.has_door(DoorName::native)) doors_.add(native_);
  if (config_.has_door(DoorName::socketio)) doors_.add(socketio_);
  if (config_.has_door(DoorName::relay)) doors_.add(relay_);
  if (config_.has_door(DoorName::openvidu)) doors_.add(openvidu_);
}

/// All of them or, with an error, none: pausing and stopping take them all away again.
std::error_code SignalingHost::watch_listeners() {
  std::vector<int> watched;
  std::error_code error;
  const auto watch = [&](int descriptor, std::uint32_t slot) {
    if (error) return;
    const PollToken token{PollKind::stream_listener, 0, slot};
    error = poller_.add(descriptor, token.value());
    if (!error) watched.push_back(descriptor);
  };
  for (std::uint32_t i = 0; i < listeners_.size(); ++i) watch(listeners_[i].socket.descriptor(), i);
  if (control_listener_) watch(control_listener_->descriptor(), control_slot);
  if (!error) return {};
  for (const int descriptor : watched) poller_.remove(descriptor);
  return error;
}

void SignalingHost::unwatch_listeners() {
  for (const Listener& listener : listeners_) poller_.remove(listener.socket.descriptor());
  if (control_listener_) poller_.remove(control_listener_->descriptor());
}

void SignalingHost::run() {
  while (!stopping_at_once_ &&
         (!drained_by_ || (now_.instant < *drained_by_ && rooms_.connection_count() > 0))) {
    const auto events = poller_.wait_until(next_deadline());
    now_ = net::read_clock();
    if (drain_wanted_.exchange(false)) control_.set_draining(true, now_);
    if (stopping_ && !drained_by_) begin_drain();
    for (const net::Event& event : events) on_event(event);
    on_deadlines();
    tell_of_events();
    note_touched_by_doors();
    flush();
    ++turns_;
  }
  has_ended_ = true;
}

void SignalingHost::finish() {
  now_ = net::read_clock();
  take_news();
}

void SignalingHost::drain() {
  drain_wanted_ = true;
  poller_.wake();
}

void SignalingHost::stop() {
  stopping_ = true;
  poller_.wake();
}

void SignalingHost::stop_at_once() {
  stopping_at_once_ = true;
  poller_.wake();
}

/// Connections without a WebSocket have nothing to be told; they end with the process.
void SignalingHost::begin_drain() {
  if (!accepting_again_at_) unwatch_listeners();
  accepting_again_at_.reset();
  listeners_.clear();
  control_listener_.reset();
  rooms_.drain("", now_, doors_.effects());
  doors_.settle(now_);
  note_touched_by_doors();
  drained_by_ = rooms_.connection_count() == 0
                    ? now_.instant
                    : now_.instant + signaling::Limits{}.drain_spread + drain_margin;
}

std::optional<Instant> SignalingHost::next_deadline() const {
  return earliest_of(accepting_again_at_, doors_.next_deadline(), deadlines_.next(), drained_by_,
                     news_again_at_);
}

void SignalingHost::on_event(const net::Event& event) {
  if (event.token == net::Poller::wake_token) {
    take_webhook_answers();
    take_news();
    take_credentials();
    return take_from_inbox();
  }
  const PollToken token = PollToken::of(event.token);
  if (token.kind == PollKind::stream_listener) {
    if (token.slot == control_slot) return on_operators_waiting();
    if (token.slot < listeners_.size()) on_connections_waiting(listeners_[token.slot]);
    return;
  }
  // The connection may have been closed by an earlier event of the same wait.
  const Slot& slot = slots_.at(token.slot);
  if (slot.session && PollToken{PollKind::session, slot.generation, token.slot} == token) {
    on_session_event(token.slot, event);
  }
}

void SignalingHost::on_connections_waiting(Listener& listener) {
  for (int i = 0; i < connections_per_turn; ++i) {
    auto accepted = listener.socket.accept();
    if (accepted) {
      admit_to(listener, std::move(*accepted));
      continue;
    }
    return pause_accepting(accepted.error());
  }
}

/// Nothing when only nobody waits any more.
void SignalingHost::pause_accepting(const std::error_code& error) {
  if (error == std::errc::operation_would_block) return;
  if (accepting_again_at_) return;  // another listener has met the same trouble in this turn
  log_event(LogLevel::warn, "accept_failed", {{"error", error.message()}});
  unwatch_listeners();
  accepting_again_at_ = now_.instant + accept_pause;
}

void SignalingHost::on_operators_waiting() {
  for (int i = 0; control_listener_ && i < connections_per_turn; ++i) {
    auto accepted = control_listener_->accept();
    if (!accepted) return pause_accepting(accepted.error());
    admit_operator(std::move(*accepted));
  }
}

/// The mode of the socket keeps others out; this holds where that was changed, or does not count.
void SignalingHost::admit_operator(net::LocalAccepted accepted) {
  const uid_t user = accepted.peer.user;
  if (user != 0 && user != ::geteuid()) {
    log_event(LogLevel::warn, "control_refused",
              {{"user_id", user}, {"process_id", accepted.peer.process}});
    return;  // closes it
  }
  const Endpoint nowhere{IpAddress::v4(0x7f000001), 0};
  admit(StreamSession{std::move(accepted.socket), {nowhere, nowhere, Transport::tcp}, nullptr},
        *control_site_, signaling::Doors::Peer::operator_of_host, false);
}

void SignalingHost::take_news() {
  auto news = control_inbox_.collect();
  news_again_at_.reset();
  if (!news.empty()) news_again_at_ = now_.instant + ControlInbox::pause;
  control_.on_news(std::move(news), now_);
  doors_.settle(now_);
  note_touched_by_doors();
}

void SignalingHost::admit_to(const Listener& listener, net::Accepted accepted) {
  const IpAddress& client = accepted.client.address;
  const FiveTuple tuple{accepted.client, accepted.local, Transport::tcp};
  const bool is_proxy = !listener.is_for_operators && is_reverse_proxy(client);
  const bool is_counted = !is_proxy && connections_.add(client);
  if (!is_proxy && !is_counted) return;  // closes it
  admit(StreamSession{std::move(accepted.socket), tuple, nullptr},
        listener.is_for_operators ? *operator_site_ : *site_,
        is_proxy ? signaling::Doors::Peer::reverse_proxy : signaling::Doors::Peer::client,
        is_counted);
}

/// Whoever may speak for others at a listener for reverse proxies: this host, and the balancers
/// that the configuration trusts.
bool SignalingHost::is_reverse_proxy(const IpAddress& address) const {
  const auto& trusted = config_.listen.proxy_trusted;
  return address.is_loopback() ||
         std::any_of(trusted.begin(), trusted.end(),
                     [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

void SignalingHost::take_from_inbox() {
  for (StreamSession& session : inbox_.collect()) {
    admit(std::move(session), *site_, signaling::Doors::Peer::client, true);
  }
}

void SignalingHost::take_webhook_answers() {
  std::vector<Webhooks::Answer> answers;
  {
    const std::lock_guard lock{answers_mutex_};
    answers.swap(answers_);
  }
  for (const auto& [connection, answer] : answers) {
    doors_.on_webhook_answer(connection, answer, now_);
  }
  note_touched_by_doors();
}

void SignalingHost::use(RoomCredentials credentials) {
  {
    const std::lock_guard lock{credentials_mutex_};
    new_credentials_ = std::move(credentials);
  }
  poller_.wake();
}

void SignalingHost::take_credentials() {
  std::optional<RoomCredentials> credentials;
  {
    const std::lock_guard lock{credentials_mutex_};
    credentials.swap(new_credentials_);
  }
  if (!credentials) return;
  ice_.use_secret(std::move(credentials->signing_secret));
  api_keys_ = signaling::FixedApiKeys{credentials->api_keys};
}

void SignalingHost::tell_of_events() {
  for (const signaling::RoomEvent& event : doors_.take_events()) {
    control_.on_room_event(event, now_);
    if (webhooks_) webhooks_->tell(to_json(event, now_.wall));
  }
  if (!webhooks_) return;
  for (signaling::AskWebhook& question : doors_.take_questions()) {
    webhooks_->ask(question.connection, std::move(question.body));
  }
}

void SignalingHost::admit(StreamSession session, const signaling::Site& site,
                          signaling::Doors::Peer peer, bool is_counted) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t number = free_slots_.back();
  Slot& slot = slots_[number];
  const PollToken token{PollKind::session, slot.generation, number};
  const IpAddress client = session.tuple().client.address;
  if (drained_by_ || poller_.add(session.descriptor(), token.value())) {
    if (is_counted) connections_.remove(client);
    return;  // closes it
  }
  free_slots_.pop_back();
  slot.session.emplace(std::move(session));
  slot.session->keep_alive();  // not all that is spoken here has pings of its own
  slot.connection = std::make_unique<signaling::HttpConnection>(site, limits_, now_.instant);
  slot.is_counted = is_counted;
  slot.id = doors_.on_connected(*slot.connection, client, peer);
  slot_of_.emplace(slot.id, number);
  ++counters_.connections;
  take_input(number);  // the worker has read the first request, or its beginning
}

void SignalingHost::on_session_event(std::uint32_t number, const net::Event& event) {
  Slot& slot = slots_[number];
  if (event.writable) touch(number);
  if (!event.readable && !event.error) return;
  scratch_.resize(read_bytes);
  const bool goes_on = slot.session->receive(scratch_);
  take_input(number);
  if (goes_on) return;
  if (!slot.is_ending) ++counters_.broken;
  slot.is_over = true;
}

void SignalingHost::take_input(std::uint32_t number) {
  Slot& slot = slots_[number];
  touch(number);  // TLS may have something to say of its own
  const ByteView data = slot.session->data();
  if (data.empty()) return;
  if (!slot.is_ending) {
    slot.connection->receive(data, now_, events_);
    doors_.on_events(slot.id, events_, now_);
    note_touched_by_doors();
  }
  slot.session->take_data(data.size());
}

void SignalingHost::on_deadlines() {
  doors_.on_deadline(now_);
  while (const auto number = deadlines_.pop_due(now_.instant)) {
    Slot& slot = slots_[*number];
    touch(*number);
    if (slot.is_ending) {
      slot.is_over = true;
      continue;
    }
    slot.connection->on_deadline(now_, events_);
    doors_.on_events(slot.id, events_, now_);
  }
  if (news_again_at_ && *news_again_at_ <= now_.instant) take_news();
  note_touched_by_doors();
  if (!accepting_again_at_ || *accepting_again_at_ > now_.instant) return;
  accepting_again_at_.reset();
  if (watch_listeners()) accepting_again_at_ = now_.instant + accept_pause;
}

void SignalingHost::touch(std::uint32_t number) {
  Slot& slot = slots_[number];
  if (slot.is_touched) return;
  slot.is_touched = true;
  touched_.push_back(number);
}

void SignalingHost::note_touched_by_doors() {
  for (const signaling::ConnectionId id : doors_.take_touched()) {
    if (const auto found = slot_of_.find(id); found != slot_of_.end()) touch(found->second);
  }
}

/// By index: closing a connection tells the others of its room.
void SignalingHost::flush() {
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    const std::uint32_t number = touched_[i];
    slots_[number].is_touched = false;
    flush(number);
  }
  touched_.clear();
}

void SignalingHost::flush(std::uint32_t number) {
  Slot& slot = slots_[number];
  if (!slot.session) return;
  StreamSession& session = *slot.session;
  bool is_alive = true;
  do {
    const ByteView output = slot.connection->output();
    const ByteView part = output.first(std::min(output.size(), write_bytes));
    if (!part.empty() && session.queue({}, part, 0)) {
      slot.connection->take_output(part.size(), now_.instant);
    }
    is_alive = session.flush();
  } while (is_alive && !session.wants_to_write() && !slot.connection->output().empty());
  if (!is_alive || slot.is_over) return close(number);
  if (slot.connection->wants_close() && !slot.is_ending) end_output(slot, number);

  const bool wants = session.wants_to_write();
  if (wants != slot.watches_writable) {
    const PollToken token{PollKind::session, slot.generation, number};
    poller_.watch_writable(session.descriptor(), token.value(), wants);
    slot.watches_writable = wants;
  }
  if (slot.is_ending) return;
  if (const auto deadline = slot.connection->next_deadline()) {
    deadlines_.set(number, *deadline);
  } else {
    deadlines_.clear(number);
  }
}

/// Says FIN after the last byte, and gives the client a moment to say the same: closing at once
/// could destroy what it has not read yet.
void SignalingHost::end_output(Slot& slot, std::uint32_t number) {
  slot.is_ending = true;
  slot.session->begin_close();
  if (!slot.session->flush()) slot.is_over = true;
  deadlines_.set(number, now_.instant + closing_time);
}

void SignalingHost::close(std::uint32_t number) {
  Slot& slot = slots_[number];
  doors_.on_gone(slot.id, now_);
  note_touched_by_doors();
  slot_of_.erase(slot.id);
  deadlines_.clear(number);
  if (slot.is_counted) connections_.remove(slot.session->tuple().client.address);
  poller_.remove(slot.session->descriptor());
  const std::uint32_t next_generation = slot.generation + 1;
  slot = Slot{};
  slot.generation = next_generation;
  free_slots_.push_back(number);
}

}  // namespace turnpike::server
