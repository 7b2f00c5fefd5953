#include "signaling/routes.h"

#include "catch.h"
#include "signaling/responses.h"

namespace turnpike::signaling::test {

namespace {

Site site() {
  OriginPolicy origins;
  origins.allowed = {parse_origin("https://app.example").value()};
  origins.hosts = {"turn.example"};
  const std::vector<Route> routes{
      {"/healthz", RouteKind::health, {Method::get}},
      {"/v1/ws", RouteKind::websocket, {Method::get}, false, "turnpike.v1"},
      {"/v1/rooms", RouteKind::application, {Method::get, Method::post}, /*is_prefix=*/true},
      {"/socket.io/", RouteKind::either, {Method::get}, true, "", 1'000'000}};
  return {origins, StaticFiles{{{"/turnpike.js", "text/javascript", bytes_of("js")}}}, routes};
}

Request request(Method method, std::string_view path, std::vector<Header> more = {}) {
  return {.method = method,
          .path = std::string{path},
          .host = "turn.example",
          .headers = std::move(more)};
}

Request websocket(std::string_view origin) {
  Request opening = request(Method::get, "/v1/ws",
                            {{"Upgrade", "websocket"},
                             {"Connection", "Upgrade"},
                             {"Sec-WebSocket-Version", "13"},
                             {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                             {"Sec-WebSocket-Protocol", "turnpike.v1"}});
  if (!origin.empty()) opening.headers.push_back({"Origin", std::string{origin}});
  return opening;
}

Response refused(const Request& request) { return std::get<Response>(site().decide(request)); }

}  // namespace

TEST_CASE("each path has its answer", "[signaling]") {
  CHECK(refused(request(Method::get, "/healthz")).body == "ok\n");
  CHECK(refused(request(Method::head, "/healthz")).status == 200);
  CHECK(refused(request(Method::get, "/turnpike.js")).body == "js");
  CHECK(refused(request(Method::get, "/nothing")).status == 404);
  CHECK(refused(request(Method::get, "/healthz/")).status == 404);
  CHECK(refused(request(Method::get, "/v1/ws")).status == 426);
  CHECK(std::get<Application>(site().decide(request(Method::post, "/v1/rooms/a"))).route == 2);
  const auto upgrade = std::get<Upgrade>(site().decide(websocket("https://app.example")));
  CHECK(upgrade.response.status == 101);
  CHECK(upgrade.route == 1);
}

TEST_CASE("a route for either hands requests on, and says which may become WebSockets",
          "[signaling]") {
  const auto plain = std::get<Application>(site().decide(request(Method::get, "/socket.io/")));
  CHECK(plain.route == 3);
  CHECK_FALSE(plain.upgrade);
  Request opening = websocket("");
  opening.path = "/socket.io/";
  const auto socket = std::get<Application>(site().decide(opening));
  REQUIRE(socket.upgrade);
  CHECK(socket.upgrade->response.status == 101);
  CHECK(socket.upgrade->max_message_bytes == 1'000'000);
  opening.headers[3].value = "no key";
  CHECK(refused(opening).status == 400);
}

TEST_CASE("what is for operators is found on their listener, and nothing else is",
          "[signaling][hostile][H10]") {
  Route metrics{"/metrics", RouteKind::application, {Method::get}};
  metrics.is_for_operators = true;
  const std::vector<Route> routes{{"/healthz", RouteKind::health, {Method::get}},
                                  {"/v1/rooms", RouteKind::application, {Method::get}},
                                  metrics};
  const Site everyone{OriginPolicy{}, StaticFiles{}, routes};
  const Site operators{OriginPolicy{}, StaticFiles{}, routes, Audience::operators};
  const auto status = [](const Site& site, std::string_view path) {
    const Decision decision = site.decide(request(Method::get, path));
    return std::holds_alternative<Application>(decision) ? 0 : std::get<Response>(decision).status;
  };
  CHECK(status(everyone, "/metrics") == 404);
  CHECK(status(everyone, "/v1/rooms") == 0);
  CHECK(status(everyone, "/healthz") == 200);
  CHECK(status(operators, "/metrics") == 0);
  CHECK(status(operators, "/v1/rooms") == 404);
  CHECK(status(operators, "/healthz") == 200);
}

TEST_CASE("a file is found before a route", "[signaling]") {
  const Site both{OriginPolicy{},
                  StaticFiles{{{"/a/b.js", "text/javascript", bytes_of("js")}}},
                  {{"/a/", RouteKind::application, {Method::get}, true}}};
  CHECK(std::holds_alternative<Response>(both.decide(request(Method::get, "/a/b.js"))));
  CHECK(std::holds_alternative<Application>(both.decide(request(Method::get, "/a/c.js"))));
}

TEST_CASE("H06: other methods are told which there are", "[signaling][hostile][H06]") {
  const Method method = GENERATE(Method::post, Method::del, Method::other);
  CHECK(refused(request(method, "/healthz")).status == 405);
  CHECK(refused(request(method, "/turnpike.js")).status == 405);
  CHECK(refused(request(method, "/v1/ws")).status == 405);
  CHECK(refused(request(method, "*")).status == 405);
  CHECK(refused(request(method, "/nothing")).status == 404);
  const Response response = refused(request(Method::put, "/v1/rooms"));
  CHECK(response.status == 405);
  CHECK(header_of(response, "Allow") == "GET, HEAD, POST, OPTIONS");
}

TEST_CASE("OPTIONS names the methods", "[signaling][rfc9110-9.3.7]") {
  const Response response = refused(request(Method::options, "/turnpike.js"));
  CHECK(response.status == 204);
  CHECK(header_of(response, "Allow") == "GET, HEAD, OPTIONS");
  CHECK(refused(request(Method::options, "*")).status == 204);
}

TEST_CASE("H12: a page of a foreign origin gets no WebSocket", "[signaling][hostile][H12]") {
  const Response response = refused(websocket("https://evil.example"));
  CHECK(response.status == 403);
  CHECK(response.body ==
        "Pages of https://evil.example may not connect. The operator can allow them: "
        "signaling.allowed_origins.\n");
  CHECK(refused(websocket("null")).status == 403);
  CHECK(refused(websocket("<script>")).body.find('<') == std::string::npos);
  CHECK(std::holds_alternative<Upgrade>(site().decide(websocket("https://turn.example"))));
  // No browser: see DESIGN §9.
  CHECK(std::holds_alternative<Upgrade>(site().decide(websocket(""))));
}

TEST_CASE("H11: a foreign Host is misdirected", "[signaling][hostile][H11]") {
  for (Request foreign : {websocket("https://evil.example"), request(Method::get, "/healthz"),
                          request(Method::get, "/turnpike.js")}) {
    foreign.host = "evil.example";
    CHECK(refused(foreign).status == 421);
  }
}

TEST_CASE("a page asks before it comes", "[signaling][fetch][A12]") {
  const auto preflight = [](std::string_view origin) {
    return refused(
        request(Method::options, "/v1/rooms",
                {{"Origin", std::string{origin}}, {"Access-Control-Request-Method", "POST"}}));
  };
  CHECK(preflight("https://app.example").status == 204);
  CHECK(header_of(preflight("https://app.example"), "Access-Control-Allow-Origin") ==
        "https://app.example");
  CHECK(preflight("https://evil.example").status == 403);
}

}  // namespace turnpike::signaling::test
