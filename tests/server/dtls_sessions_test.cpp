// The table of DTLS sessions in virtual time, with real clients.
#include "server/dtls_sessions.h"

#include <malloc.h>

#include <memory>
#include <vector>

#include "base/seeded_random.h"
#include "catch.h"
#include "net/dtls_client.h"
#include "net/loopback.h"

namespace turnpike::server {
namespace {

using namespace std::chrono_literals;
using net::DtlsClient;
using net::endpoint;
using Packet = DtlsClient::Packet;

constexpr turn::ListenerId listener{3};

struct RigSettings {
  DtlsSessions::Settings sessions{};
  HandshakeRates rates{};
  std::uint32_t connections_per_address = 0;
};

/// The table and the network around it.
class Rig {
 public:
  explicit Rig(const RigSettings& settings = {})
      : connections_(settings.connections_per_address),
        handshakes_(settings.rates, HashSeed{1}),
        table(settings.sessions, credentials_, relays_, connections_, handshakes_, random_) {
    credentials_.set(net::load_context(net::KeyKind::p256));
  }

  static FiveTuple tuple(const std::string& client) {
    return {endpoint(client), endpoint("192.0.2.1:5349"), Transport::dtls};
  }
  DtlsSessions::Outcome deliver(const std::string& from, ByteView datagram) {
    return table.receive(tuple(from), listener, datagram, now);
  }
  /// A client of this server gets the relay `relayed`.
  void open_relay(const std::string& relayed) {
    relays_.insert(endpoint(relayed), {}, turn::PeerTransport::udp);
  }
  /// What the table has said goes to `client`.
  void answer(DtlsClient& client) {
    for (std::size_t i = 0; i < table.output().size(); ++i) client.take(table.output()[i]);
    table.clear_output();
    client.work();
  }
  /// The first two flights: from then on the session is half-open.
  void begin(DtlsClient& client, const std::string& from) {
    deliver(from, client.hello());
    answer(client);
    for (const Packet& packet : client.take_output()) deliver(from, packet);
    answer(client);
  }
  /// The last flight.
  DtlsSessions::Outcome finish(DtlsClient& client, const std::string& from) {
    DtlsSessions::Outcome last;
    for (const Packet& packet : client.take_output()) {
      const auto outcome = deliver(from, packet);
      if (outcome.session) last = outcome;
    }
    answer(client);
    return last;
  }
  DtlsSessions::Outcome connect(DtlsClient& client, const std::string& from) {
    begin(client, from);
    const auto outcome = finish(client, from);
    REQUIRE(client.is_connected());
    REQUIRE(outcome.session);
    return outcome;
  }
  DtlsSessions::Outcome say(DtlsClient& client, const std::string& from, std::string_view text) {
    table.clear_messages();
    client.send(bytes_of(text));
    return deliver(from, client.take_output_as_one());
  }

 private:
  TlsCredentials credentials_;
  ConnectionLimits connections_;
  HandshakeBudget handshakes_;
  test::SeededRandom random_{7};
  turn::LiveRelays relays_{std::vector{endpoint("192.0.2.1:1").address}};

