#include "signaling/rooms.h"

#include <algorithm>
#include <vector>

#include "catch.h"
#include "signaling/world.h"

namespace turnpike::signaling::test {

TEST_CASE("who leaves has left", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  CHECK(mina.ask({{"type", "leave"}, {"id", 1}}) == Json{{"type", "ack"}, {"id", 1}});
  CHECK(mina.closed()->code == 1000);
  CHECK(jun.hear() == Json{{"type", "peer-left"}, {"peer", mina.peer}, {"reason", "left"}});
  CHECK(mina.resume()["code"] == "resume_failed");
  jun.say({{"type", "leave"}});
  CHECK(world.rooms().room_count() == 0);
}

TEST_CASE("an owner removes a peer", "[signaling]") {
  World world;
  Client& owner = world.member("demo");
  Client& mina = world.member("demo");
  Client& sol = world.member("demo");
  CHECK(owner.ask({{"type", "kick"}, {"id", 9}, {"peer", mina.peer}}) ==
        Json{{"type", "ack"}, {"id", 9}});
  CHECK(mina.hear() == Json{{"type", "closed"}, {"code", "kicked"}});
  CHECK(mina.closed()->code == 4403);
  const Json left = {{"type", "peer-left"}, {"peer", mina.peer}, {"reason", "kicked"}};
  CHECK(owner.hear() == left);
  CHECK(sol.hear() == left);
  CHECK(mina.resume()["code"] == "resume_failed");
}

TEST_CASE("an owner removes a peer that is away", "[signaling]") {
  World world;
  Client& owner = world.member("demo");
  Client& mina = world.member("demo");
  mina.drop();
  owner.ignore_all();
  owner.say({{"type", "kick"}, {"peer", mina.peer}});
  CHECK(owner.hear("peer-left")["reason"] == "kicked");
  CHECK(mina.resume()["code"] == "resume_failed");
}

TEST_CASE("nobody removes itself or a stranger", "[signaling]") {
  World world;
  Client& owner = world.member("demo");
  for (const std::string& peer : {owner.peer, std::string{"p_zz"}}) {
    CHECK(owner.ask({{"type", "kick"}, {"peer", peer}})["code"] == "peer_not_found");
  }
}

TEST_CASE("an owner ends the room for everyone", "[signaling]") {
  World world;
  Client& owner = world.member("demo");
  Client& mina = world.member("demo");
  Client& away = world.member("demo");
  away.drop();
  owner.ignore_all();
  mina.ignore_all();
  owner.say({{"type", "end"}, {"id", 8}});
  CHECK(owner.hear() == Json{{"type", "ack"}, {"id", 8}});
  for (Client* const each : {&owner, &mina}) {
    CHECK(each->hear() == Json{{"type", "closed"}, {"code", "room_ended"}});
    CHECK(each->hears_nothing());
    CHECK(each->closed()->code == 4410);
    CHECK(each->closed()->reason == "room_ended");
  }
  CHECK(world.rooms().room_count() == 0);
  CHECK(world.rooms().member_count() == 0);
  CHECK(away.resume()["code"] == "resume_failed");
  CHECK(away.join("demo")["self"]["n"] == 1);  // a new room of the same name
}

TEST_CASE("only owners kick, lock and end; a right can be granted alone", "[signaling]") {
  WorldSettings settings;
  settings.auth = JoinAuth::token;
  World world{settings};
  Client& victim = world.with_role("demo", Role::member);
  Client& member = world.with_role("demo", Role::member);
  for (const Json& message : {Json{{"type", "kick"}, {"peer", victim.peer}},
                              Json{{"type", "lock"}, {"locked", true}}, Json{{"type", "end"}}}) {
    CHECK(member.ask(message)["code"] == "forbidden");
  }
  CHECK(victim.is_connected());
  Claims claims = world.claims("demo");
  claims.can = {Right::kick};
  Client& bouncer = world.client();
  bouncer.token = world.mint(claims);
  (void)bouncer.join("demo");
  CHECK(bouncer.ask({{"type", "end"}})["code"] == "forbidden");
  bouncer.say({{"type", "kick"}, {"peer", victim.peer}});
  CHECK_FALSE(victim.is_connected());
}

TEST_CASE("a drain says where to go, then closes one by one", "[signaling]") {
  World world;
  std::vector<Client*> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(&world.member("demo"));
  Client& idle = world.client();
  idle.connect();
  world.rooms().drain("wss://n2.example/v1/ws", world.now(), world.effects());
  world.carry_out();
  std::vector<milliseconds> turns;
  for (Client* const each : clients) {
    const Json goaway = each->hear("goaway");
    CHECK(goaway["reason"] == "drain");
    CHECK(goaway["url"] == "wss://n2.example/v1/ws");
    turns.emplace_back(goaway["reconnectAfterMs"].get<int>());
  }
  CHECK(*std::max_element(turns.begin(), turns.end()) <= 5s);
  CHECK(*std::min_element(turns.begin(), turns.end()) <
        *std::max_element(turns.begin(), turns.end()));
  const milliseconds first = turns[0];
  world.advance(first - 1ms);
  CHECK(clients[0]->is_connected());
  clients[0]->ignore_all();
  clients[0]->chat("still here");
  world.advance(1ms);
  CHECK(clients[0]->closed()->code == 1012);
  world.advance(5s);
  for (Client* const each : clients) CHECK(each->closed()->code == 1012);
  CHECK(idle.closed()->code == 1012);
  CHECK(world.rooms().connection_count() == 0);
}

TEST_CASE("nobody comes in during a drain", "[signaling]") {
  World world;
  Client& early = world.client();
  early.connect();
  Client& mina = world.member("demo");
  mina.drop();
  world.rooms().drain("", world.now(), world.effects());
  world.carry_out();
  CHECK_FALSE(early.hear("goaway").contains("url"));
  CHECK(early.join("demo")["code"] == "server_busy");
  CHECK(early.closed()->code == 4503);
  mina.connect();
  CHECK(mina.closed()->code == 4503);

  world.rooms().end_drain();
  Client& late = world.client();
  CHECK(late.join("demo")["type"] == "joined");
}

// --- The operator --------------------------------------------------------------------------------

TEST_CASE("a room made by the operator stays until it is ended", "[signaling]") {
  World world;
  Rooms::RoomSettings settings;
  settings.id = "demo";
  settings.max = 2;
  settings.meta_json = R"({ "title": "Demo" })";
  CHECK(world.rooms().create(settings) == Rooms::Created::made);
  CHECK(world.rooms().create(settings) == Rooms::Created::exists);
  Client& mina = world.client();
  const Json joined = mina.join("demo");
  CHECK(joined["room"] ==
        Json{{"id", "demo"}, {"max", 2}, {"locked", false}, {"meta", {{"title", "Demo"}}}});
  mina.say({{"type", "leave"}});
  CHECK(world.rooms().room_count() == 1);
  CHECK(world.rooms().end("demo", world.effects()));
  CHECK_FALSE(world.rooms().end("demo", world.effects()));
  CHECK(world.rooms().room_count() == 0);
}

TEST_CASE("rooms that cannot be are not made", "[signaling]") {
  WorldSettings limits;
  limits.limits.max_rooms_per_key = 1;
  limits.limits.max_rooms = 3;
  World world{limits};
  Rooms::RoomSettings good;
  good.id = "demo";
  good.key_id = "k1";
  for (const auto& spoil : std::vector<void (*)(Rooms::RoomSettings&)>{
           [](Rooms::RoomSettings& s) { s.id.clear(); },
           [](Rooms::RoomSettings& s) { s.id = "a\nb"; },
           [](Rooms::RoomSettings& s) { s.id = std::string(129, 'x'); },
           [](Rooms::RoomSettings& s) { s.max = 0; }, [](Rooms::RoomSettings& s) { s.max = 65; },
           [](Rooms::RoomSettings& s) { s.meta_json = "[]"; },
           [](Rooms::RoomSettings& s) { s.meta_json = "{"; },
           [](Rooms::RoomSettings& s) {
             s.meta_json = R"({"x":")" + std::string(4096, 'x') + R"("})";
           }}) {
    Rooms::RoomSettings bad = good;
    spoil(bad);
    CHECK(world.rooms().create(bad) == Rooms::Created::invalid);
  }
  CHECK(world.rooms().create(good) == Rooms::Created::made);
  good.id = "second";
  CHECK(world.rooms().create(good) == Rooms::Created::over_limit);
  good.key_id = "k2";
  CHECK(world.rooms().create(good) == Rooms::Created::made);
  good.id = "third";
  good.key_id = "";
  CHECK(world.rooms().create(good) == Rooms::Created::made);
  good.id = "fourth";
  CHECK(world.rooms().create(good) == Rooms::Created::over_limit);
}

TEST_CASE("the operator sees, locks, kicks and speaks", "[signaling]") {
  World world;
  Client& jun = world.member("demo", "Jun");
  Client& mina = world.member("demo", "Mina");
  mina.drop();
  jun.ignore_all();
  const auto rooms = world.rooms().rooms();
  REQUIRE(rooms.size() == 1);
  CHECK(rooms[0].id == "demo");
  CHECK(rooms[0].peers == 2);
  const auto peers = world.rooms().peers("demo");
  REQUIRE(peers.size() == 2);
  CHECK(peers[0].name == "Jun");
  CHECK_FALSE(peers[0].away);
  CHECK(peers[1].away);
  CHECK(world.rooms().peers("none").empty());

  CHECK(world.rooms().post("demo", "notice", R"({"text":"soon"})", world.now(), world.effects()) ==
        std::size_t{1});
  world.carry_out();
  const Json notice = jun.hear("message");
  CHECK(notice["from"] == "server");
  CHECK(notice["data"]["text"] == "soon");

  Rooms::RoomChange lock;
  lock.locked = true;
  CHECK(world.rooms().change("demo", lock) == Rooms::Changed::done);
  CHECK(world.client().join("demo")["code"] == "room_locked");
  CHECK(world.rooms().kick("demo", mina.peer, world.effects()));
  world.carry_out();
  CHECK(jun.hear("peer-left")["reason"] == "kicked");

  CHECK_FALSE(world.rooms().kick("demo", mina.peer, world.effects()));
  CHECK_FALSE(world.rooms().kick("none", jun.peer, world.effects()));
  CHECK(world.rooms().change("none", lock) == Rooms::Changed::not_found);
  CHECK_FALSE(world.rooms().post("none", "e", "1", world.now(), world.effects()).has_value());
}

TEST_CASE("a room is changed in one piece or not at all", "[signaling]") {
  World world;
  (void)world.member("demo", "Jun");
  CHECK(world.rooms().change("demo", {4, true, R"({ "title": "Demo" })"}) == Rooms::Changed::done);
  CHECK(world.rooms().change("demo", {5, false, "[]"}) == Rooms::Changed::invalid);
  CHECK(world.rooms().change("demo", {0, false, "{}"}) == Rooms::Changed::invalid);
  CHECK(world.rooms().change("demo", {65, false, "{}"}) == Rooms::Changed::invalid);
  CHECK(world.rooms().change("demo", {}) == Rooms::Changed::done);
  const auto room = world.rooms().room("demo");
  REQUIRE(room);
  CHECK(room->max == 4);
  CHECK(room->locked);
  CHECK(room->meta_json == R"({"title":"Demo"})");
  CHECK_FALSE(world.rooms().room("none"));
}

TEST_CASE("rooms are listed by name, a page at a time", "[signaling]") {
  World world;
  for (const char* const id : {"c", "a", "b"}) (void)world.member(id, "Jun");
  const auto ids = [&world](std::string_view after, std::size_t limit) {
    std::string all;
    for (const auto& room : world.rooms().rooms(after, limit)) all += room.id;
    return all;
  };
  CHECK(ids("", 2) == "ab");
  CHECK(ids("b", 2) == "c");
  CHECK(ids("c", 2).empty());
  CHECK(ids("aa", 9) == "bc");  // a room that has gone meanwhile
}

}  // namespace turnpike::signaling::test
