#include "signaling/http_head.h"

#include <string>

#include "catch.h"

namespace turnpike::signaling::test {

TEST_CASE("a head is read", "[signaling][rfc9112-3]") {
  const auto head = parse_request_head(
      "POST /a?b HTTP/1.1\r\nHost: x\r\nEmpty:\r\nAccept: \t a, b \r\nX: \xc3\xbc\r\n\r\n");
  REQUIRE(head);
  CHECK(head->method == "POST");
  CHECK(head->target == "/a?b");
  CHECK(head->minor_version == 1);
  CHECK(head->keep_alive);
  REQUIRE(head->headers.size() == 4);
  CHECK(head->headers[0].name == "Host");
  CHECK(head->headers[0].value == "x");
  CHECK(head->headers[1].value.empty());
  CHECK(head->headers[2].value == "a, b");
  CHECK(head->headers[3].value == "\xc3\xbc");
}

TEST_CASE("a connection stays or not, by version and option", "[signaling][rfc9112-9.3]") {
  const auto [version, option, stays] = GENERATE(table<std::string, std::string, bool>({
      {"1.1", "", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", true},
      {"1.0", "", false},
      {"1.0", "Connection: keep-alive\r\n", true},
  }));
  const auto head = parse_request_head("GET / HTTP/" + version + "\r\n" + option + "\r\n");
  REQUIRE(head);
  CHECK(head->keep_alive == stays);
}

TEST_CASE("H02: heads that two readers may read differently are refused",
          "[signaling][hostile][rfc9112-5][H02]") {
  const std::string lines =
      GENERATE(as<std::string>{}, "A: b\r\n c\r\n", " A: b\r\n", "A : b\r\n", "A\t: b\r\n", "A\r\n",
               ": b\r\n", "A: b\nB: c\r\n", "A: b\rB: c\r\n", std::string("A: b\0c\r\n", 8),
               "A: b\x01\r\n", "A(: b\r\n", "\xc3\xbc: b\r\n", "A: b\x7f\r\n");
  CAPTURE(lines);
  CHECK(parse_request_head("GET / HTTP/1.1\r\n" + lines + "\r\n").error() == HttpError::malformed);
}

TEST_CASE("request lines that are none are refused", "[signaling][rfc9112-3]") {
  const auto [line, error] = GENERATE(table<std::string, HttpError>({
      {"", HttpError::malformed},
      {"GET", HttpError::malformed},
      {"GET /", HttpError::malformed},
      {"GET / HTTP/1.1 ", HttpError::malformed},
      {"GET / http/1.1", HttpError::malformed},
      {"GET /\tHTTP/1.1", HttpError::malformed},
      {"get / HTTP/1.1", HttpError::malformed},
      {"G(T / HTTP/1.1", HttpError::malformed},
      {" GET / HTTP/1.1", HttpError::malformed},
      {"GET / HTTP/2.0", HttpError::unsupported_version},
      {"PRI * HTTP/2.0", HttpError::unsupported_version},
      {"GET / HTTP/1.2", HttpError::unsupported_version},
      {"GET / HTTP/0.9", HttpError::unsupported_version},
  }));
  CAPTURE(line);
  const auto head = parse_request_head(line + "\r\nHost: x\r\n\r\n");
  REQUIRE_FALSE(head);
  CHECK(head.error() == error);
}

TEST_CASE("a head that is cut off anywhere is none", "[signaling]") {
  const std::string head = "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n";
  for (std::size_t size = 0; size < head.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(parse_request_head(head.substr(0, size)));
  }
  CHECK_FALSE(parse_request_head(head + "more"));
}

TEST_CASE("every error has a status and a sentence", "[signaling]") {
  for (int i = 0; i <= static_cast<int>(HttpError::unsupported_version); ++i) {
    const auto error = static_cast<HttpError>(i);
    CHECK(reason_phrase(status_of(error)) != "Unknown");
    CHECK(to_sentence(error).ends_with("."));
  }
}

}  // namespace turnpike::signaling::test
