#include "turn/world.h"

#include <algorithm>
#include <exception>
#include <stdexcept>

#include "catch.h"

namespace turnpike::test {

namespace {

constexpr seconds first_instant{1'000'000};
constexpr seconds first_wall{1'800'000'000};
constexpr std::string_view server_v4 = "192.0.2.1:3478";
constexpr std::string_view server_v6 = "[2001:db8::1]:3478";

turn::Server::Settings server_settings(const WorldSettings& world, std::size_t worker) {
  turn::Server::Settings settings;
  settings.worker = turn::WorkerId{static_cast<std::uint8_t>(worker)};
  if (world.mobility) settings.ticket_key.emplace().fill(static_cast<std::uint8_t>(world.seed));
  settings.limits = world.limits;
  settings.address_family = world.address_family;
  settings.strict_expiry = world.strict_expiry;
  settings.nat_discovery = world.nat_discovery;
  settings.alternates = world.alternates;
  settings.tcp_relays = world.tcp_relays;
  for (std::size_t i = 0; i < settings.authentication.nonce_key.size(); ++i) {
    settings.authentication.nonce_key[i] = static_cast<std::uint8_t>(world.seed + i);
  }
  settings.authentication.asks_for_users = world.asks_for_users;
  settings.authentication.nonce_lifetime = world.nonce_lifetime;
  settings.authentication.clock_skew = world.clock_skew;
  settings.authentication.max_credential_age = world.max_credential_age;
  settings.authentication.max_failures_per_minute = world.max_failures_per_minute;
  settings.authentication.hash_seed = HashSeed{world.seed};
  return settings;
}

/// The attribute that carries the class and number of an error.
int error_code_in(const stun::MessageView& message) {
  const auto value = message.find(AttributeType::error_code);
  if (!value) throw std::runtime_error("an error response without ERROR-CODE");
  return stun::decode_error_code(*value).value().code;
}

}  // namespace

Endpoint endpoint(std::string_view text) { return Endpoint::parse(text).value(); }
IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

// --- WorldSettings -------------------------------------------------------------------------------

std::vector<turn::RelayAddress> WorldSettings::default_relays() {
  const IpAddress v4 = endpoint(server_v4).address;
  const IpAddress v6 = endpoint(server_v6).address;
  return {{v4, v4}, {v6, v6}};
}

turn::Limits WorldSettings::default_limits() {
  turn::Limits limits;
  limits.challenge_rate = 0;
  limits.new_peers_per_second = 0;
  return limits;
}

auth::CredentialSettings WorldSettings::default_credentials() {
  auth::CredentialSettings credentials;
  credentials.realm = "example.org";
  credentials.users = {{"alice", "wonderland"}, {"bob", "builder"}};
  return credentials;
}

turn::PeerPolicy::Settings WorldSettings::default_policy() {
  turn::PeerPolicy::Settings policy;
  policy.own_addresses = {endpoint(server_v4).address, endpoint(server_v6).address};
  policy.own_listeners = {endpoint(server_v4), endpoint(server_v6)};
  return policy;
}

// --- Reply ---------------------------------------------------------------------------------------

stun::MessageView Reply::view() const {
  if (!bytes) throw std::runtime_error("no answer came: " + std::string{to_string(reason)});
  const auto message = stun::MessageView::parse(*bytes);
  if (!message) throw std::runtime_error("the answer is no STUN message: " + to_hex(*bytes));
  return *message;
}

int Reply::code() const {
  if (!bytes) return silence;
  const auto message = view();
  if (message.message_class() == stun::Class::success) return ok;
  return error_code_in(message);
}

std::string Reply::text(AttributeType type) const {
  const auto message = view();
  const auto value = message.find(type);
  if (!value) throw std::runtime_error("not in the answer: " + std::string{stun::name_of(type)});
  return std::string{text_of(*value)};
}

std::optional<Endpoint> Reply::endpoint(AttributeType type) const {
  const auto all = endpoints(type);
  return all.empty() ? std::nullopt : std::optional{all.front()};
}

std::vector<Endpoint> Reply::endpoints(AttributeType type) const {
  std::vector<Endpoint> found;
  const auto message = view();
  for (const stun::AttributeView attribute : message.attributes()) {
    if (attribute.type != type) continue;
    found.push_back(stun::decode_xor_address(attribute.value, message.transaction_id()).value());
  }
  return found;
}

std::optional<seconds> Reply::lifetime() const {
  const auto value = view().find(AttributeType::lifetime);
  return value ? stun::decode_lifetime(*value) : std::nullopt;
}

std::optional<std::uint32_t> Reply::connection_id() const {
  const auto value = view().find(AttributeType::connection_id);
  return value ? stun::decode_connection_id(*value) : std::nullopt;
}

std::optional<std::uint64_t> Reply::token() const {
  const auto value = view().find(AttributeType::reservation_token);
  return value ? stun::decode_reservation_token(*value) : std::nullopt;
}

std::optional<stun::AddressErrorCode> Reply::address_error() const {
  const auto value = view().find(AttributeType::address_error_code);
  return value ? stun::decode_address_error_code(*value) : std::nullopt;
}

std::vector<unsigned> Reply::unknown_attributes() const {
  std::vector<unsigned> numbers;
  ByteView value = view().find(AttributeType::unknown_attributes).value();
  for (; value.size() >= 2; value = value.subspan(2)) numbers.push_back(load_be16(value));
  return numbers;
}

std::vector<AttributeType> Reply::types() const {
  std::vector<AttributeType> found;
  const auto message = view();
  for (const stun::AttributeView attribute : message.attributes()) found.push_back(attribute.type);
  return found;
}

// --- Client --------------------------------------------------------------------------------------

Client::Client(World& world, Endpoint from, Endpoint server, Transport transport) : world_(&world) {
  flow_.tuple = {from, server, transport};
  flow_.listener = world.listener_of(server);
}

Client& Client::is(std::string_view name, std::string_view secret) {
  username = name;
  password = secret;
  return *this;
}

Client& Client::at(std::uint8_t worker) {
  flow_.worker = turn::WorkerId{worker};
  return *this;
}

Client& Client::uses(Algorithm which) {
  algorithm = which;
  return *this;
}

stun::IntegrityKey Client::key() const {
  const auto kind = algorithm == Algorithm::sha256 ? stun::PasswordAlgorithm::sha256
                                                   : stun::PasswordAlgorithm::md5;
  return stun::IntegrityKey{auth::long_term_key(kind, username, realm, password)};
}

void Client::sign(stun::MessageBuilder& message) const {
  if (with_userhash) {
    message.put(AttributeType::userhash, auth::userhash(username, realm));
  } else {
    message.put_text(AttributeType::username, username);
  }
  message.put_text(AttributeType::realm, realm).put_text(AttributeType::nonce, nonce);
  if (algorithm == Algorithm::unnamed) {
    message.put_message_integrity(key().sha1);
    return;
  }
  message.put(AttributeType::password_algorithms, offered);
  message.put_password_algorithm(algorithm == Algorithm::sha256 ? stun::PasswordAlgorithm::sha256
                                                                : stun::PasswordAlgorithm::md5);
  message.put_message_integrity_sha256(key().sha256);
}

Bytes Client::build(Method method, const Add& add) {
  Bytes buffer(70000);
  stun::TransactionId id{};
  world_->random().fill(id);
  stun::MessageBuilder message{buffer, stun::Class::request, method, id};
  if (add) add(message);
  if (!nonce.empty() && method != Method::binding) sign(message);
  if (with_fingerprint) message.put_fingerprint();
  return copy_of(message.bytes());
}

Reply Client::transmit(const Bytes& datagram) {
  const Reason reason = world_->from_client(flow_, datagram);
  Reply reply{reason, world_->take_message(flow_.tuple)};
  examine(reply);
  return reply;
}

std::optional<Reply> Client::receive() {
  auto message = world_->take_message(flow_.tuple);
  if (!message) return std::nullopt;
  Reply reply{Reason::answered_allocate, std::move(message)};
  examine(reply);
  return reply;
}

/// Notes who signed the reply, and what every reply must be like.
void Client::examine(Reply& reply) const {
  if (!reply.bytes) return;
  const auto message = reply.view();
  const bool has_sha1 = message.message_integrity().has_value();
  const bool has_sha256 = message.message_integrity_sha256().has_value();
  CHECK_FALSE((has_sha1 && has_sha256));
  if (!has_sha1 && !has_sha256) return;
  reply.signed_by = SignedBy::stranger;
  if (stun::verify_message_integrity(message, key().sha1)) reply.signed_by = SignedBy::sha1;
  if (stun::verify_message_integrity_sha256(message, key().sha256))
    reply.signed_by = SignedBy::sha256;
}

std::optional<Reply> Client::receive_from(std::string_view server, std::string_view at) {
  FiveTuple tuple = flow_.tuple;
  tuple.client = endpoint(at);
  tuple.server = endpoint(server);
  auto message = world_->take_message(tuple);
  if (!message) return std::nullopt;
  return Reply{Reason::answered_binding, std::move(message)};
}

Reply Client::request_once(Method method, const Add& add) {
  last_request = build(method, add);
  Reply reply = transmit(last_request);
  if (reply.code() == silence) return reply;
  const auto asked = stun::MessageView::parse(last_request).value();
  const auto answer = reply.view();
  CHECK(answer.method() == method);
  CHECK(answer.transaction_id() == asked.transaction_id());
  CHECK(answer.has_fingerprint() == asked.has_fingerprint());
  for (const AttributeType type : {AttributeType::username, AttributeType::userhash}) {
    CHECK_FALSE(answer.has(type));
  }
  // RFC 8489 §9.2.4: whatever follows authentication is signed, and tells no nonce.
  const bool is_unauthenticated = method == Method::binding || reply.code() == 401 ||
                                  reply.code() == 438 ||
                                  reply.reason == Reason::refused_bad_credentials;
  if (is_unauthenticated) {
    CHECK(reply.signed_by == SignedBy::nobody);
  } else {
    CHECK(reply.signed_by == (algorithm == Algorithm::unnamed ? SignedBy::sha1 : SignedBy::sha256));
    CHECK_FALSE(answer.has(AttributeType::nonce));
    CHECK_FALSE(answer.has(AttributeType::realm));
  }
  return reply;
}

Reply Client::request(Method method, const Add& add) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const bool had_nonce = !nonce.empty();
    Reply reply = request_once(method, add);
    const bool may_retry = reply.code() == 438 || (reply.code() == 401 && !had_nonce);
    if (!may_retry) return reply;
    learn(reply);
  }
  return request_once(method, add);
}

