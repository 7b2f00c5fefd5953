// What the server does before a procedure begins: whom it answers at all, and in which order it
// checks (RFC 8489 §6.3, §9.2.4; RFC 8656 §5).
#include <set>

#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

Bytes header_only(stun::Class message_class, unsigned method) {
  Bytes buffer(20);
  const stun::MessageBuilder message{buffer, message_class, static_cast<Method>(method),
                                     stun::TransactionId{1, 2, 3}};
  return copy_of(message.bytes());
}

const std::vector<Method> allocation_methods{Method::refresh, Method::create_permission,
                                             Method::channel_bind};

/// Every attribute type that RFC 8489, RFC 8656 or an extension names, and two that none does.
const std::vector<unsigned> all_types{
    0x0001, 0x0003, 0x0006, 0x0009, 0x000a, 0x000c, 0x000d, 0x0012, 0x0013, 0x0014, 0x0015,
    0x0016, 0x0017, 0x0018, 0x0019, 0x001a, 0x001b, 0x001d, 0x001e, 0x0020, 0x0022, 0x0024,
    0x0025, 0x0026, 0x0027, 0x002a, 0x7abc, 0x8000, 0x8001, 0x8002, 0x8003, 0x8004, 0x8022,
    0x8023, 0x8025, 0x8027, 0x8029, 0x802a, 0x802b, 0x802c, 0x802e, 0x8030, 0x9abc};

/// `message` with one more attribute at its end.
Bytes appended(Bytes message, unsigned type, const Bytes& value) {
  Bytes attribute(4);
  store_be16(attribute, static_cast<std::uint16_t>(type));
  store_be16(MutableByteView{attribute}.subspan(2), static_cast<std::uint16_t>(value.size()));
  message.insert(message.end(), attribute.begin(), attribute.end());
  message.insert(message.end(), value.begin(), value.end());
  message.resize(padded_to_4(message.size()));
  store_be16(MutableByteView{message}.subspan(2), static_cast<std::uint16_t>(message.size() - 20));
  return message;
}

}  // namespace

// --- Not answered at all -------------------------------------------------------------------------

TEST_CASE("what is not STUN is dropped in silence", "[turn][S01][S02][S03][rfc8489-6.3][c01]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  const Bytes good = alice.build(Method::binding);

  SECTION("too short, at every length") {
    for (std::size_t size = 1; size < good.size(); ++size) {
      CHECK(
          alice.transmit({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}).reason ==
          Reason::dropped_malformed);
    }
    CHECK(alice.transmit({}).reason == Reason::dropped_not_turn);
  }
  SECTION("a length that is not the datagram's") {
    for (const std::uint8_t length : Bytes{1, 2, 3, 4, 8, 255}) {
      Bytes message = good;
      message[3] = length;
      CHECK(alice.transmit(message).reason == Reason::dropped_malformed);
    }
  }
  SECTION("the first two bits set") {
    Bytes message = good;
    message[0] = 0x80;
    CHECK(alice.transmit(message).reason == Reason::dropped_not_turn);
    message[0] = 0xc0;
    CHECK(alice.transmit(message).reason == Reason::dropped_not_turn);
  }
  SECTION("no cookie") {
    Bytes message = good;
    message[7] ^= 1;
    CHECK(alice.transmit(message).reason == Reason::dropped_malformed);
  }
  SECTION("an attribute beyond the end") {
    Bytes message = appended(good, 0x8022, {'a', 'b', 'c', 'd'});
    message[message.size() - 5] = 8;
    CHECK(alice.transmit(message).reason == Reason::dropped_malformed);
  }
  CHECK(world.unread() == 0);
}

TEST_CASE("only STUN and ChannelData are read, by the first byte", "[turn][rfc8656-12][c49]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  for (unsigned first = 0; first <= 255; ++first) {
    CAPTURE(first);
    Bytes datagram(24, 0xee);
    datagram[0] = static_cast<std::uint8_t>(first);
    const Reason reason = alice.transmit(datagram).reason;
    if (first <= 3 || (first >= 64 && first <= 79)) {
      CHECK(reason == Reason::dropped_malformed);
    } else {
      CHECK(reason == Reason::dropped_not_turn);
    }
  }
}

