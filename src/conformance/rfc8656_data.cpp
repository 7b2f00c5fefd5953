// RFC 8656 §11: Send and Data indications, and what ICMP says.
#include "conformance/catalogue.h"

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::Class;
using stun::MessageBuilder;
using stun::Method;

const std::vector<std::size_t> sizes{1, 2, 3, 4, 160, 1200};

void to_the_peer(Session& session) {
  const Session::Relay relay = session.open_relay();
  for (const std::size_t size : sizes) session.expect_sent(relay, session.random_bytes(size));
}

void from_the_relayed_address(Session& session) {
  const Session::Relay relay = session.open_relay();
  const Received received = session.expect_sent(relay, session.random_bytes(16));
  if (received.from.address != relay.relayed.address) not_tried("a NAT stands between");
  expect(received.from == relay.relayed, relay.relayed.to_string(), received.from.to_string());
}

void to_the_client(Session& session) {
  const Session::Relay relay = session.open_relay();
  for (const std::size_t size : sizes) session.expect_received(relay, session.random_bytes(size));
}

void data_names_the_peer(Session& session) {
  const Session::Relay relay = session.open_relay();
  const FromPeer came = session.expect_received(relay, session.random_bytes(16));
  if (!came.peer) fail("XOR-PEER-ADDRESS in the Data indication", "none");
  expect(*came.peer == relay.peer.endpoint(), relay.peer.endpoint().to_string(),
         came.peer->to_string());
}

void data_padding_is_zero(Session& session) {
  const Session::Relay relay = session.open_relay();
  session.expect_received(relay, Bytes(64, 0xee));
  const FromPeer came = session.expect_received(relay, session.random_bytes(5));
  const auto reply = Reply::parse({{}, came.raw});
  expect(reply && reply->padding_is_zero(), "padding of zeros", describe(came.raw));
}

void data_ids_differ(Session& session) {
  const Session::Relay relay = session.open_relay();
  const FromPeer first = session.expect_received(relay, session.random_bytes(16));
  const FromPeer second = session.expect_received(relay, session.random_bytes(16));
  const auto id = [](const FromPeer& came) { return ByteView{came.raw}.subspan(8, 12); };
  const bool same = std::equal(id(first).begin(), id(first).end(), id(second).begin());
  expect(!same, "another transaction id for another indication", describe(id(first)) + " twice");
}

void empty_to_the_peer(Session& session) { session.expect_sent(session.open_relay(), {}); }

void empty_to_the_client(Session& session) { session.expect_received(session.open_relay(), {}); }

void large_both_ways(Session& session) {
  constexpr std::size_t size = 8000;
  const Session::Relay relay = session.open_relay();
  session.expect_sent(relay, session.random_bytes(size));
  session.expect_received(relay, session.random_bytes(size));
}

/// `message` must not reach the peer; a good one behind it does.
void expect_dropped(Session& session, const Session::Relay& relay, ByteView message,
                    const std::string& why) {
  relay.flow.expect_silence(message, why);
  session.expect_nothing_at_peer(relay.flow, relay.peer, why);
  session.expect_sent(relay, session.random_bytes(16));
}

void send_needs_a_permission(Session& session) {
  Flow& flow = session.open();
  const Endpoint relayed = Session::relayed(session.allocate(flow));
  Peer& peer = session.add_peer();
  const Bytes early = session.send_indication(flow, peer.endpoint(), session.random_bytes(16));
  flow.expect_silence(early, "Send without a permission");
  session.expect_nothing_at_peer(flow, peer, "there is no permission");
  session.permit(flow, peer.endpoint().address);
  session.expect_sent({flow, relayed, peer}, session.random_bytes(16));
}

void send_without_peer(Session& session) {
  const Session::Relay relay = session.open_relay();
  const Bytes message = relay.flow.build(Class::indication, Method::send, [&](MessageBuilder& m) {
    m.put(AttributeType::data, session.random_bytes(16));
  });
  expect_dropped(session, relay, message, "Send without XOR-PEER-ADDRESS");
}

