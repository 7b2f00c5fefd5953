#include "signaling/rest_gate.h"

#include <algorithm>
#include <chrono>

#include "signaling/http_target.h"
#include "signaling/http_text.h"
#include "signaling/rest_reply.h"

namespace turnpike::signaling {
namespace {

/// "Bearer …" (RFC 6750 §2.1).
std::optional<std::string_view> bearer_token(const Request& request) {
  const auto text = request.header("Authorization");
  if (!text) return std::nullopt;
  const std::size_t blank = text->find(' ');
  if (blank == std::string_view::npos || !equal_ignoring_case(text->substr(0, blank), "Bearer")) {
    return std::nullopt;
  }
  return trimmed(text->substr(blank));
}

Response unauthorized(bool has_key) {
  Response response =
      error_response(401, has_key ? "The API key is not valid."
                                  : "An API key is needed: \"Authorization: Bearer KEY\".");
  // RFC 6750 §3.1: no error code for who has not tried.
  return response.with("WWW-Authenticate", has_key
                                               ? R"(Bearer realm="turnpike", error="invalid_token")"
                                               : R"(Bearer realm="turnpike")");
}

}  // namespace

std::optional<std::string> key_in_query(const Request& request) {
  auto key = query_value(request.query, "key");
  return key ? key : query_value(request.query, "api");
}

Result<const ApiKey*, Response> RestGate::admit(ConnectionId id, const Request& request, Now now,
                                                KeyPlace place) {
  if (doors_.is_operator(id)) return nullptr;
  std::optional<std::string> presented;
  if (const auto token = bearer_token(request)) presented = *token;
  if (!presented && place == KeyPlace::header_or_query) presented = key_in_query(request);
  const ApiKey* const key = presented ? keys_.find_presented(*presented) : nullptr;
  if (key == nullptr) return Failure{unauthorized(presented.has_value())};
  if (auto refusal = spend(*key, now)) return Failure{*std::move(refusal)};
  return key;
}

std::optional<Response> RestGate::spend(const ApiKey& key, Now now) {
  if (settings_.requests_per_second == 0) return std::nullopt;
  const RateMeter::Rate rate{nanoseconds{seconds{1}} / settings_.requests_per_second,
                             std::max(settings_.request_burst, settings_.requests_per_second)};
  RateMeter& meter = rates_[key.id];
  if (meter.take(rate, now.instant) == RateMeter::Verdict::pass) return std::nullopt;
  // Refusals are no debt: a program that goes on asking is served at its rate.
  meter.put_back(rate);
  const auto wait = std::chrono::ceil<seconds>(meter.wait(rate, now.instant));
  Response response = error_response(429, "This API key has asked too often.");
  return response.with("Retry-After", std::to_string(std::max(wait, seconds{1}).count()));
}

}  // namespace turnpike::signaling