TEST_CASE("a method that is not served is silence", "[turn][rfc8489-6.3][c01][S10]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  const std::set<unsigned> served{0x001, 0x003, 0x004, 0x008, 0x009};
  for (unsigned method = 0; method <= 0xfff; ++method) {
    if (served.contains(method)) continue;
    const Reply reply = alice.transmit(header_only(stun::Class::request, method));
    CAPTURE(method);
    CHECK(reply.code() == silence);
    // From method 0x100 on the first byte is none of STUN's (RFC 7983 §7).
    CHECK(reply.reason == (method < 0x100 ? Reason::dropped_method : Reason::dropped_not_turn));
  }
}

TEST_CASE("a class that the method does not have is silence",
          "[turn][rfc8489-6.3][c01][c05][S10]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  for (const unsigned method : {0x001U, 0x003U, 0x004U, 0x007U, 0x008U, 0x009U, 0x00aU}) {
    CAPTURE(method);
    CHECK(alice.transmit(header_only(stun::Class::indication, method)).reason ==
          Reason::dropped_method);
  }
  CHECK(alice.transmit(header_only(stun::Class::request, 0x006)).reason == Reason::dropped_method);
  CHECK(world.unread() == 0);
}

TEST_CASE("responses from strangers are never answered", "[turn][rfc8489-6.3][c05][S10]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  for (unsigned method = 0; method <= 0x00c; ++method) {
    CHECK(alice.transmit(header_only(stun::Class::success, method)).reason ==
          Reason::dropped_response);
    CHECK(alice.transmit(header_only(stun::Class::error, method)).reason ==
          Reason::dropped_response);
  }
  CHECK(world.unread() == 0);
}

TEST_CASE("sources that would bounce an answer are not answered", "[turn][M08]") {
  const auto port = GENERATE(0, 7, 13, 17, 19, 37, 53, 69, 123, 161, 1900, 5353, 11211);
  World world;
  auto victim = world.client("198.51.100.7:" + std::to_string(port));
  const Reply reply = victim.binding();
  CHECK(reply.reason == Reason::dropped_source);
  CHECK(reply.code() == silence);
  CHECK(victim.request_once(Method::allocate).reason == Reason::dropped_source);
}

TEST_CASE("clients on 6to4 and Teredo addresses are not served", "[turn][rfc8656-21.4][c57]") {
  const auto from =
      GENERATE(as<std::string>{}, "[2002:c633:6407::1]:4000", "[2001:0:c633:6401::1]:4000");
  World world;
  auto tunnelled = world.client(from);
  CHECK(tunnelled.request_once(Method::allocate).reason == Reason::dropped_source);
}

TEST_CASE("a relay of this server is not served as a client", "[turn][rfc8656-21][c57][P07]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  auto loop = world.client(alice.relayed().to_string());
  CHECK(loop.binding().reason == Reason::dropped_source);
  alice.refresh(0s);
  CHECK(loop.binding().code() == ok);  // an ordinary address again
}

// --- Authentication ------------------------------------------------------------------------------

TEST_CASE("every request but Binding must be authenticated", "[turn][rfc8656-5][c27]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  for (const Method method :
       {Method::allocate, Method::refresh, Method::create_permission, Method::channel_bind}) {
    const Reply reply = alice.request_once(method);
    CHECK(reply.code() == 401);
    CHECK(reply.reason == Reason::refused_no_credentials);
  }
}

TEST_CASE("a 401 carries REALM, NONCE and PASSWORD-ALGORITHMS, no more",
          "[turn][rfc8489-9.2.4][c12][A01]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  const Reply reply = alice.request_once(Method::allocate);
  CHECK(reply.code() == 401);
  CHECK(reply.types() == std::vector{AttributeType::error_code, AttributeType::realm,
                                     AttributeType::nonce, AttributeType::password_algorithms});
  CHECK(reply.text(AttributeType::realm) == "example.org");
  CHECK(reply.text(AttributeType::nonce).starts_with("obMatJos2wAAD"));
  CHECK(to_hex(bytes_of(reply.text(AttributeType::password_algorithms))) == "0002000000010000");
}

TEST_CASE("every answer mirrors FINGERPRINT: challenges, errors, successes",
          "[turn][rfc8489-7][c08][S09]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.with_fingerprint = GENERATE(false, true);
  // Client::request_once compares; here is only what to compare.
  CHECK(alice.request_once(Method::allocate).code() == 401);
  world.hold_relays();
  alice.allocate();
  world.open_held();
  CHECK(alice.receive()->has_fingerprint() == alice.with_fingerprint);
  CHECK(alice.repeat().has_fingerprint() == alice.with_fingerprint);
  CHECK(alice.permit("8.8.8.8").code() == ok);
  CHECK(alice.permit("127.0.0.1").code() == 403);
  CHECK(alice.request(Method::refresh, with_raw(0x7abc, {})).code() == 420);
  world.advance(599s);
  CHECK(alice.refresh().code() == ok);
  world.advance(2s);
  CHECK(alice.request_once(Method::refresh).code() == 438);
  CHECK(alice.refresh(0s).code() == ok);
}

