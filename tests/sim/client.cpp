#include "sim/client.h"

#include <algorithm>

#include "auth/credentials.h"
#include "sim/simulation.h"

namespace turnpike::sim {
namespace {

using stun::AttributeType;
using stun::Class;
using stun::Method;

constexpr unsigned transmissions = 7;       // RFC 8489 §6.2.1: Rc
constexpr milliseconds first_timeout{500};  // RTO
constexpr unsigned last_wait = 16;          // Rm
constexpr std::size_t room_for_a_message = 4096;
/// Which random streams of a seed are for that, after those for all else.
constexpr unsigned first_of_discovery = 1000;

}  // namespace

std::string describe(const Bytes& datagram) {
  const auto message = wire::read(datagram);
  if (!message) return datagram.empty() || datagram[0] < 64 ? "" : " (ChannelData)";
  static constexpr const char* classes[] = {" request", " indication", " success", " error"};
  const auto method = static_cast<Method>(message->method);
  std::string text = " (" + std::string{stun::name_of(method)} + classes[message->message_class];
  for (const wire::Attribute& each : message->attributes) {
    text += " " + std::string{stun::name_of(static_cast<AttributeType>(each.type))};
    const auto peer = each.type == 0x0012 ? wire::xored_address(each.value, message->id)
                                          : std::optional<Endpoint>{};
    if (peer) text += " " + peer->to_string();
  }
  return text + ")";
}

Client::Client(Simulation& world, unsigned number)
    : world_(world),
      number_(number),
      is_intruder_(world.settings().is_apart && number == intruder),
      random_(hash_and(world.settings().seed, 2 * number)),
      pace_random_(hash_and(world.settings().seed, 2 * number + 1)),
      discovery_random_(hash_and(world.settings().seed, first_of_discovery + number)) {
  const auto draw = random_.below(10);
  flow_.tuple.transport = draw < 6    ? Transport::udp
                          : draw == 6 ? Transport::tcp
                          : draw == 7 ? Transport::tls
                          : draw == 8 ? Transport::dtls
                                      : Transport::udp;
  const bool is_for_tcp = world.settings().tcp_relays && random_.below(2) == 0;
  if (is_for_tcp) flow_.tuple.transport = random_.below(3) == 0 ? Transport::tls : Transport::tcp;
  login_ = some_login();
  algorithm_ = static_cast<Algorithm>(random_.below(3));
  with_fingerprint_ = random_.below(4) == 0;
  // Correct is that only where the server offers it (RFC 8489 §9.2), as none of these does.
  with_userhash_ = random_.below(6) == 0 && may_misbehave();
  sit_down(static_cast<std::uint16_t>(40000 + 1000 * number));
  is_behind_filter_ = discovery_random_.below(2) == 0;
}

/// Some are behind one NAT, others at least in one network, unless all are kept apart.
IpAddress Client::address() const {
  const std::string number = std::to_string(10 + number_);
  const bool is_apart = world_.settings().is_apart;
  if (number_ % 4 == 3) return ip(is_apart ? "2001:db8:" + number + "::7" : "2001:db8:7::7");
  if (is_apart) return ip("203.0." + number + ".7");
  return ip(number_ % 2 == 0 ? "198.51.100.10" : "203.0.113." + number);
}

/// Takes an address of its own network, and the server's of the same family.
void Client::sit_down(std::uint16_t port) {
  flow_.tuple.client = {address(), port};
  const bool is_v6 = flow_.tuple.client.family() == Family::ipv6;
  const bool is_second = number_ == 4;
  flow_.tuple.server = is_v6       ? at("[2a02:db8::1]:3478")
                       : is_second ? at("20.0.2.2:3478")
                                   : at("20.0.2.1:3478");
  flow_.listener = listener_of(flow_.tuple.server);
  flow_.worker = world_.worker_of(flow_.tuple.client);
}

void Client::forget() {
  has_allocation_ = false;
  is_tcp_ = false;
  relayed_.clear();
  channels_.clear();
}

stun::TransactionId Client::new_id() {
  stun::TransactionId id{};
  random_.fill(id);
  return id;
}

bool Client::may_misbehave() const { return !world_.settings().is_apart || is_intruder_; }

std::size_t Client::some_login() {
  for (;;) {
    const std::size_t login = random_.below(logins().size());
    if (may_claim(logins()[login], is_intruder_, world_.settings())) return login;
  }
}

milliseconds Client::pause() {
  const Settings& settings = world_.settings();
  const auto pace = static_cast<std::uint64_t>(settings.pace.count());
  milliseconds pause{pace / 2 + pace_random_.below(pace)};
  if (happens(pace_random_, settings.naps)) pause += seconds{60 + pace_random_.below(900)};
  return pause;
}

void Client::transmit(const Bytes& datagram) { world_.transmit(flow_, datagram); }

void Client::sign(stun::MessageBuilder& message) {
  const Login& login = logins()[login_];
  if (with_userhash_) {
    message.put(AttributeType::userhash, auth::userhash(login.username, realm_));
  } else {
    message.put_text(AttributeType::username, login.username);
  }
  message.put_text(AttributeType::realm, realm_).put_text(AttributeType::nonce, nonce_);
  const auto kind = algorithm_ == Algorithm::sha256 ? stun::PasswordAlgorithm::sha256
                                                    : stun::PasswordAlgorithm::md5;
  const stun::IntegrityKey key{auth::long_term_key(kind, login.username, realm_, login.password)};
  if (algorithm_ == Algorithm::unnamed) {
    message.put_message_integrity(key.sha1);
    return;
  }
  message.put(AttributeType::password_algorithms, offered_);
  message.put_password_algorithm(kind);
  message.put_message_integrity_sha256(key.sha256);
}

// --- transactions --------------------------------------------------------------------------------

void Client::request(Method method, const Add& add, unsigned challenges, bool deletes) {
  Bytes buffer(room_for_a_message);
  const auto id = new_id();
  stun::MessageBuilder message{buffer, Class::request, method, id};
  add(message);
  if (!nonce_.empty() && method != Method::binding) sign(message);
  if (with_fingerprint_) message.put_fingerprint();
  const Bytes key(id.begin(), id.end());
  const ByteView bytes = message.bytes();
  const Bytes request(bytes.begin(), bytes.end());
  transactions_[key] = {method, add, request, flow_.tuple, 0, challenges, deletes};
  world_.liveness().on_request(flow_.tuple, request, world_.now().instant + patience);
  retransmit(key);
}

void Client::retransmit(const Bytes& id) {
  const auto found = transactions_.find(id);
  if (found == transactions_.end()) return;
  Transaction& transaction = found->second;
  const Transport transport = flow_.tuple.transport;
  if (is_stopped_ || transaction.sent == most_transmissions(transport)) {
    if (!is_stopped_) ++given_up_;
    // From another address than before nobody hears the answers.
    const bool has_stayed = transaction.client == flow_.tuple;
    transactions_.erase(found);
    if (!is_stopped_ && has_stayed) world_.on_given_up(flow_.tuple, id);
    return;
  }
  transmit(transaction.bytes);
  world_.later(wait_after(++transaction.sent, transport), [this, id] { retransmit(id); });
}

unsigned Client::most_transmissions(Transport transport) {
  return is_stream(transport) ? 1 : transmissions;
}

milliseconds Client::wait_after(unsigned transmission, Transport transport) {
  if (is_stream(transport)) return patience;
  if (transmission == transmissions) return first_timeout * last_wait;
  return first_timeout * (1U << (transmission - 1));
}

void Client::receive(const FiveTuple& tuple, const Bytes& datagram) {
  const auto data = std::find_if(data_.begin(), data_.end(), [&](const DataConnection& each) {
    return each.flow.tuple == tuple;
  });
  const bool is_for_data = data != data_.end();
  if (hears_of_probe(tuple, datagram)) {
    return world_.note_received(tuple.client.address, datagram);
  }
  if (!is_for_data && !(tuple == flow_.tuple)) return;
  world_.note_received(tuple.client.address, datagram);
  const auto message = wire::read(datagram);
  if (!message) return;
  const Bytes* const connection = message->find(0x002A);
  if (message->message_class == wire::success || message->message_class == wire::error) {
    if (!is_for_data) return on_response(*message);
    on_bind_response(static_cast<std::size_t>(data - data_.begin()), *message);
  } else if (message->method == 0x00C && connection != nullptr) {
    bind_later(static_cast<std::uint32_t>(wire::number(*connection)));
  }
}

void Client::on_response(const wire::Message& message) {
  const auto found = transactions_.find(message.id);
  if (found == transactions_.end()) return;
  const Transaction transaction = found->second;
  transactions_.erase(found);
  world_.liveness().on_answered(message.id);
  if (message.message_class == wire::success) return on_success(transaction, message);
  const Bytes* const error = message.find(0x0009);
  if (error != nullptr) on_error(transaction, wire::error_code(*error), message);
}

void Client::on_success(const Transaction& transaction, const wire::Message& message) {
  if (const Bytes* const ticket = message.find(0x8030)) take_ticket(*ticket);
  if (const Bytes* const token = message.find(0x0022)) tokens_.push_back(wire::number(*token));
  if (transaction.deletes) return forget();
  if (transaction.method == Method::refresh) has_allocation_ = true;
  const Bytes* const connection = message.find(0x002A);
  if (connection != nullptr) bind_later(static_cast<std::uint32_t>(wire::number(*connection)));
  if (transaction.method != Method::allocate) return;
  has_allocation_ = true;
  is_tcp_ = wants_tcp_;
  ++allocations_;
  relayed_.clear();
  for (const wire::Attribute& each : message.attributes) {
    if (each.type != 0x0016) continue;
    const auto relayed = wire::xored_address(each.value, message.id);
    // An address that was corrupted on the way would be one that the model knows nothing of.
    const bool is_sound =
        relayed && class_of(relayed->address, world_.settings()) == PeerClass::own;
    if (is_sound) relayed_.push_back(*relayed);
  }
}

void Client::take_ticket(const Bytes& ticket) {
  if (ticket == ticket_) return;
  previous_ticket_ = std::exchange(ticket_, ticket);
  if (previous_ticket_.empty() || !may_misbehave() || random_.below(3) != 0) return;
  // The one before is good for the same move once more (RFC 8016 §3.2.1), but not for ever.
  const seconds age{20 + random_.below(100)};
  world_.later(age, [this, ticket = previous_ticket_] { show(ticket); });
}

/// From where it is by then.
void Client::show(const Bytes& ticket) {
  if (is_stopped_) return;
  request(Method::refresh,
          [ticket](stun::MessageBuilder& m) { m.put(AttributeType::mobility_ticket, ticket); });
}

void Client::on_error(const Transaction& transaction, int code, const wire::Message& message) {
  if (code == 401 || code == 438) {
    const bool was_known = !nonce_.empty() && code == 401;
    realm_ = message.text(0x0014);
    nonce_ = message.text(0x0015);
    const Bytes* const offered = message.find(0x8002);
    if (offered != nullptr) offered_ = *offered;
    if (was_known && random_.below(3) == 0) login_ = some_login();
    if (transaction.challenges < 2 && !is_stopped_) {
      request(transaction.method, transaction.add, transaction.challenges + 1, transaction.deletes);
    }
    return;
  }
  if (code == 437 && transaction.method == Method::allocate) {
    // It has one that it does not know of. RFC 8656 §7.4: another port, or delete it.
    if (random_.below(2) == 0) {
      has_allocation_ = true;
    } else {
      sit_down(static_cast<std::uint16_t>(flow_.tuple.client.port + 100));
    }
  } else if (code == 437) {
    forget();
  } else if (code == 441 && random_.below(2) == 0) {
    login_ = some_login();
  }
}

// --- what it does --------------------------------------------------------------------------------

void Client::act() {
  const Settings& settings = world_.settings();
  if (happens(discovery_random_, settings.curiosity)) discover();
  if (may_misbehave() && happens(random_, settings.recklessness)) return be_reckless();
  if (may_misbehave() && happens(random_, settings.malice)) return be_malicious();
  if (happens(random_, settings.forgetfulness)) {
    forget();
    if (random_.below(2) == 0) sit_down(static_cast<std::uint16_t>(flow_.tuple.client.port + 100));
  }
  if (!has_allocation_) return transactions_.empty() ? allocate() : void();
  const auto draw = random_.below(100);
  if (draw < 10) return refresh();
  if (draw < 30) return permit();
  if (is_tcp_ && draw < 90) return act_over_tcp();
  if (draw < 48) return bind_channel();
  if (draw < 70) return send();
  if (draw < 92) {
    const int count = random_.below(40) == 0 ? 60 : 1;  // more than its bandwidth, if it has any
    for (int i = 0; i < count; ++i) send_on_channel();
    return;
  }
  if (draw < 95) return move();
  if (draw < 96) return request(Method::binding, [](stun::MessageBuilder&) {});
  leave();
}

void Client::allocate_plainly() {
  request(Method::allocate, [](stun::MessageBuilder& m) { m.put_requested_transport(17); });
}

void Client::allocate() {
  const Settings& settings = world_.settings();
  const std::uint64_t draw = random_.next();
  const auto has = [draw](unsigned bit) { return (draw >> bit & 3) == 0; };
  const seconds lifetime{random_.below(2) == 0 ? random_.below(5000) : 600};
  std::optional<std::uint64_t> token;
  const bool has_own_tokens = settings.is_apart && !is_intruder_;
  const std::vector<std::uint64_t>& tokens = has_own_tokens ? tokens_ : world_.tokens;
  if (has(0) && !tokens.empty()) {
    token = tokens[random_.below(tokens.size())];
    if (random_.below(2) == 0) token = tokens.back();
  }
  const bool is_mobile = has(2) || has(4);
  const bool may_have_tcp = is_stream(flow_.tuple.transport) || may_misbehave();
  wants_tcp_ = settings.tcp_relays && may_have_tcp && random_.below(3) != 0;
  const bool is_plain = wants_tcp_ && (!may_misbehave() || random_.below(8) != 0);
  request(Method::allocate, [=, wants_tcp = wants_tcp_](stun::MessageBuilder& m) {
    m.put_requested_transport(wants_tcp ? 6 : 17);
    if (has(6)) m.put_lifetime(lifetime);
    if (is_mobile) m.put_empty(AttributeType::mobility_ticket);
    if (is_plain) {  // pairs of ports and fragments are not for TCP
      if (has(10)) m.put_family(AttributeType::additional_address_family, Family::ipv6);
      return;
    }
    if (has(8)) m.put_empty(AttributeType::dont_fragment);
    if (token) {
      m.put_u64(AttributeType::reservation_token, *token);
      return;
    }
    if (has(10)) {
      m.put_family(AttributeType::requested_address_family, has(12) ? Family::ipv4 : Family::ipv6);
    } else if (has(14)) {
      m.put_family(AttributeType::additional_address_family, Family::ipv6);
      if (has(16)) m.put_even_port(false);
      return;
    }
    if (has(18) || has(20)) m.put_even_port(has(22) || has(24));
  });
}

void Client::refresh() {
  const bool is_end = random_.below(3) == 0;
  const bool is_partial = random_.below(5) == 0;
  const auto family = random_.below(2) == 0 ? Family::ipv4 : Family::ipv6;
  const seconds lifetime{is_end ? 0 : random_.below(4000)};
  request(
      Method::refresh,
      [=](stun::MessageBuilder& m) {
        if (is_end || lifetime.count() % 2 == 0) m.put_lifetime(lifetime);
        if (is_partial) m.put_family(AttributeType::requested_address_family, family);
      },
      0, is_end && !is_partial);
}

/// One that is known, or a relayed address of some client.
Endpoint Client::some_peer() {
  // The first few are those that one may send to.
  constexpr std::size_t usual = 8;
  if (world_.settings().is_apart && !is_intruder_) return peers()[random_.below(usual)];
  if (random_.below(4) == 0) {
    const auto& others = world_.clients();
    const Client& other = *others[random_.below(others.size())];
    if (!other.relayed_.empty()) return other.relayed_[random_.below(other.relayed_.size())];
  }
  const std::size_t count = random_.below(4) == 0 ? peers().size() : usual;
  return peers()[random_.below(count)];
}

void Client::permit() {
  std::vector<Endpoint> wanted(1 + random_.below(3));
  for (Endpoint& each : wanted) each = some_peer();
  request(Method::create_permission, [wanted](stun::MessageBuilder& m) {
    for (const Endpoint& each : wanted) m.put_xor_address(AttributeType::xor_peer_address, each);
  });
}

void Client::bind_channel() {
  const auto number = static_cast<std::uint16_t>(0x4000 + random_.below(4));
  const Endpoint peer = some_peer();
  channels_.push_back(number);
  request(Method::channel_bind, [=](stun::MessageBuilder& m) {
    m.put_channel_number({number}).put_xor_address(AttributeType::xor_peer_address, peer);
  });
}

void Client::send() {
  Bytes buffer(room_for_a_message);
  stun::MessageBuilder message{buffer, Class::indication, Method::send, new_id()};
  message.put_xor_address(AttributeType::xor_peer_address, some_peer());
  if (random_.below(4) == 0) message.put_empty(AttributeType::dont_fragment);
  message.put(AttributeType::data, random_.bytes(random_.below(1400)));
  if (with_fingerprint_) message.put_fingerprint();
  const ByteView bytes = message.bytes();
  transmit(Bytes(bytes.begin(), bytes.end()));
}

void Client::send_on_channel() {
  const unsigned channel = channels_.empty() ? 0x4000 : channels_[random_.below(channels_.size())];
  const Bytes payload = random_.bytes(random_.below(1400));
  Bytes datagram{static_cast<std::uint8_t>(channel >> 8), static_cast<std::uint8_t>(channel),
                 static_cast<std::uint8_t>(payload.size() >> 8),
                 static_cast<std::uint8_t>(payload.size())};
  datagram.insert(datagram.end(), payload.begin(), payload.end());
  datagram.resize(datagram.size() + random_.below(4));
  transmit(datagram);
}

/// Its NAT gives it another port, and it shows its ticket from there.
void Client::move() {
  if (ticket_.empty()) return;
  if (random_.below(4) != 0) {
    const bool goes_back = random_.below(4) == 0;
    const int step = goes_back ? -1 : 1 + static_cast<int>(random_.below(3));
    sit_down(static_cast<std::uint16_t>(flow_.tuple.client.port + step));
  }
  const bool is_late = random_.below(4) == 0 && !previous_ticket_.empty();
  const Bytes ticket = is_late ? previous_ticket_ : ticket_;
  const bool is_end = random_.below(10) == 0;
  request(
      Method::refresh,
      [=](stun::MessageBuilder& m) {
        if (is_end) m.put_lifetime(seconds{0});
        m.put(AttributeType::mobility_ticket, ticket);
      },
      0, is_end);
}

/// Its connection ends, as far as it has one.
void Client::leave() {
  if (flow_.tuple.transport == Transport::udp) return;
  world_.later(world_.settings().delay, [this, flow = flow_] { world_.lose_client(flow); });
  forget();
  transactions_.clear();
  if (ticket_.empty() || random_.below(2) == 0) {
    sit_down(static_cast<std::uint16_t>(flow_.tuple.client.port + 10));
  }
}

}  // namespace turnpike::sim