void send_without_data(Session& session) {
  const Session::Relay relay = session.open_relay();
  const Bytes message = relay.flow.build(Class::indication, Method::send, [&](MessageBuilder& m) {
    m.put_xor_address(AttributeType::xor_peer_address, relay.peer.endpoint());
  });
  expect_dropped(session, relay, message, "Send without DATA");
}

void send_with_unknown_attribute(Session& session) {
  const Session::Relay relay = session.open_relay();
  constexpr auto unknown_required = static_cast<AttributeType>(0x7e57);
  const Bytes message =
      session.send_indication(relay.flow, relay.peer.endpoint(), session.random_bytes(16),
                              [](MessageBuilder& m) { m.put_text(unknown_required, "x"); });
  expect_dropped(session, relay, message, "Send with an unknown required attribute");
}

void send_to_other_family(Session& session) {
  const Session::Relay relay = session.open_relay();
  const auto other = IpAddress::parse(session.family() == Family::ipv4 ? "::1" : "127.0.0.1");
  const Bytes message =
      session.send_indication(relay.flow, {*other, 40000}, session.random_bytes(16));
  relay.flow.expect_silence(message, "Send to another family");
}

void send_without_allocation(Session& session) {
  Flow& flow = session.open();
  const Endpoint peer{session.peer_address(), 40000};
  const Bytes message = session.send_indication(flow, peer, session.random_bytes(16));
  flow.expect_silence(message, "Send without an allocation");
}

void send_with_dont_fragment(Session& session) {
  const Session::Relay relay = session.open_relay();
  const Bytes payload = session.random_bytes(16);
  const Bytes message =
      session.send_indication(relay.flow, relay.peer.endpoint(), payload,
                              [](MessageBuilder& m) { m.put_empty(AttributeType::dont_fragment); });
  relay.flow.send(message);
  relay.flow.fence();
  if (!relay.peer.receive(session.soon())) {
    not_supported("the server discards Send with DONT-FRAGMENT, as it may");
  }
}

/// Over UDP the client's own fragments and the relay's: an answer either way is a delivered one.
void icmp_is_told(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  // A port of ours on which nobody listens: this host answers with ICMP "port unreachable".
  Endpoint closed;
  {
    auto socket = Socket::udp({session.peer_address(), 0});
    if (!socket) not_tried("no socket on " + session.peer_address().to_string());
    closed = socket->local();
  }
  session.permit(flow, closed.address);
  constexpr int attempts = 5;
  for (int i = 0; i < attempts; ++i) {
    flow.send(session.send_indication(flow, closed, session.random_bytes(16)));
    const auto came = flow.next_from_peer(session.soon());
    if (!came) continue;
    if (!came->icmp) fail("ICMP in the Data indication", describe(came->raw));
    const bool is_ipv4 = closed.family() == Family::ipv4;
    const stun::Icmp port_unreachable =
        is_ipv4 ? stun::Icmp{3, 3, 0} : stun::Icmp{1, 4, 0};  // RFC 792, RFC 4443 §3.1
    expect(
        came->icmp->type == port_unreachable.type && came->icmp->code == port_unreachable.code,
        "type " + std::to_string(port_unreachable.type) + ", code " +
            std::to_string(port_unreachable.code),
        "type " + std::to_string(came->icmp->type) + ", code " + std::to_string(came->icmp->code));
    if (!came->peer) fail("XOR-PEER-ADDRESS", "none");
    expect(came->peer->address == closed.address &&
               (came->peer->port == closed.port || came->peer->port == 0),
           closed.to_string() + ", or port 0", came->peer->to_string());
    expect(!came->payload, "no DATA beside ICMP", "DATA");
    return;
  }
  session.excuse_silence(flow, closed);
  fail("a Data indication with ICMP after sending to a closed port", "nothing");
}