void Client::learn(const Reply& challenge) {
  realm = challenge.text(AttributeType::realm);
  nonce = challenge.text(AttributeType::nonce);
  const std::string list = challenge.text(AttributeType::password_algorithms);
  offered.assign(list.begin(), list.end());
}

void Client::log_in() {
  nonce.clear();
  const Reply challenge = request_once(Method::refresh);
  REQUIRE(challenge.code() == 401);
  learn(challenge);
}

Reply Client::binding(const Add& add) { return request_once(Method::binding, add); }

Reply Client::allocate(const Add& add) { return allocate_for(17, add); }

Reply Client::allocate_for(std::uint8_t ip_protocol, const Add& add) {
  Reply reply = request(Method::allocate, [&](stun::MessageBuilder& m) {
    m.put_requested_transport(ip_protocol);
    if (add) add(m);
  });
  if (reply.code() == ok) relayed_ = reply.endpoints(AttributeType::xor_relayed_address);
  return reply;
}

Reply Client::refresh(std::optional<seconds> lifetime, const Add& add) {
  return request(Method::refresh, [&](stun::MessageBuilder& m) {
    if (lifetime) m.put_lifetime(*lifetime);
    if (add) add(m);
  });
}

Reply Client::permit_all(const std::vector<std::string_view>& peers) {
  return request(Method::create_permission, [&](stun::MessageBuilder& m) {
    for (const std::string_view peer : peers) {
      m.put_xor_address(AttributeType::xor_peer_address, Endpoint{address(peer), 0});
    }
  });
}