TEST_CASE("a challenge stays small", "[turn][M02][c12]") {
  auto settings = WorldSettings{};
  settings.credentials.realm = "example12.io";  // 12 characters
  World world{settings};
  auto alice = world.client("198.51.100.7:4000");
  const Reply reply = alice.request_once(
      Method::allocate, [](stun::MessageBuilder& m) { m.put_requested_transport(17); });
  CHECK(reply.code() == 401);
  REQUIRE(alice.last_request.size() == 28);
  const double ratio = static_cast<double>(reply.size() + 28) / static_cast<double>(28 + 28);
  CHECK(ratio <= 2.2);
}

TEST_CASE("no error carries a reason phrase", "[turn][M01]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  CHECK(alice.request_once(Method::allocate).text(AttributeType::error_code) == "\0\0\4\1"s);
  CHECK(alice.request(Method::allocate).text(AttributeType::error_code) == "\0\0\4\0"s);
}

TEST_CASE("the checks of long-term credentials come in the RFC's order",
          "[turn][rfc8489-9.2.4][c04][c14][c17][c18][c19]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.log_in();
  const Add unknown = with_raw(0x7abc, {});
  const auto make_stale = [&] { world.advance(601s); };

  SECTION("missing attributes before a wrong nonce and password") {
    alice.nonce = "x";
    Bytes buffer(500);
    stun::MessageBuilder message{buffer, stun::Class::request, Method::allocate, {}};
    message.put_text(AttributeType::realm, "example.org").put_text(AttributeType::nonce, "x");
    message.put_message_integrity(HmacSha1Key{bytes_of("x")});
    const Reply reply = alice.transmit(copy_of(message.bytes()));
    CHECK(reply.code() == 400);
    CHECK(reply.types() == std::vector{AttributeType::error_code});
  }
  SECTION("an unknown user before a stale nonce") {
    make_stale();
    alice.is("nobody", "wonderland");
    const Reply reply = alice.request_once(Method::allocate, unknown);
    CHECK(reply.code() == 401);
    CHECK(reply.reason == Reason::refused_unknown_user);
  }
  SECTION("a wrong password before a stale nonce") {
    make_stale();
    alice.password = "guess";
    const Reply reply = alice.request_once(Method::allocate, unknown);
    CHECK(reply.code() == 401);
    CHECK(reply.reason == Reason::refused_wrong_password);
  }
  SECTION("a stale nonce before unknown attributes") {
    make_stale();
    const Reply reply = alice.request_once(Method::allocate, unknown);
    CHECK(reply.code() == 438);
    CHECK(reply.types() == std::vector{AttributeType::error_code, AttributeType::realm,
                                       AttributeType::nonce, AttributeType::password_algorithms});
  }
  SECTION("unknown attributes before the procedure: 420, not 400 or 437") {
    CHECK(alice.request_once(Method::allocate, unknown).unknown_attributes() ==
          std::vector{0x7abcU});
    CHECK(alice.request_once(Method::refresh, unknown).code() == 420);
    CHECK(alice.request_once(Method::create_permission, unknown).code() == 420);
    CHECK(alice.request_once(Method::channel_bind, unknown).code() == 420);
  }
  SECTION("no integrity before unknown attributes") {
    alice.nonce.clear();
    CHECK(alice.request_once(Method::allocate, unknown).code() == 401);
  }
  CHECK(world.balance().allocations == 0);
}

TEST_CASE("an unknown user and a wrong password get the same answer",
          "[turn][rfc8489-9.2.4][c17][c18][A02]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.log_in();
  alice.password = "guess";
  const Reply wrong = alice.request_once(Method::allocate);
  alice.is("nobody", "guess");
  const Reply unknown = alice.request_once(Method::allocate);
  alice.is("nobody", "guess").with_userhash = true;
  const Reply unknown_hash = alice.request_once(Method::allocate);
  CHECK(wrong.code() == 401);
  CHECK(wrong.types() == unknown.types());
  CHECK(wrong.types() == unknown_hash.types());
  CHECK(Bytes(wrong.bytes->begin() + 20, wrong.bytes->end()) ==
        Bytes(unknown.bytes->begin() + 20, unknown.bytes->end()));
  CHECK(Bytes(wrong.bytes->begin() + 20, wrong.bytes->end()) ==
        Bytes(unknown_hash.bytes->begin() + 20, unknown_hash.bytes->end()));
}

