// Channels (RFC 8656 §12): binding them, and ChannelData in both directions.
#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

constexpr std::uint16_t ch = 0x4000;

Client allocated(World& world, const Add& add = {}) {
  auto client = world.client("198.51.100.7:4000");
  REQUIRE(client.allocate(add).code() == ok);
  return client;
}

Reply bind_raw(Client& client, const Bytes& number, std::string_view peer) {
  return client.request(Method::channel_bind, [&](stun::MessageBuilder& m) {
    m.put(AttributeType::channel_number, number);
    m.put_xor_address(AttributeType::xor_peer_address, endpoint(peer));
  });
}

}  // namespace

// --- ChannelBind ---------------------------------------------------------------------------------

TEST_CASE("a bound channel carries data both ways", "[turn][rfc8656-12][c47][c50]") {
  const auto peer = GENERATE(as<std::string>{}, "8.8.8.8:5000", "[2001:4860:4860::8888]:5000");
  World world;
  auto alice = allocated(world, with_additional(Family::ipv6));
  const Reply reply = alice.bind_channel(ch, peer);
  CHECK(reply.code() == ok);
  CHECK(reply.reason == Reason::answered_channel_bind);
  CHECK(reply.types().empty());

  CHECK(alice.send_channel(ch, "out") == Reason::relayed_to_peer);
  CHECK(world.at_peer()->to == endpoint(peer));
  CHECK(world.at_peer()->from == alice.relayed(endpoint(peer).family()));
  CHECK(world.at_peer()->payload == "out");

  CHECK(world.peer_sends(peer, alice, "back") == Reason::relayed_to_client);
  CHECK(alice.data()->channel == ch);
  CHECK(to_hex(alice.data()->bytes) == "40000004" + to_hex(bytes_of("back")));
}

TEST_CASE("channel numbers outside 0x4000 to 0x4FFF are bad requests",
          "[turn][rfc8656-12][c49][F06]") {
  World world;
  auto alice = allocated(world);
  std::uint16_t port = 5000;
  for (const unsigned number : {0x4000U, 0x4001U, 0x4ffeU, 0x4fffU}) {
    CAPTURE(number);
    CHECK(
        alice.bind_channel(static_cast<std::uint16_t>(number), "8.8.8.8:" + std::to_string(port++))
            .code() == ok);
  }
  for (const unsigned number : {0x0000U, 0x3fffU, 0x5000U, 0x6000U, 0x7fffU, 0x8000U, 0xffffU}) {
    CAPTURE(number);
    CHECK(
        alice.bind_channel(static_cast<std::uint16_t>(number), "8.8.8.8:" + std::to_string(port++))
            .code() == 400);
  }
}

TEST_CASE("ChannelBind needs a number and a peer", "[turn][rfc8656-12.2][c50][S05]") {
  World world;
  auto alice = allocated(world);
  const auto bind = [&](const Add& add) { return alice.request(Method::channel_bind, add).code(); };
  const Add number = with_raw(0x000c, {0x40, 0, 0, 0});
  const Add peer = [](auto& m) {
    m.put_xor_address(AttributeType::xor_peer_address, endpoint("8.8.8.8:5000"));
  };
  CHECK(bind({}) == 400);
  CHECK(bind(number) == 400);
  CHECK(bind(peer) == 400);
  CHECK(bind(number + with_raw(0x0012, {0, 9, 1, 2, 3, 4, 5, 6})) == 400);
  CHECK(bind_raw(alice, {0x40, 0}, "8.8.8.8:5000").code() == 400);
  CHECK(bind_raw(alice, Bytes(8, 0x40), "8.8.8.8:5000").code() == 400);
  CHECK(bind(number + peer) == ok);
}

TEST_CASE("one peer a channel, one channel a peer", "[turn][rfc8656-12.2][c50][F07]") {
  World world;
  auto alice = allocated(world);
  CHECK(alice.bind_channel(0x4000, "8.8.8.8:5000").code() == ok);
  CHECK(alice.bind_channel(0x4000, "8.8.8.8:5001").code() == 400);
  CHECK(alice.bind_channel(0x4000, "9.9.9.9:5000").code() == 400);
  CHECK(alice.bind_channel(0x4001, "8.8.8.8:5000").code() == 400);
  CHECK(alice.bind_channel(0x4001, "8.8.8.8:5001").code() == ok);  // another port is another peer
  CHECK(alice.bind_channel(0x4000, "8.8.8.8:5000").code() == ok);  // the same pair refreshes
  // A refused one changes nothing: no permission for its peer.
  CHECK(alice.send("9.9.9.9:5000", "hi") == Reason::dropped_no_permission);
}

