#include "conformance/session.h"

#include <algorithm>

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::Class;
using stun::Method;

constexpr int data_attempts = 5;

}  // namespace

std::optional<Received> Peer::receive(Instant until) {
  auto received = socket_.receive(until);
  if (!received) return std::nullopt;
  return std::move(*received);
}

Bytes Session::random_bytes(std::size_t count) {
  Bytes bytes(count);
  random_.fill(bytes);
  return bytes;
}

// --- Connections ---------------------------------------------------------------------------------

Result<std::unique_ptr<Connection>, ConnectError> Session::connect(
    const ConnectionOptions& options) {
  constexpr int attempts_max = 20;
  for (int attempt = 1;; ++attempt) {
    auto opened = Connection::open(options, clock_now() + settings_.timing.connect_timeout);
    if (!opened || options.local || attempt == attempts_max) return opened;
    if (settings_.used_addresses->insert((*opened)->local()).second) return opened;
  }
}

Result<Flow*, ConnectError> Session::try_open(const FlowOptions& options) {
  ConnectionOptions connection;
  connection.transport = options.transport.value_or(settings_.transport);
  connection.server = options.server.value_or(settings_.server);
  connection.local = options.local;
  connection.any_source = options.any_source;
  connection.tls.server_name = settings_.server_name;
  connection.tls.alpn = options.alpn;
  connection.tls.verify = settings_.verify;
  if (options.min_version) connection.tls.min_version = *options.min_version;
  if (options.max_version) connection.tls.max_version = *options.max_version;
  if (options.as_second_user && !settings_.second_user) {
    not_tried("needs --second-user and --second-password");
  }
  auto opened = connect(connection);
  if (!opened) return Failure{opened.error()};
  std::optional<client::LongTermClient> user;
  auto chosen = options.as_second_user ? settings_.second_user : settings_.user;
  if (options.as_user) chosen = options.as_user;
  if (chosen) user.emplace(chosen->name, chosen->password);
  return &flows_.emplace_back(std::move(*opened), connection.transport, std::move(user), random_,
                              settings_.timing);
}

Flow& Session::open(const FlowOptions& options) {
  auto flow = try_open(options);
  if (!flow) fail("a connection", flow.error().text);
  return **flow;
}

void Session::close(Flow& flow) {
  flows_.remove_if([&flow](const Flow& one) { return &one == &flow; });
}

// --- Peers ---------------------------------------------------------------------------------------

IpAddress Session::peer_address() {
  if (settings_.peer_address && settings_.peer_address->family() == family()) {
    return *settings_.peer_address;
  }
  const auto address = route_to(settings_.server.address);
  if (!address) not_tried("this host has no address of the relay's family; give --peer-address");
  return *address;
}

Peer& Session::add_peer() {
  auto socket = Socket::udp({peer_address(), 0});
  if (!socket) {
    not_tried("no peer can listen on " + peer_address().to_string() + ": " + socket.error());
  }
  return peers_.emplace_back(std::move(*socket));
}

// --- Steps ---------------------------------------------------------------------------------------

void Session::put_udp_relay(stun::MessageBuilder& message) const {
  constexpr std::uint8_t udp = 17;
  message.put_requested_transport(udp);
  if (family() == Family::ipv6) {
    message.put_family(AttributeType::requested_address_family, Family::ipv6);
  }
}

Reply Session::allocate(Flow& flow, const Body& more) {
  Reply reply = flow.request(Method::allocate, [&](stun::MessageBuilder& message) {
    put_udp_relay(message);
    if (more) more(message);
  });
  note_reservation(reply);
  if (reply.error() == 440) not_supported("the server has no relays of this family (440)");
  if (reply.error() == 486 || reply.error() == 508) {
    not_tried("the server makes no more allocations: " + reply.describe());
  }
  expect_success(reply);
  const auto mapped = reply.xor_address(AttributeType::xor_mapped_address);
  is_behind_nat_ = mapped && mapped->address != flow.local().address;
  return reply;
}