TEST_CASE("a nonce serves the address and port it was given to",
          "[turn][rfc8489-9.2.4][c13][A03]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.log_in();
  const auto elsewhere =
      GENERATE(as<std::string>{}, "198.51.100.7:4001", "198.51.100.8:4000", "[2001:db8:7::7]:4000");
  auto thief = world.client(elsewhere);
  thief.realm = alice.realm;
  thief.nonce = alice.nonce;
  const Reply reply = thief.request_once(Method::allocate);
  CHECK(reply.code() == 438);
  CHECK(reply.text(AttributeType::nonce) != alice.nonce);
  CHECK(thief.allocate().code() == ok);  // with the nonce from the 438
  CHECK(alice.allocate().code() == ok);
}

TEST_CASE("a nonce that runs out in the middle of an allocation costs one round trip",
          "[turn][rfc8656-5][c30][A03]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  world.advance(599s);
  alice.refresh();
  const std::string before = alice.nonce;
  world.advance(2s);
  const Reply stale = alice.request_once(Method::refresh);
  CHECK(stale.code() == 438);
  CHECK(stale.reason == Reason::refused_stale_nonce);
  CHECK(alice.refresh().code() == ok);
  CHECK(alice.nonce != before);
  CHECK(alice.permit("8.8.8.8").code() == ok);
}

TEST_CASE("a 438 does nothing to the allocation", "[turn][rfc8489-9.2.4][c19]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate(with_lifetime(3600));
  world.advance(700s);
  CHECK(alice.request_once(Method::refresh, with_lifetime(0)).code() == 438);
  CHECK(world.balance().allocations == 1);
}

TEST_CASE("a forged integrity makes no state", "[turn][rfc8489-9.2.4][c19]") {
  World world;
  auto mallory = world.client("198.51.100.66:666");
  mallory.password = "guess";
  mallory.realm = "example.org";
  const Balance before = world.balance();
  for (int i = 0; i < 100; ++i) {
    mallory.nonce = "obMatJos2wAAD" + std::to_string(1000000000000000 + i);
    CHECK(mallory.request_once(Method::allocate, [](auto& m) { m.put_requested_transport(17); })
              .code() == 401);
  }
  CHECK(world.balance() == before);
  CHECK(world.opened().empty());
}

TEST_CASE("the algorithm decides how responses are signed", "[turn][rfc8489-9.2.4][c20]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  const auto [algorithm, expected] = GENERATE(table<Algorithm, SignedBy>({
      {Algorithm::unnamed, SignedBy::sha1},
      {Algorithm::md5, SignedBy::sha256},
      {Algorithm::sha256, SignedBy::sha256},
  }));
  alice.uses(algorithm);
  CHECK(alice.allocate().signed_by == expected);
  CHECK(alice.permit("8.8.8.8").signed_by == expected);
  CHECK(alice.permit("127.0.0.1").code() ==
        403);  // errors are signed too: see Client::request_once
  CHECK(alice.refresh().signed_by == expected);
  CHECK(alice.request(Method::channel_bind).code() == 400);
  CHECK(alice.allocate().code() == 437);
  CHECK(alice.request(Method::refresh, with_raw(0x7abc, {})).code() == 420);
}

TEST_CASE("a client may hide its name in USERHASH", "[turn][rfc8489-9.2.4][c21][A07]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.with_userhash = true;
  alice.uses(GENERATE(Algorithm::unnamed, Algorithm::sha256));
  CHECK(alice.allocate().code() == ok);
  // The user is the same under either name.
  alice.with_userhash = false;
  CHECK(alice.refresh().code() == ok);
}

TEST_CASE("whoever alters PASSWORD-ALGORITHMS is refused", "[turn][rfc8489-9.2.4][c16][A05]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.uses(GENERATE(Algorithm::md5, Algorithm::sha256));
  alice.log_in();
  alice.offered =
      GENERATE(as<Bytes>{}, Bytes{0, 1, 0, 0}, Bytes{0, 2, 0, 0}, Bytes{0, 1, 0, 0, 0, 2, 0, 0},
               Bytes{}, Bytes{0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0});
  const Reply reply = alice.request_once(Method::allocate);
  CHECK(reply.code() == 400);
  CHECK(reply.types() == std::vector{AttributeType::error_code});
}

