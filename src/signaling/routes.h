// Which path is answered by what. A table, and the rules that hold for every request: Host, Origin,
// methods.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "signaling/http.h"
#include "signaling/origin.h"
#include "signaling/static_files.h"

namespace turnpike::signaling {

enum class RouteKind : std::uint8_t {
  websocket,    ///< nothing but WebSockets
  health,       ///< "ok"
  application,  ///< the owner of the connection answers
  either,       ///< the same, and it may make a WebSocket of a request that asks for one
};

struct Route {
  std::string path;
  RouteKind kind = RouteKind::application;
  std::vector<Method> methods{};  ///< HEAD comes with GET, OPTIONS by itself
  bool is_prefix = false;         ///< also everything that begins with `path`
  // ---- of WebSockets ----
  std::string subprotocol{};          ///< which the client must offer; empty: none is chosen
  std::size_t max_message_bytes = 0;  ///< 0: as WebSocketLimits say
  // ----
  bool is_for_operators = false;       ///< not found by everyone
  bool is_for_administration = false;  ///< found by whoever administers from this host, too
};

/// How to switch to the WebSocket protocol.
struct Upgrade {
  std::size_t route;  ///< which of the routes
  Response response;
  std::size_t max_message_bytes;  ///< as in Route
};
/// Hand the request on.
struct Application {
  std::size_t route;  ///< which of the routes
  OriginVerdict verdict;
  std::optional<Upgrade> upgrade{};  ///< it may become a WebSocket
};
using Decision = std::variant<Response, Upgrade, Application>;

/// Who comes by a listener.
enum class Audience : std::uint8_t {
  everyone,
  operators,       ///< they find routes that are for them, and /healthz
  administrators,  ///< the same and what is for administration, by a way that is theirs alone
};

/// What a server offers over HTTP. Shared by its connections, and not changed while they live.
class Site {
 public:
  /// What is no file of `files` is answered by the first route that fits.
  Site(OriginPolicy origins, StaticFiles files, std::vector<Route> routes,
       Audience audience = Audience::everyone);

  /// Refusals, in this order: 421 for a foreign Host, 404, 403 for an Origin that is not allowed
  /// (not for files and /healthz), 405, and for WebSockets what answer_handshake() refuses.
  [[nodiscard]] Decision decide(const Request& request) const;

 private:
  [[nodiscard]] Decision decide_by(const Route& route, std::size_t index,
                                   const Request& request) const;
  [[nodiscard]] Decision hand_on(const Route& route, Application application,
                                 const Request& request) const;
  [[nodiscard]] bool leads_to(const Route& route, std::string_view path) const;
  [[nodiscard]] Response answer_file(const Request& request) const;

  OriginPolicy origins_;
  StaticFiles files_;
  std::vector<Route> routes_;
  Audience audience_;
};

}  // namespace turnpike::signaling
