#include "signaling/request_parser.h"

#include <string>

#include "catch.h"

namespace turnpike::signaling::test {

namespace {

/// What comes of `bytes`: the first request, or the status of the error; 0 when nothing yet.
struct Outcome {
  std::optional<Request> request;
  int status = 0;
};

Outcome parse(RequestParser& parser, std::string_view bytes) {
  parser.push(bytes_of(bytes));
  auto next = parser.next();
  if (!next) return {std::nullopt, status_of(next.error())};
  return {std::move(*next), 0};
}

Outcome parse(std::string_view bytes) {
  RequestParser parser;
  return parse(parser, bytes);
}

/// A request with these header lines besides Host.
std::string request_with(std::string_view lines, std::string_view body = "") {
  return "POST / HTTP/1.1\r\nHost: a.example\r\n" + std::string{lines} + "\r\n" + std::string{body};
}

}  // namespace

TEST_CASE("a request comes out whole, wherever its bytes are cut", "[signaling][rfc9112]") {
  const std::string bytes =
      "\r\nPOST /v1/rooms?x=1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello";
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    CAPTURE(cut);
    RequestParser parser;
    CHECK_FALSE(parse(parser, bytes.substr(0, cut)).request);
    const auto [request, status] = parse(parser, bytes.substr(cut));
    REQUIRE(request);
    CHECK(request->method == Method::post);
    CHECK(request->path == "/v1/rooms");
    CHECK(request->query == "x=1");
    CHECK(request->host == "a.example");
    CHECK(request->body == "hello");
    CHECK(parser.waiting() == RequestParser::Waiting::nothing);
    CHECK(parser.buffered_bytes() == 0);
  }
}

TEST_CASE("one empty line before a request is forgiven", "[signaling][rfc9112-2.2]") {
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  CHECK(parse("\r\n" + request).request);
  CHECK(parse("\r\n\r\n" + request).status == 400);
  RequestParser parser;
  CHECK(parse(parser, "\r\n" + request + "\r\n" + request).request);
  CHECK(parse(parser, "").request);
}

TEST_CASE("requests follow one another", "[signaling][rfc9112-9.3.2]") {
  RequestParser parser;
  const auto first = parse(parser, request_with("Content-Length: 1\r\n", "a") +
                                       "GET /b HTTP/1.1\r\nHost: a.example\r\n\r\nGET /c");
  CHECK(first.request->body == "a");
  CHECK(parse(parser, "").request->path == "/b");
  CHECK(parser.waiting() == RequestParser::Waiting::head);
  CHECK_FALSE(parse(parser, "").request);
  CHECK(parser.take_rest() == "GET /c");
}

