// web/openapi.json against the REST door, in both directions.

#include <fstream>
#include <iterator>
#include <set>

#include "catch.h"
#include "signaling/json_schema.h"
#include "signaling/rest_house.h"

namespace turnpike::signaling::test {
namespace {

const Json& document() {
  static const Json read = [] {
    std::ifstream file{TURNPIKE_SOURCE_DIR "/web/openapi.json"};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    return parse_json(text, 64).value_or(Json{});
  }();
  return read;
}

std::string lower(std::string_view method) {
  std::string out;
  for (const char c : method) out += static_cast<char>(c | 0x20);
  return out;
}

/// "get /v1/rooms" of every operation in the document.
std::set<std::string> described_operations() {
  std::set<std::string> all;
  for (const auto& [path, item] : document()["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      if (method == "parameters") continue;
      all.insert(method + " " + path);
    }
  }
  return all;
}

const Json& operation(const std::string& method, const std::string& path) {
  return document().at("paths").at(path).at(lower(method));
}

/// Empty when the answer is one that the operation is described to give.
std::string undescribed(const Json& operation, const Answer& answer) {
  const std::string status = std::to_string(answer.status);
  if (!operation["responses"].contains(status)) return "status " + status;
  const JsonSchema schemas{document()};
  const Json& response = schemas.resolve(operation["responses"][status]);
  if (!response.contains("content")) return answer.body.empty() ? "" : "a body";
  return schemas.problem(response["content"]["application/json"]["schema"], answer.json, status);
}

/// `path` with a room and a peer in place of its braces.
std::string filled(std::string path, std::string_view peer) {
  for (const auto& [name, value] :
       {std::pair<std::string_view, std::string_view>{"{id}", "demo"}, {"{peer}", peer}}) {
    const std::size_t at = path.find(name);
    if (at != std::string::npos) path.replace(at, name.size(), value);
  }
  return path == "/turn" ? "/turn?service=turn&username=alice" : path;
}

}  // namespace

// That nothing else is described is for tests/server/control_door_test.cpp, which knows the rest.
TEST_CASE("the REST API is described: every operation", "[signaling]") {
  const std::set<std::string> described = described_operations();
  for (const auto& [method, path] : RestDoor::operations()) {
    INFO(path);
    CHECK(described.contains(lower(to_string(method)) + " " + std::string{path}));
  }
}

TEST_CASE("every example in the description of the REST API is what its schema says",
          "[signaling]") {
  const JsonSchema schemas{document()};
  int examples = 0;
  const auto check = [&schemas, &examples](const Json& content) {
    const Json& body = content.at("application/json");
    ++examples;
    return schemas.problem(body.at("schema"), body.at("example"));
  };
  for (const std::string& each : described_operations()) {
    const std::size_t blank = each.find(' ');
    const Json& described = operation(each.substr(0, blank), each.substr(blank + 1));
    INFO(each);
    if (described.contains("requestBody")) {
      CHECK(check(described["requestBody"].at("content")) == "");
    }
    for (const auto& [status, response] : described["responses"].items()) {
      INFO(status);
      const Json& resolved = schemas.resolve(response);
      const bool has_json =
          resolved.contains("content") && resolved["content"].contains("application/json");
      CHECK((has_json || status == "204" || resolved["content"].contains("text/event-stream")));
      if (has_json) CHECK(check(resolved["content"]) == "");
    }
  }
  CHECK(examples > 50);
}

TEST_CASE("what the REST API answers to the described examples is described", "[signaling]") {
  for (const auto& [method, path] : RestDoor::operations()) {
    RestHouse house;
    const bool makes_room = method == Method::post && path == "/v1/rooms";
    std::string peer = "p_none";
    if (!makes_room) {
      CHECK(has(house.join("demo"), "joined"));
      peer = house.rooms.peers("demo").at(0).peer;
    }
    const std::string name{to_string(method)};
    const std::string template_path{path};
    const Json& described = operation(name, template_path);
    std::string body;
    if (described.contains("requestBody")) {
      body = to_text(described["requestBody"]["content"]["application/json"]["example"]);
    }
    INFO(name + " " + template_path);
    const std::string target = filled(template_path, peer);
    const Answer good = house.ask(name, target, body);
    CHECK(good.status / 100 == 2);
    CHECK(undescribed(described, good) == "");

    CHECK(undescribed(described, house.ask_bare(name, target, "")) == "");
    if (body.empty()) continue;
    CHECK(undescribed(described, house.ask(name, target, R"({"unknown":1})")) == "");
    CHECK(undescribed(described, house.ask(name, target, std::string(65'537, ' '))) == "");
    CHECK(undescribed(described, house.ask_bare(name, target, house.authorization(), body)) == "");
    // A second time: a room that is there already, and nothing else of interest.
    CHECK(undescribed(described, house.ask(name, target, body)) == "");
  }
}

TEST_CASE("what is not there is answered as described", "[signaling]") {
  for (const auto& [method, path] : RestDoor::operations()) {
    if (path.find('{') == std::string_view::npos) continue;
    RestHouse house;
    const std::string name{to_string(method)};
    const Json& described = operation(name, std::string{path});
    std::string body;
    if (described.contains("requestBody")) {
      body = to_text(described["requestBody"]["content"]["application/json"]["example"]);
    }
    INFO(name + " " + std::string{path});
    CHECK(undescribed(described, house.ask(name, filled(std::string{path}, "p_none"), body)) == "");
  }
}

}  // namespace turnpike::signaling::test
