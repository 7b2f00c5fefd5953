#include "signaling/rooms.h"

#include "catch.h"
#include "signaling/world.h"

namespace turnpike::signaling::test {

namespace {

const ClientInfo somewhere{IpAddress::v4(0xc6336407), ""};

/// A connection of another door.
struct Foreigner {
  World& world;
  ConnectionId id;

  Result<std::string, ErrorCode> enter(std::string room, std::optional<std::uint32_t> max = {},
                                       std::string token = "") {
    const auto result =
        world.rooms().enter(id, somewhere, {std::move(room), std::move(token), "Mina", max},
                            world.now(), world.effects());
    world.carry_out();
    return result;
  }
  Result<std::size_t, ErrorCode> forward(std::string text,
                                         Rooms::FrameKind kind = Rooms::FrameKind::text) {
    const auto result =
        world.rooms().forward(id, make_frame(std::move(text)), kind, world.now(), world.effects());
    world.carry_out();
    return result;
  }
};

}  // namespace

TEST_CASE("foreign frames pass untouched to the others of the room", "[signaling]") {
  World world;
  Foreigner a{world, ConnectionId{101}};
  Foreigner b{world, ConnectionId{102}};
  Foreigner c{world, ConnectionId{103}};
  Foreigner elsewhere{world, ConnectionId{104}};
  CHECK(a.enter("demo"));
  CHECK(b.enter("demo"));
  CHECK(c.enter("demo"));
  CHECK(elsewhere.enter("other"));
  CHECK(world.rooms().others(b.id) == std::vector<ConnectionId>{a.id, c.id});
  CHECK(a.forward("SDP\n{ }").value() == 2);
  CHECK(a.forward(std::string{"\0\xff", 2}, Rooms::FrameKind::binary).value() == 2);
  CHECK(world.foreign() == std::vector<std::string>{"102 t:SDP\n{ }", "103 t:SDP\n{ }",
                                                    std::string{"102 b:\0\xff", 8},
                                                    std::string{"103 b:\0\xff", 8}});
  CHECK(world.rooms().kept().frames == 0);  // live only: nothing is replayed to who comes later
}

TEST_CASE("a door's own limit holds", "[signaling]") {
  World world;
  Foreigner a{world, ConnectionId{101}};
  Foreigner b{world, ConnectionId{102}};
  Foreigner c{world, ConnectionId{103}};
  CHECK(a.enter("demo", 2));
  CHECK(b.enter("demo", 2));
  CHECK(c.enter("demo", 2).error() == ErrorCode::room_full);
  world.rooms().leave(a.id);
  CHECK(c.enter("demo", 2));
  CHECK(c.enter("demo", 2).error() == ErrorCode::already_joined);
}

TEST_CASE("a foreign member that is gone has left", "[signaling]") {
  World world;
  Foreigner a{world, ConnectionId{101}};
  Foreigner b{world, ConnectionId{102}};
  CHECK(a.enter("demo"));
  CHECK(b.enter("demo"));
  world.rooms().on_closed(a.id, close_codes::abnormal, world.now(), world.effects());
  CHECK(world.effects().list().empty());
  CHECK(b.forward("hi").value() == 0);
  CHECK(a.forward("hi").error() == ErrorCode::not_joined);
  world.rooms().leave(b.id);
  world.rooms().leave(b.id);
  CHECK(world.rooms().room_count() == 0);
  CHECK(world.rooms().connection_count() == 0);
}

TEST_CASE("one room speaks one protocol", "[signaling]") {
  World world;
  Client& mina = world.member("native");
  Foreigner a{world, ConnectionId{101}};
  CHECK(a.enter("native").error() == ErrorCode::forbidden);
  CHECK(a.enter("foreign"));
  CHECK(world.client().join("foreign")["code"] == "forbidden");
  CHECK(
      world.rooms()
          .forward(mina.id(), make_frame("x"), Rooms::FrameKind::text, world.now(), world.effects())
          .error() == ErrorCode::not_joined);
  world.rooms().leave(mina.id());  // not the door's to do
  CHECK(world.rooms().room_count() == 2);
  CHECK_FALSE(world.rooms().post("foreign", "e", "1", world.now(), world.effects()).has_value());
}

TEST_CASE("foreign members are pinged, given credentials and timed out by nobody here",
          "[signaling]") {
  World world;
  Foreigner a{world, ConnectionId{101}};
  CHECK(a.enter("demo"));
  CHECK_FALSE(world.rooms().next_deadline());
  CHECK(world.ice().made == 0);
  world.rooms().on_text(a.id, "not for Rooms to read", world.now(), world.effects());
  CHECK(world.effects().list().empty());
}

TEST_CASE("foreign members need tokens like anyone else", "[signaling]") {
  WorldSettings settings;
  settings.auth = JoinAuth::token;
  World world{settings};
  Foreigner a{world, ConnectionId{101}};
  CHECK(a.enter("demo").error() == ErrorCode::unauthorized);
  Claims claims = world.claims("demo");
  claims.subject = "mina";
  CHECK(a.enter("demo", 2, world.mint(claims)));
  Foreigner b{world, ConnectionId{102}};
  CHECK(b.enter("demo", 2, world.mint(claims)));
  CHECK(world.foreign() == std::vector<std::string>{"101 closed:4409"});
  CHECK(world.rooms().member_count() == 1);
}

TEST_CASE("foreign members are held to the limits", "[signaling]") {
  WorldSettings settings;
  SECTION("messages") {
    settings.limits.message_burst = settings.limits.messages_per_second = 10;
    World world{settings};
    Foreigner a{world, ConnectionId{101}};
    CHECK(a.enter("demo"));
    for (int i = 0; i < 10; ++i) CHECK(a.forward("x"));
    CHECK(a.forward("x").error() == ErrorCode::rate_limited);
  }
  SECTION("joins") {
    settings.limits.joins_per_minute = 1;
    World world{settings};
    Foreigner a{world, ConnectionId{101}};
    Foreigner b{world, ConnectionId{102}};
    CHECK(a.enter("demo"));
    CHECK(b.enter("demo").error() == ErrorCode::rate_limited);
  }
  SECTION("connections") {
    settings.limits.max_connections = 1;
    World world{settings};
    Foreigner a{world, ConnectionId{101}};
    Foreigner b{world, ConnectionId{102}};
    CHECK(a.enter("demo"));
    CHECK(b.enter("demo").error() == ErrorCode::server_busy);
  }
}

TEST_CASE("the webhook lets foreign members in, and says as whom", "[signaling]") {
  WorldSettings settings;
  settings.auth = JoinAuth::webhook;
  World world{settings};
  Foreigner a{world, ConnectionId{101}};
  Foreigner b{world, ConnectionId{102}};
  CHECK(a.enter("demo", 2, "ticket").value().empty());
  CHECK(a.enter("demo").error() == ErrorCode::already_joined);
  CHECK(a.forward("early").error() == ErrorCode::not_joined);
  CHECK(world.questions().front().body ==
        R"({"type":"join","room":"demo","token":"ticket","name":"Mina","meta":{},)"
        R"("address":"198.51.100.7","origin":""})");
  CHECK(world.rooms().member_count() == 0);
  world.answer(WebhookAnswer{true, "Jun", Role::owner, {}, {}});
  CHECK(b.enter("demo").value().empty());
  world.answer(WebhookAnswer{true, "", Role::member, {}, {}});
  CHECK(world.foreign() == std::vector<std::string>{"101 member", "102 member"});
  CHECK(a.forward("hi").value() == 1);
  const auto peers = world.rooms().peers("demo");
  REQUIRE(peers.size() == 2);
  CHECK(peers[0].name == "Jun");
  CHECK(peers[1].name == "Mina");
  CHECK_FALSE(world.rooms().next_deadline());

  Foreigner c{world, ConnectionId{103}};
  CHECK(c.enter("demo", 2));
  world.answer(WebhookAnswer{true, "", Role::member, {}, {}});
  CHECK(world.foreign().back() == "103 room_full");
}

TEST_CASE("a foreign member that the webhook does not let in is refused", "[signaling]") {
  WorldSettings settings;
  settings.auth = JoinAuth::webhook;
  settings.limits.max_webhook_questions = 1;
  World world{settings};
  Foreigner a{world, ConnectionId{101}};
  CHECK(a.enter("demo"));
  SECTION("when it says no") {
    world.answer(WebhookAnswer{});
    CHECK(world.foreign() == std::vector<std::string>{"101 forbidden"});
    Foreigner b{world, ConnectionId{102}};  // there is room for another question
    CHECK(b.enter("demo"));
    world.rooms().leave(b.id);
  }
  SECTION("when it says nothing that makes sense") {
    world.answer(std::nullopt);
    CHECK(world.foreign() == std::vector<std::string>{"101 server_busy"});
  }
  SECTION("when it says nothing in time") {
    world.advance(settings.limits.webhook_timeout);
    CHECK(world.foreign() == std::vector<std::string>{"101 server_busy"});
    world.answer(WebhookAnswer{true, "", Role::member, {}, {}});
    CHECK(world.foreign().size() == 1);
  }
  SECTION("while too many others are asked for") {
    Foreigner b{world, ConnectionId{102}};
    CHECK(b.enter("demo").error() == ErrorCode::server_busy);
    world.rooms().leave(a.id);
  }
  SECTION("and one that does not wait is forgotten") {
    SECTION("left") { world.rooms().leave(a.id); }
    SECTION("gone") {
      world.rooms().on_closed(a.id, close_codes::abnormal, world.now(), world.effects());
    }
    world.answer(WebhookAnswer{true, "", Role::member, {}, {}});
    CHECK(world.foreign().empty());
  }
  SECTION("by a server that shuts down") {
    world.rooms().drain("", world.now(), world.effects());
    world.carry_out();
    Foreigner b{world, ConnectionId{102}};
    CHECK(b.enter("demo").error() == ErrorCode::server_busy);
    world.rooms().leave(a.id);
  }
  CHECK(world.rooms().connection_count() == 0);
  CHECK(world.rooms().room_count() == 0);
}

TEST_CASE("the operator's hand reaches foreign members", "[signaling]") {
  World world;
  Foreigner a{world, ConnectionId{101}};
  Foreigner b{world, ConnectionId{102}};
  const std::string peer = a.enter("demo").value();
  CHECK(b.enter("demo"));
  CHECK(world.rooms().kick("demo", peer, world.effects()));
  world.carry_out();
  world.rooms().drain("", world.now(), world.effects());
  world.carry_out();
  world.advance(5s);
  CHECK(world.foreign() == std::vector<std::string>{"101 closed:4403", "102 closed:1012"});
  CHECK(world.rooms().member_count() == 0);
}

}  // namespace turnpike::signaling::test