TEST_CASE("ChannelBind refuses other families, denied peers and too many",
          "[turn][rfc8656-12.2][c50][Q04]") {
  WorldSettings settings;
  settings.limits.max_channels = 2;
  World world{settings};
  auto alice = allocated(world);
  CHECK(alice.bind_channel(0x4000, "[2001:4860:4860::8888]:5000").code() == 443);
  CHECK(alice.bind_channel(0x4000, "10.0.0.1:5000").code() == 403);
  CHECK(alice.bind_channel(0x4000, "8.8.8.8:5000").code() == ok);
  CHECK(alice.bind_channel(0x4001, "8.8.8.8:5001").code() == ok);
  CHECK(alice.bind_channel(0x4002, "8.8.8.8:5002").code() == 508);
  CHECK(alice.bind_channel(0x4001, "8.8.8.8:5001").code() == ok);
  CHECK(alice.send_channel(0x4002, "hi") == Reason::dropped_unbound_channel);
  world.advance(599s);
  alice.refresh();
  world.advance(1s);
  CHECK(alice.bind_channel(0x4002, "8.8.8.8:5002").code() ==
        ok);  // those that ran out do not count
}

TEST_CASE("two allocations use the same channel number for different peers",
          "[turn][rfc8656-12][c31]") {
  World world;
  auto alice = allocated(world);
  auto bob = world.client("198.51.100.8:4000");
  bob.is("bob", "builder").allocate();
  alice.bind_channel(ch, "8.8.8.8:5000");
  bob.bind_channel(ch, "9.9.9.9:5000");
  alice.send_channel(ch, "hi");
  CHECK(world.at_peer()->to == endpoint("8.8.8.8:5000"));
  bob.send_channel(ch, "hi");
  CHECK(world.at_peer()->to == endpoint("9.9.9.9:5000"));
  CHECK(world.at_peer()->from == bob.relayed());
}

TEST_CASE("ChannelBind installs a permission", "[turn][rfc8656-12.2][c50]") {
  World world;
  auto alice = allocated(world);
  alice.bind_channel(ch, "8.8.8.8:5000");
  CHECK(alice.send("8.8.8.8:6000", "hi") == Reason::relayed_to_peer);
  CHECK(world.peer_sends("8.8.8.8:6000", alice, "hi") == Reason::relayed_to_client);
  CHECK_FALSE(alice.data()->channel);  // the channel is for port 5000
  CHECK(alice.data()->peer == endpoint("8.8.8.8:6000"));
}

// --- Time ----------------------------------------------------------------------------------------

TEST_CASE("a channel lasts 600 seconds, its permission 300", "[turn][rfc8656-12][c51]") {
  World world;
  auto alice = allocated(world, with_lifetime(3600));
  alice.bind_channel(ch, "8.8.8.8:5000");
  world.advance(300s - 1ms);
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::relayed_to_client);
  world.advance(1ms);
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::dropped_no_permission);

  // With the permission back, the channel is still the same.
  alice.permit("8.8.8.8");
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::relayed_to_client);
  CHECK(alice.data()->channel == ch);
  world.advance(299s);
  alice.permit("8.8.8.8");
  world.advance(1s - 1ms);
  CHECK(alice.send_channel(ch, "hi") == Reason::relayed_to_peer);
  world.advance(1ms);
  CHECK(alice.send_channel(ch, "hi") == Reason::dropped_unbound_channel);
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::relayed_to_client);
  CHECK_FALSE(alice.data()->channel);  // a Data indication now
}

TEST_CASE("binding the same pair again starts both times anew", "[turn][rfc8656-12.2][c50][c51]") {
  World world;
  auto alice = allocated(world, with_lifetime(3600));
  alice.bind_channel(ch, "8.8.8.8:5000");
  world.advance(299s);
  alice.bind_channel(ch, "8.8.8.8:5000");
  world.advance(299s);
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::relayed_to_client);
  alice.permit("8.8.8.8");
  world.advance(299s);
  CHECK(alice.send_channel(ch, "hi") ==
        Reason::relayed_to_peer);  // 598 s after the second ChannelBind
}

TEST_CASE("data refreshes neither channel nor permission", "[turn][rfc8656-12.6][c54]") {
  World world;
  auto alice = allocated(world, with_lifetime(3600));
  alice.bind_channel(ch, "8.8.8.8:5000");
  for (int i = 0; i < 59; ++i) {
    world.advance(10s);
    if (i == 28) alice.permit("8.8.8.8");
    if (i == 50) alice.permit("8.8.8.8");
    CHECK(alice.send_channel(ch, "hi") == Reason::relayed_to_peer);
    CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::relayed_to_client);
    CHECK(alice.data()->channel == ch);
  }
  world.advance(10s);
  CHECK(alice.send_channel(ch, "hi") == Reason::dropped_unbound_channel);
}