TEST_CASE("challenges to one network are budgeted, other networks unharmed", "[turn][M03]") {
  auto settings = WorldSettings{};
  settings.limits.challenge_rate = 50;
  World world{settings};
  const auto flood = [&](const std::string& network, int count) {
    int answered = 0;
    for (int i = 0; i < count; ++i) {
      auto bot =
          world.client(network + "." + std::to_string(i % 250) + ":" + std::to_string(2000 + i));
      const Reply reply = bot.request_once(Method::allocate);
      if (reply.code() == 401)
        ++answered;
      else
        CHECK(reply.reason == Reason::dropped_challenge_budget);
    }
    return answered;
  };
  CHECK(flood("198.51.100", 500) == 50);
  CHECK(flood("203.0.113", 50) == 50);
  world.advance(1s);
  CHECK(flood("198.51.100", 500) == 50);
  auto honest = world.client("198.18.0.1:4000");
  CHECK(honest.allocate().code() == ok);
}

// --- Which allocation ----------------------------------------------------------------------------

TEST_CASE("a request without an allocation gets 437", "[turn][rfc8656-5][c28]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  for (const Method method : allocation_methods) {
    const Reply reply = alice.request(method);
    CHECK(reply.code() == 437);
    CHECK(reply.reason == Reason::refused_mismatch);
  }
}

TEST_CASE("the five-tuple names the allocation, server address included",
          "[turn][rfc8656-5][c28][c31][A08]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  const auto [from, server] = GENERATE(table<std::string, std::string>({
      {"198.51.100.7:4001", "192.0.2.1:3478"},
      {"198.51.100.8:4000", "192.0.2.1:3478"},
      {"198.51.100.7:4000", "192.0.2.1:3479"},
      {"198.51.100.7:4000", "192.0.2.2:3478"},
  }));
  auto other = world.client(from, server);
  for (const Method method : allocation_methods) CHECK(other.request(method).code() == 437);
  CHECK(other.allocate().code() == ok);
  CHECK(world.balance().allocations == 2);
  CHECK(alice.relayed() != other.relayed());
}

TEST_CASE("only the user who made an allocation may touch it", "[turn][rfc8656-5][c29][A08]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  auto bob = world.client("198.51.100.7:4000");
  bob.is("bob", "builder");
  for (const Method method : allocation_methods) {
    const Reply reply = bob.request(method, with_lifetime(0));
    CHECK(reply.code() == 441);
    CHECK(reply.reason == Reason::refused_wrong_user);
  }
  CHECK(bob.allocate().code() == 437);  // Allocate knows no 441
  CHECK(alice.refresh().code() == ok);
}

TEST_CASE("437 comes before 441, 441 before what the procedure checks", "[turn][rfc8656-5][c29]") {
  World world;
  auto bob = world.client("198.51.100.7:4000");
  bob.is("bob", "builder");
  CHECK(bob.refresh().code() == 437);
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  CHECK(bob.request(Method::create_permission).code() == 441);  // not 400
}

// --- Attributes ----------------------------------------------------------------------------------

TEST_CASE("what follows the integrity has no effect, whatever it is",
          "[turn][rfc8489-14.5][c09][S12]") {
  const auto algorithm = GENERATE(Algorithm::unnamed, Algorithm::sha256);
  const auto with_fingerprint = GENERATE(false, true);
  // Zeroes of several lengths: some of these decode as the attribute they claim to be.
  const auto value_bytes =
      GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{4}, std::size_t{8}, std::size_t{20});
  for (const unsigned type : all_types) {
    CAPTURE(type, value_bytes);
    World plain_world;
    World world;
    auto plain = plain_world.client("198.51.100.7:4000");
    auto altered = world.client("198.51.100.7:4000");
    for (Client* client : {&plain, &altered}) {
      client->uses(algorithm);
      client->log_in();
    }
    for (const Method method : {Method::allocate, Method::create_permission, Method::refresh}) {
      const Add add = [method](stun::MessageBuilder& m) {
        if (method == Method::allocate) m.put_requested_transport(17);
        if (method == Method::create_permission) {
          m.put_xor_address(AttributeType::xor_peer_address, endpoint("8.8.8.8:0"));
        }
      };
      const Reply expected = plain.transmit(plain.build(method, add));
      Bytes message = appended(altered.build(method, add), type, Bytes(value_bytes));
      if (with_fingerprint) {
        message = appended(message, 0x8028, {0, 0, 0, 0});
        const std::uint32_t crc = crc32(ByteView{message}.first(message.size() - 8));
        store_be32(MutableByteView{message}.last(4), crc ^ stun::fingerprint_xor);
      }
      const Reply reply = altered.transmit(message);
      CHECK(reply.code() == ok);
      CHECK(reply.reason == expected.reason);
      CHECK(reply.types() == expected.types());
    }
    CHECK(world.balance() == plain_world.balance());
  }
}

