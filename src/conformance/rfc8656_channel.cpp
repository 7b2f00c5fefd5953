// RFC 8656 §12: channels.
#include "conformance/catalogue.h"
#include "conformance/frame.h"

namespace turnpike::conformance {
namespace {

using stun::AttributeType;
using stun::MessageBuilder;
using stun::Method;

constexpr std::uint16_t channel = 0x4000;
constexpr std::uint16_t other_channel = 0x4001;
constexpr std::uint16_t bad_request = 400;

/// ChannelData as this transport wants it: padded on streams (§12.5).
Bytes channel_data(const Flow& flow, std::uint16_t number, ByteView payload) {
  const std::size_t padding = flow.is_datagram() ? 0 : padded_to_4(payload.size()) - payload.size();
  return make_channel_data(number, payload, padding);
}

/// An allocation with `channel` bound to its peer.
Session::Relay open_channel(Session& session) {
  Flow& flow = session.open();
  const Endpoint relayed = Session::relayed(session.allocate(flow));
  Peer& peer = session.add_peer();
  session.bind_channel(flow, channel, peer.endpoint());
  return {flow, relayed, peer};
}

void expect_to_peer(Session& session, const Session::Relay& relay, ByteView payload) {
  session.expect_at_peer(relay.flow, channel_data(relay.flow, channel, payload), relay.peer,
                         payload);
}

/// What comes of the peer must come on the channel.
FromPeer expect_on_channel(Session& session, const Session::Relay& relay, ByteView payload) {
  FromPeer came = session.expect_received(relay, payload);
  if (!came.channel) fail("ChannelData, as a channel is bound", "a Data indication");
  expect(*came.channel == channel, "channel " + std::to_string(channel),
         "channel " + std::to_string(*came.channel));
  return came;
}

// --- ChannelBind ---------------------------------------------------------------------------------

void edges_of_the_range(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  session.bind_channel(flow, 0x4000, {session.peer_address(), 40000});
  session.bind_channel(flow, 0x4fff, {session.peer_address(), 40001});
}

void outside_the_range_is_400(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  std::uint16_t port = 40000;
  for (const std::uint16_t number :
       std::initializer_list<std::uint16_t>{0x0000, 0x3fff, 0x8000, 0xffff}) {
    expect_error(session.channel_bind(flow, number, {session.peer_address(), port++}), bad_request);
  }
}

void reserved_range_is_400(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  std::uint16_t port = 40000;
  for (const std::uint16_t number : std::initializer_list<std::uint16_t>{0x5000, 0x7fff}) {
    expect_error(session.channel_bind(flow, number, {session.peer_address(), port++}), bad_request);
  }
}

void incomplete_is_400(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  const Endpoint peer{session.peer_address(), 40000};
  expect_error(flow.request(Method::channel_bind,
                            [&](MessageBuilder& message) {
                              message.put_xor_address(AttributeType::xor_peer_address, peer);
                            }),
               bad_request);
  expect_error(flow.request(Method::channel_bind,
                            [](MessageBuilder& message) { message.put_channel_number({channel}); }),
               bad_request);
}

void same_pair_again(Session& session) {
  const Session::Relay relay = open_channel(session);
  session.bind_channel(relay.flow, channel, relay.peer.endpoint());
  expect_to_peer(session, relay, session.random_bytes(16));
}

void channel_of_another_peer_is_400(Session& session) {
  const Session::Relay relay = open_channel(session);
  const Endpoint other = session.add_peer().endpoint();
  expect_error(session.channel_bind(relay.flow, channel, other), bad_request);
  expect_to_peer(session, relay, session.random_bytes(16));  // the first binding stays
}

void peer_of_another_channel_is_400(Session& session) {
  const Session::Relay relay = open_channel(session);
  expect_error(session.channel_bind(relay.flow, other_channel, relay.peer.endpoint()), bad_request);
}

void other_family_is_443(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  const auto address =
      IpAddress::parse(session.family() == Family::ipv4 ? "2001:db8::1" : "192.0.2.1");
  expect_error(session.channel_bind(flow, channel, {*address, 40000}), 443);
}

void channels_are_of_one_allocation(Session& session) {
  const Session::Relay one = open_channel(session);
  const Session::Relay other = open_channel(session);  // the same number, another peer
  expect_to_peer(session, one, session.random_bytes(16));
  expect_to_peer(session, other, session.random_bytes(16));
}

void bind_installs_a_permission(Session& session) {
  const Session::Relay relay = open_channel(session);
  Peer& neighbour = session.add_peer();  // the same address, another port: no channel
  const FromPeer came =
      session.expect_at_client(relay.flow, neighbour, session.random_bytes(16), relay.relayed);
  expect(came.peer == neighbour.endpoint(),
         "a Data indication of " + neighbour.endpoint().to_string(),
         came.peer ? came.peer->to_string() : "ChannelData");
}

void reserved_bits_are_ignored(Session& session) {
  Flow& flow = session.open();
  session.allocate(flow);
  const Reply reply = flow.request(Method::channel_bind, [&](MessageBuilder& message) {
    message.put_u32(AttributeType::channel_number, 0x4000ffff)
        .put_xor_address(AttributeType::xor_peer_address, {session.peer_address(), 40000});
  });
  if (reply.error() == 403) not_tried("the server refuses the suite's peer (403)");
  expect_success(reply);
}

// --- ChannelData ---------------------------------------------------------------------------------

void to_the_peer(Session& session) {
  const Session::Relay relay = open_channel(session);
  for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{4},
                                 std::size_t{160}, std::size_t{1200}}) {
    expect_to_peer(session, relay, session.random_bytes(size));
  }
}

