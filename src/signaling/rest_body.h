// What requests to the REST API say in their bodies. Unlike the messages of turnpike.v1 they are
// read strictly: a field that is not known is refused, for a program's typing error must not make a
// token that allows more than was meant.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "signaling/json.h"
#include "signaling/rooms.h"
#include "signaling/token.h"

namespace turnpike::signaling {

/// What is wrong, and with which field, for people: "max must be from 1 to 64".
using BodyError = std::string;

/// {"id":…,"max":…,"locked":…,"meta":…}; all but `id` may be missing. An id that no path can name
/// is refused: one with a slash or backslash, "." and "..".
[[nodiscard]] Result<Rooms::RoomSettings, BodyError> parse_new_room(const Json& body);

/// {"max":…,"locked":…,"meta":…}; at least one of them.
[[nodiscard]] Result<Rooms::RoomChange, BodyError> parse_room_change(const Json& body);

struct TokenRequest {
  Claims claims;  ///< without room and expiry
  std::optional<seconds> ttl;
};
/// {"sub":…,"name":…,"role":…,"can":[…],"max":…,"ttl":…,"ice":{"ttl":…,"relayOnly":…}}; all may be
/// missing.
[[nodiscard]] Result<TokenRequest, BodyError> parse_token_request(const Json& body, seconds max_ttl,
                                                                  seconds max_ice_ttl);

struct ServerMessage {
  std::string event;
  std::string data_json;
};
/// {"event":…,"data":…}; both.
[[nodiscard]] Result<ServerMessage, BodyError> parse_server_message(const Json& body);

struct CredentialRequest {
  std::string user;  ///< empty: nobody in particular
  std::optional<seconds> ttl;
};
/// {"user":…,"ttl":…}; both may be missing.
[[nodiscard]] Result<CredentialRequest, BodyError> parse_credential_request(const Json& body,
                                                                            seconds max_ttl);

/// True when the path of a request can name the room.
[[nodiscard]] bool is_addressable(std::string_view room);

}  // namespace turnpike::signaling
