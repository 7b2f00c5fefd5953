#include "signaling/rooms.h"

#include <set>

#include "catch.h"
#include "signaling/world.h"

namespace turnpike::signaling::test {

TEST_CASE("a signal goes to its peer alone, stamped by the server", "[signaling][H19]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  Client& sol = world.member("demo");
  const Json data = {{"description", {{"type", "offer"}, {"sdp", "v=0\r\n"}}}};
  mina.say({{"type", "signal"}, {"to", jun.peer}, {"data", data}, {"from", sol.peer}, {"seq", 99}});
  const Json heard = jun.hear("signal");
  CHECK(heard == Json{{"type", "signal"}, {"from", mina.peer}, {"seq", 1}, {"data", data}});
  CHECK(sol.hears_nothing());
  CHECK(mina.hears_nothing());  // no id, no ack
  CHECK(mina.ask({{"type", "signal"}, {"id", "x"}, {"to", jun.peer}, {"data", data}}) ==
        Json{{"type", "ack"}, {"id", "x"}, {"delivered", 1}});
}

TEST_CASE("what is signalled arrives as it was said", "[signaling][H20]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  const auto text = GENERATE(
      as<std::string>{}, R"({"candidate":null})",
      R"({"candidate":{"candidate":"candidate:1 1 udp 2","sdpMLineIndex":0,"sdpMid":"0"}})",
      R"({"description":{"sdp":"v=0\r\no=- 4611731400430051336 2","type":"answer"}})",
      R"({"n":[-1,1.5,1e300,18446744073709551615,-9223372036854775808]})",
      R"({"s":"\u0000 \u001f é 한국 \ud83d\ude00 \"\\/"})", R"({})");
  CAPTURE(text);
  mina.say_text(R"({"type":"signal","to":")" + jun.peer + R"(","data":)" + text + "}");
  CHECK(jun.hear("signal")["data"] == Json::parse(text));
}

TEST_CASE("a message to the room reaches all others, in order", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  Client& sol = world.member("demo");
  const Json ack =
      mina.ask({{"type", "message"}, {"id", 5}, {"event", "chat"}, {"data", {{"text", "hi"}}}});
  CHECK(ack == Json{{"type", "ack"}, {"id", 5}, {"delivered", 2}});
  const Json heard = jun.hear("message");
  CHECK(heard == Json{{"type", "message"},
                      {"from", mina.peer},
                      {"event", "chat"},
                      {"data", {{"text", "hi"}}},
                      {"seq", 1},
                      {"ts", 1'800'000'000'000}});
  CHECK(sol.hear() == heard);
  for (int i = 0; i < 5; ++i) (i % 2 == 0 ? mina : sol).chat(std::to_string(i));
  for (int i = 0; i < 5; ++i) CHECK(jun.hear("message")["data"] == std::to_string(i));
}

TEST_CASE("a message to some is private and reaches each once", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  Client& sol = world.member("demo");
  const Json ack = mina.ask({{"type", "message"},
                             {"id", 6},
                             {"to", {jun.peer, jun.peer}},
                             {"event", "chat"},
                             {"data", "psst"}});
  CHECK(ack["delivered"] == 1);
  const Json heard = jun.hear("message");
  CHECK(heard["private"] == true);
  CHECK(heard["data"] == "psst");
  CHECK(jun.hears_nothing());
  CHECK(sol.hears_nothing());
}

TEST_CASE("a message that has one unknown receiver reaches nobody", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  const auto bad = GENERATE(as<std::string>{}, "p_zz", "self");
  const Json error = mina.ask({{"type", "message"},
                               {"id", 6},
                               {"to", {jun.peer, bad == "self" ? mina.peer : bad}},
                               {"event", "chat"}});
  CHECK(error["code"] == "peer_not_found");
  CHECK(error["id"] == 6);
  CHECK(error["fatal"] == false);
  if (bad == "p_zz") CHECK(error["message"] == "no peer p_zz in this room");
  CHECK(jun.hears_nothing());
}

TEST_CASE("signals to nobody and to oneself are refused", "[signaling]") {
  World world;
  Client& mina = world.member("demo");
  for (const std::string& to : {std::string{"p_zz"}, mina.peer}) {
    CHECK(mina.ask({{"type", "signal"}, {"to", to}, {"data", Json::object()}})["code"] ==
          "peer_not_found");
  }
}

