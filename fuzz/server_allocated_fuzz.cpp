// Whole lives of allocations, driven by bytes from behind the login: signed requests with wild
// attributes, raw datagrams, peers, ICMP, refused and late sockets, and time.
//
// A model written from the promises, not from the server, runs beside it: who is permitted until
// when, which sockets are open, where every port is (HOSTILE.md I-4, I-5, I-6, I-8, I-11, I-13).
//
// Input: u8 settings (2 bits quota, 1 bit: few ports), then repeated { u8 operation, its operands
// }; see Session::step().
#include <deque>
#include <map>

#include "server_bench.h"
#include "turn/framing.h"

namespace turnpike::fuzz {
namespace {

using stun::AttributeType;
using stun::Method;
using turn::Reason;
using turn::RelayId;

constexpr std::size_t clients = 4;

/// Endpoints that peers are taken from: public, opened, denied, hard, our own, live relays.
const std::vector<IpAddress>& peer_addresses() {
  static const std::vector<IpAddress> addresses{
      ip("8.8.8.8"),          ip("8.8.8.9"),          ip("2606:4700::1"), ip("2606:4700::2"),
      ip("10.1.2.3"),         ip("10.2.0.1"),         ip("8.8.4.4"),      ip("127.0.0.1"),
      ip("169.254.169.254"),  ip("203.0.113.1"),      ip("2001:db8::1"),  ip("::1"),
      ip("::ffff:127.0.0.1"), ip("64:ff9b::a01:203"), ip("0.0.0.0"),      ip("ff02::1")};
  return addresses;
}

struct ById {
  bool operator()(const RelayId& a, const RelayId& b) const {
    return std::pair{a.slot, a.generation} < std::pair{b.slot, b.generation};
  }
};

turn::Limits limits_for(std::uint8_t settings) {
  turn::Limits limits;
  limits.challenge_rate = 0;
  limits.max_allocations_per_user = 1 + (settings & 3);
  limits.max_permissions = 6;
  limits.max_channels = 3;
  limits.port_attempts = 3;
  return limits;
}

PortRange ports_for(std::uint8_t settings) {
  return (settings & 4) != 0 ? PortRange{50000, 50002} : Bench::relay_ports;
}

/// The shell and the model around one server.
class Session {
 public:
  Session(Input input, std::uint8_t settings)
      : input_(input),
        limits_(limits_for(settings)),
        bench_(limits_, ports_for(settings)),
        total_ports_(bench_.ledger.free_ports()) {}

  void run() {
    open_with_script();
    while (!input_.empty()) {
      step();
      check_balance();
    }
    wind_up();
  }

 private:
  /// What is known of one client's allocation from the answers it was given.
  struct Client {
    std::string nonce;
    Instant nonce_until{};
    std::map<Family, Instant>
        expires;               // by the last LIFETIME, which is rounded up to whole seconds
    bool is_answered = false;  // the Allocate
    std::map<IpAddress, Instant> permissions;
    std::map<std::uint16_t, std::pair<Endpoint, Instant>> channels;
  };
  /// A socket that the server wants opened or has open.
  struct Socket {
    Endpoint bind;
    bool is_open = false;
    std::size_t client;
    std::uint32_t attempts = 1;
    Instant opening_until{};       // when its allocation ends if nobody refreshes it
    bool holds_next_port = false;  // EVEN-PORT with R, not answered yet
  };

  void open_with_script() {
    send_signed(0, Method::allocate,
                [](stun::MessageBuilder& b) { b.put_requested_transport(17); });
    send_signed(0, Method::create_permission, [](stun::MessageBuilder& b) {
      b.put_xor_address(AttributeType::xor_peer_address, endpoint("8.8.8.8:0"));
    });
    send_signed(0, Method::channel_bind, [](stun::MessageBuilder& b) {
      b.put_channel_number({0x4000}).put_xor_address(AttributeType::xor_peer_address,
                                                     endpoint("8.8.8.9:5000"));
    });
    PROMISE(bench_.server.allocation_count() == 1);
    PROMISE(clients_[0].permissions.size() == 2 && clients_[0].channels.size() == 1);
  }

