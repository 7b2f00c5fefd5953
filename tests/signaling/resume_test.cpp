#include "signaling/rooms.h"

#include "catch.h"
#include "signaling/world.h"

namespace turnpike::signaling::test {

namespace {

const Json away_of(const Client& client) { return {{"type", "peer-away"}, {"peer", client.peer}}; }
const Json back_of(const Client& client) { return {{"type", "peer-back"}, {"peer", client.peer}}; }

}  // namespace

TEST_CASE("who loses its connection is away, comes back and hears what it missed", "[signaling]") {
  World world;
  Client& jun = world.member("demo", "Jun");
  Client& mina = world.member("demo", "Mina");
  jun.chat("one");
  CHECK(mina.hear("message")["data"] == "one");

  mina.drop();
  CHECK(jun.hear() == away_of(mina));
  jun.chat("two");
  jun.signal(mina, {{"candidate", nullptr}});
  const std::string peer = mina.peer;
  const std::string old_ticket = mina.ticket;

  world.advance(29s);
  const Json joined = mina.resume({{"id", 9}});
  CHECK(joined["type"] == "joined");
  CHECK(joined["id"] == 9);
  CHECK(joined["resumed"] == true);
  CHECK(joined["self"]["peer"] == peer);
  CHECK(joined["self"]["n"] == 2);
  CHECK(joined["peers"][0]["offer"] == true);  // as at first
  CHECK(joined["iceServers"][1]["credential"] == "credential-3");
  CHECK(mina.ticket != old_ticket);
  const Json two = mina.hear("message");
  CHECK(two["data"] == "two");
  const Json candidate = mina.hear("signal");
  CHECK(candidate["data"] == Json{{"candidate", nullptr}});
  CHECK(candidate["seq"] > two["seq"]);
  CHECK(mina.hears_nothing());
  CHECK(jun.hear() == back_of(mina));
  world.advance(60s);
  CHECK(jun.hears_nothing());
  CHECK(world.rooms().counters().resumed == 1);
}

TEST_CASE("only what is after lastSeq is replayed", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  for (const char* const text : {"one", "two", "three"}) jun.chat(text);
  mina.ignore_all();
  mina.drop();
  mina.last_seq = 2;
  (void)mina.resume();
  CHECK(mina.hear("message")["data"] == "three");
  CHECK(mina.hears_nothing());
}

TEST_CASE("frames that were on the way when the connection broke are not lost", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  jun.chat("sent, never received");
  mina.last_seq = 0;
  mina.ignore_all();
  mina.drop();
  (void)mina.resume();
  CHECK(mina.hear("message")["data"] == "sent, never received");
}

TEST_CASE("after the window the peer has left and its ticket is nothing", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  mina.drop();
  world.advance(29'999ms);
  CHECK(jun.hear() == away_of(mina));
  CHECK(jun.hears_nothing());
  world.advance(1ms);
  CHECK(jun.hear("peer-left")["reason"] == "timeout");
  const Json error = mina.resume({{"id", 1}});
  CHECK(error["code"] == "resume_failed");
  CHECK(error["id"] == 1);
  CHECK(error["fatal"] == false);
  const Json joined = mina.join("demo");
  CHECK(joined["self"]["n"] == 3);
  CHECK_FALSE(joined.contains("resumed"));
}

TEST_CASE("a room of nobody but absent peers waits for them", "[signaling]") {
  World world;
  Client& mina = world.member("demo");
  mina.drop();
  CHECK(world.rooms().room_count() == 1);
  CHECK(mina.resume()["self"]["n"] == 1);
  mina.drop();
  world.advance(30s);
  CHECK(world.rooms().room_count() == 0);
}

TEST_CASE("a ticket serves once", "[signaling]") {
  World world;
  Client& mina = world.member("demo");
  const std::string first = mina.ticket;
  mina.drop();
  (void)mina.resume();
  mina.drop();
  CHECK(mina.resume({{"resume", first}})["code"] == "resume_failed");
  CHECK(mina.resume()["resumed"] == true);
}

TEST_CASE("a ticket serves its peer, its room and its token only", "[signaling]") {
  WorldSettings settings;
  settings.auth = JoinAuth::token;
  World world{settings};
  Client& mina = world.with_role("demo", Role::member, "mina");
  Client& eve = world.with_role("demo", Role::member, "eve");
  Client& other = world.with_role("other", Role::member, "mina");
  mina.drop();
  SECTION("another's ticket, with one's own token") {
    eve.drop();
    CHECK(eve.resume({{"resume", mina.ticket}})["code"] == "resume_failed");
  }
  SECTION("a ticket without the token") {
    CHECK(eve.resume({{"resume", mina.ticket}, {"token", nullptr}})["code"] == "resume_failed");
  }
  SECTION("in another room") {
    CHECK(other.resume({{"resume", mina.ticket}, {"token", mina.token}})["code"] ==
          "resume_failed");
  }
  SECTION("a guess") {
    CHECK(eve.resume({{"resume", ""}, {"token", mina.token}})["code"] == "resume_failed");
  }
  CHECK(mina.resume()["resumed"] == true);  // none of it did harm
}

TEST_CASE("a token that has run out still resumes the call it began", "[signaling]") {
  WorldSettings settings;
  settings.auth = JoinAuth::token;
  World world{settings};
  Claims claims = world.claims("demo");
  claims.expires = world.now().wall + 60s;
  Client& mina = world.client();
  mina.token = world.mint(claims);
  (void)mina.join("demo");
  world.advance(120s);
  mina.drop();
  CHECK(mina.resume()["resumed"] == true);
}

TEST_CASE("what no longer fits the ring cannot be resumed", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  const std::string old_peer = mina.peer;
  mina.drop();
  std::uint64_t expected = 0;
  SECTION("256 frames fit") {
    for (int i = 0; i < 256; ++i) {
      jun.chat("x");
      world.advance(20ms);
    }
    jun.ignore_all();
    CHECK(mina.resume()["resumed"] == true);
    CHECK(mina.unheard() == 256);
    return;
  }
  SECTION("257 frames do not") {
    for (int i = 0; i < 257; ++i) {
      jun.chat("x");
      world.advance(20ms);
    }
    expected = 256;
  }
  SECTION("nor do 256 KiB") {
    for (int i = 0; i < 5; ++i) jun.chat(std::string(60'000, 'x'));
    expected = 4;
  }
  CHECK(world.rooms().kept().frames == expected);
  CHECK(world.rooms().kept().bytes <= 256 * 1024);
  jun.ignore_all();
  CHECK(mina.resume()["code"] == "resume_failed");
  // Its old self goes, so that the room does not see it twice.
  CHECK(jun.hear("peer-left") ==
        Json{{"type", "peer-left"}, {"peer", old_peer}, {"reason", "replaced"}});
  CHECK(mina.join("demo")["self"]["n"] == 3);
  CHECK(world.rooms().counters().resume_failed == 1);
}

TEST_CASE("a lastSeq from the future is refused", "[signaling]") {
  World world;
  (void)world.member("demo");
  Client& mina = world.member("demo");
  mina.drop();
  CHECK(mina.resume({{"lastSeq", 5}})["code"] == "resume_failed");
}

TEST_CASE("a new connection takes over from one that the server thinks alive", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  const auto old = std::to_string(static_cast<std::uint64_t>(mina.id()));
  CHECK(mina.resume()["resumed"] == true);
  REQUIRE(world.foreign().size() == 2);
  CHECK(world.foreign()[0].find("\"code\":\"replaced\"") != std::string::npos);
  CHECK(world.foreign()[1] == old + " closed:4409");
  CHECK(jun.hears_nothing());  // it was never away
  CHECK(world.rooms().connection_count() == 2);
}

TEST_CASE("failed resumes count as joins, successful ones do not", "[signaling]") {
  WorldSettings settings;
  settings.limits.joins_per_minute = 2;
  World world{settings};
  Client& mina = world.member("demo");
  for (int i = 0; i < 5; ++i) {
    mina.drop();
    CHECK(mina.resume()["resumed"] == true);
  }
  mina.drop();
  CHECK(mina.resume({{"resume", "rt_guess"}})["code"] == "resume_failed");
  CHECK(mina.resume({{"resume", "rt_guess"}})["code"] == "rate_limited");
  CHECK(mina.closed()->code == 4429);
}

TEST_CASE("the room as it is comes with the resume", "[signaling]") {
  World world;
  Client& jun = world.member("demo", "Jun");
  Client& mina = world.member("demo", "Mina");
  Client& sol = world.member("demo", "Sol");
  mina.drop();
  jun.say({{"type", "update"}, {"meta", {{"cam", false}}}});
  sol.say({{"type", "leave"}});
  Client& late = world.member("demo", "Late");
  late.drop();
  const Json joined = mina.resume();
  REQUIRE(joined["peers"].size() == 2);
  CHECK(joined["peers"][0]["meta"] == Json{{"cam", false}});
  CHECK(joined["peers"][0]["offer"] == true);
  CHECK(joined["peers"][1]["name"] == "Late");
  CHECK(joined["peers"][1]["polite"] == true);
  CHECK(joined["peers"][1]["offer"] == false);
  CHECK(joined["peers"][1]["away"] == true);
  CHECK(mina.hears_nothing());
}

TEST_CASE("a browser that closes for good has left at once", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  mina.drop(close_codes::normal);
  CHECK(jun.hear("peer-left")["reason"] == "left");
  CHECK(mina.resume()["code"] == "resume_failed");
}

// --- Pings ---------------------------------------------------------------------------------------

TEST_CASE("the server pings, and who answers stays", "[signaling]") {
  World world;
  Client& mina = world.member("demo");
  world.advance(10min);
  CHECK(mina.is_connected());
  CHECK(world.rooms().counters().received[10] == 40);  // pongs
}

TEST_CASE("who answers no ping for ten seconds is away", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  mina.answers_pings = false;
  world.advance(24'999ms);
  CHECK(mina.is_connected());
  world.advance(1ms);
  REQUIRE(mina.closed());
  CHECK(mina.closed()->code == 1001);
  CHECK(jun.hear() == away_of(mina));
  CHECK(mina.resume()["resumed"] == true);
}

TEST_CASE("whatever a client says shows that it is there", "[signaling]") {
  World world;
  (void)world.member("demo");
  Client& mina = world.member("demo");
  mina.answers_pings = false;
  world.advance(20s);
  mina.chat("slow uplink");
  world.advance(14s);
  CHECK(mina.is_connected());
  world.advance(11s);
  CHECK_FALSE(mina.is_connected());
}

TEST_CASE("what a peer is known to have is not kept", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  jun.chat("one");
  CHECK(world.rooms().kept().frames == 1);
  world.advance(15s);  // ping, pong
  CHECK(world.rooms().kept().frames == 0);
  mina.ignore_all();
  jun.chat("two");
  mina.drop();
  mina.last_seq = 1;
  CHECK(mina.resume()["resumed"] == true);
  CHECK(mina.hear("message")["data"] == "two");
}

TEST_CASE("a pong to no ping of ours means nothing", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  mina.answers_pings = false;
  jun.chat("one");
  mina.ignore_all();
  mina.say({{"type", "pong"}, {"ts", 0}});
  CHECK(world.rooms().kept().frames == 1);
  world.advance(15s);
  mina.say({{"type", "pong"}, {"ts", 1'800'000'014'000}});
  CHECK(world.rooms().kept().frames == 1);
  mina.say({{"type", "pong"}, {"ts", 1'800'000'015'000}});
  CHECK(world.rooms().kept().frames == 0);
  CHECK(mina.hears_nothing());
}

// --- Credentials ---------------------------------------------------------------------------------

TEST_CASE("new iceServers come on request, and a minute before the old ones expire",
          "[signaling]") {
  World world;
  Client& mina = world.member("demo");
  const Json ice = mina.ask({{"type", "ice"}, {"id", 7}});
  CHECK(ice["type"] == "ice");
  CHECK(ice["id"] == 7);
  CHECK(ice["iceServers"][1]["credential"] == "credential-2");
  CHECK(ice["iceExpiresAt"] == 1'800'003'600'000);

  world.advance(59min - 1ms);
  CHECK(mina.hears_nothing());
  world.advance(1ms);
  const Json pushed = mina.hear("ice");
  CHECK_FALSE(pushed.contains("id"));
  CHECK(pushed["iceServers"][1]["credential"] == "credential-3");
  CHECK(pushed["iceExpiresAt"] == 1'800'007'140'000);
  world.advance(59min);
  CHECK(mina.hear("ice")["iceServers"][1]["credential"] == "credential-4");
}

TEST_CASE("short credentials are renewed at half time, but not in a storm", "[signaling]") {
  WorldSettings settings;
  settings.limits.ice_ttl = 20s;
  SECTION("20 seconds") {
    World world{settings};
    Client& mina = world.member("demo");
    world.advance(9'999ms);
    CHECK(mina.hears_nothing());
    world.advance(1ms);
    CHECK(mina.hear("ice")["type"] == "ice");
  }
  SECTION("none at all") {
    settings.limits.ice_ttl = 0s;
    World world{settings};
    Client& mina = world.member("demo");
    world.advance(10s);
    CHECK(mina.unheard() == 2);
  }
}

TEST_CASE("nobody who is away gets credentials", "[signaling]") {
  WorldSettings settings;
  settings.limits.ice_ttl = 70s;
  World world{settings};
  Client& mina = world.member("demo");
  mina.drop();
  world.advance(20s);
  CHECK(world.ice().made == 1);
  (void)mina.resume();
  CHECK(world.ice().made == 2);
}

}  // namespace turnpike::signaling::test
