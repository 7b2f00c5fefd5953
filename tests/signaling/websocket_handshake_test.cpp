#include "signaling/websocket_handshake.h"

#include "catch.h"
#include "signaling/responses.h"

namespace turnpike::signaling::test {

namespace {

/// What a browser sends.
Request opening() {
  return {.method = Method::get,
          .path = "/v1/ws",
          .host = "turn.example",
          .headers = {{"Upgrade", "websocket"},
                      {"Connection", "keep-alive, Upgrade"},
                      {"Sec-WebSocket-Version", "13"},
                      {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                      {"Sec-WebSocket-Protocol", "other, turnpike.v1"},
                      {"Sec-WebSocket-Extensions", "permessage-deflate"}}};
}

Request with(std::string_view name, std::string_view value) {
  Request request = opening();
  for (Header& header : request.headers) {
    if (header.name == name) header.value = value;
  }
  return request;
}

int status_of(const Request& request) {
  const auto answer = answer_handshake(request, "turnpike.v1");
  if (const auto* const refusal = std::get_if<HandshakeRefusal>(&answer)) {
    return refusal->response.status;
  }
  return std::get<Handshake>(answer).response.status;
}

}  // namespace

TEST_CASE("the RFC's key gives the RFC's answer", "[signaling][rfc6455-1.3]") {
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("an opening is answered, without extensions", "[signaling][rfc6455-4.2.2][H14]") {
  const auto answer = answer_handshake(opening(), "turnpike.v1");
  const Response& response = std::get<Handshake>(answer).response;
  CHECK(response.status == 101);
  CHECK(header_of(response, "Upgrade") == "websocket");
  CHECK(header_of(response, "Connection") == "Upgrade");
  CHECK(header_of(response, "Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(header_of(response, "Sec-WebSocket-Protocol") == "turnpike.v1");
  CHECK(header_of(response, "Sec-WebSocket-Extensions") == "none");
}

TEST_CASE("a door without a subprotocol chooses none", "[signaling][rfc6455-4.2.2]") {
  const auto answer = answer_handshake(opening(), "");
  CHECK(header_of(std::get<Handshake>(answer).response, "Sec-WebSocket-Protocol") == "none");
}

TEST_CASE("openings that are none are refused", "[signaling][rfc6455-4.2.1]") {
  CHECK(status_of(with("Upgrade", "h2c")) == 426);
  CHECK(status_of(with("Connection", "keep-alive")) == 426);
  CHECK(status_of(with("Sec-WebSocket-Version", "8")) == 426);
  CHECK(status_of(with("Sec-WebSocket-Key", "")) == 400);
  CHECK(status_of(with("Sec-WebSocket-Key", "dGhlIHNhbXBsZQ==")) == 400);
  CHECK(status_of(with("Sec-WebSocket-Key", "not base64, but of 24 ch")) == 400);
  CHECK(status_of(with("Sec-WebSocket-Protocol", "Turnpike.v1")) == 400);
  CHECK(status_of(with("Sec-WebSocket-Protocol", "")) == 400);
  Request repeated = opening();
  repeated.headers.push_back({"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="});
  CHECK(status_of(repeated) == 400);
  Request with_body = opening();
  with_body.body = "a";
  CHECK(status_of(with_body) == 400);
  Request post = opening();
  post.method = Method::post;
  CHECK(status_of(post) == 405);
}

TEST_CASE("a refusal says what to come with", "[signaling][rfc6455-4.4]") {
  const auto answer = answer_handshake(with("Sec-WebSocket-Version", "8"), "turnpike.v1");
  const Response& response = std::get<HandshakeRefusal>(answer).response;
  CHECK(header_of(response, "Sec-WebSocket-Version") == "13");
  CHECK(header_of(response, "Upgrade") == "websocket");
}

}  // namespace turnpike::signaling::test
