// NAT behaviour discovery (RFC 5780) as a client sees it, over all of its Table 1.
#include "turn/nat_discovery.h"

#include <array>

#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

/// A square over two addresses and the ports 3478 and 3479; `seen_as` are the addresses in front of
/// a 1:1 NAT.
turn::DiscoverySquare square(std::array<std::string_view, 2> addresses,
                             std::array<std::string_view, 2> seen_as,
                             std::uint32_t first_listener) {
  constexpr std::array<std::uint16_t, 2> ports{3478, 3479};
  turn::DiscoverySquare origins{};
  for (std::uint32_t i = 0; i < origins.size(); ++i) {
    const std::uint16_t port = ports.at(i % 2);
    origins.at(i) = {turn::ListenerId{first_listener + i},
                     {address(addresses.at(i / 2)), port},
                     {address(seen_as.at(i / 2)), port}};
  }
  return origins;
}

WorldSettings serving(std::vector<turn::DiscoverySquare> squares) {
  WorldSettings settings;
  settings.nat_discovery = std::move(squares);
  return settings;
}

/// 192.0.2.1 and 192.0.2.2, 2001:db8::1 and 2001:db8::2.
WorldSettings both_families() {
  return serving({square({"192.0.2.1", "192.0.2.2"}, {"192.0.2.1", "192.0.2.2"}, 10),
                  square({"2001:db8::1", "2001:db8::2"}, {"2001:db8::1", "2001:db8::2"}, 20)});
}

Add change(std::uint8_t flags) { return with_raw(0x0003, {0, 0, 0, flags}); }
constexpr std::uint8_t change_ip = 4;
constexpr std::uint8_t change_port = 2;
Add response_port(std::uint16_t port) {
  return with_raw(0x0027, {static_cast<std::uint8_t>(port >> 8), static_cast<std::uint8_t>(port)});
}
Add padding(std::size_t size) { return with_raw(0x0026, Bytes(size, 'x')); }

Endpoint plain_endpoint(const Reply& reply, AttributeType type) {
  return stun::decode_address(reply.view().find(type).value()).value();
}

constexpr std::string_view client_at = "198.51.100.7:4000";
constexpr std::string_view a1p1 = "192.0.2.1:3478";
constexpr std::string_view a1p2 = "192.0.2.1:3479";
constexpr std::string_view a2p1 = "192.0.2.2:3478";
constexpr std::string_view a2p2 = "192.0.2.2:3479";

/// How much IP and UDP add.
constexpr std::size_t packet_overhead = 28;

}  // namespace

// --- The table -----------------------------------------------------------------------------------

TEST_CASE("answers leave from where CHANGE-REQUEST asks, and name that and the other address",
          "[turn][rfc5780-6.1][c68][c69][c70]") {
  struct Row {
    std::string_view asked;
    std::string_view other;
    std::array<std::string_view, 4> sources;  // none, port, IP, both
  };
  const auto row =
      GENERATE(Row{a1p1, a2p2, {a1p1, a1p2, a2p1, a2p2}}, Row{a1p2, a2p1, {a1p2, a1p1, a2p2, a2p1}},
               Row{a2p1, a1p2, {a2p1, a2p2, a1p1, a1p2}}, Row{a2p2, a1p1, {a2p2, a2p1, a1p2, a1p1}},
               Row{"[2001:db8::1]:3478",
                   "[2001:db8::2]:3479",
                   {"[2001:db8::1]:3478", "[2001:db8::1]:3479", "[2001:db8::2]:3478",
                    "[2001:db8::2]:3479"}});
  const bool is_v4 = endpoint(row.asked).family() == Family::ipv4;
  const std::string_view from = is_v4 ? client_at : "[2001:db8:7::7]:4000";
  World world{both_families()};
  auto alice = world.client(from, row.asked);
  const std::uint8_t flags = GENERATE(as<std::uint8_t>{}, 0, change_port, change_ip, 6, 0xff);
  CAPTURE(row.asked, static_cast<int>(flags));

  CHECK(world.from_client(alice.flow(), alice.build(Method::binding, change(flags))) ==
        Reason::answered_binding);
  const std::string_view source = row.sources.at((flags & 6U) / 2);
  const auto reply = alice.receive_from(source, from);
  REQUIRE(reply);
  CHECK(reply->code() == ok);
  CHECK(reply->types() ==
        std::vector{AttributeType::mapped_address, AttributeType::xor_mapped_address,
                    AttributeType::response_origin, AttributeType::other_address});
  CHECK(plain_endpoint(*reply, AttributeType::mapped_address) == endpoint(from));
  CHECK(reply->endpoint(AttributeType::xor_mapped_address) == endpoint(from));
  CHECK(plain_endpoint(*reply, AttributeType::response_origin) == endpoint(source));
  CHECK(plain_endpoint(*reply, AttributeType::other_address) == endpoint(row.other));
}

