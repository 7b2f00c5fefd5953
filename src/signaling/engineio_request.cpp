#include "signaling/engineio_request.h"

#include <array>
#include <string_view>

#include "signaling/http_target.h"
#include "signaling/json.h"

namespace turnpike::signaling {
namespace {

constexpr std::array<std::string_view, 6> messages{
    "Transport unknown", "Session ID unknown", "Bad handshake method",
    "Bad request",       "Forbidden",          "Unsupported protocol version"};

}  // namespace

Response engineio_refusal(EngineIoError error) {
  const auto code = static_cast<std::size_t>(error);
  Response response;
  response.status = error == EngineIoError::forbidden ? 403 : 400;
  response.with("Content-Type", "application/json").with("Cache-Control", "no-store");
  response.body = ObjectWriter{}.number("code", code).text("message", messages[code]).finish();
  return response;
}

Result<EngineIoQuery, EngineIoError> parse_engineio_query(const Request& request, bool is_upgrade) {
  const std::string transport = query_value(request.query, "transport").value_or("");
  EngineIoQuery query;
  query.is_websocket = transport == "websocket";
  if (!query.is_websocket && transport != "polling") {
    return Failure{EngineIoError::unknown_transport};
  }
  query.sid = query_value(request.query, "sid").value_or("");
  if (query.sid.empty() && request.method != Method::get) return Failure{EngineIoError::bad_method};
  if (query.is_websocket != is_upgrade) return Failure{EngineIoError::bad_request};
  if (query.sid.empty() && query_value(request.query, "EIO") != "4") {
    return Failure{EngineIoError::unsupported_version};
  }
  return query;
}

}  // namespace turnpike::signaling
