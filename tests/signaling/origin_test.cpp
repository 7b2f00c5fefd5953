#include "signaling/origin.h"

#include "catch.h"
#include "signaling/responses.h"

namespace turnpike::signaling::test {

namespace {

OriginPolicy policy_of(const std::vector<std::string>& allowed) {
  std::string wrong;
  return make_origin_policy(allowed, wrong).value();
}

Request request_from(std::string_view origin, std::string_view host = "turn.example") {
  Request request{.method = Method::get, .host = std::string{host}};
  if (!origin.empty()) request.headers.push_back({"Origin", std::string{origin}});
  return request;
}

}  // namespace

TEST_CASE("hosts are read", "[signaling][rfc3986-3.2.2]") {
  CHECK(parse_host("A.Example:8443") == Host{"a.example", 8443});
  CHECK(parse_host("192.0.2.1") == Host{"192.0.2.1", std::nullopt});
  CHECK(parse_host("[2001:DB8::1]:80") == Host{"[2001:db8::1]", 80});
  for (const std::string text : {"", ":80", "a:", "a:b", "a:80:80", "a:65536", "a:-1", "[]", "[a]",
                                 "[::1", "::1", "[::1]80", "[::1%25lo]", "a b", "a/b", "a@b"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_host(text));
  }
}

TEST_CASE("origins are read, their scheme's port left out", "[signaling][rfc6454-6]") {
  CHECK(to_string(parse_origin("HTTPS://A.example:443").value()) == "https://a.example");
  CHECK(to_string(parse_origin("http://a.example:8080").value()) == "http://a.example:8080");
  CHECK(parse_origin("http://a.example:80") == parse_origin("http://a.example"));
  CHECK(parse_origin("http://a.example") != parse_origin("https://a.example"));
  CHECK(parse_origin("chrome-extension://abcdef"));
  for (const std::string text :
       {"null", "", "a.example", "https://", "https://a.example/", "https://a.example/b", "://a",
        "https://a b", "https://*.example", "https://a.example https://b.example"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_origin(text));
  }
}

TEST_CASE("a wrong entry of the configuration is named", "[signaling]") {
  std::string wrong;
  CHECK_FALSE(make_origin_policy({"https://a.example", "a.example"}, wrong));
  CHECK(wrong == "a.example");
}

TEST_CASE("H12: an origin that is not allowed is refused",
          "[signaling][hostile][rfc6455-10.2][H12]") {
  const OriginPolicy policy = policy_of({"https://app.example", "http://localhost:5173"});
  const auto [origin, host, verdict] = GENERATE(table<std::string, std::string, OriginVerdict>({
      {"https://app.example", "turn.example", OriginVerdict::listed},
      {"https://APP.example:443", "turn.example", OriginVerdict::listed},
      {"http://localhost:5173", "turn.example", OriginVerdict::listed},
      {"http://app.example", "turn.example", OriginVerdict::refused},
      {"https://app.example:8443", "turn.example", OriginVerdict::refused},
      {"https://app.example.evil.example", "turn.example", OriginVerdict::refused},
      {"https://evil.example", "turn.example", OriginVerdict::refused},
      {"null", "turn.example", OriginVerdict::refused},
      {"https://turn.example", "turn.example", OriginVerdict::same_host},
      {"https://turn.example", "TURN.example:443", OriginVerdict::same_host},
      {"http://turn.example:3478", "turn.example:3478", OriginVerdict::same_host},
      {"http://turn.example:3478", "turn.example", OriginVerdict::refused},
      {"https://turn.example", "turn.example:3478", OriginVerdict::refused},
      {"https://turn.example", "", OriginVerdict::refused},
      // No browser: see DESIGN §9.
      {"", "turn.example", OriginVerdict::no_browser},
  }));
  CAPTURE(origin, host);
  CHECK(judge_origin(policy, request_from(origin, host)) == verdict);
}

TEST_CASE("two origins are none that is allowed", "[signaling][H12]") {
  Request request = request_from("https://app.example");
  request.headers.push_back({"Origin", "https://app.example"});
  CHECK(judge_origin(policy_of({"https://app.example"}), request) == OriginVerdict::refused);
}

TEST_CASE("an asterisk allows every origin", "[signaling]") {
  const OriginPolicy policy = policy_of({"*"});
  CHECK(judge_origin(policy, request_from("https://evil.example")) == OriginVerdict::listed);
  CHECK(judge_origin(policy, request_from("null")) == OriginVerdict::listed);
}

TEST_CASE("H11: the server answers to its names", "[signaling][hostile][H11]") {
  OriginPolicy policy;
  CHECK(is_known_host(policy, "evil.example"));
  policy.hosts = {"turn.example"};
  CHECK(is_known_host(policy, "TURN.example:3478"));
  CHECK(is_known_host(policy, "localhost:3478"));
  CHECK(is_known_host(policy, "127.0.0.1:3478"));
  CHECK(is_known_host(policy, "[::1]"));
  CHECK_FALSE(is_known_host(policy, "evil.example"));
  CHECK_FALSE(is_known_host(policy, "turn.example.evil.example"));
  CHECK_FALSE(is_known_host(policy, ""));
}

TEST_CASE("listed pages may read responses, without credentials", "[signaling][fetch]") {
  Response response;
  add_cors_headers(response, OriginVerdict::listed, request_from("HTTPS://App.example"));
  CHECK(header_of(response, "Access-Control-Allow-Origin") == "https://app.example");
  CHECK(header_of(response, "Vary") == "Origin");
  CHECK(header_of(response, "Access-Control-Allow-Credentials") == "none");

  Response refused;
  add_cors_headers(refused, OriginVerdict::refused, request_from("https://evil.example"));
  CHECK(header_of(refused, "Access-Control-Allow-Origin") == "none");
  CHECK(header_of(refused, "Vary") == "Origin");

  Response plain;
  add_cors_headers(plain, OriginVerdict::no_browser, request_from(""));
  CHECK(plain.headers.empty());
}

TEST_CASE("a preflight is answered for those who may come", "[signaling][fetch]") {
  Request request = request_from("https://app.example");
  request.method = Method::options;
  CHECK_FALSE(answer_preflight(OriginVerdict::listed, request, "GET"));
  request.headers.push_back({"Access-Control-Request-Method", "POST"});
  const auto listed = answer_preflight(OriginVerdict::listed, request, "GET, POST");
  CHECK(header_of(listed.value(), "Access-Control-Allow-Methods") == "GET, POST");
  const auto refused = answer_preflight(OriginVerdict::refused, request, "GET, POST");
  CHECK(header_of(refused.value(), "Access-Control-Allow-Methods") == "none");
  CHECK(header_of(refused.value(), "Access-Control-Allow-Origin") == "none");
}

}  // namespace turnpike::signaling::test