void from_the_relayed_address(Session& session) {
  const Session::Relay relay = open_channel(session);
  const Bytes payload = session.random_bytes(16);
  const Received received = session.expect_at_peer(
      relay.flow, channel_data(relay.flow, channel, payload), relay.peer, payload);
  if (received.from.address != relay.relayed.address) not_tried("a NAT stands between");
  expect(received.from == relay.relayed, relay.relayed.to_string(), received.from.to_string());
}

void to_the_client(Session& session) {
  const Session::Relay relay = open_channel(session);
  for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{4},
                                 std::size_t{160}, std::size_t{1200}}) {
    expect_on_channel(session, relay, session.random_bytes(size));
  }
}

void empty_to_the_peer(Session& session) {
  const Session::Relay relay = open_channel(session);
  expect_to_peer(session, relay, {});
}

void empty_to_the_client(Session& session) {
  const Session::Relay relay = open_channel(session);
  expect_on_channel(session, relay, {});
}

void large_both_ways(Session& session) {
  const Session::Relay relay = open_channel(session);
  constexpr std::size_t size = 8000;
  expect_to_peer(session, relay, session.random_bytes(size));
  expect_on_channel(session, relay, session.random_bytes(size));
}

void padded_datagram(Session& session) {
  const Session::Relay relay = open_channel(session);
  const Bytes payload = session.random_bytes(5);
  session.expect_at_peer(relay.flow, make_channel_data(channel, payload, 3), relay.peer, payload);
}

void too_long_is_dropped(Session& session) {
  const Session::Relay relay = open_channel(session);
  Bytes message = make_channel_data(channel, session.random_bytes(16), 0);
  store_be16(MutableByteView{message}.subspan(2), 17);
  relay.flow.send(message);
  session.expect_nothing_at_peer(relay.flow, relay.peer, "the length points past the datagram");
  expect_to_peer(session, relay, session.random_bytes(16));
}

void unbound_is_silence(Session& session) {
  const Session::Relay relay = open_channel(session);
  const Bytes stray = channel_data(relay.flow, other_channel, session.random_bytes(16));
  relay.flow.expect_silence(stray, "ChannelData on an unbound channel");
  session.expect_nothing_at_peer(relay.flow, relay.peer, "the channel is not bound");
  expect_to_peer(session, relay, session.random_bytes(16));
}

void without_allocation_is_silence(Session& session) {
  Flow& flow = session.open();
  const Bytes stray = channel_data(flow, channel, session.random_bytes(16));
  flow.expect_silence(stray, "ChannelData without an allocation", true);
}

