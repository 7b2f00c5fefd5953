// What does not depend on what the server did before: clients of one that has been restarted, and
// the bytes of an answer.
#include <vector>

#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

void want_udp(stun::MessageBuilder& message) { message.put_requested_transport(17); }

/// Everything that stands in padding of `message`.
std::vector<std::uint8_t> padding_of(const Bytes& message) {
  std::vector<std::uint8_t> padding;
  constexpr std::size_t header_bytes = 20;
  std::size_t at = header_bytes;
  while (at + 4 <= message.size()) {
    const std::size_t length = static_cast<std::size_t>(message[at + 2] * 256 + message[at + 3]);
    for (at += 4 + length; at % 4 != 0 && at < message.size(); ++at) padding.push_back(message[at]);
  }
  return padding;
}

}  // namespace

TEST_CASE("after a restart a nonce costs one 438 and then serves no more", "[turn][A04]") {
  World before;
  auto old = before.client("198.51.100.7:4000");
  REQUIRE(old.allocate().code() == ok);

  WorldSettings restarted;
  restarted.seed = 8;  // no key is kept over a restart
  World after{restarted};
  auto client = after.client("198.51.100.7:4000");
  client.realm = old.realm;
  client.nonce = old.nonce;
  client.offered = old.offered;
  const Reply reply = client.request_once(Method::allocate, want_udp);
  CHECK(reply.code() == 438);
  const std::string fresh = reply.text(AttributeType::nonce);
  CHECK(fresh != old.nonce);
  client.nonce = fresh;
  CHECK(client.request_once(Method::allocate, want_udp).code() == ok);
}

TEST_CASE("answers depend on their requests alone, to the last byte of padding", "[turn][S18]") {
  // Two servers in the same state get the same requests; one is kept busy by somebody else in
  // between, so that a byte which nobody wrote would be another one there.
  World calm;
  World busy;
  SeededRandom random{seed_or(3)};
  auto noise = busy.client("203.0.113.9:9");
  const std::vector<Method> methods{Method::binding, Method::allocate, Method::refresh,
                                    Method::create_permission, Method::channel_bind};
  std::size_t answers = 0;
  std::size_t padding = 0;
  for (int client = 0; client < 500; ++client) {
    const std::string from = "198.51.100.7:" + std::to_string(4000 + client);
    auto alice = calm.client(from);
    auto twin = busy.client(from);
    alice.uses(static_cast<Algorithm>(random.below(3)));
    for (int i = 0; i < 200; ++i) {
      const Method method = methods[random.below(methods.size())];
      const auto peer =
          Endpoint{IpAddress::v4(static_cast<std::uint32_t>(0x08080800 + random.below(4))), 5000};
      const Reply reply = alice.request_once(method, [&](stun::MessageBuilder& m) {
        if (method == Method::allocate) m.put_requested_transport(17);
        if (random.below(20) == 0) m.put_text(AttributeType{0x7fff}, "?");
        if (method == Method::refresh) m.put_lifetime(seconds{random.below(3) * 600});
        if (method == Method::channel_bind)
          m.put_channel_number(
              stun::ChannelNumber{static_cast<std::uint16_t>(0x4000 + random.below(4))});
        if (method == Method::create_permission || method == Method::channel_bind)
          m.put_xor_address(AttributeType::xor_peer_address, peer);
      });
      alice.with_fingerprint = random.below(2) == 0;
      noise.binding(with_raw(0xc000 + static_cast<unsigned>(random.below(4)),
                             Bytes(random.below(300), 0xa5)));
      const Reply same = twin.transmit(alice.last_request);
      REQUIRE(same.reason == reply.reason);
      REQUIRE(same.bytes == reply.bytes);
      if (reply.code() == 401 || reply.code() == 438) {
        alice.realm = reply.text(AttributeType::realm);
        alice.nonce = reply.text(AttributeType::nonce);
        const std::string offered = reply.text(AttributeType::password_algorithms);
        alice.offered.assign(offered.begin(), offered.end());
      }
      if (!reply.bytes) continue;
      ++answers;
      for (const std::uint8_t byte : padding_of(*reply.bytes)) {
        REQUIRE(byte == 0);
        ++padding;
      }
    }
  }
  CHECK(answers > 10'000);
  CHECK(padding > 1'000);
}

}  // namespace turnpike::test
