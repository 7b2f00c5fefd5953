// What the doors of the REST API share: paths with parameters, JSON bodies, pages of lists.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "signaling/http.h"
#include "signaling/json.h"
#include "signaling/routes.h"

namespace turnpike::signaling {

/// One thing that the REST API does.
struct RestOperation {
  Method method;
  std::string_view path;  ///< with parameters in braces: "/v1/rooms/{id}"
};

/// What the braces of `pattern` stand for in `path`; nothing when they do not fit. Braces stand for
/// one segment, and not for an empty one.
[[nodiscard]] std::optional<std::vector<std::string>> match_path(std::string_view pattern,
                                                                 std::string_view path);

/// Which of a door's operations a request is for.
struct RestMatch {
  std::size_t operation;
  std::vector<std::string> parameters;  ///< of the path
};
/// Error: the 404 or 405 to answer. HEAD is for what GET is for.
[[nodiscard]] Result<RestMatch, Response> match_operation(
    const std::vector<RestOperation>& operations, const Request& request);

/// The routes that lead to `operations`. They take all methods: a 405 is JSON, and comes after the
/// key was looked at.
[[nodiscard]] std::vector<Route> routes_of(const std::vector<RestOperation>& operations);

/// The body as a JSON object; no body is an empty one. Error: the 400, 413 or 415 to answer.
[[nodiscard]] Result<Json, Response> read_json_body(const Request& request);

inline constexpr std::size_t longest_page = 1000;
/// `limit` of a list, or its default. Error: the 400 to answer.
[[nodiscard]] Result<std::size_t, Response> page_size(const Request& request);

}  // namespace turnpike::signaling