Reply Client::connect(std::string_view peer) {
  return request(Method::connect, [&](stun::MessageBuilder& m) {
    m.put_xor_address(AttributeType::xor_peer_address, endpoint(peer));
  });
}

Reply Client::bind_connection(std::uint32_t number) {
  return request(Method::connection_bind,
                 [&](stun::MessageBuilder& m) { m.put_u32(AttributeType::connection_id, number); });
}

Reply Client::bind_channel(std::uint16_t channel, std::string_view peer) {
  return request(Method::channel_bind, [&](stun::MessageBuilder& m) {
    m.put_channel_number(stun::ChannelNumber{channel});
    m.put_xor_address(AttributeType::xor_peer_address, endpoint(peer));
  });
}

Reason Client::send(std::string_view peer, std::string_view payload, const Add& add) {
  Bytes buffer(payload.size() + 2048);
  stun::TransactionId id{};
  world_->random().fill(id);
  stun::MessageBuilder message{buffer, stun::Class::indication, Method::send, id};
  message.put_xor_address(AttributeType::xor_peer_address, endpoint(peer));
  message.put_text(AttributeType::data, payload);
  if (add) add(message);
  return world_->from_client(flow_, copy_of(message.bytes()));
}

Reason Client::send_channel(std::uint16_t channel, std::string_view payload) {
  Bytes datagram(4);
  store_be16(datagram, channel);
  store_be16(MutableByteView{datagram}.subspan(2), static_cast<std::uint16_t>(payload.size()));
  datagram.insert(datagram.end(), payload.begin(), payload.end());
  return world_->from_client(flow_, datagram);
}

