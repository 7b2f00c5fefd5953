// Refresh (RFC 8656 §8.2).
#include "turn/server.h"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

Reason Server::on_refresh(const Request& request, Allocation& allocation) {
  std::optional<Family> only;  // of a dual allocation, this family alone is meant (§8.1)
  if (const auto value = request.message.find(AttributeType::requested_address_family)) {
    const auto byte = stun::decode_address_family(*value);
    if (!byte) return refuse(request, ErrorCode::bad_request);
    only = stun::family_from_wire(*byte);
    if (!only || !allocation.has_relay(*only))
      return refuse(request, ErrorCode::peer_address_family_mismatch);
  }

  const auto value = request.message.find(AttributeType::lifetime);
  const auto requested = value ? stun::decode_lifetime(*value) : std::nullopt;
  if (value && !requested) return refuse(request, ErrorCode::bad_request);

  const bool is_delete = requested == seconds{0};
  const seconds lifetime = is_delete ? seconds{0} : granted_lifetime(requested);
  auto response = begin_success(request.message);
  response.put_lifetime(lifetime);
  finish(request, response);

  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (!allocation.has_relay(family) || (only && *only != family)) continue;
    if (is_delete) {
      drop_relay(allocation, family, request.effects);
    } else {
      set_expiry(allocation, family, request.now.instant + lifetime);
    }
  }
  if (!allocation.has_any_relay()) end_allocation(allocation, request.effects);
  return is_delete ? Reason::answered_delete : Reason::answered_refresh;
}

}  // namespace turnpike::turn
