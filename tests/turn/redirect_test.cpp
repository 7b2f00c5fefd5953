// 300 (Try Alternate) (RFC 8489 §10, RFC 8656 §7.2) as a client of a full server sees it.
#include "turn/redirect.h"

#include <set>

#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

const Endpoint other_v4 = endpoint("203.0.113.5:3478");
const Endpoint other_v6 = endpoint("[2001:db8:5::5]:3478");
const Endpoint tls_v4 = endpoint("203.0.113.5:5349");

/// Room for one allocation, then `alternates`.
WorldSettings with_room_for_one(turn::Alternates alternates) {
  WorldSettings settings;
  settings.limits.max_allocations = 1;
  settings.limits.max_allocations_per_user = 0;
  settings.alternates = std::move(alternates);
  return settings;
}

/// A world where no more fits in.
struct FullWorld {
  explicit FullWorld(turn::Alternates alternates)
      : world(with_room_for_one(std::move(alternates))) {
    first.is("bob", "builder");
    REQUIRE(first.allocate().code() == ok);
  }

  World world;
  Client first = world.client("198.51.100.1:4000");
};

/// ALTERNATE-SERVER, in order. The attribute is not XORed (RFC 8489 §14.15).
std::vector<Endpoint> alternates_in(const Reply& reply) {
  std::vector<Endpoint> found;
  const auto message = reply.view();
  for (const stun::AttributeView attribute : message.attributes()) {
    if (attribute.type != AttributeType::alternate_server) continue;
    found.push_back(stun::decode_address(attribute.value).value());
  }
  return found;
}

}  // namespace

TEST_CASE("a full server sends clients to another one of their family, then of the other",
          "[turn][rfc8489-10][rfc8656-7.2][c23]") {
  FullWorld full{{{other_v6, other_v4}, {}, {}}};
  const Balance before = full.world.balance();

  auto alice = full.world.client("198.51.100.7:4000");
  const Reply reply = alice.allocate();  // checked to be signed
  CHECK(reply.code() == 300);
  CHECK(reply.reason == Reason::refused_try_alternate);
  CHECK(alternates_in(reply) == std::vector{other_v4, other_v6});
  CHECK(reply.signed_by == SignedBy::sha1);
  CHECK(reply.types() == std::vector{AttributeType::error_code, AttributeType::alternate_server,
                                     AttributeType::alternate_server});

  auto carol = full.world.client("[2001:db8:7::7]:4000");
  CHECK(alternates_in(carol.allocate(with_family(Family::ipv6))) ==
        std::vector{other_v6, other_v4});
  // The family of the request's source counts, not that of the relay it asks for.
  CHECK(alternates_in(carol.allocate(with_family(Family::ipv4))) ==
        std::vector{other_v6, other_v4});
  CHECK(full.world.balance() == before);
}

TEST_CASE("without an alternate of the client's family a full server says 508",
          "[turn][rfc8489-10][c23][c41]") {
  const auto from = GENERATE(as<std::string>{}, "198.51.100.7:4000", "[2001:db8:7::7]:4000");
  const bool is_v4 = endpoint(from).family() == Family::ipv4;
  FullWorld none{{}};
  FullWorld wrong{{{is_v4 ? other_v6 : other_v4}, {}, {}}};
  for (FullWorld* full : {&none, &wrong}) {
    auto alice = full->world.client(from);
    const Reply reply = alice.allocate();
    CHECK(reply.code() == 508);
    CHECK(reply.reason == Reason::refused_capacity);
    CHECK_FALSE(reply.has(AttributeType::alternate_server));
  }
}

TEST_CASE("one alternate of the right family is enough", "[turn][rfc8489-10][c23]") {
  FullWorld full{{{other_v4}, {}, {}}};
  auto alice = full.world.client("198.51.100.7:4000");
  CHECK(alternates_in(alice.allocate()) == std::vector{other_v4});
}

TEST_CASE("nobody is redirected before authentication", "[turn][rfc8489-14.8][c23]") {
  FullWorld full{{{other_v4}, {}, {}}};
  auto alice = full.world.client("198.51.100.7:4000");
  const Reply challenge = alice.request_once(
      Method::allocate, [](stun::MessageBuilder& m) { m.put_requested_transport(17); });
  CHECK(challenge.code() == 401);
  CHECK_FALSE(challenge.has(AttributeType::alternate_server));
  auto thief = full.world.client("198.51.100.8:4000");
  thief.is("alice", "guess");
  CHECK(thief.allocate().code() == 401);
  CHECK(alice.binding().code() == ok);
}

TEST_CASE("a user who is full is not sent elsewhere to begin anew", "[turn][rfc8656-7.2][c23]") {
  WorldSettings settings = with_room_for_one({{other_v4}, {}, {}});
  settings.limits.max_allocations_per_user = 1;
  World world{settings};
  auto first = world.client("198.51.100.7:4000");
  REQUIRE(first.allocate().code() == ok);
  auto second = world.client("198.51.100.7:4001");  // now server and user are both full
  CHECK(second.allocate().code() == 486);
  auto other = world.client("198.51.100.8:4000");
  CHECK(other.is("bob", "builder").allocate().code() == 300);
}