std::optional<AtClient> Client::data() const {
  const auto& last = world_->at_client();
  if (!last || last->client != flow_.tuple.client) return std::nullopt;
  return last;
}

Endpoint Client::relayed(Family family) const {
  for (const Endpoint& each : relayed_) {
    if (each.family() == family) return each;
  }
  throw std::runtime_error("the client has no relayed address of this family");
}

// --- World ---------------------------------------------------------------------------------------

World::World(WorldSettings settings)
    : settings_(std::move(settings)),
      server_random_(settings_.seed),
      client_random_(settings_.seed + 1) {
  books_.emplace_back(settings_.credentials);
  start();
}

void World::start() {
  ledger_ = std::make_unique<turn::Ledger>(settings_.relays, settings_.ports, settings_.limits);
  policies_.emplace_back(settings_.policy, ledger_->live_relays());
  for (std::size_t i = 0; i < settings_.workers; ++i) {
    servers_.emplace_back(server_settings(settings_, i), books_.back(), policies_.back(), *ledger_,
                          server_random_);
  }
}

World::~World() {
  if (std::uncaught_exceptions() > 0) return;
  CHECK(unread() == 0);
  CHECK(held_.empty());
  if (balance().allocations == 0) CHECK(balance().sockets == 0);
}

Client World::client(std::string_view from) {
  const Endpoint client = endpoint(from);
  return {*this, client, endpoint(client.family() == Family::ipv4 ? server_v4 : server_v6)};
}

Client World::client(std::string_view from, std::string_view server) {
  return {*this, endpoint(from), endpoint(server)};
}

Client World::client(std::string_view from, Transport transport) {
  const Endpoint client = endpoint(from);
  return {*this, client, endpoint(client.family() == Family::ipv4 ? server_v4 : server_v6),
          transport};
}

Now World::now() const {
  return {Instant{} + first_instant + elapsed_,
          WallTime{} + first_wall + std::chrono::floor<seconds>(elapsed_) + wall_clock_error_};
}

void World::advance(nanoseconds duration) {
  const nanoseconds target = elapsed_ + duration;
  for (;;) {
    const auto next = next_deadline();
    if (!next || *next > Instant{} + first_instant + target) break;
    elapsed_ = std::max(elapsed_, nanoseconds{*next - Instant{} - first_instant});
    for (worker_ = 0; worker_ < servers_.size(); ++worker_) {
      server(worker_).on_deadline(now(), effects_);
      carry_out();
    }
  }
  worker_ = 0;
  elapsed_ = target;
}

Bytes World::snapshot() const {
  std::vector<const turn::Server*> servers;
  for (const turn::Server& server : servers_) servers.push_back(&server);
  return turn::take_snapshot(servers, *ledger_);
}

std::optional<turn::SnapshotError> World::restart_from(const Bytes& snapshot) {
  const SeededRandom random = server_random_;  // what those that go on would draw next
  servers_.clear();
  policies_.clear();
  start();
  server_random_ = random;

  std::deque<turn::Effects> wanted(servers_.size());
  std::vector<turn::Heir> heirs;
  for (std::size_t i = 0; i < servers_.size(); ++i) heirs.push_back({servers_[i], wanted[i]});
  const Bytes exact = snapshot;  // on the heap, so that ASan sees a read past the end
  const auto error = turn::restore_snapshot(exact, heirs, *ledger_, now());
  for (worker_ = 0; worker_ < servers_.size(); ++worker_) {
    effects_ = std::move(wanted[worker_]);
    carry_out();
  }
  worker_ = 0;
  // What was asked for is opened now, and nobody waits for it any more.
  for (const turn::OpenRelay& open : std::exchange(held_, {})) {
    answer_open(open, std::nullopt);
    carry_out();
  }
  return error;
}

void World::restart() { CHECK(restart_from(snapshot()) == std::nullopt); }

std::optional<Instant> World::next_deadline() const {
  std::optional<Instant> earliest;
  for (const turn::Server& server : servers_) {
    const auto next = server.next_deadline();
    if (next && (!earliest || *next < *earliest)) earliest = next;
  }
  return earliest;
}