void reserved_numbers_are_silence(Session& session) {
  const Session::Relay relay = open_channel(session);
  for (const std::uint16_t number : std::initializer_list<std::uint16_t>{0x5000, 0x7fff}) {
    const Bytes stray = channel_data(relay.flow, number, session.random_bytes(16));
    relay.flow.expect_silence(stray, "ChannelData with a reserved number");
  }
}

void server_uses_the_channel(Session& session) {
  const Session::Relay relay = session.open_relay();
  const FromPeer before = session.expect_received(relay, session.random_bytes(16));
  expect(!before.channel, "a Data indication without a channel", "ChannelData");
  session.bind_channel(relay.flow, channel, relay.peer.endpoint());
  expect_on_channel(session, relay, session.random_bytes(16));
}

void send_works_beside_a_channel(Session& session) {
  const Session::Relay relay = open_channel(session);
  session.expect_sent(relay, session.random_bytes(16));
  expect_to_peer(session, relay, session.random_bytes(16));
}

void server_pads_with_zeros(Session& session) {
  const Session::Relay relay = open_channel(session);
  // What a longer message left in a buffer must not be seen behind a shorter one.
  expect_on_channel(session, relay, Bytes(64, 0xee));
  const FromPeer came = expect_on_channel(session, relay, session.random_bytes(5));
  const auto data = read_channel_data(came.raw);
  for (const std::uint8_t byte : data->trailing) {
    expect(byte == 0, "padding of zeros", describe(data->trailing));
  }
}

void server_pads_streams(Session& session) {
  const Session::Relay relay = open_channel(session);
  // The second message would not be found had the first one no padding.
  expect_on_channel(session, relay, session.random_bytes(5));
  expect_on_channel(session, relay, session.random_bytes(6));
  relay.flow.fence();
}

void binding_lasts_ten_minutes(Session& session) {
  if (!session.settings().slow) not_tried("waits for 600 s: needs --slow");
  Flow& flow = session.open();
  constexpr seconds long_enough{1200};
  const Reply allocated =
      session.allocate(flow, [&](MessageBuilder& m) { m.put_lifetime(long_enough); });
  constexpr seconds binding{600};
  constexpr seconds margin{15};
  if (allocated.lifetime().value_or(seconds{0}) < binding + 2 * margin) {
    not_tried("the allocation does not live long enough");
  }
  Peer& peer = session.add_peer();
  session.bind_channel(flow, channel, peer.endpoint());
  const Instant bound = clock_now();
  constexpr seconds step{60};  // the permission is kept alive, which refreshes no binding
  while (clock_now() < bound + binding + margin) {
    session.permit(flow, peer.endpoint().address);
    static_cast<void>(flow.wait_closed(std::min(clock_now() + step, bound + binding + margin)));
  }
  session.permit(flow, peer.endpoint().address);
  const FromPeer came =
      session.expect_at_client(flow, peer, session.random_bytes(16), Session::relayed(allocated));
  expect(!came.channel, "a Data indication", "ChannelData");
}

}  // namespace

