#include "server/control_door.h"

#include <fstream>
#include <iterator>
#include <set>

#include "catch.h"
#include "signaling/json.h"
#include "signaling/rest_door.h"

namespace turnpike::server::test {
namespace {

std::string lower(std::string_view method) {
  std::string out;
  for (const char c : method) out += static_cast<char>(c | 0x20);
  return out;
}

}  // namespace

TEST_CASE("web/openapi.json describes what both doors answer, and nothing else", "[server]") {
  std::ifstream file{TURNPIKE_SOURCE_DIR "/web/openapi.json"};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  const auto document = signaling::parse_json(text, 64);
  REQUIRE(document);
  std::set<std::string> described;
  for (const auto& [path, item] : (*document)["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      if (method != "parameters") described.insert(method + " " + path);
    }
  }
  std::set<std::string> answered;
  for (const auto& all : {signaling::RestDoor::operations(), ControlDoor::operations()}) {
    for (const auto& [method, path] : all) {
      answered.insert(lower(to_string(method)) + " " + std::string{path});
    }
  }
  CHECK(described == answered);
}

}  // namespace turnpike::server::test
