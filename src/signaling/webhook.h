// The join webhook: what the operator's service is asked, and what it may answer. The HTTP around
// it is not here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "base/time.h"
#include "signaling/rights.h"

namespace turnpike::signaling {

/// A join to be allowed or not. The views live during the call.
struct WebhookQuestion {
  std::string_view room;
  std::string_view token;  ///< as the client sent it: the operator's own, not necessarily a JWT
  std::string_view name;
  std::string_view meta;  ///< JSON
  IpAddress address;
  std::string_view origin;
};

/// {"type":"join","room":…,"token":…,"name":…,"meta":…,"address":…,"origin":…}
[[nodiscard]] std::string to_json(const WebhookQuestion& question);

/// What the webhook said.
struct WebhookAnswer {
  bool allow = false;
  std::string name;  ///< empty: the client's own
  Role role = Role::member;
  std::optional<std::uint32_t> max;  ///< peers in the room
  std::optional<seconds> ice_ttl;
};

/// Reads {"allow":true,"name":…,"role":…,"max":…,"iceTtl":…}; all but `allow` may be missing.
/// Nothing for anything else, which the caller treats like no answer.
[[nodiscard]] std::optional<WebhookAnswer> parse_webhook_answer(std::string_view body);

}  // namespace turnpike::signaling
