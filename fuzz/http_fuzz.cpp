// An HTTP connection (HOSTILE.md [H08]): the input's first byte says how the rest is cut into
// reads. What is read must not depend on the cuts, every answer must be well framed, and time must
// always bring an end.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/assert.h"
#include "signaling/connection.h"

namespace {

using namespace turnpike;
using namespace turnpike::signaling;

constexpr Now start{Instant{seconds{1000}}, WallTime{seconds{1'800'000'000}}};

const Site& site() {
  static const Site all = [] {
    OriginPolicy origins;
    origins.allowed = {*parse_origin("https://app.example")};
    const std::vector<Route> routes{
        {"/v1/ws", RouteKind::websocket, {Method::get}, false, "turnpike.v1"},
        {"/healthz", RouteKind::health, {Method::get}},
        {"/ask/", RouteKind::application, {Method::get, Method::post}, true}};
    return Site{origins,
                StaticFiles{{{"/index.html", "text/html", bytes_of("<p>"), bytes_of("gz")}}},
                routes};
  }();
  return all;
}

const ConnectionLimits& limits() {
  static const ConnectionLimits small = [] {
    ConnectionLimits all;
    all.http = {256, 1024, 16, 512};
    return all;
  }();
  return small;
}

void check_request(const Request& request) {
  TURNPIKE_ASSERT(request.path == "*" || request.path.front() == '/');
  TURNPIKE_ASSERT(request.path.find("/../") == std::string::npos);
  TURNPIKE_ASSERT(request.path.find('\0') == std::string::npos);
  TURNPIKE_ASSERT(request.headers.size() <= limits().http.max_headers);
  TURNPIKE_ASSERT(request.body.size() <= limits().http.max_body_bytes);
}

/// What the connection says to `input`, cut into pieces of `piece` bytes.
std::string run(ByteView input, std::size_t piece) {
  HttpConnection connection{site(), limits(), start.instant};
  std::vector<ConnectionEvent> events;
  std::string said;
  while (!input.empty()) {
    const ByteView part = input.first(std::min(piece, input.size()));
    input = input.subspan(part.size());
    connection.receive(part, start, events);
    for (std::size_t i = 0; i < events.size(); ++i) {
      const auto* const asked = std::get_if<Asked>(&events[i]);
      if (asked == nullptr) continue;
      check_request(asked->request);
      const std::string body = asked->request.path + asked->request.body;
      connection.respond(text_response(200, body), start, events);
    }
    events.clear();
    // Not taken while it reads: so that the limit on pipelining does not depend on the cuts.
  }
  said = text_of(connection.output());
  connection.take_output(said.size(), start.instant);
  TURNPIKE_ASSERT(said.empty() || said.starts_with("HTTP/1.1 "));
  if (connection.is_websocket()) return said;
  connection.on_deadline({start.instant + seconds{61}, start.wall}, events);
  connection.take_output(connection.output().size(), start.instant);
  TURNPIKE_ASSERT(connection.wants_close());
  return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input = ByteView{bytes, size}.subspan(1);
  const std::string whole = run(input, std::max<std::size_t>(input.size(), 1));
  const std::string pieces = run(input, std::size_t{bytes[0]} + 1);
  // An answer may come earlier, or 100 Continue may come at all, when the bytes come slowly; what
  // is answered is the same.
  if (whole.find("100 Continue") == pieces.find("100 Continue")) TURNPIKE_ASSERT(whole == pieces);
  return 0;
}
