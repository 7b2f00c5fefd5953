// Send and Data indications and ICMP errors (RFC 8656 §11).
#include <set>

#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

Client permitted(World& world, const Add& add = {}) {
  auto client = world.client("198.51.100.7:4000");
  REQUIRE(client.allocate(add).code() == ok);
  const bool is_dual = world.balance().sockets == 2;
  client.permit("8.8.8.8");
  if (is_dual) client.permit("2001:4860:4860::8888");
  return client;
}

Client allocated_at(World& world, std::string_view from) {
  auto client = world.client(from);
  REQUIRE(client.allocate().code() == ok);
  return client;
}

/// A Send indication with exactly the attributes of `add`.
Reason send_raw(Client& client, const Add& add) {
  Bytes buffer(70000);
  stun::MessageBuilder message{buffer, stun::Class::indication, Method::send, {9, 9, 9}};
  add(message);
  return client.transmit(copy_of(message.bytes())).reason;
}

Add with_peer(std::string_view peer) {
  return [peer](stun::MessageBuilder& m) {
    m.put_xor_address(AttributeType::xor_peer_address, endpoint(peer));
  };
}

const Add with_data = [](stun::MessageBuilder& m) { m.put_text(AttributeType::data, "hi"); };

}  // namespace

// --- Send ----------------------------------------------------------------------------------------

TEST_CASE("Send goes to the peer from the relayed address", "[turn][rfc8656-11.2][c46]") {
  const auto peer = GENERATE(as<std::string>{}, "8.8.8.8:5000", "[2001:4860:4860::8888]:5000");
  World world;
  auto alice = permitted(world, with_additional(Family::ipv6));
  CHECK(alice.send(peer, "hello") == Reason::relayed_to_peer);
  CHECK(world.at_peer()->from == alice.relayed(endpoint(peer).family()));
  CHECK(world.at_peer()->to == endpoint(peer));
  CHECK(world.at_peer()->payload == "hello");
}

TEST_CASE("DATA of any length is relayed, none too", "[turn][rfc8656-11.2][c46]") {
  World world;
  auto alice = permitted(world);
  for (const std::size_t size : {0U, 1U, 2U, 3U, 4U, 1200U, 60000U}) {
    CHECK(alice.send("8.8.8.8:5000", std::string(size, 'p')) == Reason::relayed_to_peer);
    CHECK(world.at_peer()->payload == std::string(size, 'p'));
  }
}

TEST_CASE("Send without peer or data is dropped in silence", "[turn][rfc8656-11.2][c46][S05]") {
  World world;
  auto alice = permitted(world);
  const Add peer = with_peer("8.8.8.8:5000");
  CHECK(send_raw(alice, peer + with_data) == Reason::relayed_to_peer);
  CHECK(send_raw(alice, peer) == Reason::dropped_bad_indication);
  CHECK(send_raw(alice, with_data) == Reason::dropped_bad_indication);
  CHECK(send_raw(alice, with_raw(0x0012, {}) + with_data) == Reason::dropped_bad_indication);
  CHECK(send_raw(alice, with_raw(0x0012, {0, 3, 1, 2, 3, 4, 5, 6}) + with_data) ==
        Reason::dropped_bad_indication);
  CHECK(send_raw(alice, with_raw(0x0012, {0, 2, 1, 2, 3, 4, 5, 6}) + with_data) ==
        Reason::dropped_bad_indication);
  CHECK_FALSE(world.at_peer());
  CHECK(world.unread() == 0);
}

TEST_CASE("Send to a peer without permission is dropped in silence",
          "[turn][rfc8656-11.2][c46][P10]") {
  World world;
  auto alice = permitted(world);
  CHECK(alice.send("9.9.9.9:5000", "hi") == Reason::dropped_no_permission);
  CHECK(alice.send("[2001:4860:4860::8888]:5000", "hi") == Reason::dropped_peer_family);
  CHECK_FALSE(world.at_peer());
}

TEST_CASE("Send on an unknown five-tuple is dropped in silence", "[turn][rfc8656-5][c28]") {
  World world;
  permitted(world);
  auto stranger = world.client("198.51.100.7:4001");
  CHECK(stranger.send("8.8.8.8:5000", "hi") == Reason::dropped_no_allocation);
  auto elsewhere = world.client("198.51.100.7:4000", "192.0.2.1:3479");
  CHECK(elsewhere.send("8.8.8.8:5000", "hi") == Reason::dropped_no_allocation);
  CHECK(world.unread() == 0);
}