std::vector<Check> rfc8656_channel_checks() {
  using enum Applies;
  using enum Strength;
  return {
      {"channel-numbers-4000-to-4fff", "49", "RFC 8656 §12",
       "0x4000 through 0x4FFF are the allowed channel numbers.", must, everywhere,
       edges_of_the_range},
      {"channel-number-outside-is-400", "49", "RFC 8656 §12.2",
       "A channel number out of range: 400.", must, everywhere, outside_the_range_is_400},
      {"channel-number-5000-to-7fff-is-400", "49", "RFC 8656 §12.2",
       "The numbers that RFC 5766 allowed beyond 0x4FFF are reserved: 400.", must, everywhere,
       reserved_range_is_400},
      {"incomplete-channel-bind-is-400", "50", "RFC 8656 §12.2",
       "CHANNEL-NUMBER and XOR-PEER-ADDRESS must both be there: else 400.", must, everywhere,
       incomplete_is_400},
      {"channel-bind-again-refreshes", "50", "RFC 8656 §12.2", "The same pair again succeeds.",
       must, everywhere, same_pair_again},
      {"channel-lasts-600-seconds", "51, 52", "RFC 8656 §12",
       "A binding lives 10 minutes unless a ChannelBind refreshes it.", must, everywhere,
       binding_lasts_ten_minutes},
      {"channel-bound-to-another-peer-is-400", "50", "RFC 8656 §12.2",
       "The channel number is bound to a different transport address: 400.", must, everywhere,
       channel_of_another_peer_is_400},
      {"peer-bound-to-another-channel-is-400", "50", "RFC 8656 §12.2",
       "The transport address is bound to a different channel: 400.", must, everywhere,
       peer_of_another_channel_is_400},
      {"channel-of-another-family-is-443", "50", "RFC 8656 §12.2",
       "A peer of another family than the relayed address: 443.", must, everywhere,
       other_family_is_443},
      {"channels-are-of-one-allocation", "50", "RFC 8656 §12",
       "Channel bindings are specific to an allocation.", must, everywhere,
       channels_are_of_one_allocation},
      {"channel-bind-installs-a-permission", "50", "RFC 8656 §12.2",
       "ChannelBind installs a permission for the peer's address.", must, everywhere,
       bind_installs_a_permission},
      {"reserved-bits-of-channel-number-are-ignored", "50", "RFC 8656 §18.1",
       "The RFFU field must be ignored on reception.", must, everywhere, reserved_bits_are_ignored},
      {"channel-data-reaches-the-peer", "53", "RFC 8656 §12.6",
       "The application data is relayed to the bound peer, whatever its size.", must, everywhere,
       to_the_peer},
      {"channel-data-leaves-from-the-relayed-address", "53", "RFC 8656 §12.6",
       "The source is the relayed transport address.", must, everywhere, from_the_relayed_address},
      {"peer-data-comes-as-channel-data", "47", "RFC 8656 §12.5, §12.7",
       "If a channel is bound to the peer, the server must use it.", must, everywhere,
       to_the_client},
      {"empty-channel-data-is-an-empty-datagram", "53", "RFC 8656 §12.6",
       "Length 0: the UDP datagram is still formed and sent.", must, everywhere, empty_to_the_peer},
      {"empty-datagram-is-empty-channel-data", "53", "RFC 8656 §12.4, §12.7",
       "An empty datagram of the peer is relayed: 0 is a valid length.", must, everywhere,
       empty_to_the_client},
      {"large-channel-data", "53", "RFC 8656 §12.6",
       "8000 bytes are relayed, fragmented where they must be.", advice, streams, large_both_ways},
      {"padded-channel-data-over-datagrams", "53", "RFC 8656 §12.5",
       "Over UDP padding may be included, and is no data.", must, datagrams, padded_datagram},
      {"channel-data-longer-than-its-datagram-is-dropped", "53", "RFC 8656 §12.6",
       "A datagram too short for the claimed length is discarded.", must, datagrams,
       too_long_is_dropped},
      {"unbound-channel-is-silence", "54", "RFC 8656 §12.6",
       "ChannelData on a channel that is not bound is discarded.", must, everywhere,
       unbound_is_silence},
      {"channel-data-without-allocation-is-silence", "28", "RFC 8656 §5",
       "ChannelData on an unknown 5-tuple is discarded.", must, everywhere,
       without_allocation_is_silence},
      {"reserved-channel-numbers-are-silence", "49", "RFC 8656 §12.6",
       "ChannelData in the reserved range is discarded.", must, everywhere,
       reserved_numbers_are_silence},
      {"server-uses-a-channel-once-bound", "47", "RFC 8656 §12.5",
       "Data indications before the binding, ChannelData after it.", must, everywhere,
       server_uses_the_channel},
      {"send-works-beside-a-channel", "46", "RFC 8656 §12.5",
       "A client may freely intermix Send indications and ChannelData.", must, everywhere,
       send_works_beside_a_channel},
      {"channel-data-padding-is-zero", "3, 53", "RFC 8656 §12.5, RFC 8489 §14",
       "What pads ChannelData is zero.", must, streams, server_pads_with_zeros},
      {"channel-data-is-padded-on-streams", "53", "RFC 8656 §12.5",
       "Over TCP and TLS ChannelData is padded to a multiple of four.", must, streams,
       server_pads_streams},
  };
}

}  // namespace turnpike::conformance
