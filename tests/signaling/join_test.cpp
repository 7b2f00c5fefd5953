#include "signaling/rooms.h"

#include "catch.h"
#include "signaling/world.h"

namespace turnpike::signaling::test {

namespace {

WorldSettings with_tokens() {
  WorldSettings settings;
  settings.auth = JoinAuth::token;
  return settings;
}

WorldSettings with_webhook() {
  WorldSettings settings;
  settings.auth = JoinAuth::webhook;
  return settings;
}

Json find_peer(const Json& joined, const std::string& peer) {
  for (const Json& each : joined["peers"]) {
    if (each["peer"] == peer) return each;
  }
  return {};
}

}  // namespace

// --- The reply -----------------------------------------------------------------------------------

TEST_CASE("the first to join learns all it needs for a call", "[signaling]") {
  World world;
  Client& mina = world.client();
  mina.meta = {{"cam", true}};
  const Json joined = mina.join("demo", {{"id", 1}, {"client", "turnpike-js/1.0"}});
  CHECK(joined["type"] == "joined");
  CHECK(joined["id"] == 1);
  CHECK_FALSE(joined.contains("resumed"));
  CHECK(joined["self"] == Json{{"peer", mina.peer}, {"n", 1}, {"name", "Mina"}, {"role", "owner"}});
  CHECK(joined["room"] ==
        Json{{"id", "demo"}, {"max", 8}, {"locked", false}, {"meta", Json::object()}});
  CHECK(joined["peers"].empty());
  CHECK(joined["iceServers"][1]["username"] == "1800003600:" + mina.peer + "@demo");
  CHECK(joined["iceExpiresAt"] == 1'800'003'600'000);
  CHECK(joined["iceTransportPolicy"] == "all");
  CHECK(joined["resume"]["windowMs"] == 30'000);
  CHECK(joined["ping"] == Json{{"intervalMs", 15'000}, {"timeoutMs", 10'000}});
  CHECK(joined["limits"] == Json{{"maxMessage", 65'536}, {"perSecond", 50}});
  CHECK(joined["server"] == Json{{"version", "1.0.0"}, {"node", "n1"}, {"region", "kr"}});
}

TEST_CASE("the join reply has its fields in the order of the specification", "[signaling]") {
  World world;
  Client& mina = world.client();
  (void)mina.join("demo", {{"id", 1}});
  std::size_t at = 0;
  for (const char* const field :
       {"{\"type\":\"joined\",\"id\":1,\"self\":{\"peer\":", "\"n\":1", "\"name\":", "\"role\":",
        "\"room\":{\"id\":", "\"max\":", "\"locked\":", "\"meta\":", "\"peers\":[",
        "\"iceServers\":", "\"iceExpiresAt\":", "\"iceTransportPolicy\":", "\"resume\":",
        "\"ping\":", "\"limits\":", "\"server\":"}) {
    CAPTURE(field);
    const std::size_t found = mina.last_text.find(field, at);
    REQUIRE(found != std::string::npos);
    at = found;
  }
}

TEST_CASE("the later one offers, the earlier one is polite, on both sides", "[signaling]") {
  World world;
  Client& jun = world.client();
  Client& sol = world.client();
  Client& mina = world.client();
  (void)jun.join("demo");
  (void)sol.join("demo");
  const Json seen_by_jun = jun.hear("peer-joined")["peer"];
  CHECK(seen_by_jun["n"] == 2);
  CHECK(seen_by_jun["polite"] == true);
  CHECK(seen_by_jun["offer"] == false);

  mina.meta = {{"cam", true}};
  const Json joined = mina.join("demo");
  CHECK(joined["self"]["n"] == 3);
  CHECK(joined["self"]["role"] == "member");
  REQUIRE(joined["peers"].size() == 2);
  for (const Json& peer : joined["peers"]) {
    CHECK(peer["polite"] == false);
    CHECK(peer["offer"] == true);
    CHECK_FALSE(peer.contains("away"));
  }
  for (Client* const earlier : {&jun, &sol}) {
    const Json newcomer = earlier->hear("peer-joined")["peer"];
    CHECK(newcomer == Json{{"peer", mina.peer},
                           {"n", 3},
                           {"name", "Mina"},
                           {"meta", {{"cam", true}}},
                           {"polite", true},
                           {"offer", false}});
    CHECK(earlier->hears_nothing());
  }
}

TEST_CASE("n is never used twice in a room", "[signaling]") {
  World world;
  (void)world.member("demo");
  Client& second = world.member("demo");
  second.say({{"type", "leave"}});
  Client& third = world.client();
  CHECK(third.join("demo")["self"]["n"] == 3);
}

TEST_CASE("rooms know nothing of each other", "[signaling]") {
  World world;
  Client& mina = world.member("demo");
  Client& jun = world.member("other");
  CHECK(mina.hears_nothing());
  jun.chat("hi");
  CHECK(mina.hears_nothing());
  mina.signal(jun, {{"candidate", nullptr}});
  CHECK(mina.hear("error")["code"] == "peer_not_found");
}

// --- Refusals ------------------------------------------------------------------------------------

TEST_CASE("who does not join in ten seconds is closed", "[signaling][H17]") {
  World world;
  Client& mina = world.client();
  mina.connect();
  world.advance(9'999ms);
  CHECK(mina.is_connected());
  world.advance(1ms);
  const Json error = mina.hear("error");
  CHECK(error["code"] == "join_timeout");
  CHECK(error["fatal"] == true);
  REQUIRE(mina.closed());
  CHECK(mina.closed()->code == 4408);
  CHECK(mina.closed()->reason == "join_timeout");
  CHECK(world.rooms().connection_count() == 0);
}

TEST_CASE("nobody joins twice on one connection", "[signaling]") {
  World world;
  Client& mina = world.member("demo");
  const Json error = mina.ask({{"type", "join"}, {"id", 2}, {"room", "demo"}});
  CHECK(error == Json{{"type", "error"},
                      {"id", 2},
                      {"code", "already_joined"},
                      {"message", "this connection has joined"},
                      {"retryAfterMs", nullptr},
                      {"fatal", false}});
  CHECK(world.rooms().member_count() == 1);
}

TEST_CASE("the ninth peer of a room is refused", "[signaling][H19]") {
  World world;
  for (int i = 0; i < 8; ++i) (void)world.member("demo");
  Client& ninth = world.client();
  CHECK(ninth.join("demo")["code"] == "room_full");
  CHECK(ninth.closed()->code == 4423);
  CHECK(world.rooms().member_count() == 8);
}

TEST_CASE("a peer that is away keeps its place", "[signaling]") {
  WorldSettings settings;
  settings.limits.max_peers = 2;
  World world{settings};
  (void)world.member("demo");
  Client& away = world.member("demo");
  away.drop();
  CHECK(world.client().join("demo")["code"] == "room_full");
  world.advance(30s);
  CHECK(world.client().join("demo")["type"] == "joined");
}

TEST_CASE("a locked room lets in nobody but owners", "[signaling]") {
  World world{with_tokens()};
  Client& owner = world.with_role("demo", Role::owner);
  owner.say({{"type", "lock"}, {"locked", true}});
  Client& late = world.client();
  late.token = world.mint(world.claims("demo"));
  CHECK(late.join("demo")["code"] == "room_locked");
  CHECK(late.closed()->code == 4423);
  const Client& other_owner = world.with_role("demo", Role::owner);
  CHECK(other_owner.is_connected());
  owner.say({{"type", "lock"}, {"locked", false}});
  CHECK(late.join("demo")["type"] == "joined");
}

TEST_CASE("joins of one address are limited, and those refused do not count", "[signaling]") {
  WorldSettings settings;
  settings.limits.joins_per_minute = 20;
  World world{settings};
  for (int i = 0; i < 20; ++i) {
    CHECK(world.client("198.51.100.7").join("r" + std::to_string(i))["type"] == "joined");
  }
  Client& late = world.client("198.51.100.7");
  const Json error = late.join("demo");
  CHECK(error["code"] == "rate_limited");
  CHECK(error["retryAfterMs"] == 3000);
  CHECK(late.closed()->code == 4429);
  CHECK(world.client("198.51.100.8").join("demo")["type"] == "joined");
  world.advance(3s);
  CHECK(late.join("demo")["type"] == "joined");
}

TEST_CASE("addresses of one IPv6 network share a budget of joins", "[signaling]") {
  WorldSettings settings;
  settings.limits.joins_per_minute = 1;
  World world{settings};
  CHECK(world.client("2001:db8::1").join("demo")["type"] == "joined");
  CHECK(world.client("2001:db8::ffff:2").join("demo")["code"] == "rate_limited");
  CHECK(world.client("2001:db8:0:1::1").join("demo")["type"] == "joined");
}

TEST_CASE("rooms that must be made first are not found", "[signaling]") {
  WorldSettings settings;
  settings.create_on_demand = false;
  World world{settings};
  Client& mina = world.client();
  CHECK(mina.join("demo")["code"] == "room_not_found");
  CHECK(mina.closed()->code == 4404);
  Rooms::RoomSettings room;
  room.id = "demo";
  CHECK(world.rooms().create(room) == Rooms::Created::made);
  CHECK(mina.join("demo")["type"] == "joined");
}

TEST_CASE("a server that is full says so", "[signaling]") {
  WorldSettings settings;
  SECTION("rooms") { settings.limits.max_rooms = 1; }
  SECTION("members") { settings.limits.max_members = 1; }
  World world{settings};
  (void)world.member("demo");
  Client& late = world.client();
  CHECK(late.join("other")["code"] == "server_busy");
  CHECK(late.closed()->code == 4503);
}

TEST_CASE("beyond the limit of connections none is kept", "[signaling][H17]") {
  WorldSettings settings;
  settings.limits.max_connections = 1;
  World world{settings};
  (void)world.member("demo");
  Client& late = world.client();
  late.connect();
  CHECK(late.closed()->code == 4503);
  CHECK(world.rooms().connection_count() == 1);
}

// --- Tokens --------------------------------------------------------------------------------------

TEST_CASE("a token names its holder and says what it may", "[signaling]") {
  World world{with_tokens()};
  Claims claims = world.claims("demo");
  claims.subject = "user-1";
  claims.name = "Mina Kim";
  claims.role = Role::viewer;
  claims.can = {Right::message};
  claims.max = 2;
  claims.ice_ttl = 600s;
  claims.relay_only = true;
  Client& mina = world.client();
  mina.token = world.mint(claims);
  const Json joined = mina.join("demo");
  CHECK(joined["self"]["name"] == "Mina Kim");
  CHECK(joined["self"]["role"] == "viewer");
  CHECK(joined["room"]["max"] == 2);
  CHECK(joined["iceTransportPolicy"] == "relay");
  CHECK(joined["iceExpiresAt"] == 1'800'000'600'000);
  CHECK(mina.ask({{"type", "message"}, {"id", 1}, {"event", "e"}})["type"] == "ack");
  CHECK(mina.ask({{"type", "update"}, {"id", 1}, {"meta", Json::object()}})["code"] == "forbidden");
}

TEST_CASE("without a good token nobody gets in", "[signaling][H18]") {
  World world{with_tokens()};
  Client& mina = world.client();
  Claims claims = world.claims("demo");
  std::string code;
  int close_code = 0;
  SECTION("none") {
    code = "unauthorized";
    close_code = 4401;
  }
  SECTION("nonsense") {
    mina.token = "a.b.c";
    code = "unauthorized";
    close_code = 4401;
  }
  SECTION("signed with another key") {
    mina.token = mint_token(claims, "k1", HmacSha256Key{bytes_of("guess")});
    code = "unauthorized";
    close_code = 4401;
  }
  SECTION("expired this second") {
    claims.expires = world.now().wall;
    mina.token = world.mint(claims);
    code = "token_expired";
    close_code = 4401;
  }
  SECTION("of another room") {
    mina.token = world.mint(world.claims("other"));
    code = "forbidden";
    close_code = 4403;
  }
  const Json error = mina.join("demo");
  CHECK(error["code"] == code);
  CHECK(error["fatal"] == true);
  CHECK(mina.closed()->code == close_code);
  CHECK(mina.closed()->reason == code);
  CHECK(world.rooms().room_count() == 0);
  CHECK(world.rooms().connection_count() == 0);
}

TEST_CASE("H18: without a good token nobody learns which rooms there are",
          "[signaling][hostile][H18]") {
  WorldSettings settings = with_tokens();
  settings.create_on_demand = GENERATE(true, false);
  World world{settings};
  Rooms::RoomSettings room;
  room.id = "present";
  REQUIRE(world.rooms().create(room) == Rooms::Created::made);
  Claims expired = world.claims("present");
  expired.expires = world.now().wall;
  const std::vector<std::string> bad{
      "", "a.b.c", world.mint(world.claims("other")), world.mint(expired),
      mint_token(world.claims("present"), "k1", HmacSha256Key{bytes_of("guess")})};
  const std::string& token = bad.at(GENERATE(0U, 1U, 2U, 3U, 4U));
  const auto told = [&](std::string_view name) {
    Client& stranger = world.client();
    stranger.token = token;
    (void)stranger.join(name);
    REQUIRE(stranger.closed());
    return stranger.last_text + std::to_string(stranger.closed()->code) + stranger.closed()->reason;
  };
  CHECK(told("present") == told("missing"));
}

TEST_CASE("a token's limit holds for its holder in a larger room", "[signaling]") {
  World world{with_tokens()};
  (void)world.with_role("demo", Role::member);
  (void)world.with_role("demo", Role::member);
  Claims small = world.claims("demo");
  small.max = 2;
  Client& late = world.client();
  late.token = world.mint(small);
  CHECK(late.join("demo")["code"] == "room_full");
}

TEST_CASE("the same subject joining again takes the place of its old self", "[signaling]") {
  WorldSettings settings = with_tokens();
  settings.limits.max_peers = 2;
  World world{settings};
  Client& jun = world.with_role("demo", Role::owner, "jun");
  Client& old = world.with_role("demo", Role::member, "mina");
  jun.say({{"type", "lock"}, {"locked", true}});  // also a locked and full room
  const std::string old_peer = old.peer;
  Client& again = world.client();
  again.token = old.token;
  const Json joined = again.join("demo");
  CHECK(joined["self"]["n"] == 3);
  CHECK(joined["peers"].size() == 1);
  CHECK(again.hears_nothing());
  const Json error = old.hear("error");
  CHECK(error["code"] == "replaced");
  CHECK(error["fatal"] == true);
  CHECK(old.closed()->code == 4409);
  CHECK(jun.hear("peer-left") ==
        Json{{"type", "peer-left"}, {"peer", old_peer}, {"reason", "replaced"}});
  CHECK(jun.hear("peer-joined")["peer"]["peer"] == again.peer);
  CHECK(world.rooms().member_count() == 2);
}

TEST_CASE("alone in its room, a subject that joins again keeps the room's numbers", "[signaling]") {
  World world{with_tokens()};
  Client& mina = world.with_role("demo", Role::member, "mina");
  mina.drop();
  CHECK(mina.join("demo")["self"]["n"] == 2);
  CHECK(world.rooms().member_count() == 1);
}

TEST_CASE("one token without subject serves many", "[signaling]") {
  World world{with_tokens()};
  const std::string token = world.mint(world.claims("demo"));
  for (int i = 0; i < 3; ++i) {
    Client& client = world.client();
    client.token = token;
    CHECK(client.join("demo")["type"] == "joined");
  }
  CHECK(world.rooms().member_count() == 3);
}

TEST_CASE("an API key has so many rooms and no more", "[signaling]") {
  WorldSettings settings = with_tokens();
  settings.limits.max_rooms_per_key = 2;
  World world{settings};
  Client& first = world.with_role("a", Role::member);
  (void)world.with_role("b", Role::member);
  Client& late = world.client();
  late.token = world.mint(world.claims("c"));
  CHECK(late.join("c")["code"] == "rate_limited");
  CHECK(late.closed()->code == 4429);
  first.say({{"type", "leave"}});
  CHECK(late.join("c")["type"] == "joined");
}

// --- The webhook ---------------------------------------------------------------------------------

TEST_CASE("the webhook is told who wants in, and its answer shapes the join", "[signaling]") {
  World world{with_webhook()};
  Client& mina = world.client();
  mina.token = "the app's own";
  CHECK(mina.join("demo", {{"id", "a"}}).is_null());
  REQUIRE(world.questions().size() == 1);
  const Json body = Json::parse(world.questions().front().body);
  CHECK(body == Json{{"type", "join"},
                     {"room", "demo"},
                     {"token", "the app's own"},
                     {"name", "Mina"},
                     {"meta", Json::object()},
                     {"address", "198.51.100.7"},
                     {"origin", "https://app.example"}});
  WebhookAnswer answer;
  answer.allow = true;
  answer.name = "Mina Kim";
  answer.role = Role::owner;
  answer.max = 3;
  answer.ice_ttl = 120s;
  world.answer(answer);
  const Json joined = mina.hear("joined");
  CHECK(joined["id"] == "a");
  CHECK(joined["self"]["name"] == "Mina Kim");
  CHECK(joined["self"]["role"] == "owner");
  CHECK(joined["room"]["max"] == 3);
  CHECK(joined["iceExpiresAt"] == 1'800'000'120'000);
}

TEST_CASE("a webhook that does not allow a join ends the connection", "[signaling]") {
  World world{with_webhook()};
  Client& mina = world.client();
  (void)mina.join("demo", {{"id", 4}});
  SECTION("denied") {
    world.answer(WebhookAnswer{});
    const Json error = mina.hear("error");
    CHECK(error["code"] == "forbidden");
    CHECK(error["id"] == 4);
    CHECK(mina.closed()->code == 4403);
  }
  SECTION("failed") {
    world.answer(std::nullopt);
    CHECK(mina.hear("error")["code"] == "server_busy");
    CHECK(mina.closed()->code == 4503);
  }
  SECTION("silent for five seconds, and then too late") {
    world.advance(4'999ms);
    CHECK(mina.is_connected());
    world.advance(1ms);
    CHECK(mina.hear("error")["code"] == "server_busy");
    WebhookAnswer late;
    late.allow = true;
    world.answer(late);
  }
  CHECK_FALSE(mina.is_connected());
  CHECK(world.rooms().room_count() == 0);
  CHECK(world.rooms().connection_count() == 0);
}

TEST_CASE("while the webhook thinks, nothing else goes", "[signaling]") {
  World world{with_webhook()};
  Client& mina = world.client();
  (void)mina.join("demo");
  CHECK(mina.join("demo")["code"] == "already_joined");
  CHECK(mina.ask({{"type", "ice"}})["code"] == "not_joined");
  CHECK(world.questions().size() == 1);
}

TEST_CASE("the webhook's answer for a connection that is gone is ignored", "[signaling]") {
  World world{with_webhook()};
  Client& mina = world.client();
  (void)mina.join("demo");
  mina.drop();
  WebhookAnswer answer;
  answer.allow = true;
  world.answer(answer);
  CHECK(world.rooms().member_count() == 0);
}

TEST_CASE("so many questions wait for the webhook and no more", "[signaling]") {
  WorldSettings settings = with_webhook();
  settings.limits.max_webhook_questions = 1;
  World world{settings};
  Client& first = world.client();
  (void)first.join("demo");
  CHECK(world.client().join("demo")["code"] == "server_busy");
  first.drop();
  CHECK(world.client().join("demo").is_null());
}

TEST_CASE("what is told about a peer is what it said at last", "[signaling]") {
  World world;
  Client& mina = world.member("demo");
  mina.say({{"type", "update"}, {"meta", {{"mic", false}}}});
  Client& jun = world.client();
  CHECK(find_peer(jun.join("demo"), mina.peer)["meta"] == Json{{"mic", false}});
}

}  // namespace turnpike::signaling::test