TEST_CASE("indications need no integrity, and a wrong one does no harm", "[turn][rfc8656-5][c27]") {
  World world;
  auto alice = permitted(world);
  CHECK(alice.send("8.8.8.8:5000", "hi", [](auto& m) {
    m.put_message_integrity(HmacSha1Key{bytes_of("guess")});
  }) == Reason::relayed_to_peer);
}

TEST_CASE("Send with an unknown required attribute is dropped in silence",
          "[turn][rfc8489-6.3.2][c05]") {
  World world;
  auto alice = permitted(world);
  CHECK(alice.send("8.8.8.8:5000", "hi", with_raw(0x7abc, {})) == Reason::dropped_bad_indication);
  CHECK(alice.send("8.8.8.8:5000", "hi", with_raw(0x0003, {0, 0, 0, 6})) ==
        Reason::dropped_bad_indication);
  CHECK(alice.send("8.8.8.8:5000", "hi", with_raw(0x9abc, {})) == Reason::relayed_to_peer);
  CHECK(alice.send("8.8.8.8:5000", "hi", with_raw(0x000c, {0x40, 0, 0, 0})) ==
        Reason::relayed_to_peer);
  CHECK(world.unread() == 0);
}

TEST_CASE("a Send with a wrong FINGERPRINT is dropped", "[turn][rfc8489-7][c08]") {
  World world;
  auto alice = permitted(world);
  CHECK(alice.send("8.8.8.8:5000", "hi", with_raw(0x8028, {1, 2, 3, 4})) ==
        Reason::dropped_fingerprint);
  CHECK(alice.send("8.8.8.8:5000", "hi", [](auto& m) { m.put_fingerprint(); }) ==
        Reason::relayed_to_peer);
}

TEST_CASE("DONT-FRAGMENT sets the DF bit of its datagram alone", "[turn][rfc8656-14][c34][c55]") {
  World world;
  auto alice = permitted(world);
  alice.send("8.8.8.8:5000", "hi", with_raw(0x001a, {}));
  CHECK(world.at_peer()->dont_fragment);
  alice.send("8.8.8.8:5000", "hi");
  CHECK_FALSE(world.at_peer()->dont_fragment);
}

TEST_CASE("DONT-FRAGMENT is ignored when either side is IPv6", "[turn][rfc8656-13][c55]") {
  const auto [from, peer, is_set] = GENERATE(table<std::string, std::string, bool>({
      {"198.51.100.7:4000", "8.8.8.8:5000", true},
      {"198.51.100.7:4000", "[2001:4860:4860::8888]:5000", false},
      {"[2001:db8:7::7]:4000", "8.8.8.8:5000", false},
      {"[2001:db8:7::7]:4000", "[2001:4860:4860::8888]:5000", false},
  }));
  CAPTURE(from, peer);
  World world;
  auto alice = world.client(from);
  REQUIRE(alice.allocate(with_additional(Family::ipv6)).code() == ok);
  REQUIRE(alice.permit_all({"8.8.8.8", "2001:4860:4860::8888"}).code() == ok);
  CHECK(alice.send(peer, "hi", with_raw(0x001a, {})) == Reason::relayed_to_peer);
  CHECK(world.at_peer()->dont_fragment == is_set);
}

TEST_CASE("ChannelData whose permission has run out is dropped", "[turn][rfc8656-9][c51]") {
  World world;
  auto alice = permitted(world, with_lifetime(3600));
  REQUIRE(alice.bind_channel(0x4000, "8.8.8.8:5000").code() == ok);
  world.advance(300s - 1ms);
  CHECK(alice.send_channel(0x4000, "hi") == Reason::relayed_to_peer);
  world.advance(1ms);
  CHECK(alice.send_channel(0x4000, "hi") == Reason::dropped_no_permission);
  CHECK_FALSE(world.at_peer());
  // The channel is still bound: a permission is all that is missing.
  REQUIRE(alice.permit("8.8.8.8").code() == ok);
  CHECK(alice.send_channel(0x4000, "hi") == Reason::relayed_to_peer);
  CHECK(world.at_peer()->to == endpoint("8.8.8.8:5000"));
}

// --- Data ----------------------------------------------------------------------------------------

