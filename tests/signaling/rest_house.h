// A house with a REST door, and requests to it as one line each.
#pragma once

#include <string>
#include <string_view>

#include "signaling/house.h"
#include "signaling/json.h"
#include "signaling/responses.h"
#include "signaling/rest_door.h"

namespace turnpike::signaling::test {

/// An answer as it came over the wire.
struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  Json json;  ///< null when the body is none

  /// "none" when it is missing.
  [[nodiscard]] std::string header(std::string_view name) const {
    const std::string start = "\r\n" + std::string{name} + ": ";
    const std::size_t at = head.find(start);
    if (at == std::string::npos) return "none";
    const std::size_t begin = at + start.size();
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

/// TURN credentials that tell for whom and until when.
class SomeIce final : public IceSource {
 public:
  IceServers ice_servers(const IceRequest& request, WallTime now_wall) override {
    const WallTime expires = now_wall + request.ttl;
    IceServers ice{{}, expires};
    if (has_turn) {
      ice.servers.push_back(
          {{"turn:t.example:3478?transport=udp"},
           std::to_string(expires.time_since_epoch().count()) + ":" + std::string{request.peer},
           "pw"});
    }
    ice.servers.push_back({{"stun:t.example:3478"}, "", ""});
    return ice;
  }
  bool has_turn = true;
};

class RestHouse : public House {
 public:
  /// `requests_per_second`, and as many at once; 0: no limit.
  explicit RestHouse(JoinAuth auth = JoinAuth::open, std::uint32_t requests_per_second = 0)
      : House(auth),
        gate_({requests_per_second, requests_per_second}, keys(), doors),
        door_(settings(), gate_, ice, doors) {
    doors.add(door_);
  }

  [[nodiscard]] static std::string authorization() {
    return "Authorization: Bearer " + std::string{api_secret} + "\r\n";
  }
  /// With the API key, and JSON as the body.
  Answer ask(std::string_view method, std::string_view target, std::string_view body = "") {
    return ask_bare(method, target, authorization() + "Content-Type: application/json\r\n", body);
  }
  Answer ask_bare(std::string_view method, std::string_view target, std::string_view headers,
                  std::string_view body = "") {
    const std::uint64_t client = connect();
    receive(client, std::string{method} + " " + std::string{target} +
                        " HTTP/1.1\r\nHost: turn.example\r\n" + std::string{headers} +
                        "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                        std::string{body});
    Answer answer;
    answer.head = read(client);
    lose(client);
    answer.status = status_of(answer.head);
    const std::size_t end = answer.head.find("\r\n\r\n");
    if (end != std::string::npos) answer.body = answer.head.substr(end + 4);
    answer.head.resize(answer.head.size() - answer.body.size());
    answer.json = parse_json(answer.body, 32).value_or(Json{});
    return answer;
  }

  SomeIce ice;

 private:
  [[nodiscard]] RestDoor::Settings settings() const {
    RestDoor::Settings all;
    all.version = "1.2.3";
    all.node = "n1";
    all.region = "kr";
    all.started = now().instant;
    return all;
  }

  RestGate gate_;
  RestDoor door_;
};

}  // namespace turnpike::signaling::test