TEST_CASE("an expired channel, or its peer, may be bound again at once",
          "[turn][rfc8656-12][c52]") {
  World world;
  auto alice = allocated(world, with_lifetime(3600));
  alice.bind_channel(ch, "8.8.8.8:5000");
  world.advance(600s);
  SECTION("the same pair") { CHECK(alice.bind_channel(ch, "8.8.8.8:5000").code() == ok); }
  SECTION("the channel to another peer") {
    CHECK(alice.bind_channel(ch, "9.9.9.9:5000").code() == ok);
    CHECK(alice.send_channel(ch, "hi") == Reason::relayed_to_peer);
    CHECK(world.at_peer()->to == endpoint("9.9.9.9:5000"));
  }
  SECTION("the peer to another channel") {
    CHECK(alice.bind_channel(0x4001, "8.8.8.8:5000").code() == ok);
    CHECK(alice.send_channel(ch, "hi") == Reason::dropped_unbound_channel);
    CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::relayed_to_client);
    CHECK(alice.data()->channel == 0x4001);
  }
}

// --- ChannelData ---------------------------------------------------------------------------------

TEST_CASE("ChannelData without allocation or binding is silence",
          "[turn][rfc8656-12.6][c28][c54][F06]") {
  World world;
  auto stranger = world.client("203.0.113.77:1234");
  CHECK(stranger.send_channel(ch, "hi") == Reason::dropped_no_allocation);
  auto alice = allocated(world);
  alice.bind_channel(ch, "8.8.8.8:5000");
  CHECK(alice.send_channel(0x4001, "hi") == Reason::dropped_unbound_channel);
  CHECK(alice.send_channel(0x4fff, "hi") == Reason::dropped_unbound_channel);
  CHECK(stranger.send_channel(ch, "hi") == Reason::dropped_no_allocation);
  CHECK_FALSE(world.at_peer());
  CHECK(world.unread() == 0);
}

TEST_CASE("what 0x5000 to 0xFFFF begins is no ChannelData over UDP",
          "[turn][rfc8656-12][c49][F06]") {
  World world;
  auto alice = allocated(world);
  for (const unsigned number : {0x3fffU, 0x5000U, 0x7fffU, 0xffffU}) {
    CHECK(alice.send_channel(static_cast<std::uint16_t>(number), "hi") == Reason::dropped_not_turn);
  }
}

TEST_CASE("the length of ChannelData says what is payload", "[turn][rfc8656-12.5][c53][F05]") {
  World world;
  auto alice = allocated(world);
  alice.bind_channel(ch, "8.8.8.8:5000");
  const auto send = [&](const Bytes& datagram) { return alice.transmit(datagram).reason; };

  SECTION("padding after it is not relayed") {
    CHECK(send({0x40, 0, 0, 1, 'x', 0, 0, 0}) == Reason::relayed_to_peer);
    CHECK(world.at_peer()->payload == "x");
    CHECK(send({0x40, 0, 0, 3, 'x', 'y', 'z', 0xff}) == Reason::relayed_to_peer);
    CHECK(world.at_peer()->payload == "xyz");
  }
  SECTION("longer than the datagram: dropped, at every length") {
    for (std::uint8_t missing = 1; missing <= 5; ++missing) {
      Bytes datagram{0x40, 0, 0, 5, 1, 2, 3, 4, 5};
      datagram.resize(datagram.size() - missing);
      CHECK(send(datagram) == Reason::dropped_malformed);
    }
    CHECK(send({0x40, 0, 0xff, 0xff, 1}) == Reason::dropped_malformed);
    CHECK(send({0x40, 0, 0}) == Reason::dropped_malformed);
    CHECK(send({0x40}) == Reason::dropped_malformed);
  }
  SECTION("zero: an empty datagram") {
    CHECK(send({0x40, 0, 0, 0}) == Reason::relayed_to_peer);
    CHECK(world.at_peer()->payload.empty());
    CHECK(send({0x40, 0, 0, 0, 9, 9}) == Reason::relayed_to_peer);
    CHECK(world.at_peer()->payload.empty());
  }
}

TEST_CASE("ChannelData to a client over UDP is not padded", "[turn][rfc8656-12.5][c53]") {
  World world;
  auto alice = allocated(world);
  alice.bind_channel(ch, "8.8.8.8:5000");
  for (const std::size_t size : {0U, 1U, 2U, 3U, 4U, 1200U, 65507U}) {
    const std::string payload(size, 'p');
    CHECK(world.peer_sends("8.8.8.8:5000", alice, payload) == Reason::relayed_to_client);
    CHECK(alice.data()->bytes.size() == size + 4);
    CHECK(alice.data()->payload == payload);
  }
}

TEST_CASE("ChannelData leaves without the DF bit", "[turn][rfc8656-14][c55]") {
  World world;
  auto alice = allocated(world, with_raw(0x001a, {}));
  alice.bind_channel(ch, "8.8.8.8:5000");
  alice.send_channel(ch, "hi");
  CHECK_FALSE(world.at_peer()->dont_fragment);
}

}  // namespace turnpike::test