TEST_CASE("a wrong MESSAGE-INTEGRITY-SHA256 after a right MESSAGE-INTEGRITY decides",
          "[turn][rfc8489-9.2.4][c09]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.log_in();
  const Bytes message =
      alice.build(Method::allocate, [](auto& m) { m.put_requested_transport(17); });
  CHECK(alice.transmit(appended(message, 0x001c, Bytes(32))).code() == 401);
  // A second MESSAGE-INTEGRITY is one of the things that are ignored.
  CHECK(alice.transmit(appended(message, 0x0008, Bytes(20))).code() == ok);
}

TEST_CASE("integrity of a wrong size is refused",
          "[turn][rfc8489-14.5][rfc8489-14.6][c10][c11][S13][A15]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.log_in();
  const auto type = GENERATE(0x0008U, 0x001cU);
  const std::size_t right = type == 0x0008 ? 20 : 32;
  for (std::size_t size = 0; size <= 40; ++size) {
    CAPTURE(type, size);
    Bytes buffer(1000);
    stun::MessageBuilder message{buffer, stun::Class::request, Method::allocate, {}};
    message.put_requested_transport(17);
    message.put_text(AttributeType::username, alice.username)
        .put_text(AttributeType::realm, alice.realm);
    message.put_text(AttributeType::nonce, alice.nonce);
    // The right MAC for this very length, cut or filled up with zeroes.
    Bytes copy = appended(copy_of(message.bytes()), type, Bytes(size));
    const ByteView covered = ByteView{copy}.first(message.bytes().size());
    const auto key = alice.key();
    Bytes mac =
        type == 0x0008 ? copy_of(key.sha1.mac({covered})) : copy_of(key.sha256.mac({covered}));
    mac.resize(size);
    std::copy(mac.begin(), mac.end(),
              copy.begin() + static_cast<std::ptrdiff_t>(message.bytes().size()) + 4);
    if (size == right) continue;
    CHECK(alice.transmit(copy).code() == 401);
  }
  CHECK(world.balance().allocations == 0);
  CHECK(alice.allocate().code() == ok);
}

TEST_CASE("a MAC over another length field is wrong", "[turn][rfc8489-14.5][c10][A15]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.log_in();
  Bytes message = alice.build(Method::allocate, [](auto& m) { m.put_requested_transport(17); });
  // A MAC computed as if the attribute itself were not counted.
  const std::size_t covered_bytes = message.size() - 24;
  Bytes covered(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(covered_bytes));
  store_be16(MutableByteView{covered}.subspan(2), static_cast<std::uint16_t>(covered_bytes - 20));
  copy_bytes(alice.key().sha1.mac({covered}), MutableByteView{message}.last(20));
  CHECK(alice.transmit(message).code() == 401);
}