TEST_CASE("an ordinary Binding request learns of the other address too",
          "[turn][rfc5780-6.1][c24][c69]") {
  World world{both_families()};
  auto alice = world.client(client_at);
  alice.with_fingerprint = true;
  const Reply reply = alice.binding();
  CHECK(reply.code() == ok);
  CHECK(plain_endpoint(reply, AttributeType::mapped_address) == endpoint(client_at));
  CHECK(plain_endpoint(reply, AttributeType::response_origin) == endpoint(a1p1));
  CHECK(plain_endpoint(reply, AttributeType::other_address) == endpoint(a2p2));
}

TEST_CASE("behind a 1:1 NAT the addresses named are those that clients see",
          "[turn][rfc5780-6.1][c70]") {
  World world{serving({square({"10.0.0.5", "10.0.0.6"}, {"203.0.113.10", "203.0.113.11"}, 10)})};
  auto alice = world.client(client_at, "10.0.0.6:3478");
  world.from_client(alice.flow(), alice.build(Method::binding, change(change_ip)));
  const auto reply = alice.receive_from("10.0.0.5:3478", client_at);
  REQUIRE(reply);
  CHECK(plain_endpoint(*reply, AttributeType::response_origin) == endpoint("203.0.113.10:3478"));
  CHECK(plain_endpoint(*reply, AttributeType::other_address) == endpoint("203.0.113.10:3479"));
}

// --- Where the usage is not served ---------------------------------------------------------------

TEST_CASE("listeners that are none of the four know nothing of RFC 5780",
          "[turn][rfc5780-6][c68]") {
  World world{both_families()};
  auto alice = world.client(client_at, "192.0.2.3:3478");
  CHECK(alice.binding().types() == std::vector{AttributeType::xor_mapped_address});
  CHECK(alice.binding(change(0)).unknown_attributes() == std::vector{0x0003U});
  CHECK(alice.binding(response_port(4000)).unknown_attributes() == std::vector{0x0027U});
  CHECK(alice.binding(padding(4)).unknown_attributes() == std::vector{0x0026U});
}

TEST_CASE("over TCP and TLS the usage is off", "[turn][rfc5780-6][c72]") {
  const auto transport = GENERATE(Transport::tcp, Transport::tls);
  World world{both_families()};
  auto alice = world.client(client_at, transport);
  CHECK(alice.binding().types() == std::vector{AttributeType::xor_mapped_address});
  CHECK(alice.binding(change(change_port)).code() == 420);
  CHECK(alice.binding(response_port(4000)).code() == 420);
  CHECK(alice.binding(padding(4)).code() == 420);
}

TEST_CASE("the attributes of RFC 5780 belong to Binding alone", "[turn][rfc5780-7]") {
  World world{both_families()};
  auto alice = world.client(client_at);
  CHECK(alice.allocate(change(0)).unknown_attributes() == std::vector{0x0003U});
}

// --- RESPONSE-PORT -------------------------------------------------------------------------------

TEST_CASE("RESPONSE-PORT sends the answer to another port of the same address",
          "[turn][rfc5780-7.5][c71]") {
  World world{both_families()};
  auto alice = world.client(client_at);
  const auto add = GENERATE(false, true)
                       ? response_port(5000)
                       : with_raw(0x0027, {0x13, 0x88, 0, 0});  // with its padding counted
  CHECK(world.from_client(alice.flow(), alice.build(Method::binding, add)) ==
        Reason::answered_binding);
  const auto reply = alice.receive_from(a1p1, "198.51.100.7:5000");
  REQUIRE(reply);
  CHECK(plain_endpoint(*reply, AttributeType::mapped_address) == endpoint(client_at));
  CHECK(reply->endpoint(AttributeType::xor_mapped_address) == endpoint(client_at));
  CHECK(plain_endpoint(*reply, AttributeType::response_origin) == endpoint(a1p1));
}

TEST_CASE("RESPONSE-PORT and CHANGE-REQUEST go together", "[turn][rfc5780-6.1][c70][c71]") {
  World world{both_families()};
  auto alice = world.client(client_at);
  world.from_client(alice.flow(), alice.build(Method::binding, response_port(5000) + change(6)));
  CHECK(alice.receive_from(a2p2, "198.51.100.7:5000"));
}

TEST_CASE("RESPONSE-PORT never leads to a service, a reflector or a relay",
          "[turn][rfc5780-7.5][c71][P07][M08]") {
  World world{both_families()};
  auto alice = world.client(client_at);
  const auto port = GENERATE(as<std::uint16_t>{}, 0, 1, 53, 80, 1023, 1900, 5353, 11211);
  const Reply reply = alice.binding(response_port(port) + change(6));
  CHECK(reply.code() == 400);  // to the true source, from the address that was asked
  CHECK(reply.reason == Reason::refused_bad_request);

  // A relay of this server lives on the server's own address, which no client should have.
  auto bob = world.client("198.51.100.8:4000");
  bob.allocate();
  auto forged = world.client("192.0.2.1:4000");
  CHECK(forged.binding(response_port(bob.relayed().port)).code() == 400);
}

