#include "signaling/routes.h"

#include <algorithm>

#include "signaling/http_text.h"
#include "signaling/websocket_handshake.h"

namespace turnpike::signaling {
namespace {

bool fits(const Route& route, std::string_view path) {
  return route.is_prefix ? path.starts_with(route.path) : path == route.path;
}

bool allows(const std::vector<Method>& methods, Method method) {
  const Method wanted = method == Method::head ? Method::get : method;
  return std::find(methods.begin(), methods.end(), wanted) != methods.end();
}

/// "GET, HEAD, OPTIONS"
std::string allow_list(const std::vector<Method>& methods) {
  std::string list;
  for (const Method method : methods) {
    list.append(to_string(method)).append(", ");
    if (method == Method::get) list += "HEAD, ";
  }
  return list + "OPTIONS";
}

Response refuse_method(const std::vector<Method>& methods, Method method) {
  Response response =
      method == Method::options ? Response{204} : text_response(405, "Not with this method.");
  response.with("Allow", allow_list(methods));
  return response;
}

/// Names the line of the configuration that would let it in. The origin itself comes back only as
/// it was understood.
Response refuse_origin(const Request& request) {
  const auto text = request.header("Origin");
  const auto origin = text ? parse_origin(*text) : std::nullopt;
  const std::string who = origin ? "Pages of " + to_string(*origin) : std::string{"This page"};
  return text_response(403, who +
                                " may not connect. The operator can allow them: "
                                "signaling.allowed_origins.");
}

}  // namespace

Site::Site(OriginPolicy origins, StaticFiles files, std::vector<Route> routes, Audience audience)
    : origins_(std::move(origins)),
      files_(std::move(files)),
      routes_(std::move(routes)),
      audience_(audience) {}

bool Site::leads_to(const Route& route, std::string_view path) const {
  const bool is_open =
      audience_ == Audience::everyone
          ? !route.is_for_operators
          : route.is_for_operators || route.kind == RouteKind::health ||
                (audience_ == Audience::administrators && route.is_for_administration);
  return is_open && fits(route, path);
}

Decision Site::decide(const Request& request) const {
  if (!request.host.empty() && !is_known_host(origins_, request.host)) {
    return text_response(421, "This server does not answer to that name.");
  }
  if (files_.has(request.path)) return answer_file(request);
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    if (leads_to(routes_[i], request.path)) return decide_by(routes_[i], i, request);
  }
  if (request.path == "*") return refuse_method({Method::get}, request.method);
  return text_response(404, "There is nothing here.");
}

Decision Site::decide_by(const Route& route, std::size_t index, const Request& request) const {
  if (route.kind == RouteKind::health) {
    if (!allows(route.methods, request.method)) return refuse_method(route.methods, request.method);
    return text_response(200, "ok");
  }
  const OriginVerdict verdict = judge_origin(origins_, request);
  if (verdict == OriginVerdict::refused) return refuse_origin(request);
  if (auto preflight = answer_preflight(verdict, request, allow_list(route.methods))) {
    return std::move(*preflight);
  }
  if (!allows(route.methods, request.method)) return refuse_method(route.methods, request.method);
  return hand_on(route, Application{index, verdict}, request);
}

Decision Site::hand_on(const Route& route, Application application, const Request& request) const {
  if (route.kind == RouteKind::application) return application;
  if (route.kind == RouteKind::either && !asks_for_websocket(request)) return application;
  auto answer = answer_handshake(request, route.subprotocol);
  if (auto* const refusal = std::get_if<HandshakeRefusal>(&answer)) {
    return std::move(refusal->response);
  }
  Upgrade upgrade{application.route, std::move(std::get<Handshake>(answer).response),
                  route.max_message_bytes};
  if (route.kind == RouteKind::websocket) return upgrade;
  application.upgrade = std::move(upgrade);
  return application;
}

Response Site::answer_file(const Request& request) const {
  const std::vector<Method> methods{Method::get};
  if (!allows(methods, request.method)) return refuse_method(methods, request.method);
  return files_.answer(request).value_or(text_response(404, "There is nothing here."));
}

}  // namespace turnpike::signaling