void relay_to_relay(Session& session) {
  Flow& one = session.open();
  Flow& other = session.open();
  const Endpoint one_relayed = Session::relayed(session.allocate(one));
  const Endpoint other_relayed = Session::relayed(session.allocate(other));
  const auto permit = [&](Flow& flow, const Endpoint& peer) {
    const Reply reply = session.create_permission(flow, {peer});
    if (reply.error() == 403) {
      fail("a relayed address of the same server is a peer like others", "403");
    }
    expect_success(reply);
  };
  permit(one, other_relayed);
  permit(other, one_relayed);
  constexpr int attempts = 5;
  const Bytes payload = session.random_bytes(32);
  for (int i = 0; i < attempts; ++i) {
    one.send(session.send_indication(one, other_relayed, payload));
    if (const auto came = other.next_from_peer(session.soon())) {
      expect(came->payload == payload, describe(payload), describe(came->raw));
      return;
    }
  }
  fail("the payload through both relays", "nothing");
}

}  // namespace

std::vector<Check> rfc8656_data_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"send-reaches-the-peer", "46", "RFC 8656 §11.2",
       "The value of DATA becomes a UDP datagram to XOR-PEER-ADDRESS.", must, everywhere,
       to_the_peer},
      {"send-leaves-from-the-relayed-address", "46", "RFC 8656 §11.2",
       "The source is the relayed transport address.", must, everywhere, from_the_relayed_address},
      {"peer-data-comes-as-data-indication", "47", "RFC 8656 §11.3",
       "Without a channel a permitted peer's datagram becomes a Data indication.", must, everywhere,
       to_the_client},
      {"data-indication-names-the-peer", "47", "RFC 8656 §11.3",
       "XOR-PEER-ADDRESS is the source of the datagram.", must, everywhere, data_names_the_peer},
      {"data-indication-padding-is-zero", "3, 47", "RFC 8489 §14",
       "Padding bits must be zero on sending.", must, everywhere, data_padding_is_zero},
      {"data-indication-ids-differ", "47", "RFC 8489 §5",
       "The transaction id of an indication is new and random.", must, everywhere, data_ids_differ},
      {"empty-send-is-an-empty-datagram", "46", "RFC 8656 §11.2",
       "DATA is allowed to contain zero bytes.", must, everywhere, empty_to_the_peer},
      {"empty-datagram-is-an-empty-data-indication", "47", "RFC 8656 §11.3, §11.4",
       "An empty datagram of a peer is relayed: DATA may contain zero bytes.", must, everywhere,
       empty_to_the_client},
      {"large-data", "46, 47", "RFC 8656 §11",
       "8000 bytes are relayed, fragmented where they must be.", advice, streams, large_both_ways},
      {"send-without-permission-is-silence", "46", "RFC 8656 §11.2",
       "No permission for the peer's address: discarded.", must, everywhere,
       send_needs_a_permission},
      {"send-without-peer-is-silence", "46", "RFC 8656 §11.2",
       "XOR-PEER-ADDRESS is missing: discarded.", must, everywhere, send_without_peer},
      {"send-without-data-is-silence", "46", "RFC 8656 §11.2", "DATA is missing: discarded.", must,
       everywhere, send_without_data},
      {"send-with-unknown-attribute-is-silence", "5", "RFC 8489 §6.3.2",
       "An indication with unknown required attributes is discarded.", must, everywhere,
       send_with_unknown_attribute},
      {"send-to-another-family-is-silence", "46", "RFC 8656 §11.2",
       "An invalid peer address: discarded.", must, everywhere, send_to_other_family},
      {"send-without-allocation-is-silence", "28", "RFC 8656 §5",
       "An indication on an unknown 5-tuple is discarded.", must, everywhere,
       send_without_allocation},
      {"send-with-dont-fragment", "34", "RFC 8656 §11.2",
       "DONT-FRAGMENT in Send is honoured, or the indication discarded.", must, everywhere,
       send_with_dont_fragment},
      {"icmp-is-told-to-the-client", "48", "RFC 8656 §11.5",
       "ICMP \"port unreachable\" becomes a Data indication with ICMP.", must, everywhere,
       icmp_is_told},
      {"two-relays-of-one-server-meet", "57", "RFC 8656 §2",
       "Two clients behind relays of the same server can talk.", advice, everywhere,
       relay_to_relay},
  };
}

}  // namespace turnpike::conformance