TEST_CASE("the first of two attributes of a kind counts", "[turn][rfc8489-14][c02][S11]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  SECTION("LIFETIME") {
    CHECK(alice.allocate(with_lifetime(1200) + with_lifetime(3000)).lifetime() == 1200s);
  }
  SECTION("REQUESTED-TRANSPORT: allocate() puts UDP first") {
    CHECK(alice.allocate(with_raw(0x0019, {6, 0, 0, 0})).code() == ok);
  }
  SECTION("REQUESTED-ADDRESS-FAMILY") {
    alice.allocate(with_family(Family::ipv6) + with_family(Family::ipv4));
    CHECK(alice.relayed(Family::ipv6).family() == Family::ipv6);
  }
  SECTION("EVEN-PORT") {
    CHECK_FALSE(alice.allocate(with_even_port(false) + with_even_port(true)).token());
  }
  SECTION("the credentials") {
    alice.log_in();
    CHECK(alice
              .request_once(Method::allocate,
                            [](auto& m) {
                              m.put_requested_transport(17).put_text(AttributeType::username,
                                                                     "nobody");
                            })
              .code() == 401);
    CHECK(alice
              .request_once(Method::allocate,
                            [](auto& m) {
                              m.put_requested_transport(17).put_text(AttributeType::nonce, "other");
                            })
              .code() == 438);
  }
  SECTION("CHANNEL-NUMBER and XOR-PEER-ADDRESS of ChannelBind") {
    alice.allocate();
    const Reply reply = alice.request(Method::channel_bind, [](auto& m) {
      m.put_channel_number(stun::ChannelNumber{0x4001})
          .put_channel_number(stun::ChannelNumber{0x4002});
      m.put_xor_address(AttributeType::xor_peer_address, endpoint("8.8.8.8:5000"));
      m.put_xor_address(AttributeType::xor_peer_address, endpoint("9.9.9.9:5000"));
    });
    CHECK(reply.code() == ok);
    CHECK(alice.send_channel(0x4001, "hi") == Reason::relayed_to_peer);
    CHECK(world.at_peer()->to == endpoint("8.8.8.8:5000"));
    CHECK(alice.send_channel(0x4002, "hi") == Reason::dropped_unbound_channel);
    CHECK(alice.send("9.9.9.9:5000", "hi") == Reason::dropped_no_permission);
  }
  SECTION("XOR-PEER-ADDRESS and DATA of Send; CreatePermission takes them all") {
    alice.allocate();
    alice.permit_all({"8.8.8.8", "9.9.9.9"});
    CHECK(alice.send("8.8.8.8:5000", "first", [](auto& m) {
      m.put_xor_address(AttributeType::xor_peer_address, endpoint("9.9.9.9:5000"));
      m.put_text(AttributeType::data, "second");
    }) == Reason::relayed_to_peer);
    CHECK(world.at_peer()->to == endpoint("8.8.8.8:5000"));
    CHECK(world.at_peer()->payload == "first");
  }
}

TEST_CASE("what stands in the padding of attributes does not matter", "[turn][rfc8489-14][c03]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.log_in();
  Bytes buffer(1000);
  stun::MessageBuilder message{buffer, stun::Class::request, Method::allocate, {}};
  message.put_requested_transport(17).put_text(AttributeType::software, "x");
  for (std::size_t i = 1; i <= 3; ++i) buffer[message.bytes().size() - i] = 0xff;
  alice.sign(message);  // the padding is part of what is signed
  CHECK(alice.transmit(copy_of(message.bytes())).code() == ok);
}

TEST_CASE("reserved bits are ignored", "[turn][rfc8656-18][c02]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  const Reply reply = alice.request(Method::allocate, with_raw(0x0019, {17, 0xff, 0xff, 0xff}) +
                                                          with_raw(0x0017, {2, 0xff, 0xff, 0xff}) +
                                                          with_raw(0x0018, {0x7f}));
  REQUIRE(reply.code() == ok);
  CHECK(reply.endpoint(AttributeType::xor_relayed_address)->family() == Family::ipv6);
  CHECK_FALSE(reply.token());  // R is the highest bit alone
  CHECK(alice
            .request(Method::channel_bind,
                     [](auto& m) {
                       m.put(AttributeType::channel_number, Bytes{0x40, 0x00, 0xff, 0xff});
                       m.put_xor_address(AttributeType::xor_peer_address,
                                         endpoint("[2001:4860:4860::8888]:5000"));
                     })
            .code() == ok);
}

// --- Clients over streams ------------------------------------------------------------------------

TEST_CASE("who has completed a connection is challenged without a budget", "[turn][M03]") {
  const auto transport = GENERATE(Transport::tcp, Transport::tls, Transport::dtls);
  auto settings = WorldSettings{};
  settings.limits.challenge_rate = 5;
  World world{settings};
  auto alice = world.client("198.51.100.7:4000", transport);
  for (int i = 0; i < 100; ++i) CHECK(alice.request_once(Method::allocate).code() == 401);
  // Nor has it used up what its neighbours over UDP have.
  auto bob = world.client("198.51.100.8:4000");
  for (int i = 0; i < 5; ++i) CHECK(bob.request_once(Method::allocate).code() == 401);
  CHECK(bob.request_once(Method::allocate).reason == Reason::dropped_challenge_budget);
}

