// What the operator's services answer: the auth hook (the first byte chooses the status) and the
// join webhook. A user has keys of the right size or is none, limits are kept, and what is refused
// is refused in a sentence.

#include <algorithm>
#include <string>

#include "base/hexadecimal.h"
#include "input.h"
#include "server/hook_reply.h"
#include "signaling/json.h"
#include "signaling/limits.h"
#include "signaling/webhook.h"

namespace {

using namespace turnpike;
using namespace turnpike::server;

constexpr std::string_view name = "alice";
constexpr std::string_view realm = "example.org";

void check_user(const HookUser& user, const signaling::Json& json) {
  PROMISE(user.md5.empty() || user.md5.size() == 16);
  PROMISE(user.sha256.empty() || user.sha256.size() == 32);
  PROMISE(!user.md5.empty() || !user.sha256.empty());
  PROMISE(!user.ttl || *user.ttl >= seconds{0});
  PROMISE(json.contains("password") != json.contains("keys"));
  PROMISE(!json.contains("unknown"));
  if (json.contains("password")) PROMISE(!user.md5.empty() && !user.sha256.empty());
  if (!json.contains("keys")) return;
  const auto& keys = json["keys"];
  PROMISE(keys.contains("md5") == !user.md5.empty());
  if (keys.contains("md5")) PROMISE(bytes_of_hex(keys["md5"].get<std::string>()) == user.md5);
  PROMISE(keys.size() <= 2);
}

void check_reply(long status, std::string_view body) {
  const HookReply reply = read_hook_reply(status, body, name, realm);
  if (const auto* const nonsense = std::get_if<HookNonsense>(&reply)) {
    PROMISE(!nonsense->problem.empty());
    for (const char c : nonsense->problem) PROMISE(static_cast<unsigned char>(c) >= 0x20);
    return;
  }
  PROMISE(status == 404 || status == 200);
  if (status == 404) {
    PROMISE(std::holds_alternative<HookNobody>(reply));
    return;
  }
  const auto json = signaling::parse_json(body, 4);
  PROMISE(json && json->is_object());
  if (const auto* const user = std::get_if<HookUser>(&reply)) return check_user(*user, *json);
  PROMISE(json->contains("unknown"));
}

void check_question(std::string_view text) {
  const auto json = signaling::parse_json(hook_question(text, realm), 2);
  PROMISE(json.has_value() && json->size() == 2);
}

void check_webhook(std::string_view body) {
  const auto answer = signaling::parse_webhook_answer(body);
  if (!answer) return;
  const auto json = signaling::parse_json(body, signaling::bounds::json_depth);
  PROMISE(json && json->is_object() && (*json)["allow"].is_boolean());
  PROMISE(answer->allow == (*json)["allow"].get<bool>());
  PROMISE(answer->name.size() <= signaling::bounds::name_bytes);
  PROMISE(!answer->max || (*answer->max >= 1 && *answer->max <= signaling::max_peers_cap));
  PROMISE(!answer->ice_ttl || *answer->ice_ttl >= seconds{1});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  fuzz::Input input{ByteView{bytes, size}};
  const std::uint8_t first = input.byte();
  const std::string_view body = input.rest();
  const long status = first == '4' ? 404 : first == '2' ? 200 : 200 + first;
  check_reply(status, body);
  check_webhook(body);
  if (signaling::parse_json("\"" + std::string{body} + "\"", 1)) check_question(body);
  return 0;
}
