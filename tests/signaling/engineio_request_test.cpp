#include "signaling/engineio_request.h"

#include "catch.h"

namespace turnpike::signaling::test {

namespace {

Request request_for(std::string query, Method method = Method::get) {
  Request request;
  request.method = method;
  request.query = std::move(query);
  return request;
}

}  // namespace

TEST_CASE("the query names the transport and the session", "[signaling]") {
  const auto opening = parse_engineio_query(request_for("EIO=4&transport=polling&t=abc"), false);
  REQUIRE(opening);
  CHECK_FALSE(opening->is_websocket);
  CHECK(opening->sid.empty());
  const auto upgrade =
      parse_engineio_query(request_for("EIO=4&transport=websocket&sid=a%2Db"), true);
  REQUIRE(upgrade);
  CHECK(upgrade->is_websocket);
  CHECK(upgrade->sid == "a-b");
  CHECK(parse_engineio_query(request_for("transport=polling&sid=a", Method::post), false));
}

TEST_CASE("a query is refused as the reference server does it", "[signaling]") {
  struct Case {
    const char* query;
    Method method;
    bool is_upgrade;
    EngineIoError error;
  };
  const Case cases[] = {
      {"EIO=4", Method::get, false, EngineIoError::unknown_transport},
      {"EIO=4&transport=abc", Method::get, true, EngineIoError::unknown_transport},
      {"EIO=4&transport=polling&transport=polling", Method::get, false,
       EngineIoError::unknown_transport},
      {"EIO=4&transport=polling", Method::post, false, EngineIoError::bad_method},
      {"EIO=4&transport=polling", Method::put, false, EngineIoError::bad_method},
      {"EIO=4&transport=websocket", Method::get, false, EngineIoError::bad_request},
      {"EIO=4&transport=polling", Method::get, true, EngineIoError::bad_request},
      {"EIO=3&transport=polling", Method::get, false, EngineIoError::unsupported_version},
      {"EIO=abc&transport=websocket", Method::get, true, EngineIoError::unsupported_version},
      {"transport=polling", Method::get, false, EngineIoError::unsupported_version},
  };
  for (const Case& wrong : cases) {
    INFO(wrong.query);
    const auto query =
        parse_engineio_query(request_for(wrong.query, wrong.method), wrong.is_upgrade);
    REQUIRE_FALSE(query);
    CHECK(query.error() == wrong.error);
  }
}

TEST_CASE("a refusal is JSON with the code that clients know", "[signaling]") {
  const Response unknown = engineio_refusal(EngineIoError::unknown_sid);
  CHECK(unknown.status == 400);
  CHECK(unknown.body == R"({"code":1,"message":"Session ID unknown"})");
  const Response forbidden = engineio_refusal(EngineIoError::forbidden);
  CHECK(forbidden.status == 403);
  CHECK(forbidden.body == R"({"code":4,"message":"Forbidden"})");
  CHECK(engineio_refusal(EngineIoError::unsupported_version).body ==
        R"({"code":5,"message":"Unsupported protocol version"})");
}

}  // namespace turnpike::signaling::test
