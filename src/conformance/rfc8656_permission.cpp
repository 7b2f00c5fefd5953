// RFC 8656 §9, §10, §21: permissions, and the peers that nobody may reach.
#include <array>

#include "conformance/catalogue.h"

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

constexpr std::uint16_t bad_request = 400;
constexpr std::uint16_t forbidden = 403;
constexpr std::uint16_t family_mismatch = 443;

IpAddress address(std::string_view text) { return *IpAddress::parse(text); }

/// An address of the family that the allocation has not.
IpAddress of_other_family(const Session& session) {
  return session.family() == Family::ipv4 ? address("2001:db8::1") : address("192.0.2.1");
}

void permission_is_granted(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  session.permit(flow, session.peer_address());
}

void no_peer_is_400(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  expect_error(flow.request(Method::create_permission), bad_request);
}

void malformed_peer_is_400(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  // Of the relay's own family, so that 443 is no answer, and one byte long.
  const std::array<std::uint8_t, 5> value{0, static_cast<std::uint8_t>(session.family()), 0x12,
                                          0x34, 0x56};
  const auto body = [&value](MessageBuilder& message) {
    message.put(AttributeType::xor_peer_address, value);
  };
  expect_error(flow.request(Method::create_permission, body), bad_request);
}

void other_family_is_443(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  expect_error(session.create_permission(flow, {{of_other_family(session), 0}}), family_mismatch);
}

void several_peers_at_once(Session& session) {
  Flow& flow = session.open();
  const Endpoint relayed = Session::relayed(session.allocate(flow));
  Peer& peer = session.add_peer();
  const Reply reply =
      session.create_permission(flow, {peer.endpoint(), {peer.endpoint().address, 9}});
  if (reply.error() == forbidden) not_tried("the server refuses the suite's peer (403)");
  expect_success(reply);
  session.expect_at_client(flow, peer, session.random_bytes(16), relayed);
}

/// One of the peers cannot be: then none of them is permitted.
void all_or_nothing(Session& session) {
  Flow& flow = session.open();
  const Endpoint relayed = Session::relayed(session.allocate(flow));
  Peer& peer = session.add_peer();
  const Reply reply =
      session.create_permission(flow, {peer.endpoint(), {of_other_family(session), 0}});
  if (reply.error() == forbidden) not_tried("the server refuses the suite's peer (403)");
  expect_error(reply, family_mismatch);
  const Bytes early = session.random_bytes(16);
  peer.send(early, relayed);
  session.expect_nothing_at_client(flow, "CreatePermission was refused");
}

void permission_is_by_address(Session& session) {
  const Session::Relay relay = session.open_relay();  // permitted with port 0
  session.expect_received(relay, session.random_bytes(16));
  Peer& other = session.add_peer();
  session.expect_at_client(relay.flow, other, session.random_bytes(16), relay.relayed);
}

void without_permission_nothing_arrives(Session& session) {
  Flow& flow = session.open();
  const Endpoint relayed = Session::relayed(session.allocate(flow));
  Peer& peer = session.add_peer();
  peer.send(session.random_bytes(16), relayed);
  session.expect_nothing_at_client(flow, "there is no permission");
  // The path works: it was the permission that was missing.
  session.permit(flow, peer.endpoint().address);
  session.expect_at_client(flow, peer, session.random_bytes(16), relayed);
}

void permissions_are_of_one_allocation(Session& session) {
  const Session::Relay relay = session.open_relay();
  Flow& other = session.open();
  const Endpoint other_relayed = Session::relayed(session.allocate(other));
  relay.peer.send(session.random_bytes(16), other_relayed);
  session.expect_nothing_at_client(other, "the permission is another allocation's");
}

/// A permission for a neighbour says nothing about this address.
void permission_is_for_one_address(Session& session) {
  const IpAddress own = session.peer_address();
  if (own != address("127.0.0.1")) not_tried("needs a second address of this host");
  Flow& flow = session.open();
  const Endpoint relayed = Session::relayed(session.allocate(flow));
  session.permit(flow, own);
  auto socket = Socket::udp({address("127.0.0.2"), 0});
  if (!socket) not_tried("needs a second address of this host");
  Peer neighbour{std::move(*socket)};
  neighbour.send(session.random_bytes(16), relayed);
  session.expect_nothing_at_client(flow, "the permission is another address's");
}

void permission_lasts_five_minutes(Session& session) {
  if (!session.settings().slow) not_tried("waits for 300 s: needs --slow");
  Session::Relay relay = session.open_relay();
  const Instant start = clock_now();
  constexpr seconds lifetime{300};
  constexpr seconds margin{10};
  // Neither direction of data may refresh it. The nonce and the NAT are kept alive by fences.
  while (clock_now() < start + lifetime - margin) {
    session.expect_sent(relay, session.random_bytes(16));
    session.expect_received(relay, session.random_bytes(16));
    static_cast<void>(relay.flow.next_from_peer(clock_now() + margin));
  }
  static_cast<void>(relay.flow.wait_closed(start + lifetime + margin));
  relay.peer.send(session.random_bytes(16), relay.relayed);
  session.expect_nothing_at_client(relay.flow, "the permission is 300 s old");
}

