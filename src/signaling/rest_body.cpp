#include "signaling/rest_body.h"

#include <algorithm>
#include <initializer_list>

#include "base/utf8.h"
#include "signaling/fields.h"
#include "signaling/limits.h"

namespace turnpike::signaling {
namespace {

constexpr std::size_t max_rights = 32;

void refuse_unknown(FieldReader& fields, const Json& object,
                    std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return;  // the reader has said so
  for (const auto& [name, value] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      const std::string shown{utf8_prefix(name, bounds::name_bytes)};
      fields.fail(shown.c_str(), "is not known here");
    }
  }
}

std::optional<std::uint64_t> number_from_1(FieldReader& fields, const char* name,
                                           std::uint64_t max) {
  const auto number = fields.number(name);
  if (number && (*number == 0 || *number > max)) {
    fields.fail(name, "must be from 1 to " + std::to_string(max));
  }
  return number;
}

std::optional<std::uint32_t> max_peers(FieldReader& fields) {
  const auto max = number_from_1(fields, "max", max_peers_cap);
  if (!max || !fields.ok()) return std::nullopt;
  return static_cast<std::uint32_t>(*max);
}

std::optional<seconds> duration(FieldReader& fields, const char* name, seconds max) {
  const auto count = number_from_1(fields, name, static_cast<std::uint64_t>(max.count()));
  if (!count || !fields.ok()) return std::nullopt;
  return seconds{static_cast<std::int64_t>(*count)};
}

std::optional<std::string> meta(FieldReader& fields) {
  const Json* const object = fields.object("meta");
  if (object == nullptr) return std::nullopt;
  std::string text = to_text(*object);
  if (text.size() > bounds::meta_bytes) {
    fields.fail("meta", "must have at most " + std::to_string(bounds::meta_bytes) + " bytes");
  }
  return text;
}

void read_role(FieldReader& fields, Claims& claims) {
  if (const auto name = fields.text("role", bounds::name_bytes)) {
    const auto role = parse_role(*name);
    if (!role) fields.fail("role", "must be owner, member or viewer");
    claims.role = role.value_or(Role::viewer);
  }
  const auto can = fields.texts("can", max_rights, bounds::name_bytes);
  for (const std::string& name : can.value_or(std::vector<std::string>{})) {
    const auto right = parse_right(name);
    if (right) {
      claims.can.push_back(*right);
    } else {
      fields.fail("can", "must be of signal, message, update, kick, lock and end");
    }
  }
}

void read_ice(FieldReader& fields, Claims& claims, seconds max_ttl) {
  const Json* const object = fields.object("ice");
  if (object == nullptr) return;
  FieldReader ice{*object};
  claims.ice_ttl = duration(ice, "ttl", max_ttl);
  claims.relay_only = ice.boolean("relayOnly").value_or(false);
  refuse_unknown(ice, *object, {"ttl", "relayOnly"});
  if (!ice.ok()) fields.fail("ice:", ice.problem());
}

template <class Value>
Result<Value, BodyError> when_ok(const FieldReader& fields, Value value) {
  if (!fields.ok()) return Failure{fields.problem()};
  return value;
}

}  // namespace

bool is_addressable(std::string_view room) {
  return room != "." && room != ".." && room.find_first_of("/\\") == std::string_view::npos;
}

Result<Rooms::RoomSettings, BodyError> parse_new_room(const Json& body) {
  FieldReader fields{body};
  Rooms::RoomSettings room;
  room.id = fields.required_text("id", bounds::room_bytes);
  if (!is_addressable(room.id)) {
    fields.fail("id", "must have no slash and no backslash, and not be \".\" or \"..\"");
  }
  room.max = max_peers(fields);
  room.locked = fields.boolean("locked").value_or(false);
  room.meta_json = meta(fields).value_or("{}");
  refuse_unknown(fields, body, {"id", "max", "locked", "meta"});
  return when_ok(fields, std::move(room));
}

Result<Rooms::RoomChange, BodyError> parse_room_change(const Json& body) {
  FieldReader fields{body};
  Rooms::RoomChange change{max_peers(fields), fields.boolean("locked"), meta(fields)};
  refuse_unknown(fields, body, {"max", "locked", "meta"});
  if (!change.max && !change.locked && !change.meta_json) {
    fields.fail("max, locked or meta", "must be there");
  }
  return when_ok(fields, std::move(change));
}

Result<TokenRequest, BodyError> parse_token_request(const Json& body, seconds max_ttl,
                                                    seconds max_ice_ttl) {
  FieldReader fields{body};
  TokenRequest request;
  Claims& claims = request.claims;
  claims.subject = fields.text("sub", bounds::subject_bytes).value_or(std::string{});
  claims.name = fields.text("name", bounds::name_bytes).value_or(std::string{});
  read_role(fields, claims);
  claims.max = max_peers(fields);
  request.ttl = duration(fields, "ttl", max_ttl);
  read_ice(fields, claims, max_ice_ttl);
  refuse_unknown(fields, body, {"sub", "name", "role", "can", "max", "ttl", "ice"});
  return when_ok(fields, std::move(request));
}

Result<ServerMessage, BodyError> parse_server_message(const Json& body) {
  FieldReader fields{body};
  ServerMessage message{fields.required_text("event", bounds::event_bytes), {}};
  const bool has_data = body.is_object() && body.contains("data");
  if (has_data) {
    message.data_json = to_text(body["data"]);
  } else {
    fields.fail("data", "is missing");
  }
  refuse_unknown(fields, body, {"event", "data"});
  return when_ok(fields, std::move(message));
}

Result<CredentialRequest, BodyError> parse_credential_request(const Json& body, seconds max_ttl) {
  FieldReader fields{body};
  CredentialRequest request{fields.text("user", bounds::subject_bytes).value_or(std::string{}),
                            duration(fields, "ttl", max_ttl)};
  refuse_unknown(fields, body, {"user", "ttl"});
  return when_ok(fields, std::move(request));
}

}  // namespace turnpike::signaling