TEST_CASE("who is away counts as not delivered, and gets it later", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  jun.drop();
  mina.ignore_all();
  CHECK(mina.ask({{"type", "message"}, {"id", 1}, {"event", "e"}})["delivered"] == 0);
  CHECK(
      mina.ask({{"type", "message"}, {"id", 2}, {"to", {jun.peer}}, {"event", "e"}})["delivered"] ==
      0);
  CHECK(mina.ask({{"type", "signal"},
                  {"id", 3},
                  {"to", jun.peer},
                  {"data", Json::object()}})["delivered"] == 0);
  (void)jun.resume();
  CHECK(jun.unheard() == 3);
}

TEST_CASE("metadata is replaced and told", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  const Json ack =
      mina.ask({{"type", "update"}, {"id", 1}, {"meta", {{"cam", false}, {"mic", true}}}});
  CHECK(ack == Json{{"type", "ack"}, {"id", 1}});
  CHECK(jun.hear() == Json{{"type", "peer-updated"},
                           {"peer", mina.peer},
                           {"meta", {{"cam", false}, {"mic", true}}}});
}

TEST_CASE("before the join there is only the join", "[signaling]") {
  World world;
  Client& mina = world.client();
  mina.connect();
  const Json message = GENERATE(
      Json{{"type", "signal"}, {"to", "p"}, {"data", Json::object()}},
      Json{{"type", "message"}, {"event", "e"}}, Json{{"type", "update"}, {"meta", Json::object()}},
      Json{{"type", "ice"}}, Json{{"type", "leave"}}, Json{{"type", "end"}},
      Json{{"type", "kick"}, {"peer", "p"}}, Json{{"type", "lock"}, {"locked", true}},
      Json{{"type", "path"}, {"peer", "p"}, {"local", "host"}, {"remote", "host"}});
  CAPTURE(message.dump());
  const Json error = mina.ask(message);
  CHECK(error["code"] == "not_joined");
  CHECK(error["fatal"] == false);
  CHECK(mina.join("demo")["type"] == "joined");
}

TEST_CASE("a viewer signals, and that is all", "[signaling]") {
  WorldSettings settings;
  settings.auth = JoinAuth::token;
  World world{settings};
  Client& owner = world.with_role("demo", Role::owner);
  Client& viewer = world.with_role("demo", Role::viewer);
  viewer.signal(owner, Json::object());
  CHECK(owner.hear("signal")["from"] == viewer.peer);
  for (const Json& message :
       {Json{{"type", "message"}, {"event", "e"}}, Json{{"type", "update"}, {"meta", {{"a", 1}}}},
        Json{{"type", "kick"}, {"peer", owner.peer}}, Json{{"type", "lock"}, {"locked", true}},
        Json{{"type", "end"}}}) {
    CAPTURE(message.dump());
    const Json error = viewer.ask(message);
    CHECK(error["code"] == "forbidden");
    CHECK(error["fatal"] == false);
  }
  CHECK(owner.hears_nothing());
}

TEST_CASE("a call's path counts once as long as it stays the same", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  Json report = {{"type", "path"},         {"id", 1},           {"peer", jun.peer},
                 {"local", "relay"},       {"remote", "srflx"}, {"protocol", "udp"},
                 {"relayProtocol", "tls"}, {"rttMs", 38}};
  CHECK(mina.ask(report) == Json{{"type", "ack"}, {"id", 1}});
  (void)mina.ask(report);
  report["local"] = "host";
  (void)mina.ask(report);
  const auto& paths = world.rooms().counters().paths;
  using enum CandidateType;
  CHECK(paths[index_of({relay, srflx, RelayProtocol::tls})] == 1);
  CHECK(paths[index_of({host, srflx, RelayProtocol::none})] == 1);
  report["local"] = "carrier pigeon";
  CHECK(mina.ask(report)["code"] == "bad_message");
  report["peer"] = "p_zz";
  CHECK(mina.ask(report)["code"] == "peer_not_found");
}

TEST_CASE("a message to a room is one text, however many hear it", "[signaling]") {
  World world;
  Client& mina = world.member("demo");
  for (int i = 0; i < 4; ++i) (void)world.member("demo");
  Effects effects;
  world.rooms().on_text(mina.id(), R"({"type":"message","event":"e","data":"x"})", world.now(),
                        effects);
  std::set<const std::string*> texts;
  for (const Effect& effect : effects.list()) texts.insert(std::get<SendText>(effect).frame.get());
  CHECK(effects.list().size() == 4);
  CHECK(texts.size() == 1);
}

}  // namespace turnpike::signaling::test
