#include "signaling/webhook.h"

#include <algorithm>

#include "signaling/fields.h"
#include "signaling/json.h"
#include "signaling/limits.h"

namespace turnpike::signaling {
namespace {

constexpr std::size_t max_answer_bytes = 16'384;
constexpr std::uint64_t longest_ttl = 10 * 365 * 86'400;  // only so that the type holds it

}  // namespace

std::string to_json(const WebhookQuestion& question) {
  ObjectWriter out;
  out.text("type", "join").text("room", question.room).text("token", question.token);
  out.text("name", question.name).raw("meta", question.meta);
  out.text("address", question.address.to_string()).text("origin", question.origin);
  return out.finish();
}

std::optional<WebhookAnswer> parse_webhook_answer(std::string_view body) {
  if (body.size() > max_answer_bytes) return std::nullopt;
  const auto json = parse_json(body, bounds::json_depth);
  if (!json) return std::nullopt;
  FieldReader fields{*json};
  WebhookAnswer answer;
  const auto allow = fields.boolean("allow");
  if (!allow) fields.fail("allow", "is missing");
  answer.allow = allow.value_or(false);
  answer.name = fields.text("name", bounds::name_bytes).value_or(std::string{});
  if (const auto name = fields.text("role", bounds::name_bytes)) {
    const auto role = parse_role(*name);
    if (!role) fields.fail("role", "is no role");
    answer.role = role.value_or(Role::viewer);
  }
  if (const auto max = fields.number("max")) {
    if (*max == 0) fields.fail("max", "must be at least 1");
    answer.max = static_cast<std::uint32_t>(std::min<std::uint64_t>(*max, max_peers_cap));
  }
  if (const auto ttl = fields.number("iceTtl")) {
    if (*ttl == 0) fields.fail("iceTtl", "must be at least 1");
    answer.ice_ttl = seconds{static_cast<std::int64_t>(std::min(*ttl, longest_ttl))};
  }
  if (!fields.ok()) return std::nullopt;
  return answer;
}

}  // namespace turnpike::signaling
