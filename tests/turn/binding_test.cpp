// Binding (RFC 8489 §6.3.1, §12) as a client sees it.
#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

/// What IPv4 or IPv6 and UDP put before a payload.
std::size_t packet_bytes(Family family, std::size_t payload_bytes) {
  return payload_bytes + 8 + (family == Family::ipv4 ? 20 : 40);
}

}  // namespace

TEST_CASE("Binding answers with XOR-MAPPED-ADDRESS and nothing else",
          "[turn][rfc8489-6.3.1.1][c24][M01]") {
  const auto from = GENERATE(as<std::string>{}, "198.51.100.7:4000", "[2001:db8:7::7]:4000");
  World world;
  auto alice = world.client(from);
  const Reply reply = alice.binding();
  CHECK(reply.reason == Reason::answered_binding);
  CHECK(reply.code() == ok);
  CHECK(reply.types() == std::vector{AttributeType::xor_mapped_address});
  CHECK(reply.endpoint(AttributeType::xor_mapped_address) == endpoint(from));
}

TEST_CASE("Binding asks nobody for credentials", "[turn][rfc8489-12][rfc8656-5][c27]") {
  World world;
  auto stranger = world.client("203.0.113.77:1234");
  CHECK(stranger.binding().code() == ok);
  CHECK(world.balance().allocations == 0);
}

TEST_CASE("a Binding request sent again is answered alike", "[turn][rfc8489-6.3.1][c07]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  const Reply first = alice.binding();
  world.advance(3s);
  CHECK(alice.repeat().bytes == first.bytes);
}

TEST_CASE("FINGERPRINT is mirrored", "[turn][rfc8489-7][c08][S09]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  CHECK_FALSE(alice.binding().has_fingerprint());
  alice.with_fingerprint = true;
  CHECK(alice.binding().has_fingerprint());
  CHECK(alice.binding(with_raw(0x0024, {0, 0, 0, 1})).has_fingerprint());  // a 420 too
}

TEST_CASE("a wrong or misplaced FINGERPRINT is silence", "[turn][rfc8489-7][c08][S09]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.with_fingerprint = true;
  Bytes message = alice.build(Method::binding);

  SECTION("wrong") {
    message.back() ^= 1;
    CHECK(alice.transmit(message).reason == Reason::dropped_fingerprint);
  }
  SECTION("of another message") {
    message[8] ^= 1;  // the transaction id
    CHECK(alice.transmit(message).reason == Reason::dropped_fingerprint);
  }
  SECTION("not the last attribute") {
    message.insert(message.end(), {0x80, 0x22, 0, 0});  // SOFTWARE
    message[3] = static_cast<std::uint8_t>(message[3] + 4);
    CHECK(alice.transmit(message).reason == Reason::dropped_fingerprint);
  }
  CHECK(world.unread() == 0);
}

TEST_CASE("a Binding request with unknown required attributes gets 420 and their list",
          "[turn][rfc8489-6.3.1][c04][S08]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  const Reply reply = alice.binding(with_raw(0x0024, {0, 0, 0, 1}) + with_raw(0x7ffe, {}) +
                                    with_raw(0x8fff, {1}) + with_raw(0x0003, {0, 0, 0, 6}));
  CHECK(reply.code() == 420);
  CHECK(reply.reason == Reason::refused_unknown_attribute);
  CHECK(reply.unknown_attributes() == std::vector{0x0024U, 0x7ffeU, 0x0003U});
}

TEST_CASE("the NAT behaviour attributes of RFC 5780 have no effect but 420",
          "[turn][rfc5780-6][c68][P11]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  CHECK(alice.binding(with_raw(0x0003, {0, 0, 0, 6})).unknown_attributes() == std::vector{0x0003U});
  CHECK(alice.binding(with_raw(0x0027, {0x12, 0x34, 0, 0})).unknown_attributes() ==
        std::vector{0x0027U});
  CHECK(alice.binding(with_raw(0x0026, Bytes(64))).unknown_attributes() == std::vector{0x0026U});
}

TEST_CASE("however many attributes are unknown, a 420 lists eight", "[turn][rfc8489-6.3.1][S08]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  const auto count = GENERATE(1U, 8U, 9U, 500U);
  const Reply reply = alice.binding([&](stun::MessageBuilder& m) {
    for (unsigned i = 0; i < count; ++i) m.put_empty(static_cast<AttributeType>(0x1000 + i));
  });
  CHECK(reply.code() == 420);
  CHECK(reply.unknown_attributes().size() == std::min(count, 8U));
  CHECK(reply.size() < stun::header_bytes + 4 * count + 24);
}