  void step() {
    const std::uint8_t operation = input_.byte();
    const std::size_t client = (operation >> 4) % clients;
    switch (operation % 10) {
      case 0:
        return raw_datagram(client, input_.bytes(input_.byte() * 4U));
      case 1:
      case 2:
        return signed_request(client);
      case 3:
        return peer_datagram();
      case 4:
        return icmp();
      case 5:
        return bench_step_time();
      case 6:
        next_open_ = input_.byte();
        return;
      case 7:
        return finish_late_open();
      case 8:
        return send_indication(client);
      case 9:
        return channel_data(client);
      default:
        return;
    }
  }

  // --- operations ---

  void bench_step_time() {
    bench_.effects.clear();
    const std::uint16_t amount = input_.u16();
    bench_.advance((amount & 0x8000) != 0 ? nanoseconds{amount}
                                          : nanoseconds{milliseconds{amount * 40}});
    carry_out();
  }

  void raw_datagram(std::size_t client, const std::vector<std::uint8_t>& datagram) {
    bench_.effects.clear();
    const auto handled =
        bench_.server.on_client_datagram(Bench::flow(client), datagram, bench_.now, bench_.effects);
    const auto& effects = bench_.effects.list();
    PROMISE(std::count_if(effects.begin(), effects.end(), [](const turn::Effect& effect) {
              return std::holds_alternative<turn::SendToClient>(effect);
            }) <= 1);
    check_forward_to_peer(client, handled, datagram);
    learn(client, handled.reason, datagram);
    is_deleting_ = handled.reason == Reason::answered_delete;
    carry_out();
    if (is_deleting_) check_deleted(client, datagram);
    is_deleting_ = false;
  }

  /// Refresh with LIFETIME 0 closes everything, or all of one family.
  void check_deleted(std::size_t client, ByteView datagram) const {
    const auto request = stun::MessageView::parse(datagram).value();
    const auto family = request.find(AttributeType::requested_address_family);
    for (const auto& [relay, socket] : sockets_) {
      const auto number = static_cast<std::uint8_t>(socket.bind.family());
      PROMISE(socket.client != client || (family && (*family)[0] != number));
    }
  }

  void signed_request(std::size_t client) {
    constexpr std::array<Method, 8> methods{
        Method::allocate,     Method::allocate,          Method::refresh, Method::create_permission,
        Method::channel_bind, Method::create_permission, Method::connect, Method::binding};
    const std::uint8_t shape = input_.byte();
    const std::size_t attributes = 1 + (shape >> 3 & 7) % 6;
    const bool with_fingerprint = (shape & 0x40) != 0;
    repeat_id_ = (shape & 0x80) != 0;
    send_signed(
        client, methods.at(shape % methods.size()),
        [&](stun::MessageBuilder& b) {
          for (std::size_t i = 0; i < attributes; ++i) put_attribute(b);
        },
        with_fingerprint);
  }

  void send_indication(std::size_t client) {
    stun::MessageBuilder message{scratch_, stun::Class::indication, Method::send, next_id()};
    if (input_.byte() % 8 != 0)
      message.put_xor_address(AttributeType::xor_peer_address, some_peer());
    if (input_.byte() % 8 != 0) message.put(AttributeType::data, input_.bytes(input_.byte()));
    if (input_.byte() % 8 == 1) message.put_empty(AttributeType::dont_fragment);
    if (input_.byte() % 8 == 1) put_attribute(message);
    const ByteView bytes = message.bytes();
    raw_datagram(client, {bytes.begin(), bytes.end()});
  }

  void channel_data(std::size_t client) {
    std::vector<std::uint8_t> datagram(4);
    store_be16(datagram, static_cast<std::uint16_t>(0x4000 + input_.below(6)));
    const std::uint8_t size = input_.byte();
    store_be16(MutableByteView{datagram}.subspan(2), size);
    const auto payload = input_.bytes(size);
    datagram.insert(datagram.end(), payload.begin(), payload.end());
    raw_datagram(client, datagram);
  }

