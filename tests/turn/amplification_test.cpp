// What senders draw from the server who are not known, and may not even be who the source address
// says: how many bytes of IP packets for how many, and whether two servers keep each other busy.
#include <array>
#include <queue>

#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

/// IPv4 without options, and UDP.
constexpr std::size_t headers_bytes = 28;

std::size_t packet_bytes(std::size_t payload_bytes) { return headers_bytes + payload_bytes; }

void want_udp(stun::MessageBuilder& message) { message.put_requested_transport(17); }

WorldSettings with_challenges(std::uint32_t rate) {
  WorldSettings settings;
  settings.credentials.realm = "example12.io";  // 12 characters
  settings.limits.challenge_rate = rate;
  return settings;
}

}  // namespace

TEST_CASE("a 438 is smaller than the request that it answers", "[turn][M02]") {
  World world{with_challenges(50)};
  auto alice = world.client("198.51.100.7:4000");
  alice.log_in();
  world.advance(world.settings().nonce_lifetime + 1s);
  const Reply reply = alice.request_once(Method::allocate, want_udp);
  CHECK(reply.code() == 438);
  CHECK(packet_bytes(reply.size()) < packet_bytes(alice.last_request.size()));
}

TEST_CASE("an Allocate that lacks its transport is challenged like any other", "[turn][M02]") {
  World world{with_challenges(50)};
  auto alice = world.client("198.51.100.7:4000");
  const Reply bare = alice.request_once(Method::allocate);
  REQUIRE(alice.last_request.size() == 20);
  CHECK(bare.code() == 401);  // RFC 8656 §7.2 authenticates first
  CHECK(bare.size() == alice.request_once(Method::allocate, want_udp).size());
}

TEST_CASE("a flood of a thousand requests a second draws less than a quarter of its bytes",
          "[turn][M03]") {
  World world{with_challenges(50)};
  const bool is_one_source = GENERATE(true, false);
  std::size_t bytes_in = 0;
  std::size_t bytes_out = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string host = is_one_source ? "7" : std::to_string(i % 256);
    auto bot = world.client("198.51.100." + host + ":" + std::to_string(20'000 + i));
    const Reply reply = bot.request_once(Method::allocate, want_udp);
    bytes_in += packet_bytes(bot.last_request.size());
    if (reply.code() != silence) bytes_out += packet_bytes(reply.size());
    world.advance(1ms);
  }
  CHECK(bytes_out > 0);
  CHECK(4 * bytes_out <= bytes_in);
}

TEST_CASE("a thousand clients behind one NAT log in with three retries at most", "[turn][M03]") {
  struct Try {
    milliseconds at;
    int client;
    int number;                                                       // 0: the first
    bool operator<(const Try& other) const { return at > other.at; }  // the earliest first
  };
  World world{with_challenges(50)};
  // Within 25 seconds, each at a moment of its own.
  SeededRandom random{seed_or(7)};
  std::priority_queue<Try> tries;
  for (int client = 0; client < 1000; ++client) {
    tries.push({milliseconds{random.below(25'000)}, client, 0});
  }
  constexpr std::array retransmit_after{500ms, 1000ms, 2000ms};  // RFC 8489 §6.2.1
  int challenged = 0;
  milliseconds elapsed{0};
  while (!tries.empty()) {
    const Try now = tries.top();
    tries.pop();
    world.advance(now.at - elapsed);
    elapsed = now.at;
    auto client = world.client("198.51.100.7:" + std::to_string(20'000 + now.client));
    client.is("user-" + std::to_string(now.client), "unused");
    const Reply reply = client.request_once(Method::allocate, want_udp);
    if (reply.code() == 401) {
      ++challenged;
    } else if (now.number < static_cast<int>(retransmit_after.size())) {
      tries.push({now.at + retransmit_after.at(static_cast<std::size_t>(now.number)), now.client,
                  now.number + 1});
    }
  }
  CHECK(challenged == 1000);
}

// --- Two servers ---------------------------------------------------------------------------------

namespace {

/// Two servers, each of which takes the other for a client, as a forged source address makes them.
struct Mirror {
  World one;
  World other;
  Client at_one = one.client("203.0.113.1:3478");
  Client at_other = other.client("203.0.113.1:3478");

  /// How many packets there are when `first` has come to the one from the other, itself among them.
  int packets_after(const Bytes& first) {
    int packets = 1;
    std::optional<Bytes> next = at_one.transmit(first).bytes;
    while (next && packets < 10) {
      ++packets;
      next = (packets % 2 == 0 ? at_other : at_one).transmit(*next).bytes;
    }
    return packets;
  }
};

}  // namespace

TEST_CASE("two servers that are set on each other fall silent at the second packet",
          "[turn][M07]") {
  Mirror mirror;
  SECTION("by a message of any type") {
    for (unsigned type = 0; type < 0x4000; ++type) {
      Bytes message = mirror.at_one.build(Method::binding);
      message[0] = static_cast<std::uint8_t>(type >> 8);
      message[1] = static_cast<std::uint8_t>(type);
      CAPTURE(type);
      REQUIRE(mirror.packets_after(message) <= 2);
    }
  }
  SECTION("by a request of any kind, with and without credentials and FINGERPRINT") {
    mirror.at_one.with_fingerprint = GENERATE(false, true);
    const bool is_signed = GENERATE(false, true);
    if (is_signed) {
      mirror.at_one.log_in();
      mirror.at_one.password = "guess";
    }
    for (const Method method : {Method::binding, Method::allocate, Method::refresh,
                                Method::create_permission, Method::channel_bind, Method::connect}) {
      const Add unknown = with_raw(0x7abc, {1, 2, 3, 4});
      CHECK(mirror.packets_after(mirror.at_one.build(method)) ==
            (method == Method::connect ? 1 : 2));
      CHECK(mirror.packets_after(mirror.at_one.build(method, unknown)) <= 2);
    }
  }
  SECTION("by ChannelData or anything else") {
    for (unsigned first = 0; first < 256; ++first) {
      Bytes datagram(64);
      datagram[0] = static_cast<std::uint8_t>(first);
      datagram[3] = 60;
      CAPTURE(first);
      CHECK(mirror.packets_after(datagram) == 1);
    }
  }
}

TEST_CASE("a request to another server through a relay brings one answer, which ends at the client",
          "[turn][M07]") {
  World here;
  World there;
  auto alice = here.client("198.51.100.7:4000");
  alice.allocate();
  REQUIRE(alice.permit("8.8.8.8").code() == ok);
  auto relayed = there.client(alice.relayed().to_string());
  const Method method = GENERATE(Method::binding, Method::allocate);
  const Bytes request = relayed.build(method);
  CHECK(alice.send("8.8.8.8:3478", text_of(request)) == Reason::relayed_to_peer);
  REQUIRE(here.at_peer());
  const auto answer = relayed.transmit(request).bytes;
  REQUIRE(answer);
  CHECK(here.peer_sends("8.8.8.8:3478", alice, text_of(*answer)) == Reason::relayed_to_client);
  CHECK(here.at_client());
  CHECK_FALSE(here.at_peer());
  CHECK(here.unread() == 0);
}

}  // namespace turnpike::test
