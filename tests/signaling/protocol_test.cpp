#include "signaling/protocol.h"

#include "catch.h"

namespace turnpike::signaling::test {

namespace {

template <class Body>
Body body_of(std::string_view text) {
  const auto message = parse_client_message(text);
  if (!message) FAIL(message.error().text);
  REQUIRE(std::holds_alternative<Body>(message->body));
  return std::get<Body>(message->body);
}

MessageError error_of(std::string_view text) {
  const auto message = parse_client_message(text);
  REQUIRE_FALSE(message);
  return message.error();
}

}  // namespace

TEST_CASE("every message of the specification is read", "[signaling]") {
  const Join join = body_of<Join>(
      R"({"type":"join","id":1,"room":"demo","token":"eyJ","name":"Mina","meta":{"cam":true},)"
      R"("client":"turnpike-js/1.0","resume":"rt_x","lastSeq":42})");
  CHECK(join.room == "demo");
  CHECK(join.token == "eyJ");
  CHECK(join.name == "Mina");
  CHECK(join.meta_json == R"({"cam":true})");
  CHECK(join.resume == "rt_x");
  CHECK(join.last_seq == 42);

  const Signal signal =
      body_of<Signal>(R"({"type":"signal","to":"p_a1","data":{"candidate":null}})");
  CHECK(signal.to == "p_a1");
  CHECK(signal.data_json == R"({"candidate":null})");

  const Message to_room =
      body_of<Message>(R"({"type":"message","id":5,"event":"chat","data":{"text":"hi"}})");
  CHECK_FALSE(to_room.to);
  CHECK(to_room.event == "chat");
  CHECK(to_room.data_json == R"({"text":"hi"})");
  const Message to_some = body_of<Message>(R"({"type":"message","to":["p_a1"],"event":"chat"})");
  CHECK(to_some.to == std::vector<std::string>{"p_a1"});
  CHECK(to_some.data_json == "null");

  CHECK(body_of<Update>(R"({"type":"update","meta":{"mic":true}})").meta_json == R"({"mic":true})");
  (void)body_of<WantIce>(R"({"type":"ice","id":7})");
  (void)body_of<Leave>(R"({"type":"leave"})");
  (void)body_of<End>(R"({"type":"end","id":8})");
  CHECK(body_of<Kick>(R"({"type":"kick","id":9,"peer":"p_a1"})").peer == "p_a1");
  CHECK(body_of<Lock>(R"({"type":"lock","id":10,"locked":true})").locked);
  const Path path = body_of<Path>(
      R"({"type":"path","peer":"p_a1","local":"relay","remote":"srflx","protocol":"udp",)"
      R"("relayProtocol":"tls","rttMs":38})");
  CHECK(path.peer == "p_a1");
  CHECK(path.local == "relay");
  CHECK(path.remote == "srflx");
  CHECK(path.relay_protocol == "tls");
  CHECK(body_of<Pong>(R"({"type":"pong","ts":1795219200000})").ts == 1'795'219'200'000);
}

TEST_CASE("a join needs no more than a room", "[signaling]") {
  const Join join = body_of<Join>(R"({"type":"join","room":"회의실","token":null,"resume":null})");
  CHECK(join.room == "회의실");
  CHECK(join.token.empty());
  CHECK(join.name.empty());
  CHECK(join.meta_json == "{}");
  CHECK_FALSE(join.resume);
  CHECK(join.last_seq == 0);
}

TEST_CASE("the request's id is a number or a short text", "[signaling]") {
  const auto id_of = [](std::string_view id) {
    const auto message = parse_client_message(R"({"type":"leave","id":)" + std::string{id} + "}");
    return message ? message->id_json : "refused";
  };
  CHECK(id_of("7") == "7");
  CHECK(id_of("-7") == "-7");
  CHECK(id_of(R"("a\u0022b")") == R"("a\"b")");
  CHECK(id_of("null").empty());
  for (const char* const bad : {"1.5", "true", "[]", "{}", R"("a\nb")"}) {
    CHECK(id_of(bad) == "refused");
  }
  CHECK(id_of("\"" + std::string(65, 'x') + "\"") == "refused");
}

TEST_CASE("a bad message is told with the id it came with", "[signaling]") {
  const MessageError unknown = error_of(R"({"type":"dance","id":"x"})");
  CHECK(unknown.code == ErrorCode::bad_message);
  CHECK(unknown.id_json == R"("x")");
  CHECK(unknown.text == "unknown type dance");
  CHECK_FALSE(unknown.fatal);
  CHECK(error_of(R"({"id":1})").text == "type is missing or empty");
  CHECK(error_of(R"({"type":"kick","id":1})").text == "peer is missing or empty");
}

TEST_CASE("fields of the wrong type or size are refused", "[signaling]") {
  const auto text = GENERATE(
      as<std::string>{}, R"({"type":"join"})", R"({"type":"join","room":""})",
      R"({"type":"join","room":7})", R"({"type":"join","room":"a\u0000b"})",
      R"({"type":"join","room":"r","token":1})", R"({"type":"join","room":"r","name":{}})",
      R"({"type":"join","room":"r","meta":[]})", R"({"type":"join","room":"r","client":1})",
      R"({"type":"join","room":"r","resume":1})", R"({"type":"join","room":"r","lastSeq":-1})",
      R"({"type":"join","room":"r","lastSeq":"1"})", R"({"type":"signal","data":{}})",
      R"({"type":"signal","to":"p"})", R"({"type":"signal","to":["p"],"data":{}})",
      R"({"type":"signal","to":"p","data":"x"})", R"({"type":"message"})",
      R"({"type":"message","event":""})", R"({"type":"message","event":"e","to":"p"})",
      R"({"type":"message","event":"e","to":[]})", R"({"type":"message","event":"e","to":[1]})",
      R"({"type":"update"})", R"({"type":"update","meta":null})", R"({"type":"update","meta":1})",
      R"({"type":"kick","peer":7})", R"({"type":"lock"})", R"({"type":"lock","locked":1})",
      R"({"type":"path","peer":"p","local":"host"})", R"({"type":"pong","ts":"x"})");
  CAPTURE(text);
  const MessageError error = error_of(text);
  CHECK(error.code == ErrorCode::bad_message);
  CHECK_FALSE(error.text.empty());
  CHECK_FALSE(error.fatal);
}

TEST_CASE("texts have the lengths that are written down", "[signaling]") {
  const auto join = [](std::size_t room, std::size_t name, std::size_t token) {
    return parse_client_message(R"({"type":"join","room":")" + std::string(room, 'r') +
                                R"(","name":")" + std::string(name, 'n') + R"(","token":")" +
                                std::string(token, 't') + "\"}")
        .has_value();
  };
  CHECK(join(128, 128, 8192));
  CHECK_FALSE(join(129, 0, 0));
  CHECK_FALSE(join(1, 129, 0));
  CHECK_FALSE(join(1, 0, 8193));
  const auto event = [](std::size_t size) {
    return parse_client_message(R"({"type":"message","event":")" + std::string(size, 'e') + "\"}")
        .has_value();
  };
  CHECK(event(64));
  CHECK_FALSE(event(65));
  const auto update = [](std::size_t size) {
    return parse_client_message(R"({"type":"update","meta":{"x":")" + std::string(size, 'x') +
                                "\"}}");
  };
  CHECK(update(4096 - 8));
  CHECK(update(4096 - 7).error().code == ErrorCode::too_large);
}