Reason World::from_client(const turn::ClientFlow& flow, const Bytes& datagram) {
  const Bytes exact = datagram;  // on the heap, so that ASan sees a read past the end
  worker_ = static_cast<std::size_t>(flow.worker);
  turn::Handled handled = server(worker_).on_client_datagram(flow, exact, now(), effects_);
  if (const auto* route = handled.forward ? handled.forward->home_route() : nullptr) {
    carry_out();
    CHECK(handled.reason == Reason::relayed_to_home);
    CHECK(route->from.tuple == flow.tuple);
    CHECK(handled.forward->payload().data() == exact.data());
    ++sent_home_;
    worker_ = static_cast<std::size_t>(route->home);
    handled =
        server(worker_).on_client_datagram(turn::ClientFlow{route->from}, exact, now(), effects_);
    REQUIRE_FALSE((handled.forward && handled.forward->home_route()));
  }
  note(handled.forward);
  carry_out();
  worker_ = 0;
  return handled.reason;
}

Reason World::peer_sends(std::string_view peer, const Client& to, std::string_view payload) {
  const Endpoint from = endpoint(peer);
  return peer_sends(from, to.relayed(from.family()), payload);
}

Reason World::peer_sends(const Endpoint& peer, const Endpoint& relayed, std::string_view payload) {
  const Bytes datagram = copy_of(bytes_of(payload));
  at_client_.reset();
  at_peer_.reset();
  // The latest socket on that address: a datagram may have been on its way when it was closed.
  for (auto socket = sockets_.rbegin(); socket != sockets_.rend(); ++socket) {
    if (advertised(socket->bound) != relayed) continue;
    worker_ = socket->worker;
    const turn::Handled handled =
        server(worker_).on_peer_datagram(socket->relay, peer, datagram, now().instant);
    note(handled.forward);
    worker_ = 0;
    return handled.reason;
  }
  throw std::runtime_error("there was never a relay on " + relayed.to_string());
}

TrainFate World::train_from(std::string_view peer, const Client& to,
                            const std::vector<Bytes>& train) {
  const Endpoint from = endpoint(peer);
  for (const Socket& socket : sockets_) {
    if (!socket.is_open || advertised(socket.bound) != to.relayed(from.family())) continue;
    return carry_train(train, [&](ByteView datagram) {
      return server().on_peer_datagram(socket.relay, from, datagram, now().instant);
    });
  }
  throw std::runtime_error("there is no relay on " + to.relayed(from.family()).to_string());
}

TrainFate World::train_from(const Client& client, const std::vector<Bytes>& train) {
  return carry_train(train, [&](ByteView datagram) {
    return server().on_client_datagram(client.flow(), datagram, now(), effects_);
  });
}

TrainFate World::carry_train(const std::vector<Bytes>& train,
                             const std::function<turn::Handled(ByteView)>& judge) {
  TrainFate fate;
  const auto note_fate = [&](const turn::Handled& handled) {
    fate.reasons.push_back(handled.reason);
    note(handled.forward);
    carry_out();
    if (handled.forward)
      fate.payloads.push_back(at_peer_ ? at_peer_->payload : at_client_->payload);
  };
  for (std::size_t i = 0; i < train.size();) {
    turn::Handled handled = judge(train[i++]);
    note_fate(handled);
    for (; i < train.size() && server().relays_next(handled, train[i], now().instant); ++i) {
      ++fate.not_judged_anew;
      note_fate(handled);
    }
  }
  return fate;
}

Reason World::icmp(std::string_view peer, const Client& to, const stun::Icmp& icmp) {
  const Endpoint about = endpoint(peer);
  for (auto socket = sockets_.rbegin(); socket != sockets_.rend(); ++socket) {
    if (advertised(socket->bound) != to.relayed(about.family())) continue;
    worker_ = socket->worker;
    const Reason reason = server(worker_).on_peer_icmp(socket->relay, about, icmp, now(), effects_);
    carry_out();
    worker_ = 0;
    return reason;
  }
  throw std::runtime_error("there was never a relay for this client");
}

void World::lose(const Client& client) {
  worker_ = static_cast<std::size_t>(client.flow().worker);
  server(worker_).on_client_gone(client.flow().tuple, now(), effects_);
  carry_out();
  worker_ = 0;
}

void World::open_held(std::optional<turn::RelayOpenError> error) {
  const turn::OpenRelay relay = held_.at(0);
  held_.pop_front();
  answer_open(relay, error);
  carry_out();
}

bool World::reaches(const turn::ClientFlow& flow) const {
  const auto at = static_cast<std::size_t>(flow.worker);
  if (at == worker_) return true;
  const auto home = turn::WorkerId{static_cast<std::uint8_t>(worker_)};
  const turn::ClientFlow* const guest = servers_.at(at).flow_of_guest(flow.tuple, home);
  return guest != nullptr && guest->listener == flow.listener;
}