TEST_CASE("RESPONSE-PORT may name the port that asks, whatever it is", "[turn][rfc5780-7.5]") {
  World world{both_families()};
  auto alice = world.client("198.51.100.7:1000");
  CHECK(alice.binding(response_port(1000)).code() == ok);
}

// --- PADDING -------------------------------------------------------------------------------------

TEST_CASE("PADDING is answered with as much, rounded to four, up to what fills a link",
          "[turn][rfc5780-6.1][rfc5780-7.6][c72]") {
  struct Row {
    std::size_t asked;
    std::size_t answered;
  };
  const auto row = GENERATE(Row{0, 0}, Row{1, 4}, Row{64, 64}, Row{1497, 1500}, Row{1500, 1500},
                            Row{1501, 1500}, Row{60000, 1500});
  const auto from = GENERATE(as<std::string>{}, "198.51.100.7:4000", "[2001:db8:7::7]:4000");
  World world{both_families()};
  auto alice = world.client(from);
  alice.with_fingerprint = true;
  const Reply reply = alice.binding(padding(row.asked));
  CHECK(reply.code() == ok);
  CHECK(reply.text(AttributeType::padding) == std::string(row.answered, '\0'));
  // Fragmented on any link where the request was.
  if (row.asked >= 1500) CHECK(packet_overhead + reply.size() > 1500);
}

TEST_CASE("no answer is larger than its request by more than the addresses it must name",
          "[turn][rfc5780-6.1][c72][M01]") {
  World world{both_families()};
  auto alice = world.client(client_at);
  const auto size = GENERATE(as<std::size_t>{}, 0, 1, 2, 3, 4, 100, 1500, 4000);
  constexpr std::size_t address_attribute = 12;
  const Reply reply = alice.binding(padding(size));
  CHECK(reply.size() <= alice.last_request.size() + 4 * address_attribute);
}

TEST_CASE("PADDING may come with CHANGE-REQUEST", "[turn][rfc5780-6.1][c72]") {
  World world{both_families()};
  auto alice = world.client(client_at);
  world.from_client(alice.flow(), alice.build(Method::binding, padding(1500) + change(change_ip)));
  const auto reply = alice.receive_from(a2p1, client_at);
  REQUIRE(reply);
  CHECK(reply->has(AttributeType::padding));
}

// --- Errors --------------------------------------------------------------------------------------

TEST_CASE("what is wrong with a discovery request is told to its source, from where it asked",
          "[turn][rfc5780-6.1][c71][c72]") {
  World world{both_families()};
  auto alice = world.client(client_at, a2p2);
  alice.with_fingerprint = GENERATE(false, true);

  SECTION("PADDING with RESPONSE-PORT") {
    CHECK(alice.binding(padding(4) + response_port(5000) + change(6)).code() == 400);
  }
  SECTION("a CHANGE-REQUEST that is not four bytes") {
    const auto size = GENERATE(as<std::size_t>{}, 0, 3, 5, 8);
    const Reply reply = alice.binding(with_raw(0x0003, Bytes(size, 6)) + response_port(5000));
    CHECK(reply.code() == 400);
    CHECK(reply.types() == std::vector{AttributeType::error_code});
  }
  SECTION("a RESPONSE-PORT that is no port") {
    const auto size = GENERATE(as<std::size_t>{}, 0, 1, 3, 5);
    CHECK(alice.binding(with_raw(0x0027, Bytes(size, 0x20)) + change(6)).code() == 400);
  }
  SECTION("an attribute that is not known") {
    const Reply reply =
        alice.binding(change(6) + response_port(5000) + with_raw(0x0024, {0, 0, 0, 1}));
    CHECK(reply.code() == 420);
    CHECK(reply.unknown_attributes() == std::vector{0x0024U});
  }
}

// --- Budget --------------------------------------------------------------------------------------

TEST_CASE(
    "a network that asks for too many discoveries gets ordinary answers, and silence for more",
    "[turn][c72][M03]") {
  WorldSettings settings = both_families();
  settings.limits.challenge_rate = 5;
  World world{settings};
  auto alice = world.client(client_at);
  auto neighbour = world.client("198.51.100.200:4000");
  auto stranger = world.client("203.0.113.7:4000");
  for (int i = 0; i < 5; ++i) CHECK(alice.binding().has(AttributeType::other_address));

  CHECK(neighbour.binding().types() == std::vector{AttributeType::xor_mapped_address});
  for (const Add& add : {change(0), response_port(5000), padding(8)}) {
    const Reply reply = neighbour.binding(add);
    CHECK(reply.code() == silence);
    CHECK(reply.reason == Reason::dropped_challenge_budget);
  }
  CHECK(stranger.binding().has(AttributeType::other_address));
  CHECK(alice.allocate().code() == ok);  // challenges have a budget of their own
  world.advance(1s);
  CHECK(neighbour.binding(change(0)).code() == ok);
}

TEST_CASE("sources that are not answered are not discovered either", "[turn][P07][M08]") {
  World world{both_families()};
  auto reflector = world.client("198.51.100.7:53");
  CHECK(reflector.binding(response_port(5000)).reason == Reason::dropped_source);
}

}  // namespace turnpike::test