 public:
  DtlsSessions table;
  Instant now{1h};
};

const std::string home = "198.51.100.7:4000";

}  // namespace

TEST_CASE("a session is its five-tuple's", "[server][c76]") {
  Rig rig;
  DtlsClient alice;
  const auto slot = rig.connect(alice, home).session.value();
  CHECK((rig.table.tuple(slot) == Rig::tuple(home)));
  CHECK(rig.table.listener(slot) == listener);
  CHECK(rig.say(alice, home, "hello").session == slot);
  REQUIRE(rig.table.messages().size() == 1);
  CHECK(text_of(rig.table.messages()[0]) == "hello");
  CHECK_FALSE(rig.say(alice, "198.51.100.7:4001", "from elsewhere").session);
  CHECK(rig.table.messages().empty());
  CHECK(rig.table.counters().dropped_stray == 1);
  rig.table.send(slot, bytes_of("hi"));
  rig.answer(alice);
  CHECK(alice.received.size() == 1);
}

TEST_CASE("cookieless ClientHellos of 10,000 sources leave nothing behind", "[server][L08][M05]") {
  Rig rig;
  DtlsClient somebody;
  const Packet hello = somebody.hello();
  const auto greet = [&](unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      const FiveTuple tuple{
          {IpAddress::v4(0x0a000000 + i), 4000}, endpoint("192.0.2.1:5349"), Transport::dtls};
      static_cast<void>(rig.table.receive(tuple, listener, hello, rig.now));
      REQUIRE(rig.table.output().total_bytes() < hello.size());
      rig.table.clear_output();
    }
  };
  greet(100);
  const auto before = mallinfo2().uordblks;
  greet(10'000);
  CHECK(mallinfo2().uordblks <= before);
  CHECK(rig.table.size() == 0);
  CHECK_FALSE(rig.table.next_deadline());
  CHECK(rig.table.counters().challenged == 10'100);
}

TEST_CASE("no client begins where a relay of this server is", "[server][P07]") {
  Rig rig;
  DtlsClient client;
  rig.open_relay("192.0.2.1:50000");
  CHECK_FALSE(rig.deliver("192.0.2.1:50000", client.hello()).session);
  CHECK(rig.table.output().size() == 0);
  CHECK(rig.table.counters().dropped_stray == 1);
  DtlsClient next_door;
  rig.connect(next_door, "192.0.2.1:50001");
}

TEST_CASE("sources that would bounce a HelloVerifyRequest get none", "[server][M08]") {
  Rig rig;
  DtlsClient client;
  const auto from =
      GENERATE(as<std::string>{}, "198.51.100.7:0", "198.51.100.7:7", "198.51.100.7:13",
               "198.51.100.7:17", "198.51.100.7:19", "198.51.100.7:37", "198.51.100.7:53",
               "198.51.100.7:69", "198.51.100.7:123", "198.51.100.7:161", "198.51.100.7:1900",
               "198.51.100.7:5353", "198.51.100.7:11211", "[2002:c633:6407::1]:4000");
  CAPTURE(from);
  CHECK_FALSE(rig.deliver(from, client.hello()).session);
  CHECK(rig.table.output().size() == 0);
  CHECK(rig.table.counters().dropped_stray == 1);
  CHECK(rig.table.counters().challenged == 0);
}

TEST_CASE("what is said to a stranger over DTLS is answered by no other server", "[server][M07]") {
  Rig rig;
  DtlsClient client;
  rig.deliver(home, client.hello());
  REQUIRE(rig.table.output().size() == 1);
  const Packet verify{rig.table.output()[0].begin(), rig.table.output()[0].end()};
  Rig other;
  CHECK_FALSE(other.deliver(home, verify).session);
  CHECK(other.table.output().size() == 0);
  CHECK(other.table.size() == 0);
}

TEST_CASE("a handshake that takes more than five seconds is given up", "[server][L04]") {
  Rig rig{{.sessions = {.handshake_timeout = 5s}}};
  DtlsClient alice;
  rig.begin(alice, home);
  CHECK(rig.table.size() == 1);
  rig.now += 4999ms;
  while (rig.table.on_deadline(rig.now)) rig.table.clear_output();
  CHECK(rig.table.size() == 1);
  rig.now += 1ms;
  while (rig.table.on_deadline(rig.now)) rig.table.clear_output();
  CHECK(rig.table.size() == 0);
  CHECK(rig.table.counters().handshake_timed_out == 1);
  CHECK_FALSE(rig.table.next_deadline());
}

TEST_CASE("of too many handshakes at once the oldest is given up", "[server][L04]") {
  Rig rig{{.sessions = {.half_open_max = 2}}};
  DtlsClient first;
  DtlsClient second;
  DtlsClient third;
  rig.begin(first, "198.51.100.1:1");
  rig.now += 1ms;
  rig.begin(second, "198.51.100.1:2");
  rig.now += 1ms;
  rig.begin(third, "198.51.100.1:3");
  CHECK(rig.table.size() == 2);
  CHECK(rig.table.counters().dropped_half_open == 1);
  rig.finish(first, "198.51.100.1:1");
  CHECK_FALSE(first.is_connected());
  rig.finish(second, "198.51.100.1:2");
  CHECK(second.is_connected());
  rig.finish(third, "198.51.100.1:3");
  CHECK(third.is_connected());
}

TEST_CASE("handshakes are budgeted by network and in all", "[server][L03]") {
  const auto begun = [](Rig& rig, const std::string& network, int count) {
    const auto before = rig.table.counters().accepted;
    for (int i = 0; i < count; ++i) {
      DtlsClient client;
      rig.begin(client, network + std::to_string(i + 1) + ":4000");
    }
    return rig.table.counters().accepted - before;
  };
  Rig rig{{.rates = {.per_network = 3, .total = 5}}};
  CHECK(begun(rig, "198.51.100.", 6) == 3);
  CHECK(begun(rig, "203.0.113.", 6) == 2);
  CHECK(rig.table.counters().refused_rate == 7);
  rig.now += 1s;
  CHECK(begun(rig, "203.0.113.", 6) == 3);
}

TEST_CASE("one address has so many sessions", "[server]") {
  Rig rig{{.connections_per_address = 2}};
  std::vector<std::unique_ptr<DtlsClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<DtlsClient>());
    rig.begin(*clients.back(), "198.51.100.7:" + std::to_string(4000 + i));
  }
  CHECK(rig.table.size() == 2);
  CHECK(rig.table.counters().refused_limit == 1);
  rig.now += 5s;
  while (rig.table.on_deadline(rig.now)) rig.table.clear_output();
  DtlsClient later;
  rig.connect(later, home);
}