TEST_CASE("requests that no server would grant are refused as ever", "[turn][rfc8656-7.2][c23]") {
  FullWorld full{{{other_v4}, {}, {}}};
  auto alice = full.world.client("198.51.100.7:4000");
  CHECK(alice.request(Method::allocate).code() == 400);
  CHECK(alice.allocate(with_raw(0x0024, {0, 0, 0, 0})).code() == 420);
  CHECK(full.first.allocate().code() == 437);
  CHECK(full.first.refresh().code() == ok);
}

TEST_CASE("where no port is left, or no socket, clients are sent elsewhere too",
          "[turn][rfc8656-7.2][c23]") {
  WorldSettings settings;
  settings.alternates.servers = {other_v4};
  settings.ports = {50000, 50000};
  World world{settings};
  auto alice = world.client("198.51.100.7:4000");

  SECTION("no port") {
    auto first = world.client("198.51.100.1:4000");
    REQUIRE(first.allocate().code() == ok);
    CHECK(alice.allocate().code() == 300);
    CHECK(alice.allocate(with_even_port(true)).code() == 300);
  }
  SECTION("no socket") {
    world.refuse_relays(turn::RelayOpenError::no_resources);
    const Balance before = world.balance();
    const Reply reply = alice.allocate();
    CHECK(reply.code() == 300);
    CHECK(alternates_in(reply) == std::vector{other_v4});
    CHECK(reply.signed_by == SignedBy::sha1);
    CHECK(world.balance() == before);
  }
}

TEST_CASE("a reservation is here and nowhere else: 508", "[turn][rfc8656-7.2][c23][c35]") {
  WorldSettings settings;
  settings.alternates.servers = {other_v4};
  World world{settings};
  auto alice = world.client("198.51.100.7:4000");
  CHECK(alice.allocate(with_token(12345)).code() == 508);

  const auto token = alice.allocate(with_even_port(true)).token().value();
  world.refuse_relays(turn::RelayOpenError::no_resources);
  auto again = world.client("198.51.100.7:4001");
  CHECK(again.allocate(with_token(token)).code() == 508);
}

TEST_CASE("TLS clients are sent to servers that speak TLS", "[turn][rfc8489-10][c23]") {
  const auto transport = GENERATE(Transport::tls, Transport::dtls);
  FullWorld full{{{other_v4}, {tls_v4}, "turn2.example.org"}};
  auto alice = full.world.client("198.51.100.7:4000", transport);

  SECTION("with the name of their certificate, to those who know ALTERNATE-DOMAIN") {
    const Reply reply = alice.uses(Algorithm::sha256).allocate();
    CHECK(reply.code() == 300);
    CHECK(alternates_in(reply) == std::vector{tls_v4});
    CHECK(reply.text(AttributeType::alternate_domain) == "turn2.example.org");
  }
  SECTION("with MD5 named it is MESSAGE-INTEGRITY-SHA256 all the same") {
    CHECK(alice.uses(Algorithm::md5).allocate().has(AttributeType::alternate_domain));
  }
  SECTION("without it to older ones") {
    const Reply reply = alice.allocate();
    CHECK(alternates_in(reply) == std::vector{tls_v4});
    CHECK_FALSE(reply.has(AttributeType::alternate_domain));
  }
}

TEST_CASE("over UDP and TCP no certificate is named", "[turn][rfc8489-10][c23]") {
  const auto transport = GENERATE(Transport::udp, Transport::tcp);
  FullWorld full{{{other_v4}, {tls_v4}, "turn2.example.org"}};
  auto alice = full.world.client("198.51.100.7:4000", transport);
  const Reply reply = alice.uses(Algorithm::sha256).allocate();
  CHECK(alternates_in(reply) == std::vector{other_v4});
  CHECK_FALSE(reply.has(AttributeType::alternate_domain));
}

TEST_CASE("without TLS alternates, TLS clients get 508", "[turn][rfc8489-10][c23]") {
  FullWorld full{{{other_v4}, {}, {}}};
  auto alice = full.world.client("198.51.100.7:4000", Transport::tls);
  CHECK(alice.allocate().code() == 508);
}

TEST_CASE("several alternates of one family all get their share", "[turn][rfc8489-10][c23]") {
  const Endpoint third = endpoint("203.0.113.6:3478");
  FullWorld full{{{other_v4, other_v6, third}, {}, {}}};
  auto alice = full.world.client("198.51.100.7:4000");
  std::set<Endpoint> named;
  for (int i = 0; i < 50; ++i) named.insert(alternates_in(alice.allocate()).at(0));
  CHECK(named == std::set{other_v4, third});
}

TEST_CASE("a server that drains takes no new clients, and keeps those it has",
          "[turn][rfc8489-10]") {
  WorldSettings settings;
  const bool has_alternate = GENERATE(true, false);
  if (has_alternate) settings.alternates.servers = {other_v4};
  World world{std::move(settings)};
  auto bob = world.client("198.51.100.1:4000");
  REQUIRE(bob.allocate().code() == ok);
  world.server().set_draining(true);

  auto alice = world.client("198.51.100.7:4000");
  const Balance before = world.balance();
  const Reply reply = alice.allocate();
  CHECK(reply.code() == (has_alternate ? 300 : 508));
  CHECK(world.balance() == before);
  CHECK(bob.refresh(seconds{600}).code() == ok);

  world.server().set_draining(false);
  CHECK(alice.allocate().code() == ok);
}

}  // namespace turnpike::test
