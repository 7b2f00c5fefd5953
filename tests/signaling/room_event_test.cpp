#include "signaling/room_event.h"

#include <set>

#include "catch.h"
#include "signaling/world.h"

namespace turnpike::signaling::test {
namespace {

WorldSettings reporting() {
  WorldSettings settings;
  settings.reports_events = true;
  return settings;
}

/// "peer.left demo Mina kicked", one a line; what is not said is left out.
std::string happened(World& world) {
  std::string all;
  for (const RoomEvent& event : world.rooms().take_events()) {
    const Json json = parse_json(to_json(event, world.now().wall), 8).value_or(Json{});
    all += json["type"].get<std::string>() + " " + json["room"].get<std::string>();
    if (json.contains("peer")) all += " " + json["peer"]["name"].get<std::string>();
    if (json.contains("reason")) all += " " + json["reason"].get<std::string>();
    all += "\n";
  }
  return all;
}

}  // namespace

TEST_CASE("an event is told with all that is known of it", "[signaling]") {
  RoomEvent event{"ev_1", RoomEvent::Kind::peer_left, "demo", "web"};
  event.peer = "p_1";
  event.name = "Mina";
  event.subject = "u1";
  event.role = Role::owner;
  event.reason = "kicked";
  CHECK(to_json(event, WallTime{seconds{1'795'219'200}}) ==
        R"({"type":"peer.left","id":"ev_1","at":"2026-11-21T00:00:00Z","room":"demo","key":"web",)"
        R"("peer":{"peer":"p_1","name":"Mina","sub":"u1","role":"owner"},"reason":"kicked"})");
  CHECK(to_json({"ev_2", RoomEvent::Kind::room_ended, "demo", ""}, WallTime{}) ==
        R"({"type":"room.ended","id":"ev_2","at":"1970-01-01T00:00:00Z","room":"demo"})");
}

TEST_CASE("coming and going is told in order", "[signaling]") {
  World world{reporting()};
  Client& jun = world.member("demo", "Jun");
  CHECK(happened(world) == "room.created demo\npeer.joined demo Jun\n");
  Client& mina = world.member("demo", "Mina");
  CHECK(happened(world) == "peer.joined demo Mina\n");
  mina.say({{"type", "leave"}});
  CHECK(happened(world) == "peer.left demo Mina left\n");
  jun.drop(close_codes::normal);
  CHECK(happened(world) == "peer.left demo Jun left\nroom.ended demo\n");
  CHECK(happened(world).empty());
}

TEST_CASE("who breaks off has left only when it does not come back", "[signaling]") {
  World world{reporting()};
  Client& mina = world.member("demo", "Mina");
  (void)happened(world);
  mina.drop();
  CHECK(mina.resume()["resumed"] == true);
  CHECK(happened(world).empty());
  mina.drop();
  world.advance(30s);
  CHECK(happened(world) == "peer.left demo Mina timeout\nroom.ended demo\n");
}

TEST_CASE("the operator's doings are told too", "[signaling]") {
  World world{reporting()};
  Rooms::RoomSettings settings;
  settings.id = "demo";
  CHECK(world.rooms().create(settings) == Rooms::Created::made);
  CHECK(happened(world) == "room.created demo\n");
  Client& mina = world.member("demo", "Mina");
  (void)world.member("demo", "Jun");
  (void)happened(world);
  CHECK(world.rooms().kick("demo", mina.peer, world.effects()));
  CHECK(happened(world) == "peer.left demo Mina kicked\n");
  CHECK(world.rooms().end("demo", world.effects()));
  CHECK(happened(world) == "peer.left demo Jun ended\nroom.ended demo\n");
}

TEST_CASE("members of other protocols come and go like all", "[signaling]") {
  World world{reporting()};
  REQUIRE(world.rooms().enter(ConnectionId{900}, {}, {"raw", "", "Sol", std::nullopt}, world.now(),
                              world.effects()));
  world.rooms().leave(ConnectionId{900});
  CHECK(happened(world) ==
        "room.created raw\npeer.joined raw Sol\npeer.left raw Sol left\nroom.ended raw\n");
}

TEST_CASE("every event has an id of its own", "[signaling]") {
  World world{reporting()};
  std::set<std::string> ids;
  for (int i = 0; i < 20; ++i) (void)world.member("r" + std::to_string(i), "Mina");
  for (const RoomEvent& event : world.rooms().take_events()) ids.insert(event.id);
  CHECK(ids.size() == 40);
}

TEST_CASE("nothing is collected when nobody is to be told", "[signaling]") {
  World world;
  (void)world.member("demo", "Mina");
  CHECK(world.rooms().take_events().empty());
}

}  // namespace turnpike::signaling::test
