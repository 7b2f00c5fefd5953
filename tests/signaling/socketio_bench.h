// A house with the Socket.IO door, and clients that speak its protocol by hand.
#pragma once

#include <string>
#include <utility>

#include "base/seeded_random.h"
#include "signaling/house.h"
#include "signaling/socketio_door.h"

namespace turnpike::signaling::test {

inline SocketIoDoor::Settings echo_settings() {
  SocketIoDoor::Settings settings;
  settings.profiles = {echo_profile()};
  settings.engineio_echo = true;
  settings.engine.ping_interval = milliseconds{300};
  settings.engine.ping_timeout = milliseconds{200};
  return settings;
}

class SocketIoBench {
 public:
  explicit SocketIoBench(SocketIoDoor::Settings settings = {}, JoinAuth auth = JoinAuth::open)
      : house(auth), door(house.doors, random_, std::move(settings)) {
    house.doors.add(door);
  }

  /// A request on a connection of its own. The answer, if it is there, is for response().
  std::uint64_t ask(std::string_view method, std::string_view query, std::string_view body = "",
                    std::string_view path = "/socket.io/") {
    const std::uint64_t client = house.connect();
    house.receive(client, std::string{method} + " " + std::string{path} + "?" + std::string{query} +
                              " HTTP/1.1\r\nHost: turn.example\r\n" + "Content-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + std::string{body});
    return client;
  }
  /// "200 body"; empty while the answer is still to come.
  std::string response(std::uint64_t client) {
    const std::string read = house.read(client);
    if (read.empty()) return "";
    return read.substr(9, 4) + read.substr(read.find("\r\n\r\n") + 4);
  }
  std::uint64_t get(std::string_view sid) {
    return ask("GET", "EIO=4&transport=polling&sid=" + std::string{sid});
  }
  std::string post(std::string_view sid, std::string_view body) {
    return response(ask("POST", "EIO=4&transport=polling&sid=" + std::string{sid}, body));
  }
  /// The sid of a new session that polls.
  std::string open_polling(std::string_view path = "/socket.io/") {
    return sid_in(response(ask("GET", "EIO=4&transport=polling", "", path)));
  }
  std::uint64_t open_socket(std::string_view sid = "", std::string_view path = "/socket.io/") {
    std::string query = "?EIO=4&transport=websocket";
    if (!sid.empty()) query += "&sid=" + std::string{sid};
    return house.connect_socket(std::string{path} + query);
  }
  /// A WebSocket that is connected to "/", and all that it was told taken.
  std::uint64_t connect(std::string_view auth = "") {
    const std::uint64_t client = open_socket();
    (void)house.hear(client);
    last_sid = sid_in(say(client, "40" + std::string{auth}));
    return client;
  }
  std::string say(std::uint64_t client, std::string_view text) {
    house.say(client, text);
    return house.hear(client);
  }
  void bytes(std::uint64_t client, std::string_view payload) {
    house.receive(client, client_frame(opcode::binary, payload));
  }
  static std::string sid_in(std::string_view text) {
    const std::size_t start = text.find(R"("sid":")");
    if (start == std::string_view::npos) return "";
    const std::string_view rest = text.substr(start + 7);
    return std::string{rest.substr(0, rest.find('"'))};
  }

  House house;

 private:
  turnpike::test::SeededRandom random_{9};

 public:
  SocketIoDoor door;
  std::string last_sid;  // of the socket that connect() made
};

}  // namespace turnpike::signaling::test