TEST_CASE("H01: lines, heads and their number have limits", "[signaling][hostile][H01]") {
  const std::string long_text(8200, 'a');
  CHECK(parse("GET /" + long_text + " HTTP/1.1\r\nHost: a\r\n\r\n").status == 414);
  CHECK(parse("GET /" + long_text).status == 414);
  CHECK(parse(request_with("A: " + long_text + "\r\n")).status == 0);
  CHECK(parse(request_with("A: " + long_text + "\r\nB: " + long_text + "\r\n")).status == 431);
  CHECK(parse("GET / HTTP/1.1\r\nA: " + std::string(20'000, 'a')).status == 431);
  std::string lines;
  for (int i = 0; i < 63; ++i) lines += "A: b\r\n";
  CHECK(parse(request_with(lines)).request);
  CHECK(parse(request_with(lines + "A: b\r\n")).status == 431);
}

TEST_CASE("H02: framing that two readers may read differently is refused",
          "[signaling][hostile][rfc9112-6.3][H02]") {
  const auto [lines, status] = GENERATE(table<std::string, int>({
      {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400},
      {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Transfer-Encoding: chunked\r\n", 411},
      {"Transfer-Encoding: identity\r\n", 411},
      {"Transfer-Encoding: gzip, chunked\r\n", 411},
      {"Content-Length: 5\r\nContent-Length: 6\r\n", 400},
      {"Content-Length: 5\r\nContent-Length: 5\r\n", 400},
      {"Content-Length: 5, 5\r\n", 400},
      {"Content-Length:\r\n", 400},
      {"Content-Length: 0x5\r\n", 400},
      {"Content-Length: +5\r\n", 400},
      {"Content-Length: 5 5\r\n", 400},
      {"A: b\r\n c\r\n", 400},
      {"A : b\r\n", 400},
      {"A: b\n", 400},
      {"A: b\rC: d\r\n", 400},
      {std::string("A: \0\r\n", 6), 400},
      {"Host: b.example\r\n", 400},
      {"Host: a.example\r\n", 400},
  }));
  CAPTURE(lines);
  // llhttp and http_parser refuse some of these before we can tell 400 from 411.
  const int found = parse(request_with(lines, "hello")).status;
  CHECK((found == status || (status == 411 && found == 400)));
}

TEST_CASE("H03: lengths that are wrong or too large, and nothing allocated for them",
          "[signaling][hostile][H03]") {
  CHECK(parse(request_with("Content-Length: -1\r\n")).status == 400);
  CHECK(parse(request_with("Content-Length: 1048577\r\n")).status == 413);
  CHECK(parse(request_with("Content-Length: 9223372036854775807\r\n")).status == 413);
  CHECK(parse(request_with("Content-Length: 99999999999999999999999\r\n")).status >= 400);
  RequestParser parser;
  CHECK(parse(parser, request_with("Content-Length: 1048576\r\n")).status == 0);
  CHECK(parser.waiting() == RequestParser::Waiting::body);
  CHECK(parser.buffered_bytes() == 0);
  CHECK(parse(parser, std::string(1'048'576, 'a')).request->body.size() == 1'048'576);
}

TEST_CASE("Host must be there, once, and name a host", "[signaling][rfc9112-3.2]") {
  CHECK(parse("GET / HTTP/1.1\r\n\r\n").status == 400);
  CHECK(parse("GET / HTTP/1.0\r\n\r\n").request);
  CHECK(parse("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n").status == 400);
  const auto [host, status] = GENERATE(table<std::string, int>({
      {"a.example", 0},
      {"a.example:8443", 0},
      {"[2001:db8::1]:80", 0},
      {"192.0.2.1", 0},
      {"", 400},
      {"a b", 400},
      {"a.example, b.example", 400},
      {"a.example/b", 400},
      {"user@a.example", 400},
      {"a.example:", 400},
      {"a.example:65536", 400},
      {"[::1", 400},
  }));
  CAPTURE(host);
  CHECK(parse("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n").status == status);
}

TEST_CASE("the absolute form must name the same host", "[signaling][rfc9112-3.2.2]") {
  const std::string end = " HTTP/1.1\r\nHost: A.example\r\n\r\n";
  CHECK(parse("GET http://a.example/b" + end).request->path == "/b");
  CHECK(parse("GET http://b.example/b" + end).status == 400);
  CHECK(parse("GET http://a.example:81/b" + end).status == 400);
}

TEST_CASE("H06: other protocols and methods do not get far", "[signaling][hostile][H06]") {
  CHECK(parse("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status == 505);
  CHECK(parse("CONNECT b.example:443 HTTP/1.1\r\nHost: a\r\n\r\n").request->method ==
        Method::other);
  CHECK(parse("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n").request->method == Method::other);
  CHECK(parse("BREW / HTTP/1.1\r\nHost: a\r\n\r\n").status == 400);
  CHECK(parse(std::string("\x16\x03\x01\x02\x00\x01", 6)).status == 400);
  CHECK(parse("SSH-2.0-x\n").status == 400);
}

TEST_CASE("H07: a path that is unsafe is not found", "[signaling][hostile][H07]") {
  CHECK(parse("GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n").status == 404);
  CHECK(parse("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n").status == 400);
}

TEST_CASE("a client may wait for 100 Continue", "[signaling][rfc9110-10.1.1]") {
  RequestParser parser;
  const std::string head = request_with("Expect: 100-Continue\r\nContent-Length: 2\r\n");
  SECTION("which is told once") {
    CHECK_FALSE(parse(parser, head).request);
    CHECK(parser.take_expectation());
    CHECK_FALSE(parser.take_expectation());
    CHECK(parse(parser, "ab").request->body == "ab");
  }
  SECTION("not when the body is there") {
    CHECK(parse(parser, head + "ab").request);
    CHECK_FALSE(parser.take_expectation());
  }
  SECTION("not in HTTP/1.0") {
    CHECK_FALSE(
        parse(parser, "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            .request);
    CHECK_FALSE(parser.take_expectation());
  }
  SECTION("and for nothing else") {
    CHECK(parse(parser, request_with("Expect: 200-ok\r\n")).status == 417);
  }
}

}  // namespace turnpike::signaling::test
