// Who guesses passwords, and whom that harms (docs/adr/0045).
#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {
namespace {

/// Nonces that are not ours come with no challenge that a Client could have read.
const std::string old_nonce = "obMatJos2gAABAAAAAAAAAAAAAAAA";

WorldSettings default_failures() {
  WorldSettings settings;
  settings.max_failures_per_minute = 10;
  return settings;
}

/// `who` fails so many times, one Allocate each.
void fail(Client& who, int times) {
  const std::string right = who.password;
  who.password = "guess";
  for (int i = 0; i < times; ++i) REQUIRE(who.request_once(Method::allocate).code() == 401);
  who.password = right;
}

Client logged_in(World& world, std::string_view from, std::string_view user = "alice",
                 std::string_view password = "wonderland") {
  Client client = world.client(from);
  client.is(user, password).log_in();
  return client;
}

}  // namespace

TEST_CASE("who fails ten times in a minute gets no answer for a minute, right or wrong",
          "[turn][A09]") {
  World world{default_failures()};
  Client guesser = logged_in(world, "198.51.100.7:4000");
  fail(guesser, 10);

  Reply reply = guesser.request_once(Method::allocate);
  CHECK(reply.code() == silence);
  CHECK(reply.reason == Reason::dropped_throttled);
  guesser.password = "another guess";
  CHECK(guesser.request_once(Method::allocate).code() == silence);
  CHECK(world.client("198.51.100.7:4001").request(Method::allocate).code() == silence);

  world.advance(60s);
  guesser.password = "wonderland";
  CHECK(guesser.allocate().code() == ok);
}

TEST_CASE("others at the same NAT, and the user elsewhere, are not affected", "[turn][A09]") {
  World world{default_failures()};
  Client guesser = logged_in(world, "198.51.100.7:4000");
  fail(guesser, 10);
  CHECK(logged_in(world, "198.51.100.7:4001", "bob", "builder").allocate().code() == ok);
  CHECK(logged_in(world, "198.51.100.8:4000").allocate().code() == ok);
}

TEST_CASE("whether a user exists makes no difference to a guesser", "[turn][A09][A07]") {
  World world{default_failures()};
  const auto hidden = GENERATE(false, true);
  for (const std::string_view user : {"alice", "nobody"}) {
    Client guesser = world.client("198.51.100.7:4000");
    guesser.is(user, "guess").log_in();
    guesser.with_userhash = hidden;
    fail(guesser, 10);
    CHECK(guesser.request_once(Method::allocate).code() == silence);
    // Nor do name and hash share a count: that of a name which exists alone could.
    guesser.with_userhash = !hidden;
    CHECK(guesser.request_once(Method::allocate).code() == 401);
  }
}

TEST_CASE("a proof of the password in time takes the failures back", "[turn][A09]") {
  World world{default_failures()};
  Client alice = logged_in(world, "198.51.100.7:4000");
  for (int i = 0; i < 5; ++i) {
    fail(alice, 9);
    CHECK(alice.request_once(Method::refresh).code() == 437);
  }
}

TEST_CASE("who has no nonce cannot silence somebody else", "[turn][A09]") {
  World world{default_failures()};
  Client alice = logged_in(world, "198.51.100.7:4000");
  Client forger = logged_in(world, "198.51.100.7:4000");  // writes alice's address into his UDP
  forger.nonce = old_nonce;
  fail(forger, 10);
  CHECK(alice.allocate().code() == ok);
}

TEST_CASE("an old nonce is no way around the limit", "[turn][A09]") {
  World world{default_failures()};
  Client guesser = logged_in(world, "198.51.100.7:4000");
  const std::string fresh = guesser.nonce;
  guesser.nonce = old_nonce;
  CHECK(guesser.request_once(Method::allocate).code() == 438);  // the password was right
  guesser.nonce = old_nonce;
  fail(guesser, 10);
  // From now on the answer says nothing of the password.
  for (const std::string_view password : {"guess", "wonderland"}) {
    guesser.password = password;
    guesser.nonce = old_nonce;
    CHECK(guesser.request_once(Method::allocate).code() == 438);
  }
  // And who has a nonce is served.
  guesser.nonce = fresh;
  CHECK(guesser.request_once(Method::refresh).code() == 437);
}

TEST_CASE("a neighbour's guesses do not take a running call away", "[turn][A09]") {
  World world{default_failures()};
  Client alice = logged_in(world, "198.51.100.7:4000");
  REQUIRE(alice.allocate().code() == ok);
  Client neighbour = logged_in(world, "198.51.100.7:4001");
  fail(neighbour, 10);
  CHECK(neighbour.request_once(Method::allocate).code() == silence);
  CHECK(alice.refresh().code() == ok);
  CHECK(alice.permit("9.9.9.9").code() == ok);
  // Nor do mistakes on its own five-tuple count, ...
  fail(alice, 20);
  CHECK(alice.refresh().code() == ok);
  // ... unless they are about somebody else.
  alice.is("bob", "guess");
  fail(alice, 10);
  CHECK(alice.request_once(Method::refresh).code() == silence);
}

TEST_CASE("an expired credential with its right password is no guess", "[turn][A09][A10]") {
  WorldSettings settings = default_failures();
  settings.credentials.secrets = {{"main", "0123456789abcdef0123456789abcdef"}};
  World world{settings};
  Client late = world.client("198.51.100.7:4000");
  late.username = auth::time_limited_username(world.now().wall - 3600s, "dave");
  late.password = auth::time_limited_password("0123456789abcdef0123456789abcdef", late.username);
  late.log_in();
  for (int i = 0; i < 20; ++i) CHECK(late.request_once(Method::allocate).code() == 401);
}

TEST_CASE("zero switches the limit off", "[turn][A09]") {
  WorldSettings settings = default_failures();
  settings.max_failures_per_minute = 0;
  World world{settings};
  Client guesser = logged_in(world, "198.51.100.7:4000");
  fail(guesser, 100);
  CHECK(guesser.allocate().code() == ok);
}

}  // namespace turnpike::test