Endpoint Session::relayed(const Reply& reply) {
  const auto address = reply.xor_address(AttributeType::xor_relayed_address);
  if (!address) fail("XOR-RELAYED-ADDRESS in the success", "none that can be read");
  return *address;
}

Reply Session::create_permission(Flow& flow, const std::vector<Endpoint>& peers) {
  return flow.request(Method::create_permission, [&](stun::MessageBuilder& message) {
    for (const Endpoint& peer : peers) {
      message.put_xor_address(AttributeType::xor_peer_address, peer);
    }
  });
}

Reply Session::channel_bind(Flow& flow, std::uint16_t number, const Endpoint& peer) {
  return flow.request(Method::channel_bind, [&](stun::MessageBuilder& message) {
    message.put_channel_number({number}).put_xor_address(AttributeType::xor_peer_address, peer);
  });
}

void Session::permit(Flow& flow, const IpAddress& peer) {
  const Reply reply = create_permission(flow, {{peer, 0}});
  if (reply.error() == 403) {
    not_tried("the server refuses the suite's peer " + peer.to_string() +
              " (403); give another --peer-address");
  }
  expect_success(reply);
}

void Session::bind_channel(Flow& flow, std::uint16_t number, const Endpoint& peer) {
  const Reply reply = channel_bind(flow, number, peer);
  if (reply.error() == 403) {
    not_tried("the server refuses the suite's peer " + peer.to_string() +
              " (403); give another --peer-address");
  }
  expect_success(reply);
}

Bytes Session::send_indication(Flow& flow, const Endpoint& peer, ByteView payload,
                               const Body& more) {
  return flow.build(Class::indication, Method::send, [&](stun::MessageBuilder& message) {
    message.put_xor_address(AttributeType::xor_peer_address, peer);
    if (more) more(message);
    message.put(AttributeType::data, payload);
  });
}

// --- Data ----------------------------------------------------------------------------------------

Session::Relay Session::open_relay() {
  Flow& flow = open();
  const Endpoint address = relayed(allocate(flow));
  Peer& peer = add_peer();
  permit(flow, peer.endpoint().address);
  return {flow, address, peer};
}

bool Session::was_delivered(ByteView payload) const {
  return std::any_of(delivered_.begin(), delivered_.end(), [payload](const Bytes& one) {
    return std::equal(one.begin(), one.end(), payload.begin(), payload.end());
  });
}

Received Session::expect_at_peer(Flow& flow, ByteView message, Peer& peer, ByteView payload) {
  for (int attempt = 0; attempt < data_attempts; ++attempt) {
    flow.send(message);
    const Instant until = soon();
    while (auto received = peer.receive(until)) {
      if (std::equal(payload.begin(), payload.end(), received->bytes.begin(),
                     received->bytes.end())) {
        delivered_.push_back(received->bytes);
        return std::move(*received);
      }
      if (was_delivered(received->bytes)) continue;
      fail("at the peer: " + describe(payload), describe(received->bytes));
    }
  }
  excuse_silence(flow, peer.endpoint());
  fail("at the peer: " + describe(payload), "nothing");
}

/// A permission has no port, so a server may grant it and still drop what this very peer sends. To
/// a channel it has to say so.
void Session::excuse_silence(Flow& flow, const Endpoint& peer) {
  constexpr std::uint16_t forbidden = 403;
  constexpr std::uint16_t any_channel = 0x4fff;
  if (is_behind_nat_) {
    not_tried("nothing passes between the relay and the suite's peer: it is behind a NAT");
  }
  if (channel_bind(flow, any_channel, peer).error() == forbidden) {
    not_tried("the server refuses the suite's peer (403)");
  }
}

Received Session::expect_sent(const Relay& relay, ByteView payload) {
  const Bytes message = send_indication(relay.flow, relay.peer.endpoint(), payload);
  return expect_at_peer(relay.flow, message, relay.peer, payload);
}