TEST_CASE("a session that is not used falls due, again and again", "[server]") {
  Rig rig{{.sessions = {.idle_timeout = 10s}}};
  DtlsClient alice;
  const auto slot = rig.connect(alice, home).session.value();
  CHECK(rig.table.next_deadline() == rig.now + 10s);
  for (int i = 0; i < 2; ++i) {
    rig.now += 10s;
    const auto due = rig.table.on_deadline(rig.now);
    REQUIRE(due);
    CHECK(due->session == slot);
    CHECK(due->is_idle);
    CHECK((due->tuple == Rig::tuple(home)));
    rig.table.keep(slot, rig.now);
    CHECK_FALSE(rig.table.on_deadline(rig.now));
  }
  rig.table.close(slot);
  rig.answer(alice);
  CHECK(SSL_get_shutdown(alice.ssl()) == SSL_RECEIVED_SHUTDOWN);
  rig.table.forget(slot);
  CHECK(rig.table.size() == 0);
  CHECK_FALSE(rig.table.next_deadline());
}

TEST_CASE("a client that begins anew has both sessions until the new one is done",
          "[server][rfc6347-4.2.8][L10]") {
  Rig rig;
  DtlsClient before;
  const auto old = rig.connect(before, home).session.value();
  DtlsClient anew;
  rig.begin(anew, home);
  CHECK(rig.table.size() == 2);
  CHECK(rig.say(before, home, "still here").session == old);
  CHECK(rig.table.messages().size() == 1);

  SECTION("and is done") {
    const auto outcome = rig.finish(anew, home);
    CHECK(anew.is_connected());
    CHECK(outcome.has_replaced);
    CHECK(outcome.session != old);
    CHECK(rig.table.size() == 1);
    CHECK(rig.say(anew, home, "me now").session == outcome.session);
    CHECK(rig.table.messages().size() == 1);
    rig.say(before, home, "and me?");
    CHECK(rig.table.messages().empty());
  }
  SECTION("and never gets there") {
    rig.now += 5s;
    while (const auto due = rig.table.on_deadline(rig.now)) {
      REQUIRE_FALSE(due->is_over);
      rig.table.clear_output();
    }
    CHECK(rig.table.size() == 1);
    CHECK(rig.say(before, home, "still here").session == old);
    CHECK(rig.table.messages().size() == 1);
  }
  SECTION("and the old one ends first") {
    rig.table.forget(old);
    CHECK(rig.table.size() == 1);
    const auto outcome = rig.finish(anew, home);
    CHECK(anew.is_connected());
    CHECK_FALSE(outcome.has_replaced);
  }
  SECTION("and begins once more") {
    DtlsClient third;
    rig.begin(third, home);
    CHECK(rig.table.size() == 2);
    CHECK(rig.finish(third, home).has_replaced);
    CHECK(third.is_connected());
    CHECK(rig.table.size() == 1);
  }
}