TEST_CASE("a peer's datagram becomes a Data indication", "[turn][rfc8656-11.3][c47]") {
  const auto peer = GENERATE(as<std::string>{}, "8.8.8.8:5000", "[2001:4860:4860::8888]:5000");
  World world;
  auto alice = permitted(world, with_additional(Family::ipv6));
  for (const std::size_t size : {0U, 1U, 2U, 3U, 4U, 5U, 1200U, 65000U}) {
    const std::string payload(size, 'd');
    REQUIRE(world.peer_sends(peer, alice, payload) == Reason::relayed_to_client);
    CHECK(alice.data()->peer == endpoint(peer));
    CHECK(alice.data()->payload == payload);
    CHECK_FALSE(alice.data()->channel);
    const Reply indication{Reason::relayed_to_client, alice.data()->bytes};
    CHECK(indication.types() == std::vector{AttributeType::xor_peer_address, AttributeType::data});
  }
}

TEST_CASE("a datagram too large for a Data indication is dropped, not cut",
          "[turn][rfc8656-11.3][c47][S07]") {
  World world;
  auto alice = permitted(world, with_additional(Family::ipv6));
  const std::string peer = "[2001:4860:4860::8888]:5000";
  CHECK(world.peer_sends("8.8.8.8:5000", alice, std::string(65507, 'd')) ==
        Reason::relayed_to_client);
  CHECK(world.peer_sends(peer, alice, std::string(65504, 'd')) == Reason::relayed_to_client);
  CHECK(alice.data()->payload.size() == 65504);
  CHECK(world.peer_sends(peer, alice, std::string(65505, 'd')) == Reason::dropped_too_large);
  CHECK(world.peer_sends(peer, alice, std::string(65527, 'd')) == Reason::dropped_too_large);
}

TEST_CASE("the padding of Data indications is zero", "[turn][rfc8489-14][c03]") {
  World world;
  auto alice = permitted(world);
  for (const std::size_t size : {1U, 2U, 3U}) {
    world.peer_sends("8.8.8.8:5000", alice, std::string(size, '\xff'));
    const Bytes bytes = alice.data()->bytes;
    CHECK(bytes.size() == 40);
    for (std::size_t i = 36 + size; i < 40; ++i) CHECK(bytes.at(i) == 0);
  }
}

TEST_CASE("every indication has a transaction id of its own", "[turn][rfc8489-5]") {
  World world;
  auto alice = permitted(world);
  std::set<std::string> ids;
  for (int i = 0; i < 500; ++i) {
    world.peer_sends("8.8.8.8:5000", alice, "same");
    ids.insert(to_hex(ByteView{alice.data()->bytes}.subspan(8, 12)));
  }
  for (int i = 0; i < 100; ++i) {
    world.icmp("8.8.8.8:5000", alice, {3, 3, 0});
    ids.insert(to_hex(ByteView{*alice.receive()->bytes}.subspan(8, 12)));
  }
  CHECK(ids.size() == 600);
}

TEST_CASE("a peer without permission does not reach the client", "[turn][rfc8656-11.3][c47][P16]") {
  World world;
  auto alice = permitted(world);
  CHECK(world.peer_sends("8.8.8.9:5000", alice, "hi") == Reason::dropped_no_permission);
  CHECK_FALSE(world.at_client());
  CHECK(world.unread() == 0);
}

TEST_CASE("STUN from a peer is payload like any other", "[turn][rfc8656-11.3][c47]") {
  World world;
  auto alice = permitted(world);
  auto peer = world.client("8.8.8.8:5000");
  const Bytes check = peer.build(Method::binding);
  CHECK(world.peer_sends("8.8.8.8:5000", alice, text_of(check)) == Reason::relayed_to_client);
  CHECK(alice.data()->payload == text_of(check));
}

// --- ICMP ----------------------------------------------------------------------------------------

TEST_CASE("ICMP errors about our datagrams become Data indications", "[turn][rfc8656-11.5][c48]") {
  World world;
  auto alice = permitted(world, with_additional(Family::ipv6));
  const auto [peer, icmp] = GENERATE(table<std::string, stun::Icmp>({
      {"8.8.8.8:5000", {3, 0, 0}},
      {"8.8.8.8:5000", {3, 3, 0}},
      {"8.8.8.8:5000", {3, 4, 1280}},
      {"8.8.8.8:0", {11, 1, 0}},  // the port may be unknown
      {"[2001:4860:4860::8888]:5000", {1, 4, 0}},
      {"[2001:4860:4860::8888]:5000", {2, 0, 1280}},
      {"[2001:4860:4860::8888]:5000", {3, 0, 0}},
  }));
  CHECK(world.icmp(peer, alice, icmp) == Reason::relayed_icmp);
  const Reply indication = alice.receive().value();
  const auto message = indication.view();
  CHECK(message.message_class() == stun::Class::indication);
  CHECK(message.method() == Method::data);
  CHECK(indication.types() == std::vector{AttributeType::xor_peer_address, AttributeType::icmp});
  CHECK(indication.endpoint(AttributeType::xor_peer_address) == endpoint(peer));
  CHECK(stun::decode_icmp(message.find(AttributeType::icmp).value()) == icmp);
}