TEST_CASE("at most 64 receivers are named", "[signaling]") {
  const auto message = [](int receivers) {
    std::string to = "\"p\"";
    for (int i = 1; i < receivers; ++i) to += ",\"p\"";
    return parse_client_message(R"({"type":"message","event":"e","to":[)" + to + "]}").has_value();
  };
  CHECK(message(64));
  CHECK_FALSE(message(65));
}

TEST_CASE("what is no JSON object is fatal", "[signaling][H20]") {
  for (const std::string& text :
       {std::string{""}, std::string{"{"}, std::string{"[]"}, std::string{"null"},
        std::string{R"({"type":"leave"},)"}, std::string{R"({"a":1,"a":1,"type":"leave"})"},
        std::string{"{\"type\":\"leave\",\"x\":\"\xc3\x28\"}"},
        std::string{R"({"type":"leave","x":1e999})"},
        R"({"type":"message","event":"e","data":)" + std::string(32, '[') + std::string(32, ']') +
            "}"}) {
    CAPTURE(text);
    const MessageError error = error_of(text);
    CHECK(error.fatal);
    CHECK(error.code == ErrorCode::bad_message);
  }
}

TEST_CASE("the server's messages are written as specified", "[signaling]") {
  CHECK(signal_text("p_7Qk2", 41, R"({"candidate":null})") ==
        R"({"type":"signal","from":"p_7Qk2","seq":41,"data":{"candidate":null}})");
  MessageView message{"p_7Qk2", "chat", R"({"text":"hi"})", 42, WallTime{seconds{1'795'000'000}},
                      false};
  CHECK(message_text(message) ==
        R"({"type":"message","from":"p_7Qk2","event":"chat","data":{"text":"hi"},"seq":42,)"
        R"("ts":1795000000000})");
  message.is_private = true;
  CHECK(message_text(message).ends_with(R"("ts":1795000000000,"private":true})"));
  CHECK(ack_text("5", 2) == R"({"type":"ack","id":5,"delivered":2})");
  CHECK(ack_text("\"x\"") == R"({"type":"ack","id":"x"})");
  CHECK(peer_updated_text("p", "{}") == R"({"type":"peer-updated","peer":"p","meta":{}})");
  CHECK(peer_away_text("p") == R"({"type":"peer-away","peer":"p"})");
  CHECK(peer_back_text("p") == R"({"type":"peer-back","peer":"p"})");
  CHECK(peer_left_text("p", LeaveReason::left) ==
        R"({"type":"peer-left","peer":"p","reason":"left"})");
  CHECK(to_string(LeaveReason::timeout) == "timeout");
  CHECK(to_string(LeaveReason::kicked) == "kicked");
  CHECK(to_string(LeaveReason::replaced) == "replaced");
  CHECK(closed_text("room_ended") == R"({"type":"closed","code":"room_ended"})");
  CHECK(goaway_text(milliseconds{1200}, "wss://n2") ==
        R"({"type":"goaway","reason":"drain","reconnectAfterMs":1200,"url":"wss://n2"})");
  CHECK(goaway_text(milliseconds{0}, "") ==
        R"({"type":"goaway","reason":"drain","reconnectAfterMs":0})");
  CHECK(ping_text(1795) == R"({"type":"ping","ts":1795})");
  CHECK(error_text(
            {"6", ErrorCode::peer_not_found, "no peer p_zz in this room", std::nullopt, false}) ==
        R"({"type":"error","id":6,"code":"peer_not_found","message":"no peer p_zz in this room",)"
        R"("retryAfterMs":null,"fatal":false})");
  CHECK(error_text({"", ErrorCode::rate_limited, "x", milliseconds{40}, true}) ==
        R"({"type":"error","code":"rate_limited","message":"x","retryAfterMs":40,"fatal":true})");
  const IceServers ice{{{{"stun:h"}, "", ""}, {{"turn:h", "turns:h"}, "u", "c\""}},
                       WallTime{seconds{5}}};
  CHECK(ice_text("7", ice) ==
        R"({"type":"ice","id":7,"iceServers":[{"urls":["stun:h"]},{"urls":["turn:h","turns:h"],)"
        R"("username":"u","credential":"c\""}],"iceExpiresAt":5000})");
  PeerView peer{"p_a1", 1, "Jun \"J\"", "{}", false, true, false};
  CHECK(peer_joined_text(peer) ==
        R"({"type":"peer-joined","peer":{"peer":"p_a1","n":1,"name":"Jun \"J\"","meta":{},)"
        R"("polite":false,"offer":true}})");
}

TEST_CASE("every type of client message has its name", "[signaling]") {
  const std::vector<std::string_view> names{"join", "signal", "message", "update", "ice", "leave",
                                            "end",  "kick",   "lock",    "path",   "pong"};
  REQUIRE(names.size() == client_types);
  for (std::size_t i = 0; i < names.size(); ++i) CHECK(client_type_name(i) == names[i]);
}

}  // namespace turnpike::signaling::test