FromPeer Session::expect_at_client(Flow& flow, Peer& peer, ByteView payload,
                                   const Endpoint& relayed) {
  for (int attempt = 0; attempt < data_attempts; ++attempt) {
    peer.send(payload, relayed);
    const Instant until = soon();
    while (auto came = flow.next_from_peer(until)) {
      if (came->payload && std::equal(payload.begin(), payload.end(), came->payload->begin(),
                                      came->payload->end())) {
        delivered_.push_back(*came->payload);
        return std::move(*came);
      }
      if (came->payload && was_delivered(*came->payload)) continue;
      fail("at the client: " + describe(payload), describe(came->raw));
    }
  }
  excuse_silence(flow, peer.endpoint());
  fail("at the client: " + describe(payload), "nothing");
}

void Session::expect_nothing_at_client(Flow& flow, const std::string& what) {
  flow.fence();
  const Instant until = briefly();
  while (const auto came = flow.next_from_peer(until)) {
    if (came->payload && was_delivered(*came->payload)) continue;
    fail("nothing at the client: " + what, describe(came->raw));
  }
}

void Session::expect_nothing_at_peer(Flow& flow, Peer& peer, const std::string& what) {
  flow.fence();
  const Instant until = briefly();
  while (const auto received = peer.receive(until)) {
    if (was_delivered(received->bytes)) continue;
    fail("nothing at the peer: " + what, describe(received->bytes));
  }
}

// --- Cleaning up ---------------------------------------------------------------------------------

void Session::note_reservation(const Reply& reply) {
  const auto value = reply.view().find(AttributeType::reservation_token);
  const auto token = value ? stun::decode_reservation_token(*value) : std::nullopt;
  if (token && reply.is_success()) reservations_.push_back(*token);
}

std::string Session::clean_up(Flow& flow) {
  try {
    return flow.delete_allocation() ? "" : "the server does not delete an allocation; ";
  } catch (const Ended& ended) {
    return "an allocation could not be deleted: " + ended.outcome.got + ended.outcome.why + "; ";
  }
}

/// A reserved port is given back by using it.
void Session::redeem_reservations() {
  const auto tokens = std::move(reservations_);
  reservations_.clear();
  for (const std::uint64_t token : tokens) {
    constexpr std::uint8_t udp = 17;
    Flow& flow = open();
    static_cast<void>(flow.request(Method::allocate, [token](stun::MessageBuilder& message) {
      message.put_requested_transport(udp).put_u64(AttributeType::reservation_token, token);
    }));
  }
}

std::string Session::clean_up() {
  std::string left;
  for (Flow& flow : flows_) left += clean_up(flow);
  flows_.clear();
  try {
    redeem_reservations();
    for (Flow& flow : flows_) left += clean_up(flow);
  } catch (const Ended& ended) {
    left += "a reservation could not be given back: " + ended.outcome.got + "; ";
  }
  flows_.clear();
  peers_.clear();
  if (!left.empty()) left.resize(left.size() - 2);
  return left;
}

// --- Expectations --------------------------------------------------------------------------------

void expect_success(const Reply& reply) { expect(reply.is_success(), "success", reply.describe()); }

void expect_error(const Reply& reply, std::uint16_t code) {
  const auto phrase = stun::reason_phrase(static_cast<stun::ErrorCode>(code));
  expect(reply.error() == code, std::to_string(code) + " (" + std::string{phrase} + ")",
         reply.describe());
}

void expect_error(const Reply& reply, const std::vector<std::uint16_t>& codes) {
  std::string expected;
  for (const std::uint16_t code : codes) {
    expected += (expected.empty() ? "" : " or ") + std::to_string(code);
  }
  expect(std::find(codes.begin(), codes.end(), reply.error()) != codes.end(), expected,
         reply.describe());
}

}  // namespace turnpike::conformance