TEST_CASE("only those ICMP errors carry an MTU that have one", "[turn][rfc8656-18.13][c48]") {
  World world;
  auto alice = permitted(world, with_additional(Family::ipv6));
  const auto [peer, icmp] = GENERATE(table<std::string, stun::Icmp>({
      {"8.8.8.8:5000", {3, 3, 77}},
      {"8.8.8.8:5000", {11, 4, 77}},
      {"[2001:4860:4860::8888]:5000", {1, 0, 77}},
      {"[2001:4860:4860::8888]:5000", {3, 0, 77}},
  }));
  world.icmp(peer, alice, icmp);
  const Reply indication = alice.receive().value();
  const auto relayed = stun::decode_icmp(indication.view().find(AttributeType::icmp).value());
  CHECK(relayed == stun::Icmp{icmp.type, icmp.code, 0});
}

TEST_CASE("an ICMP error is an indication even where a channel is bound",
          "[turn][rfc8656-12.5][c48]") {
  World world;
  auto alice = permitted(world);
  alice.bind_channel(0x4000, "8.8.8.8:5000");
  CHECK(world.icmp("8.8.8.8:5000", alice, {3, 3, 0}) == Reason::relayed_icmp);
  CHECK(alice.receive()->view().method() == Method::data);
}

TEST_CASE("other ICMP messages are dropped", "[turn][rfc8656-11.5][c48]") {
  World world;
  auto alice = permitted(world, with_additional(Family::ipv6));
  for (unsigned type = 0; type <= 255; ++type) {
    const stun::Icmp icmp{static_cast<std::uint8_t>(type), 0, 0};
    if (type != 3 && type != 11)
      CHECK(world.icmp("8.8.8.8:5000", alice, icmp) == Reason::dropped_icmp);
    if (type < 1 || type > 3) {
      CHECK(world.icmp("[2001:4860:4860::8888]:5000", alice, icmp) == Reason::dropped_icmp);
    }
  }
  CHECK(world.unread() == 0);
}

TEST_CASE("ICMP about a peer without permission is dropped", "[turn][rfc8656-11.5][c48]") {
  World world;
  auto alice = permitted(world);
  CHECK(world.icmp("9.9.9.9:5000", alice, {3, 3, 0}) == Reason::dropped_no_permission);
  CHECK(world.unread() == 0);
}

// --- Clients over streams ------------------------------------------------------------------------

TEST_CASE("ChannelData to a client over a stream is padded", "[turn][rfc8656-12.5][c53]") {
  const auto [transport, pads] = GENERATE(table<Transport, bool>({
      {Transport::tcp, true},
      {Transport::tls, true},
      {Transport::udp, false},
      {Transport::dtls, false},
  }));
  World world;
  auto alice = world.client("198.51.100.7:4000", transport);
  REQUIRE(alice.allocate().code() == ok);
  REQUIRE(alice.bind_channel(0x4000, "8.8.8.8:5000").code() == ok);
  for (const std::size_t size : {0U, 1U, 2U, 3U, 4U, 5U, 1199U, 65507U}) {
    const std::string payload(size, '\xff');
    REQUIRE(world.peer_sends("8.8.8.8:5000", alice, payload) == Reason::relayed_to_client);
    const Bytes bytes = alice.data()->bytes;
    CHECK(bytes.size() == 4 + (pads ? (size + 3) / 4 * 4 : size));
    CHECK(load_be16(ByteView{bytes}.subspan(2)) == size);  // the padding is not counted
    CHECK(alice.data()->payload == payload);
    for (std::size_t i = 4 + size; i < bytes.size(); ++i) CHECK(bytes[i] == 0);
    turn::StreamFrame frame{};
    if (pads) CHECK(turn::find_frame(bytes, frame) == turn::StreamState::complete);
    if (pads) CHECK(frame.total_bytes == bytes.size());
  }
}