// Carrying out one effect may append further ones, hence the index.
void World::carry_out() {
  for (std::size_t i = 0; i < effects_.list().size(); ++i) {
    const turn::Effect effect = effects_.list()[i];
    std::visit([this](const auto& each) { carry_out(each); }, effect);
  }
  effects_.clear();
}

void World::carry_out(const turn::SendToClient& send) {
  const FiveTuple& tuple = send.flow.tuple;
  if (!reaches(send.flow)) return;
  mailboxes_[{tuple.client, tuple.server}].push_back(copy_of(effects_.bytes_of(send)));
  CHECK(send.flow.listener == listener_of(tuple.server));
}

void World::carry_out(const turn::ReleaseGuest& over) {
  const auto at = static_cast<std::size_t>(over.flow.worker);
  CHECK(at != worker_);
  const auto home = turn::WorkerId{static_cast<std::uint8_t>(worker_)};
  server(at).on_guest_over(over.flow.tuple, home, now().instant);
}

void World::carry_out(const turn::ReportGone& gone) {
  const auto home = static_cast<std::size_t>(gone.home);
  CHECK(home != worker_);
  const std::size_t guest_of = std::exchange(worker_, home);
  turn::Effects effects_of_guest = std::exchange(effects_, {});
  server(worker_).on_client_gone(FiveTuple{gone.tuple}, now(), effects_);
  carry_out();
  worker_ = guest_of;
  effects_ = std::move(effects_of_guest);
}

void World::carry_out(const turn::AllocationOpened& opened) {
  allocations_opened_.push_back(effects_.record_of(opened));
}

/// Each is closed once, and none that was not opened.
void World::carry_out(const turn::AllocationClosed& closed) {
  const turn::AllocationRecord& allocation = effects_.record_of(closed);
  const auto is_same = [&](const turn::AllocationRecord& other) {
    return other.name == allocation.name;
  };
  CHECK(std::count_if(allocations_opened_.begin(), allocations_opened_.end(), is_same) == 1);
  CHECK(std::none_of(allocations_closed_.begin(), allocations_closed_.end(),
                     [&](const Closed& other) { return is_same(other.allocation); }));
  allocations_closed_.push_back({allocation, closed.reason});
}

void World::use_policy(const turn::PeerPolicy::Settings& settings) {
  settings_.policy = settings;
  policies_.emplace_back(settings, ledger_->live_relays());
  for (worker_ = 0; worker_ < servers_.size(); ++worker_) {
    server(worker_).use_policy(policies_.back());
    server(worker_).recheck_peers(now(), effects_);
    carry_out();
  }
  worker_ = 0;
}

void World::use_credentials(const auth::CredentialSettings& settings) {
  books_.emplace_back(settings);
  for (turn::Server& server : servers_) server.use_book(books_.back());
}

void World::set_limits(const turn::Limits& limits) {
  settings_.limits = limits;
  ledger_->set_limits(limits);
  for (turn::Server& server : servers_) server.set_limits(limits);
}

bool World::end(const turn::AllocationName& name, turn::CloseReason reason) {
  worker_ = static_cast<std::size_t>(name.worker);
  const bool was_there = server(worker_).end(name, reason, now(), effects_);
  carry_out();
  worker_ = 0;
  return was_there;
}

std::size_t World::end_all_of(std::string_view user, turn::CloseReason reason) {
  std::size_t count = 0;
  for (worker_ = 0; worker_ < servers_.size(); ++worker_) {
    count += server(worker_).end_all_of(user, reason, now(), effects_);
    carry_out();
  }
  worker_ = 0;
  return count;
}

void World::end_all(turn::CloseReason reason) {
  for (worker_ = 0; worker_ < servers_.size(); ++worker_) {
    server(worker_).end_all(reason, now(), effects_);
    carry_out();
  }
  worker_ = 0;
}

void World::carry_out(const turn::OpenRelay& open) {
  opened_.push_back(open);
  if (hold_relays_) {
    held_.push_back(open);
  } else {
    const bool is_occupied = occupied_.contains(open.bind.port);
    answer_open(open, is_occupied ? turn::RelayOpenError::port_in_use : relay_error_);
  }
}

void World::answer_open(const turn::OpenRelay& relay, std::optional<turn::RelayOpenError> error) {
  if (!error) {
    for (const Socket& socket : sockets_) {
      if (!socket.is_open) continue;
      CHECK_FALSE(socket.bound == relay.bind);
      CHECK_FALSE((socket.worker == worker_ && socket.relay == relay.relay));
    }
    sockets_.push_back({worker_, relay.relay, relay.bind});
  }
  server(worker_).on_relay_opened(relay.relay, error, now(), effects_);
}