TEST_CASE("a ClientHello that the network doubles begins nothing", "[server][L10]") {
  Rig rig;
  DtlsClient alice;
  const Packet hello = alice.hello();
  rig.deliver(home, hello);
  rig.answer(alice);
  const Packet with_cookie = alice.take_output_as_one();
  rig.deliver(home, with_cookie);
  rig.answer(alice);
  rig.deliver(home, with_cookie);
  CHECK(rig.table.output().empty());
  rig.finish(alice, home);
  REQUIRE(alice.is_connected());
  for (const Packet& late : {hello, with_cookie}) rig.deliver(home, late);
  CHECK(rig.table.output().empty());
  CHECK(rig.table.counters().accepted == 1);
  CHECK(rig.table.size() == 1);
}

TEST_CASE("a client that begins anew in the middle of its handshake gets through", "[server]") {
  Rig rig;
  DtlsClient first;
  rig.begin(first, home);
  DtlsClient second;
  rig.connect(second, home);
  CHECK(rig.table.size() == 1);
  CHECK(rig.table.counters().replaced == 0);
}

TEST_CASE("a client that shares no version with us is told so and forgotten", "[server][L01]") {
  Rig rig;
  DtlsClient old{{.version_min = DTLS1_VERSION, .version_max = DTLS1_VERSION}};
  rig.begin(old, home);
  CHECK(old.alert == SSL_AD_PROTOCOL_VERSION);
  CHECK(rig.table.size() == 0);
  CHECK(rig.table.counters().failed == 1);
  CHECK_FALSE(rig.table.next_deadline());
}

TEST_CASE("goodbye and broken rules end a session", "[server]") {
  Rig rig;
  DtlsClient alice;
  const auto slot = rig.connect(alice, home).session;
  alice.send(bytes_of("bye"));
  SSL_shutdown(alice.ssl());
  rig.table.clear_messages();
  const auto outcome = rig.deliver(home, alice.take_output_as_one());
  CHECK(outcome.session == slot);
  CHECK(outcome.is_over);
  CHECK(rig.table.messages().size() == 1);
  // A message to a session that is over makes it due; nothing else happens.
  rig.table.send(slot.value(), bytes_of("too late"));
  const auto due = rig.table.on_deadline(rig.now);
  REQUIRE(due);
  CHECK(due->is_over);
  rig.table.forget(slot.value());
  CHECK(rig.table.size() == 0);
}

TEST_CASE("an idle session costs less than 40 KiB", "[server][memory]") {
  Rig rig;
  std::vector<std::unique_ptr<DtlsClient>> clients;
  constexpr int count = 50;
  DtlsClient warm_up;
  rig.connect(warm_up, "203.0.113.1:1");
  std::int64_t spent = 0;
  for (int i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<DtlsClient>());
    DtlsClient& client = *clients.back();
    client.work();
    while (!client.is_connected()) {
      const Packet flight = client.take_output_as_one();
      const auto before = static_cast<std::int64_t>(mallinfo2().uordblks);
      rig.deliver("198.51.100.7:" + std::to_string(4000 + i), flight);
      spent += static_cast<std::int64_t>(mallinfo2().uordblks) - before;
      rig.answer(client);
    }
  }
  INFO(spent / count);
  CHECK(spent / count < 40 * 1024);
}

}  // namespace turnpike::server
