#include "signaling/http.h"

#include <string>

#include "catch.h"

namespace turnpike::signaling::test {

namespace {

std::string written(const Response& response, const Delivery& delivery = {}) {
  std::string out;
  append_response(out, response, delivery);
  return out;
}

}  // namespace

TEST_CASE("a response is written with its frame", "[signaling][rfc9112-4]") {
  Response response{200};
  response.with("Content-Type", "text/plain").body = "hello";
  const Delivery delivery{WallTime{seconds{784'111'777}}, false, true};
  CHECK(written(response, delivery) ==
        "HTTP/1.1 200 OK\r\n"
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Content-Type: text/plain\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Content-Length: 5\r\n"
        "Connection: keep-alive\r\n"
        "\r\n"
        "hello");
}

TEST_CASE("HEAD gets the headers of GET", "[signaling][rfc9110-9.3.2]") {
  const std::string head = written(text_response(404, "no"), {WallTime{}, true, false});
  CHECK(head.find("Content-Length: 3\r\n") != std::string::npos);
  CHECK(head.find("Connection: close\r\n") != std::string::npos);
  CHECK(head.ends_with("\r\n\r\n"));
}

TEST_CASE("responses without content do not speak of its length", "[signaling][rfc9110-8.6]") {
  const std::uint16_t status = GENERATE(as<std::uint16_t>{}, 101, 204, 304);
  Response response{status};
  response.body = "never sent";
  const std::string text = written(response);
  CHECK(text.find("Content-Length") == std::string::npos);
  CHECK(text.ends_with("\r\n\r\n"));
}

TEST_CASE("H09: what a client sent begins no line of its own", "[signaling][hostile][H09]") {
  const std::string plain = written(Response{200});
  const auto [name, value] = GENERATE(table<std::string, std::string>({
      {"Location", "/a\r\nSet-Cookie: b"},
      {"Location", "/a\nb"},
      {"Location", "/a\rb"},
      {"Location", std::string("/a\0b", 4)},
      {"Loca tion", "/a"},
      {"Location:", "/a"},
      {"Location\r\nSet-Cookie", "/a"},
      {"", "/a"},
  }));
  CHECK(written(Response{200}.with(name, value)) == plain);
}

TEST_CASE("headers are found whatever their case, and only when clear", "[signaling]") {
  const Request request{.headers = {{"Accept", "a"}, {"ACCEPT", "b"}, {"Origin", "c"}}};
  CHECK(request.header("origin") == "c");
  CHECK_FALSE(request.header("accept"));
  CHECK(request.list_header("accept") == "a, b");
  CHECK_FALSE(request.header("host"));
  CHECK(request.list_header("host").empty());
}

TEST_CASE("dates are those of RFC 9110", "[signaling][rfc9110-5.6.7]") {
  CHECK(http_date(WallTime{seconds{0}}) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(http_date(WallTime{seconds{1'709'164'799}}) == "Wed, 28 Feb 2024 23:59:59 GMT");
  CHECK(http_date(WallTime{seconds{1'709'164'800}}) == "Thu, 29 Feb 2024 00:00:00 GMT");
}

TEST_CASE("methods have their names", "[signaling]") {
  for (const std::string_view name : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    CHECK(to_string(parse_method(name)) == name);
  }
  CHECK(parse_method("TRACE") == Method::other);
  CHECK(parse_method("get") == Method::other);
}

TEST_CASE("statuses have their phrases", "[signaling]") {
  CHECK(reason_phrase(101) == "Switching Protocols");
  CHECK(reason_phrase(431) == "Request Header Fields Too Large");
  CHECK(reason_phrase(299) == "Unknown");
}

}  // namespace turnpike::signaling::test
