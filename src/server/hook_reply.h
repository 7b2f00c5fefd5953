// What the operator's hook says of a user, as JSON (docs/auth-hook.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "auth/credentials.h"
#include "auth/user_limits.h"
#include "base/time.h"

namespace turnpike::server {

/// There is such a user.
struct HookUser {
  auth::LongTermKey md5;     ///< empty: none
  auth::LongTermKey sha256;  ///< empty: none
  auth::UserLimits limits{};
  std::optional<seconds> ttl{};
};
/// There is no such user.
struct HookNobody {
  std::optional<seconds> ttl{};
};
/// The answer makes no sense; for the log.
struct HookNonsense {
  std::string problem;
};
using HookReply = std::variant<HookUser, HookNobody, HookNonsense>;

/// {"username":"…","realm":"…"}
[[nodiscard]] std::string hook_question(std::string_view username, std::string_view realm);

/// Reads the answer about `username` of `realm`: 404, or 200 with {"password":"…"} or
/// {"keys":{"md5":"<32 hex digits>","sha256":"<64 hex digits>"}}, and perhaps "ttl" in seconds,
/// "max_allocations" and "bandwidth" in bits a second; or 200 with {"unknown":true}.
[[nodiscard]] HookReply read_hook_reply(long status, std::string_view body,
                                        std::string_view username, std::string_view realm);

}  // namespace turnpike::server
