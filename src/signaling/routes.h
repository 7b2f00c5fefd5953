// Which path is answered by what. A table, and the rules that hold for every request: Host, Origin,
// methods.
#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "signaling/http.h"
#include "signaling/origin.h"
#include "signaling/static_files.h"

namespace turnpike::signaling {

enum class RouteKind : std::uint8_t {
  native_door,  ///< a WebSocket that speaks turnpike.v1
  health,       ///< "ok"
  application,  ///< the owner of the connection answers
};

struct Route {
  std::string path;
  RouteKind kind = RouteKind::application;
  std::vector<Method> methods{};  ///< HEAD comes with GET, OPTIONS by itself
  bool is_prefix = false;         ///< also everything that begins with `path`
};

/// GET /v1/ws and GET /healthz.
[[nodiscard]] std::vector<Route> standard_routes();

/// Switch to the WebSocket protocol.
struct Upgrade {
  Response response;
  std::string origin;  ///< as it came; empty: no browser
};
/// Hand the request on.
struct Application {
  std::size_t route;  ///< which of the routes
  OriginVerdict verdict;
};
using Decision = std::variant<Response, Upgrade, Application>;

/// What a server offers over HTTP. Shared by its connections, and not changed while they live.
class Site {
 public:
  /// The first route that fits is taken; what fits none is looked for in `files`.
  Site(OriginPolicy origins, StaticFiles files, std::vector<Route> routes = standard_routes());

  /// Refusals, in this order: 421 for a foreign Host, 404, 403 for an Origin that is not allowed
  /// (not for files and /healthz), 405, and for WebSockets what answer_handshake() refuses.
  [[nodiscard]] Decision decide(const Request& request) const;

 private:
  [[nodiscard]] Decision decide_by(const Route& route, std::size_t index,
                                   const Request& request) const;
  [[nodiscard]] Response answer_file(const Request& request) const;

  OriginPolicy origins_;
  StaticFiles files_;
  std::vector<Route> routes_;
};

}  // namespace turnpike::signaling
