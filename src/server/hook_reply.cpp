#include "server/hook_reply.h"

#include "auth/opaque_string.h"
#include "base/hexadecimal.h"
#include "signaling/json.h"

namespace turnpike::server {
namespace {

using signaling::Json;

constexpr std::size_t md5_bytes = 16;
constexpr std::size_t sha256_bytes = 32;

/// Exactly `bytes` of them.
std::optional<auth::LongTermKey> read_hex(const Json& value, std::size_t bytes) {
  if (!value.is_string()) return std::nullopt;
  auto key = bytes_of_hex(value.get_ref<const std::string&>());
  if (key && key->size() != bytes) return std::nullopt;
  return key;
}

/// The number at `name`, if there is one; false: what stands there is none, or too large.
template <class Number>
bool read_number(const Json& object, const char* name, std::optional<Number>& number) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return true;
  if (!found->is_number_unsigned()) return false;
  const auto value = found->get<std::uint64_t>();
  if (value > std::numeric_limits<Number>::max()) return false;
  number = static_cast<Number>(value);
  return true;
}

std::string normalised(const std::string& text) { return auth::opaque_string(text).value_or(text); }

/// False when there are keys that are none.
bool read_keys(const Json& keys, HookUser& user) {
  if (!keys.is_object() || keys.empty()) return false;
  for (const auto& [name, value] : keys.items()) {
    const bool is_md5 = name == "md5";
    if (!is_md5 && name != "sha256") return false;
    auto key = read_hex(value, is_md5 ? md5_bytes : sha256_bytes);
    if (!key) return false;
    (is_md5 ? user.md5 : user.sha256) = std::move(*key);
  }
  return true;
}

}  // namespace

std::string hook_question(std::string_view username, std::string_view realm) {
  return signaling::ObjectWriter{}.text("username", username).text("realm", realm).finish();
}

HookReply read_hook_reply(long status, std::string_view body, std::string_view username,
                          std::string_view realm) {
  constexpr long not_found = 404;
  constexpr long ok = 200;
  if (status == not_found) return HookNobody{};
  if (status != ok) return HookNonsense{"status " + std::to_string(status)};
  const auto json = signaling::parse_json(body, 4);
  if (!json || !json->is_object()) return HookNonsense{"the answer is no JSON object"};

  std::optional<std::uint32_t> ttl;
  HookUser user;
  if (!read_number(*json, "ttl", ttl)) return HookNonsense{"\"ttl\" is no number of seconds"};
  if (ttl) user.ttl = seconds{*ttl};
  if (json->contains("unknown")) return HookNobody{user.ttl};
  if (!read_number(*json, "max_allocations", user.limits.max_allocations)) {
    return HookNonsense{"\"max_allocations\" is no number"};
  }
  if (!read_number(*json, "bandwidth", user.limits.bandwidth)) {
    return HookNonsense{"\"bandwidth\" is no number of bits a second"};
  }
  const auto password = json->find("password");
  const auto keys = json->find("keys");
  if ((password == json->end()) == (keys == json->end())) {
    return HookNonsense{R"(there must be either "password" or "keys")"};
  }
  if (keys != json->end()) {
    if (!read_keys(*keys, user)) return HookNonsense{R"("keys" are not in hexadecimal)"};
    return user;
  }
  if (!password->is_string() || password->get_ref<const std::string&>().empty()) {
    return HookNonsense{"\"password\" is no text"};
  }
  const std::string text = normalised(password->get<std::string>());
  user.md5 = auth::long_term_key(stun::PasswordAlgorithm::md5, username, realm, text);
  user.sha256 = auth::long_term_key(stun::PasswordAlgorithm::sha256, username, realm, text);
  return user;
}

}  // namespace turnpike::server
