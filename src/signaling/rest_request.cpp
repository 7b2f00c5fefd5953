#include "signaling/rest_request.h"

#include <algorithm>
#include <charconv>

#include "signaling/http_target.h"
#include "signaling/http_text.h"
#include "signaling/limits.h"
#include "signaling/rest_reply.h"

namespace turnpike::signaling {
namespace {

constexpr std::size_t max_body_bytes = 65'536;
constexpr std::size_t default_page = 100;

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    segments.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

bool is_json(const Request& request) {
  const auto type = request.header("Content-Type");
  return type && equal_ignoring_case(trimmed(type->substr(0, type->find(';'))), "application/json");
}

}  // namespace

std::optional<std::vector<std::string>> match_path(std::string_view pattern,
                                                   std::string_view path) {
  const auto expected = segments_of(pattern);
  const auto found = segments_of(path);
  if (expected.size() != found.size()) return std::nullopt;
  std::vector<std::string> parameters;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].starts_with('{') && !found[i].empty()) {
      parameters.emplace_back(found[i]);
    } else if (expected[i] != found[i]) {
      return std::nullopt;
    }
  }
  return parameters;
}

Result<RestMatch, Response> match_operation(const std::vector<RestOperation>& operations,
                                            const Request& request) {
  const Method method = request.method == Method::head ? Method::get : request.method;
  std::string allowed;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    auto parameters = match_path(operations[i].path, request.path);
    if (!parameters) continue;
    if (operations[i].method == method) return RestMatch{i, *std::move(parameters)};
    if (!allowed.empty()) allowed += ", ";
    allowed.append(to_string(operations[i].method));
    if (operations[i].method == Method::get) allowed += ", HEAD";
  }
  if (allowed.empty()) return Failure{error_response(404, "There is nothing here.")};
  Response response = error_response(405, "Not with this method: " + allowed + ".");
  response.with("Allow", allowed);
  return Failure{std::move(response)};
}

std::vector<Route> routes_of(const std::vector<RestOperation>& operations) {
  const std::vector<Method> methods{Method::get, Method::post, Method::put, Method::patch,
                                    Method::del};
  std::vector<Route> all;
  for (const RestOperation& operation : operations) {
    const std::size_t brace = operation.path.find('{');
    const std::string_view start = operation.path.substr(0, brace);
    const auto is_there = [start](const Route& route) { return route.path == start; };
    if (std::any_of(all.begin(), all.end(), is_there)) continue;
    Route route{std::string{start}, RouteKind::application, methods,
                brace != std::string_view::npos};
    route.is_for_administration = true;
    all.push_back(std::move(route));
  }
  return all;
}

Result<Json, Response> read_json_body(const Request& request) {
  if (request.body.size() > max_body_bytes) {
    return Failure{error_response(
        413, "The body must not exceed " + std::to_string(max_body_bytes) + " bytes.")};
  }
  if (request.body.empty()) return Json::object();
  if (!is_json(request)) {
    return Failure{error_response(415, "Send JSON, with Content-Type: application/json.")};
  }
  auto body = parse_json(request.body, bounds::json_depth);
  if (!body || !body->is_object()) {
    return Failure{error_response(400, "The body must be one JSON object, no key in it twice.")};
  }
  return *std::move(body);
}

Result<std::size_t, Response> page_size(const Request& request) {
  const auto text = query_value(request.query, "limit");
  if (!text) return default_page;
  std::size_t size = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, size);
  if (error != std::errc{} || stop != end || size == 0 || size > longest_page) {
    return Failure{
        error_response(400, "limit must be from 1 to " + std::to_string(longest_page) + ".")};
  }
  return size;
}

}  // namespace turnpike::signaling