void World::carry_out(const turn::CloseRelay& close) {
  std::size_t closed = 0;
  for (Socket& socket : sockets_) {
    if (!socket.is_open || socket.worker != worker_ || !(socket.relay == close.relay)) continue;
    socket.is_open = false;
    ++closed;
  }
  CHECK(closed == 1);
}

void World::carry_out(const turn::ConnectToPeer& connect) {
  const auto is_listening = [&](const Socket& socket) {
    return socket.is_open && socket.relay == connect.relay;
  };
  CHECK(std::any_of(sockets_.begin(), sockets_.end(), is_listening));
  peers_.push_back(connect.connection);
  connecting_.push_back(connect);
}

void World::carry_out(const turn::ClosePeerConnection& close) {
  CHECK(std::erase(peers_, close.connection) == 1);
  std::erase_if(connecting_, [&](const auto& c) { return c.connection == close.connection; });
}

void World::carry_out(const turn::AskForUser& ask) {
  parked_.push_back({worker_, ask.flow, copy_of(effects_.request_of(ask)),
                     std::string{effects_.username_of(ask)}});
}

std::vector<std::string> World::asked() const {
  std::vector<std::string> names;
  for (const Parked& parked : parked_) names.push_back(parked.username);
  return names;
}

Reason World::answer_user(const std::string& username, std::optional<std::string> password,
                          const auth::UserLimits& limits) {
  auth::UserAnswer answer{{}, limits, now().instant + std::chrono::minutes{1}};
  if (password) {
    answer.keys.emplace();
    for (const auto algorithm : {stun::PasswordAlgorithm::md5, stun::PasswordAlgorithm::sha256}) {
      const auto key = auth::long_term_key(algorithm, username, books_.back().realm(), *password);
      answer.keys->set(algorithm, stun::IntegrityKey{key});
    }
  }
  Reason last = Reason::parked;
  for (const Parked& parked : std::exchange(parked_, {})) {
    if (parked.username != username) {
      parked_.push_back(parked);
      continue;
    }
    worker_ = parked.worker;
    server(worker_).on_user_known(username, answer);
    const auto handled =
        server(worker_).on_client_datagram(parked.flow, parked.request, now(), effects_);
    last = handled.reason;
    carry_out();
    if (const auto* route = handled.forward ? handled.forward->home_route() : nullptr) {
      worker_ = static_cast<std::size_t>(route->home);
      server(worker_).on_client_datagram(turn::ClientFlow{route->from}, parked.request, now(),
                                         effects_);
      carry_out();
    }
  }
  worker_ = 0;
  return last;
}

void World::give_up_user(const std::string& username) {
  for (const Parked& parked : std::exchange(parked_, {})) {
    if (parked.username != username) {
      parked_.push_back(parked);
      continue;
    }
    worker_ = parked.worker;
    server(worker_).on_user_unanswered(parked.flow, effects_);
    carry_out();
  }
  worker_ = 0;
}

void World::carry_out(const turn::BindStreams& streams) {
  CHECK(streams.owner == turn::WorkerId{});
  bound_ = streams;
}

Reason World::answer_connect(turn::ConnectOutcome outcome) {
  const turn::PeerConnectionId connection = connecting_.at(0).connection;
  connecting_.pop_front();
  if (outcome == turn::ConnectOutcome::failed) std::erase(peers_, connection);
  const Reason reason = server().on_peer_connected(connection, outcome, now(), effects_);
  carry_out();
  return reason;
}

Reason World::peer_connects(std::string_view peer, const Client& to) {
  const Endpoint from = endpoint(peer);
  for (auto socket = sockets_.rbegin(); socket != sockets_.rend(); ++socket) {
    if (advertised(socket->bound) != to.relayed(from.family())) continue;
    const auto accepted = server().on_peer_accepted(socket->relay, from, now(), effects_);
    if (accepted.connection) peers_.push_back(*accepted.connection);
    carry_out();
    return accepted.reason;
  }
  throw std::runtime_error("there was never a relay for this client");
}

void World::peer_closes(std::size_t index) {
  const turn::PeerConnectionId connection = peers_.at(index);
  peers_.erase(peers_.begin() + static_cast<std::ptrdiff_t>(index));
  server().on_peer_closed(connection);
}

bool World::deliver_streams() {
  const auto streams = std::exchange(bound_, std::nullopt);
  return server().on_streams_bound(streams.value().connection);
}

