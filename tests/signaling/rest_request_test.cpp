#include "signaling/rest_request.h"

#include "catch.h"

namespace turnpike::signaling::test {
namespace {

const std::vector<RestOperation> operations{{Method::get, "/v1/rooms"},
                                            {Method::post, "/v1/rooms"},
                                            {Method::del, "/v1/rooms/{id}"},
                                            {Method::get, "/v1/rooms/{id}/peers/{peer}"}};

Request request(Method method, std::string path) {
  Request made;
  made.method = method;
  made.path = std::move(path);
  return made;
}

}  // namespace

TEST_CASE("braces stand for one segment that is not empty", "[signaling]") {
  CHECK(match_path("/a/{b}/c", "/a/x/c") == std::vector<std::string>{"x"});
  CHECK(match_path("/a", "/a") == std::vector<std::string>{});
  for (const char* const path : {"/a//c", "/a/x", "/a/x/c/", "/a/x/y/c", "/b/x/c", ""}) {
    CHECK_FALSE(match_path("/a/{b}/c", path));
  }
}

TEST_CASE("a request is for one operation, or gets 404 or 405", "[signaling]") {
  const auto found = match_operation(operations, request(Method::get, "/v1/rooms/a/peers/b"));
  REQUIRE(found);
  CHECK(found->operation == 3);
  CHECK(found->parameters == std::vector<std::string>{"a", "b"});
  CHECK(match_operation(operations, request(Method::head, "/v1/rooms"))->operation == 0);
  CHECK(match_operation(operations, request(Method::get, "/v1/none")).error().status == 404);
  const auto wrong = match_operation(operations, request(Method::put, "/v1/rooms"));
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().status == 405);
  CHECK(wrong.error().headers.back().value == "GET, HEAD, POST");
}

TEST_CASE("operations that begin alike share a route", "[signaling]") {
  const auto routes = routes_of(operations);
  REQUIRE(routes.size() == 2);
  CHECK(routes[0].path == "/v1/rooms");
  CHECK_FALSE(routes[0].is_prefix);
  CHECK(routes[1].path == "/v1/rooms/");
  CHECK(routes[1].is_prefix);
  CHECK(routes[1].is_for_administration);
}

TEST_CASE("a body is one JSON object, a page a number", "[signaling]") {
  Request asked = request(Method::post, "/");
  CHECK(read_json_body(asked).value() == Json::object());
  asked.body = R"({"a":1})";
  CHECK(read_json_body(asked).error().status == 415);
  asked.headers.push_back({"Content-Type", "application/json; charset=utf-8"});
  CHECK(read_json_body(asked).value() == Json{{"a", 1}});
  asked.body = "[]";
  CHECK(read_json_body(asked).error().status == 400);
  asked.body = std::string(65'537, ' ');
  CHECK(read_json_body(asked).error().status == 413);

  CHECK(page_size(asked).value() == 100);
  asked.query = "limit=1000";
  CHECK(page_size(asked).value() == 1000);
  for (const char* const wrong : {"limit=0", "limit=1001", "limit=-1", "limit=1x", "limit="}) {
    asked.query = wrong;
    CHECK(page_size(asked).error().status == 400);
  }
}

}  // namespace turnpike::signaling::test