TEST_CASE("no source port of a stream is a reflector's", "[turn][M08]") {
  const auto port = GENERATE(as<std::string>{}, "7", "53", "123", "11211");
  const auto transport = GENERATE(Transport::tcp, Transport::tls, Transport::dtls);
  World world;
  auto alice = world.client("198.51.100.7:" + port, transport);
  CHECK(alice.binding().code() == ok);
  CHECK(alice.allocate().code() == ok);
}

TEST_CASE("a connection from where a relay is, is none of the relay's", "[turn][c57][P07]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  alice.allocate();
  for (const Transport transport : {Transport::udp, Transport::dtls}) {
    auto relayed = world.client(alice.relayed().to_string(), transport);
    CHECK(relayed.binding().reason == Reason::dropped_source);
  }
  CHECK(world.client(alice.relayed().to_string(), Transport::tcp).binding().code() == ok);
}

TEST_CASE("clients on 6to4 and Teredo addresses are not served over streams either",
          "[turn][rfc8656-21.4][c57]") {
  const auto from =
      GENERATE(as<std::string>{}, "[2002:c633:6407::1]:4000", "[2001:0:c633:6401::1]:4000");
  const auto transport = GENERATE(Transport::tcp, Transport::tls);
  World world;
  auto tunnelled = world.client(from, transport);
  CHECK(tunnelled.binding().reason == Reason::dropped_source);
  CHECK(tunnelled.request_once(Method::allocate).reason == Reason::dropped_source);
  CHECK(world.unread() == 0);
}

TEST_CASE("the transport is part of the five-tuple", "[turn][rfc8656-5][c28][c56]") {
  World world;
  auto over_udp = world.client("198.51.100.7:4000");
  auto over_tcp = world.client("198.51.100.7:4000", Transport::tcp);
  auto over_tls = world.client("198.51.100.7:4000", Transport::tls);
  CHECK(over_udp.allocate().code() == ok);
  CHECK(over_tcp.refresh().code() == 437);
  CHECK(over_tcp.allocate().code() == ok);
  CHECK(over_tls.allocate().code() == ok);
  CHECK(world.balance().allocations == 3);
  CHECK(over_tcp.relayed() != over_udp.relayed());
  CHECK(over_tcp.refresh(0s).code() == ok);
  CHECK(over_udp.refresh().code() == ok);
}

TEST_CASE("the allocation ends at once with its connection", "[turn][rfc8656-3.1][c56]") {
  World world;
  const Balance before = world.balance();
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  auto bob = world.client("198.51.100.8:4000", Transport::tcp).is("bob", "builder");
  auto same_addresses = world.client("198.51.100.7:4000");

  SECTION("with all it had") {
    REQUIRE(alice.allocate(with_additional(Family::ipv6)).code() == ok);
    alice.permit("8.8.8.8");
    alice.bind_channel(0x4000, "9.9.9.9:5000");
    world.lose(alice);
    CHECK(world.balance() == before);
    CHECK(world.peer_sends("8.8.8.8:5000", alice, "hi") == Reason::dropped_closed_relay);
    CHECK(alice.send("8.8.8.8:5000", "hi") == Reason::dropped_no_allocation);
    CHECK_FALSE(world.server().has_allocation(alice.flow().tuple));
    CHECK_FALSE(world.server().next_deadline());
  }
  SECTION("and no other") {
    REQUIRE(alice.allocate().code() == ok);
    REQUIRE(bob.allocate().code() == ok);
    REQUIRE(same_addresses.allocate().code() == ok);
    world.lose(alice);
    CHECK(world.balance().allocations == 2);
    CHECK(bob.refresh().code() == ok);
    CHECK(same_addresses.refresh().code() == ok);
  }
  SECTION("and without one nothing happens") {
    REQUIRE(bob.allocate().code() == ok);
    const Balance with_bob = world.balance();
    world.lose(alice);
    alice.log_in();
    world.lose(alice);
    CHECK(world.balance() == with_bob);
  }
  SECTION("and twice is once") {
    REQUIRE(alice.allocate().code() == ok);
    world.lose(alice);
    world.lose(alice);
    CHECK(world.balance() == before);
  }
  SECTION("after which a new connection of the same addresses begins anew") {
    REQUIRE(alice.allocate().code() == ok);
    world.lose(alice);
    CHECK(alice.refresh().code() == 437);
    CHECK(alice.allocate().code() == ok);
  }
}

}  // namespace turnpike::test