// --- Peers that nobody may reach -----------------------------------------------------------------

void expect_refused(Session& session, const std::vector<std::string_view>& addresses) {
  Flow& flow = session.open();
  session.allocate(flow);
  for (const std::string_view text : addresses) {
    const Reply reply = session.create_permission(flow, {{address(text), 40000}});
    const bool refused = reply.error() == forbidden || reply.error() == bad_request ||
                         reply.error() == family_mismatch;
    expect(refused, "403 for " + std::string{text}, reply.describe());
  }
}

void unspecified_and_multicast_are_refused(Session& session) {
  if (session.family() == Family::ipv4) {
    expect_refused(session, {"0.0.0.0", "224.0.0.1", "239.255.255.250", "255.255.255.255"});
  } else {
    expect_refused(session, {"::", "ff02::1", "ff0e::1"});
  }
}

void tunnels_are_refused(Session& session) {
  if (session.family() == Family::ipv4) not_tried("needs an IPv6 relay: use --family ipv6");
  Flow& flow = session.open();
  session.allocate(flow);
  std::uint16_t number = 0x4000;
  for (const std::string_view text : {"2001:0:1234::1", "2002:c000:201::1"}) {
    const Reply reply = session.channel_bind(flow, number++, {address(text), 40000});
    expect(!reply.is_success(), "an error for a channel to " + std::string{text}, reply.describe());
  }
}

void mapped_addresses_are_seen_through(Session& session) {
  if (session.family() == Family::ipv4) not_tried("needs an IPv6 relay: use --family ipv6");
  expect_refused(session, {"::ffff:127.0.0.1", "::ffff:0.0.0.0", "::ffff:10.0.0.1"});
}

void own_listener_is_no_peer(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  const Endpoint listener = session.settings().server;
  const Reply reply = session.channel_bind(flow, 0x4000, listener);
  expect(!reply.is_success(), "403 for the server's own listener", reply.describe());
}

}  // namespace

std::vector<Check> rfc8656_permission_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"permission-is-granted", "45", "RFC 8656 §10.2",
       "CreatePermission with a peer that is allowed succeeds.", must, everywhere,
       permission_is_granted},
      {"permission-without-peer-is-400", "45", "RFC 8656 §10.2",
       "CreatePermission without XOR-PEER-ADDRESS: 400.", must, everywhere, no_peer_is_400},
      {"permission-with-malformed-peer-is-400", "45", "RFC 8656 §10.2",
       "CreatePermission with an invalid XOR-PEER-ADDRESS: 400.", must, everywhere,
       malformed_peer_is_400},
      {"permission-of-another-family-is-443", "45", "RFC 8656 §10.2",
       "A peer of another family than the relayed address: 443.", must, everywhere,
       other_family_is_443},
      {"permission-for-several-peers", "2, 45", "RFC 8656 §10.2",
       "CreatePermission may contain several XOR-PEER-ADDRESS.", must, everywhere,
       several_peers_at_once},
      {"permission-for-all-peers-or-none", "45", "RFC 8656 §10.2",
       "A request that is refused for one peer installs nothing for the others.", must, everywhere,
       all_or_nothing},
      {"permission-is-by-address-not-port", "44", "RFC 8656 §9",
       "Ports are not considered: any port of the address may send.", must, everywhere,
       permission_is_by_address},
      {"without-permission-nothing-arrives", "44, 47", "RFC 8656 §9, §11.3",
       "A datagram of a peer without permission is discarded.", must, everywhere,
       without_permission_nothing_arrives},
      {"permissions-are-of-one-allocation", "44", "RFC 8656 §9",
       "Each allocation has permissions of its own.", must, everywhere,
       permissions_are_of_one_allocation},
      {"permission-is-for-one-address", "44", "RFC 8656 §9",
       "A permission is for one IP address, not for its neighbours.", must, everywhere,
       permission_is_for_one_address},
      {"permission-lasts-300-seconds", "44, 51", "RFC 8656 §9",
       "The lifetime is 300 s, and no data refreshes it.", must, everywhere,
       permission_lasts_five_minutes},
      {"multicast-and-unspecified-peers-are-refused", "57", "RFC 8656 §21",
       "What is no host's address is no peer.", advice, everywhere,
       unspecified_and_multicast_are_refused},
      {"tunnel-peers-are-refused", "57", "RFC 8656 §21.4",
       "A server must not accept Teredo or 6to4 addresses for channels.", must, everywhere,
       tunnels_are_refused},
      {"mapped-peers-are-seen-through", "57", "RFC 8656 §21",
       "IPv4-mapped addresses must not get around the rules for IPv4.", advice, everywhere,
       mapped_addresses_are_seen_through},
      {"own-listener-is-no-peer", "57", "RFC 8656 §21",
       "A server should not relay to its own listener: that makes loops.", advice, everywhere,
       own_listener_is_no_peer},
  };
}

}  // namespace turnpike::conformance
