// The HTTP requests of Engine.IO v4: what their query says, and how one is refused.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "signaling/http.h"

namespace turnpike::signaling {

/// `code` in the body of a refusal; 400, and 403 for `forbidden`.
enum class EngineIoError : std::uint8_t {
  unknown_transport,
  unknown_sid,
  bad_method,           ///< a session is opened by GET
  bad_request,          ///< a transport that the session does not use, two requests at a time
  forbidden,            ///< too many sessions
  unsupported_version,  ///< EIO other than 4: clients of Socket.IO 2
};

[[nodiscard]] Response engineio_refusal(EngineIoError error);

struct EngineIoQuery {
  bool is_websocket = false;  ///< the transport
  std::string sid{};          ///< empty: open a session
};

/// Reads the query of `request`. `is_upgrade`: it asks for a WebSocket. The errors come in the
/// order in which the reference server finds them.
[[nodiscard]] Result<EngineIoQuery, EngineIoError> parse_engineio_query(const Request& request,
                                                                        bool is_upgrade);

}  // namespace turnpike::signaling