  void peer_datagram() {
    const RelayId relay = some_relay();
    const Endpoint peer = some_peer();
    std::vector<std::uint8_t> datagram = input_.bytes(input_.byte());
    if (datagram.size() == 255) datagram.resize(65'527);
    const auto handled = bench_.server.on_peer_datagram(relay, peer, datagram, bench_.now.instant);
    const auto socket = sockets_.find(relay);
    if (!handled.forward) {
      // A peer with a live permission is not dropped (I-8: nothing dies early).
      const bool is_open = socket != sockets_.end() && socket->second.is_open;
      PROMISE(!is_open || !permits(socket->second.client, peer.address) ||
              handled.reason == Reason::dropped_too_large ||
              (is_own(peer.address) && handled.reason == Reason::dropped_peer_denied));
      return;
    }
    PROMISE(handled.reason == Reason::relayed_to_client);
    PROMISE(socket != sockets_.end() && socket->second.is_open);
    const std::size_t client = socket->second.client;
    PROMISE(permits(client, peer.address));
    PROMISE(!is_own(peer.address) || bench_.ledger.live_relays().contains(peer));
    const turn::Forward& forward = *handled.forward;
    PROMISE(forward.client_route() != nullptr && forward.peer_route() == nullptr);
    PROMISE(forward.client_route()->tuple == Bench::flow(client).tuple);
    PROMISE(forward.client_route()->listener == Bench::flow(client).listener);
    PROMISE(is_inside(forward.payload(), datagram) && forward.payload().size() == datagram.size());
    check_to_client(client, peer, forward);
  }

  void icmp() {
    stun::Icmp error;
    error.type = static_cast<std::uint8_t>(input_.below(14));
    error.code = static_cast<std::uint8_t>(input_.below(6));
    error.error_data = input_.u16();
    const RelayId relay = some_relay();
    const Endpoint peer = some_peer();
    bench_.effects.clear();
    const Reason reason =
        bench_.server.on_peer_icmp(relay, peer, error, bench_.now, bench_.effects);
    PROMISE(bench_.effects.list().size() == (reason == Reason::relayed_icmp ? 1 : 0));
    if (reason == Reason::relayed_icmp) {
      const auto socket = sockets_.find(relay);
      PROMISE(socket != sockets_.end() && socket->second.is_open);
      PROMISE(permits(socket->second.client, peer.address));
      const auto& sent = std::get<turn::SendToClient>(bench_.effects.list()[0]);
      PROMISE(sent.flow.tuple == Bench::flow(socket->second.client).tuple);
    }
    carry_out();
  }

  void finish_late_open() {
    if (late_.empty()) return;
    const RelayId relay = late_.front();
    late_.pop_front();
    bench_.effects.clear();
    report_opened(relay, input_.byte());
    carry_out();
  }

  // --- building ---

  stun::TransactionId next_id() {
    if (!repeat_id_) ++last_id_;
    repeat_id_ = false;
    stun::TransactionId id{};
    store_be64(id, last_id_);
    return id;
  }

  Endpoint some_peer() {
    const std::uint8_t choice = input_.byte();
    const IpAddress& address = peer_addresses()[choice % peer_addresses().size()];
    constexpr std::array<std::uint16_t, 4> ports{5000, 443, 22, 3478};
    const std::size_t port = choice / peer_addresses().size();
    if (port < ports.size()) return {address, ports.at(port)};
    return {address, static_cast<std::uint16_t>(50000 + input_.below(32))};
  }

  RelayId some_relay() {
    const std::uint8_t choice = input_.byte();
    if (choice >= 0xf0 || sockets_.empty()) return {choice % 8U, choice / 64U};
    auto socket = sockets_.begin();
    std::advance(socket, choice % sockets_.size());
    return socket->first;
  }

  void put_attribute(stun::MessageBuilder& b) {
    switch (input_.below(13)) {
      case 0: {
        const std::uint16_t type = input_.u16();
        b.put(static_cast<AttributeType>(type), input_.bytes(input_.byte() % 40U));
        return;
      }
      case 1:
        b.put_requested_transport(17);
        return;
      case 2:
      case 3:
        b.put_xor_address(AttributeType::xor_peer_address, some_peer());
        return;
      case 4:
        b.put_channel_number({static_cast<std::uint16_t>(0x3fff + input_.below(6))});
        return;
      case 5:
        b.put_u32(AttributeType::lifetime, input_.below(4) == 0 ? 0 : input_.u32() >> 20);
        return;
      case 6:
        b.put_even_port(input_.below(2) == 1);
        return;
      case 7:
        b.put_family(AttributeType::requested_address_family, some_family());
        return;
      case 8:
        b.put_family(AttributeType::additional_address_family, some_family());
        return;
      case 9:
        b.put_u64(AttributeType::reservation_token, last_token_ + input_.below(2));
        return;
      case 10:
        b.put_empty(AttributeType::dont_fragment);
        return;
      case 11:
        b.put_u32(AttributeType::lifetime, input_.u32());
        return;
      default:
        b.put_requested_transport(input_.byte());
        return;
    }
  }

  Family some_family() { return input_.below(2) == 0 ? Family::ipv4 : Family::ipv6; }

  template <class Add>
  void send_signed(std::size_t client, Method method, Add add, bool with_fingerprint = false) {
    renew_nonce(client);
    stun::MessageBuilder request{scratch_, stun::Class::request, method, next_id()};
    request.put_text(AttributeType::username, username)
        .put_text(AttributeType::realm, realm)
        .put_text(AttributeType::nonce, clients_.at(client).nonce);
    add(request);
    const auto* key = credential_book().static_key(username, stun::PasswordAlgorithm::md5);
    request.put_message_integrity(key->sha1);
    if (with_fingerprint) request.put_fingerprint();
    const ByteView bytes = request.bytes();
    raw_datagram(client, {bytes.begin(), bytes.end()});
  }

  void renew_nonce(std::size_t index) {
    Client& client = clients_.at(index);
    if (client.nonce_until > bench_.now.instant) return;
    stun::MessageBuilder request{scratch_, stun::Class::request, Method::refresh, next_id()};
    turn::Effects effects;
    const std::vector<std::uint8_t> datagram{request.bytes().begin(), request.bytes().end()};
    const auto handled =
        bench_.server.on_client_datagram(Bench::flow(index), datagram, bench_.now, effects);
    PROMISE(handled.reason == Reason::refused_no_credentials);
    const auto& sent = std::get<turn::SendToClient>(effects.list().at(0));
    const auto challenge = stun::MessageView::parse(effects.bytes_of(sent)).value();
    client.nonce = text_of(challenge.find(AttributeType::nonce).value());
    client.nonce_until = bench_.now.instant + seconds{500};
  }

  // --- the model ---

  static bool is_own(const IpAddress& address) {
    return address == ip("203.0.113.1") || address == ip("2001:db8::1");
  }

  bool permits(std::size_t client, const IpAddress& address) const {
    const auto& permissions = clients_.at(client).permissions;
    const auto found = permissions.find(address);
    return found != permissions.end() && found->second > bench_.now.instant;
  }

  bool has_open_socket(std::size_t client, Family family) const {
    return std::any_of(sockets_.begin(), sockets_.end(), [&](const auto& entry) {
      const Socket& socket = entry.second;
      return socket.client == client && socket.is_open && socket.bind.family() == family;
    });
  }

  /// What a success answer promises the client.
  void learn(std::size_t index, Reason reason, ByteView datagram) {
    Client& client = clients_.at(index);
    const Instant now = bench_.now.instant;
    if (reason == Reason::answered_allocate) {
      client.permissions.clear();
      client.channels.clear();
      client.is_answered = false;
      opening_for_ = index;
      const auto message = stun::MessageView::parse(datagram).value();
      const auto even = message.find(AttributeType::even_port);
      const auto lifetime = message.find(AttributeType::lifetime);
      const seconds wanted =
          lifetime ? stun::decode_lifetime(*lifetime).value() : limits_.default_lifetime;
      opening_until_ = now + std::clamp(wanted, limits_.default_lifetime, limits_.max_lifetime);
      opening_pair_ = even && stun::decode_even_port(*even) == true;
      if (const auto token = message.find(AttributeType::reservation_token)) {
        PROMISE(reserved_.erase(stun::decode_reservation_token(*token).value()) == 1);
      }
    }
    if (reason == Reason::answered_refresh) {
      const auto message = stun::MessageView::parse(datagram).value();
      const auto family = message.find(AttributeType::requested_address_family);
      refreshed_only_ = family ? stun::decode_address_family(*family) : std::nullopt;
    }
    if (reason == Reason::answered_create_permission || reason == Reason::answered_channel_bind) {
      const auto message = stun::MessageView::parse(datagram).value();
      std::optional<Endpoint> first;
      for (const stun::AttributeView attribute : message.attributes()) {
        if (attribute.type != AttributeType::xor_peer_address) continue;
        const auto peer = stun::decode_xor_address(attribute.value, message.transaction_id());
        if (!first) first = peer;
        if (reason == Reason::answered_channel_bind && peer != first) continue;
        client.permissions[peer->address] = now + limits_.permission_lifetime;
        PROMISE(has_open_socket(index, peer->address.family()));
        PROMISE(bench_.policy.scope_of(peer->address, turn::PeerTransport::udp) !=
                turn::PermissionScope::nothing);
      }
      if (reason == Reason::answered_channel_bind) {
        const auto number =
            stun::decode_channel_number(message.find(AttributeType::channel_number).value());
        for (const auto& [other, binding] : client.channels) {
          if (binding.second > now) PROMISE((other == number->value) == (binding.first == *first));
        }
        client.channels[number->value] = {*first, now + limits_.channel_lifetime};
      }
    }
    const auto live = [now](const auto& map, const auto& expires) {
      return std::count_if(map.begin(), map.end(),
                           [&](const auto& entry) { return expires(entry.second) > now; });
    };
    PROMISE(live(client.permissions, [](Instant i) { return i; }) <=
            static_cast<std::ptrdiff_t>(limits_.max_permissions));
    PROMISE(live(client.channels, [](const auto& b) { return b.second; }) <=
            static_cast<std::ptrdiff_t>(limits_.max_channels));
  }

  void check_forward_to_peer(std::size_t client, const turn::Handled& handled,
                             ByteView datagram) const {
    PROMISE(handled.forward.has_value() == (handled.reason == Reason::relayed_to_peer ||
                                            handled.reason == Reason::relayed_between_clients));
    if (!handled.forward) return;
    PROMISE(is_inside(handled.forward->payload(), datagram));
    if (handled.reason == Reason::relayed_between_clients) return check_short_cut(*handled.forward);
    const auto* route = handled.forward->peer_route();
    PROMISE(route != nullptr && handled.forward->client_route() == nullptr);
    PROMISE(!bench_.ledger.live_relays().contains(route->to));
    PROMISE(handled.forward->header().empty() && handled.forward->padding_bytes() == 0);
    const auto socket = sockets_.find(route->via);
    PROMISE(socket != sockets_.end() && socket->second.is_open && socket->second.client == client);
    PROMISE(socket->second.bind.family() == route->to.family());
    PROMISE(permits(client, route->to.address));
    PROMISE(bench_.policy.check(route->to, turn::PeerTransport::udp));
    // By no other judge than the addresses themselves: never inside.
    PROMISE(!route->to.address.is_loopback() && !route->to.address.is_link_local());
    PROMISE(!route->to.address.is_any() && route->to.port != 0);
    if (datagram[0] < 4) return;
    const auto bound = clients_.at(client).channels.find(load_be16(datagram));
    PROMISE(bound != clients_.at(client).channels.end());
    PROMISE(bound->second.first == route->to && bound->second.second > bench_.now.instant);
  }

  /// Straight to another client of this server: one that permits our relays.
  void check_short_cut(const turn::Forward& forward) const {
    PROMISE(forward.client_route() != nullptr);
    for (std::size_t client = 0; client < clients_.size(); ++client) {
      if (forward.client_route()->tuple != Bench::flow(client).tuple) continue;
      PROMISE(permits(client, ip("203.0.113.1")) || permits(client, ip("2001:db8::1")));
      return;
    }
    PROMISE(false);
  }

  void check_to_client(std::size_t client, const Endpoint& peer,
                       const turn::Forward& forward) const {
    std::vector<std::uint8_t> sent{forward.header().view().begin(), forward.header().view().end()};
    sent.insert(sent.end(), forward.payload().begin(), forward.payload().end());
    sent.insert(sent.end(), forward.padding_bytes(), 0);
    bool is_bound = false;
    for (const auto& [number, binding] : clients_.at(client).channels) {
      if (binding.first != peer || binding.second <= bench_.now.instant) continue;
      is_bound = true;
      const auto message = turn::parse_channel_data(sent);
      PROMISE(message && message->channel.value == number);
      PROMISE(std::equal(message->payload.begin(), message->payload.end(),
                         forward.payload().begin(), forward.payload().end()));
    }
    if (is_bound) return;
    const auto message = stun::MessageView::parse(sent);
    PROMISE(message && message->method() == Method::data);
    PROMISE(message->message_class() == stun::Class::indication);
    PROMISE(stun::decode_xor_address(message->find(AttributeType::xor_peer_address).value(),
                                     message->transaction_id()) == peer);
    const ByteView payload = message->find(AttributeType::data).value();
    PROMISE(std::equal(payload.begin(), payload.end(), forward.payload().begin(),
                       forward.payload().end()));
  }

  // --- the shell ---

  void carry_out() {
    for (std::size_t i = 0; i < bench_.effects.list().size(); ++i) {
      const turn::Effect effect = bench_.effects.list()[i];
      if (const auto* open = std::get_if<turn::OpenRelay>(&effect)) carry_out(*open);
      if (const auto* close = std::get_if<turn::CloseRelay>(&effect)) {
        if (orphans_.erase(close->relay) == 1) continue;
        const auto socket = sockets_.find(close->relay);
        PROMISE(socket != sockets_.end() && socket->second.is_open);
        Client& client = clients_.at(socket->second.client);
        const Family family = socket->second.bind.family();
        PROMISE(is_deleting_ || !client.is_answered ||
                bench_.now.instant + seconds{1} > client.expires.at(family));  // nothing dies early
        // With the relay of a family go its peers (RFC 8656 §8.1).
        std::erase_if(client.permissions,
                      [&](const auto& entry) { return entry.first.family() == family; });
        std::erase_if(client.channels,
                      [&](const auto& entry) { return entry.second.first.family() == family; });
        sockets_.erase(socket);
      }
      if (const auto* send = std::get_if<turn::SendToClient>(&effect)) read_answer(*send);
    }
  }

  void carry_out(const turn::OpenRelay& open) {
    const auto known = sockets_.find(open.relay);
    PROMISE(known == sockets_.end() || !known->second.is_open);
    PROMISE(Bench::relay_ports.contains(open.bind.port));
    for (const auto& [relay, socket] : sockets_) {
      PROMISE(relay == open.relay || socket.bind != open.bind);  // a port has one owner
    }
    if (known == sockets_.end()) {
      sockets_.emplace(open.relay,
                       Socket{open.bind, false, opening_for_, 1, opening_until_, opening_pair_});
    } else {
      known->second.bind = open.bind;
      PROMISE(++known->second.attempts <= limits_.port_attempts);
    }
    if (next_open_ % 4 == 3) {
      late_.push_back(open.relay);
    } else {
      report_opened(open.relay, next_open_);
    }
    next_open_ = static_cast<std::uint8_t>(next_open_ >> 2);
  }

  void report_opened(RelayId relay, std::uint8_t outcome) {
    std::optional<turn::RelayOpenError> error;
    if (outcome % 4 == 1) error = turn::RelayOpenError::port_in_use;
    if (outcome % 4 == 2) error = turn::RelayOpenError::no_resources;
    const auto socket = sockets_.find(relay);
    if (socket == sockets_.end()) {
      // The allocation is gone. A socket that opened after all must be closed by the server's word.
      if (!error) orphans_[relay] = true;
      bench_.server.on_relay_opened(relay, error, bench_.now, bench_.effects);
      return;
    }
    if (!error) socket->second.is_open = true;
    const std::size_t before = bench_.effects.list().size();
    bench_.server.on_relay_opened(relay, error, bench_.now, bench_.effects);
    if (!error) return;
    // Either the same relay is tried on another port, or it is given up.
    for (std::size_t i = before; i < bench_.effects.list().size(); ++i) {
      const auto* again = std::get_if<turn::OpenRelay>(&bench_.effects.list()[i]);
      if (again == nullptr || !(again->relay == relay)) continue;
      PROMISE(error == turn::RelayOpenError::port_in_use);
      return;
    }
    sockets_.erase(relay);
  }

  void read_answer(const turn::SendToClient& send) {
    const auto message = stun::MessageView::parse(bench_.effects.bytes_of(send));
    PROMISE(message);
    const bool has_lifetime =
        message->method() == Method::allocate || message->method() == Method::refresh;
    for (std::size_t client = 0; client < clients; ++client) {
      if (!(Bench::flow(client).tuple == send.flow.tuple)) continue;
      const bool is_success = message->message_class() == stun::Class::success;
      if (has_lifetime && is_success && !is_deleting_) {
        const auto lifetime = stun::decode_lifetime(message->find(AttributeType::lifetime).value());
        PROMISE(lifetime && *lifetime > seconds{0} && *lifetime <= limits_.max_lifetime);
        const bool is_refresh = message->method() == Method::refresh;
        for (const Family family : {Family::ipv4, Family::ipv6}) {
          const bool is_meant =
              is_refresh ? !refreshed_only_ || *refreshed_only_ == static_cast<std::uint8_t>(family)
                         : !clients_.at(client).is_answered;
          if (is_meant) clients_.at(client).expires[family] = bench_.now.instant + *lifetime;
        }
        clients_.at(client).is_answered = true;
      }
      if (message->method() != Method::allocate) continue;
      for (auto& [relay, socket] : sockets_) {
        if (socket.client == client && socket.is_open) socket.holds_next_port = false;
      }
    }
    const auto token = message->find(AttributeType::reservation_token);
    if (!token) return;
    last_token_ = stun::decode_reservation_token(*token).value();
    if (known_tokens_.emplace(last_token_, true).second) {
      reserved_[last_token_] = bench_.now.instant + limits_.reservation_lifetime;
    }
  }

  // --- balances ---

  void check_balance() {
    const Instant now = bench_.now.instant;
    forget_closed_by_time();
    static_cast<void>(bench_.ledger.has_reservation(0, "", now));  // sweeps
    std::erase_if(reserved_, [now](const auto& entry) { return entry.second <= now; });
    std::size_t leased = 0;
    for (const auto& [relay, socket] : sockets_) leased += socket.holds_next_port ? 2 : 1;
    PROMISE(bench_.ledger.free_ports() + leased + reserved_.size() == total_ports_);
    PROMISE(bench_.ledger.allocations() == bench_.server.allocation_count());
    PROMISE(bench_.server.allocation_count() <= limits_.max_allocations_per_user);
    PROMISE(orphans_.empty());
    for (const auto& [relay, socket] : sockets_) {
      PROMISE(bench_.ledger.live_relays().contains(socket.bind) == socket.is_open);
      PROMISE(!socket.is_open || waits_for_answer(socket.client) ||
              clients_.at(socket.client).expires.at(socket.bind.family()) > now);
    }
  }

  /// One of two sockets is open, the other one not yet: LIFETIME is still to come.
  bool waits_for_answer(std::size_t client) const {
    return std::any_of(sockets_.begin(), sockets_.end(), [client](const auto& entry) {
      return entry.second.client == client && !entry.second.is_open;
    });
  }

  /// An allocation that ends while its sockets are being opened ends without CloseRelay for those:
  /// there is nothing to close yet. Their ports are free again.
  void forget_closed_by_time() {
    std::erase_if(sockets_, [this](const auto& entry) {
      return !entry.second.is_open && entry.second.opening_until <= bench_.now.instant;
    });
  }
  /// Two hours later nothing is left.
  void wind_up() {
    bench_.effects.clear();
    bench_.advance(seconds{7200});
    carry_out();
    while (!late_.empty()) {
      bench_.effects.clear();
      const RelayId relay = late_.front();
      late_.pop_front();
      forget_closed_by_time();
      report_opened(relay, 0);
      carry_out();
    }
    check_balance();
    PROMISE(sockets_.empty());
    PROMISE(reserved_.empty());
    PROMISE(bench_.server.allocation_count() == 0);
    PROMISE(!bench_.server.next_deadline());
    PROMISE(bench_.ledger.allocations() == 0);
    PROMISE(bench_.ledger.free_ports() == total_ports_);
    PROMISE(!bench_.ledger.live_relays().contains_any(ip("203.0.113.1")));
    PROMISE(!bench_.ledger.live_relays().contains_any(ip("2001:db8::1")));
  }

  Input input_;
  turn::Limits limits_;
  Bench bench_;
  std::size_t total_ports_;
  std::array<Client, clients> clients_;
  std::map<RelayId, Socket, ById> sockets_;
  std::map<RelayId, bool, ById> orphans_;  // opened after their allocation had ended
  std::deque<RelayId> late_;               // to be reported later
  std::map<std::uint64_t, Instant> reserved_;
  std::map<std::uint64_t, bool> known_tokens_;
  std::uint64_t last_token_ = 0;
  std::uint64_t last_id_ = 0;
  bool repeat_id_ = false;
  std::uint8_t next_open_ = 0;  // outcomes of the next opens, two bits each
  std::size_t opening_for_ = 0;
  Instant opening_until_{};
  bool opening_pair_ = false;
  bool is_deleting_ = false;
  std::optional<std::uint8_t> refreshed_only_;
  std::array<std::uint8_t, 8192> scratch_{};
};

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  turnpike::fuzz::Input input{{bytes, size}};
  const std::uint8_t settings = input.byte();
  turnpike::fuzz::Session{input, settings}.run();
  return 0;
}