void World::note(const std::optional<turn::Forward>& forward) {
  at_peer_.reset();
  at_client_.reset();
  at_neighbour_.reset();
  if (!forward) return;
  Bytes bytes = copy_of(forward->header().view());
  bytes.insert(bytes.end(), forward->payload().begin(), forward->payload().end());
  bytes.insert(bytes.end(), forward->padding_bytes(), 0);
  if (const auto* route = forward->peer_route()) {
    CHECK(forward->header().empty());
    CHECK(forward->padding_bytes() == 0);
    for (const Socket& socket : sockets_) {
      if (!socket.is_open || socket.worker != worker_ || !(socket.relay == route->via)) continue;
      CHECK(socket.bound.family() == route->to.family());
      at_peer_ = AtPeer{advertised(socket.bound), route->to, std::string{text_of(bytes)},
                        route->dont_fragment};
    }
    CHECK(at_peer_);  // out of an open socket
    return;
  }
  if (const auto* route = forward->neighbour_route()) {
    CHECK(forward->header().empty());
    CHECK(forward->padding_bytes() == 0);
    at_neighbour_ = AtNeighbour{route->to, route->from, std::string{text_of(bytes)}};
    return;
  }
  if (!reaches(*forward->client_route())) return;
  AtClient arrived{forward->client_route()->tuple.client, bytes, std::nullopt, std::nullopt, {}};
  if (bytes.at(0) >= 0x40) {
    const auto message = turn::parse_channel_data(bytes);
    arrived.channel = message.value().channel.value;
    arrived.payload = text_of(message->payload);
  } else {
    const auto message = stun::MessageView::parse(bytes).value();
    CHECK(message.method() == Method::data);
    CHECK(message.message_class() == stun::Class::indication);
    arrived.peer = stun::decode_xor_address(message.find(AttributeType::xor_peer_address).value(),
                                            message.transaction_id());
    arrived.payload = text_of(message.find(AttributeType::data).value());
  }
  at_client_ = arrived;
}

Endpoint World::advertised(const Endpoint& bound) const {
  for (const turn::RelayAddress& relay : settings_.relays) {
    if (relay.bind == bound.address) return {relay.advertised, bound.port};
  }
  throw std::runtime_error("bound to no relay address: " + bound.to_string());
}

turn::ListenerId World::listener_of(const Endpoint& server) const {
  for (const turn::DiscoverySquare& square : settings_.nat_discovery) {
    for (const turn::DiscoveryOrigin& origin : square) {
      if (origin.local == server) return origin.listener;
    }
  }
  return turn::ListenerId{3};
}

std::optional<Bytes> World::take_message(const FiveTuple& tuple) {
  auto& box = mailboxes_[{tuple.client, tuple.server}];
  if (box.empty()) return std::nullopt;
  Bytes message = box.front();
  box.pop_front();
  return message;
}

std::size_t World::unread() const {
  std::size_t count = 0;
  for (const auto& [ends, box] : mailboxes_) count += box.size();
  return count;
}

Balance World::balance() {
  std::size_t open = 0;
  for (const Socket& socket : sockets_) open += socket.is_open ? 1 : 0;
  Balance balance{ledger_->free_ports(), ledger_->allocations(), 0, open};
  for (const turn::Server& server : servers_) {
    balance.allocations += server.allocation_count();
    balance.connections += server.peer_connection_count();
    balance.guests += server.guest_count();
  }
  balance.peers = peers_.size();
  balance.pending = ledger_->connections().size();
  return balance;
}

// --- Attributes ----------------------------------------------------------------------------------

Add with_lifetime(std::uint32_t lifetime_s) {
  return [=](stun::MessageBuilder& m) { m.put_lifetime(seconds{lifetime_s}); };
}
Add with_family(Family family) {
  return [=](stun::MessageBuilder& m) {
    m.put_family(AttributeType::requested_address_family, family);
  };
}
Add with_additional(Family family) {
  return [=](stun::MessageBuilder& m) {
    m.put_family(AttributeType::additional_address_family, family);
  };
}
Add with_even_port(bool reserve_next) {
  return [=](stun::MessageBuilder& m) { m.put_even_port(reserve_next); };
}
Add with_token(std::uint64_t token) {
  return [=](stun::MessageBuilder& m) { m.put_u64(AttributeType::reservation_token, token); };
}
Add with_raw(unsigned type, const Bytes& value) {
  return [=](stun::MessageBuilder& m) { m.put(static_cast<AttributeType>(type), value); };
}
Add operator+(const Add& first, const Add& second) {
  return [=](stun::MessageBuilder& m) {
    first(m);
    second(m);
  };
}

}  // namespace turnpike::test