TEST_CASE("unknown optional attributes are ignored", "[turn][rfc8489-14][S08]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  CHECK(alice.binding(with_raw(0x8fff, Bytes(100))).code() == ok);
  CHECK(alice.binding(with_raw(0xffff, {})).code() == ok);
}

TEST_CASE("attributes that a Binding request has no use for are ignored",
          "[turn][rfc8489-6.3.1][c04]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  CHECK(alice.binding(with_raw(0x000c, {0x40, 0, 0, 0}) + with_raw(0x0019, {17, 0, 0, 0})).code() ==
        ok);
}

TEST_CASE("a Binding request with integrity is answered without", "[turn][rfc8489-12][c09]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  const Reply reply = alice.binding(
      [](stun::MessageBuilder& m) { m.put_message_integrity(HmacSha1Key{bytes_of("guess")}); });
  CHECK(reply.code() == ok);
}

TEST_CASE("an answer to Binding is hardly larger than the request", "[turn][M01][c24]") {
  const auto from = GENERATE(as<std::string>{}, "198.51.100.7:4000", "[2001:db8:7::7]:4000");
  World world;
  auto alice = world.client(from);
  const Reply reply = alice.binding();
  const Family family = endpoint(from).family();
  CHECK(packet_bytes(family, alice.last_request.size()) == (family == Family::ipv4 ? 48 : 68));
  CHECK(packet_bytes(family, reply.size()) == (family == Family::ipv4 ? 60 : 92));
}

TEST_CASE("an answer leaves from the address that was asked", "[turn][rfc8489-6.3.1.2][c06]") {
  World world;
  auto here = world.client("198.51.100.7:4000");
  auto there = world.client("198.51.100.7:4000", "192.0.2.9:3479");
  // The world delivers by both ends: an answer from the other address would be left unread.
  CHECK(here.binding().code() == ok);
  CHECK(there.binding().code() == ok);
}

TEST_CASE("a client of RFC 3489, without the cookie, is not answered", "[turn][rfc8489-11][c24]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  Bytes message = alice.build(Method::binding);
  message[4] = 0;
  CHECK(alice.transmit(message).reason == Reason::dropped_malformed);
}

TEST_CASE("over DTLS a request without the cookie gets a 500, an indication nothing",
          "[turn][rfc8489-11][rfc7350-3][c24]") {
  World world;
  auto alice = world.client("198.51.100.7:4000", Transport::dtls);
  const turn::ClientFlow flow{
      {endpoint("198.51.100.7:4000"), endpoint("192.0.2.1:5349"), Transport::dtls}};
  turn::Effects effects;  // not the world's, which reads every answer as STUN
  const auto send = [&](const Bytes& message) {
    return world.server().on_client_datagram(flow, message, world.now(), effects).reason;
  };
  const auto method = GENERATE(Method::binding, Method::allocate, Method::refresh);
  Bytes request = alice.build(method);
  request[4] = 0x11;
  CHECK(send(request) == Reason::refused_classic_stun);
  REQUIRE(effects.list().size() == 1);
  const ByteView sent = effects.bytes_of(std::get<turn::SendToClient>(effects.list()[0]));
  Bytes answer{sent.begin(), sent.end()};
  REQUIRE(answer.size() == 28);
  // The whole id of RFC 3489, of which the cookie has the place, comes back.
  CHECK(Bytes(answer.begin() + 4, answer.begin() + 20) ==
        Bytes(request.begin() + 4, request.begin() + 20));
  store_be32(MutableByteView{answer}.subspan(4), stun::magic_cookie);
  const auto message = stun::MessageView::parse(answer).value();
  CHECK(message.message_class() == stun::Class::error);
  CHECK(message.method() == method);
  CHECK(stun::decode_error_code(message.find(AttributeType::error_code).value()).value().code ==
        500);

  request[1] |= 0x10;  // an indication
  CHECK(send(request) == Reason::dropped_malformed);
  request[0] |= 0x01;  // an error response
  CHECK(send(request) == Reason::dropped_malformed);
  CHECK(effects.list().size() == 1);
}

}  // namespace turnpike::test