TEST_CASE("a client over a stream sends and is sent to like any other",
          "[turn][rfc8656-3.1][c56]") {
  World world;
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  REQUIRE(alice.allocate().code() == ok);
  REQUIRE(alice.permit("8.8.8.8").code() == ok);
  CHECK(alice.send("8.8.8.8:5000", "hello") == Reason::relayed_to_peer);
  CHECK(world.at_peer()->payload == "hello");
  CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::relayed_to_client);
  CHECK(alice.data()->peer == endpoint("8.8.8.8:5000"));
  CHECK(world.icmp("8.8.8.8:5000", alice, {3, 3, 0}) == Reason::relayed_icmp);
  CHECK(alice.receive()->view().method() == Method::data);
  // ChannelData comes as one message, without the padding or, over UDP, with it.
  REQUIRE(alice.bind_channel(0x4000, "8.8.8.8:5000").code() == ok);
  CHECK(alice.send_channel(0x4000, "abc") == Reason::relayed_to_peer);
  CHECK(world.at_peer()->payload == "abc");
}

// --- Same-host short-cut
// --------------------------------------------------------------------------

TEST_CASE("a peer that is another client's relay is served without the network", "[turn]") {
  World world;
  auto alice = allocated_at(world, "198.51.100.7:4000");
  auto bob = allocated_at(world, "198.51.100.8:4000");
  alice.permit("192.0.2.1");
  const std::string to_bob = bob.relayed().to_string();

  SECTION("as a Data indication when only the address is permitted") {
    bob.permit("192.0.2.1");
    CHECK(alice.send(to_bob, "hi") == Reason::relayed_between_clients);
    CHECK(bob.data()->payload == "hi");
    CHECK(bob.data()->peer == alice.relayed());
  }
  SECTION("as ChannelData when there is a channel") {
    bob.bind_channel(0x4123, alice.relayed().to_string());
    CHECK(alice.send(to_bob, "hi") == Reason::relayed_between_clients);
    CHECK(bob.data()->channel == 0x4123);
    CHECK(bob.data()->payload == "hi");
  }
  SECTION("from channel to channel") {
    bob.bind_channel(0x4123, alice.relayed().to_string());
    alice.bind_channel(0x4abc, to_bob);
    CHECK(alice.send_channel(0x4abc, "") == Reason::relayed_between_clients);
    CHECK(bob.data()->channel == 0x4123);
    CHECK(bob.data()->payload.empty());
  }
  CHECK_FALSE(world.at_peer());
}

TEST_CASE("the short-cut asks for the permissions of both ends", "[turn][P16]") {
  World world;
  auto alice = allocated_at(world, "198.51.100.7:4000");
  auto bob = allocated_at(world, "198.51.100.8:4000");
  const std::string to_bob = bob.relayed().to_string();
  CHECK(alice.send(to_bob, "hi") == Reason::dropped_no_permission);
  alice.permit("192.0.2.1");
  CHECK(alice.send(to_bob, "hi") == Reason::dropped_no_permission);
  CHECK_FALSE(world.at_client());
  bob.permit("192.0.2.1");
  CHECK(alice.send(to_bob, "hi") == Reason::relayed_between_clients);
  world.advance(200s);
  alice.permit("192.0.2.1");
  world.advance(100s);  // bob's has run out
  CHECK(alice.send(to_bob, "hi") == Reason::dropped_no_permission);
}

TEST_CASE("the short-cut ends with the allocation at its end", "[turn]") {
  World world;
  auto alice = allocated_at(world, "198.51.100.7:4000");
  auto bob = allocated_at(world, "198.51.100.8:4000");
  const std::string to_bob = bob.relayed().to_string();
  alice.permit("192.0.2.1");
  bob.permit("192.0.2.1");
  world.oversleep(590s);
  alice.refresh();
  alice.permit("192.0.2.1");
  world.oversleep(11s);  // nobody has swept bob's up yet
  CHECK(alice.send(to_bob, "hi") == Reason::dropped_closed_relay);
}

TEST_CASE("data for a relay of another worker is handed to that worker", "[turn]") {
  World world;
  auto alice = allocated_at(world, "198.51.100.7:4000");
  const Endpoint elsewhere = endpoint("192.0.2.1:49999");
  const turn::RelayPlace place{turn::WorkerId{1}, {6, 3}};
  world.ledger().live_relays().insert(elsewhere, place);
  alice.permit("192.0.2.1");
  SECTION("by Send") {
    CHECK(alice.send(elsewhere.to_string(), "hi") == Reason::relayed_to_neighbour);
  }
  SECTION("by channel") {
    alice.bind_channel(0x4000, elsewhere.to_string());
    CHECK(alice.send_channel(0x4000, "hi") == Reason::relayed_to_neighbour);
  }
  REQUIRE(world.at_neighbour());
  CHECK(world.at_neighbour()->to == place);
  CHECK(world.at_neighbour()->from == alice.relayed());
  CHECK(world.at_neighbour()->payload == "hi");
}

}  // namespace turnpike::test
