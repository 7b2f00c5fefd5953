// Refresh (RFC 8656 §8.2).
#include "turn/server.h"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

Reason Server::on_refresh(const Request& request, Allocation& allocation) {
  const auto plan = plan_refresh(request, allocation);
  if (!plan) return refuse(request, plan.error());
  return carry_out(*plan, request, allocation, nullptr);
}

Result<Server::RefreshPlan, ErrorCode> Server::plan_refresh(const Request& request,
                                                            const Allocation& allocation) const {
  RefreshPlan plan;
  if (const auto value = request.message.find(AttributeType::requested_address_family)) {
    const auto byte = stun::decode_address_family(*value);
    if (!byte) return Failure{ErrorCode::bad_request};
    plan.only = stun::family_from_wire(*byte);
    if (!plan.only || !allocation.has_relay(*plan.only))
      return Failure{ErrorCode::peer_address_family_mismatch};
  }
  const auto value = request.message.find(AttributeType::lifetime);
  const auto requested = value ? stun::decode_lifetime(*value) : std::nullopt;
  if (value && !requested) return Failure{ErrorCode::bad_request};
  plan.is_delete = requested == seconds{0};
  plan.lifetime = plan.is_delete ? seconds{0} : granted_lifetime(requested);
  return plan;
}

Reason Server::carry_out(const RefreshPlan& plan, const Request& request, Allocation& allocation,
                         const Ticket* ticket) {
  grant_bandwidth(request.principal.limits, allocation);
  auto response = begin_success(request.message);
  response.put_lifetime(plan.lifetime);
  if (ticket != nullptr) response.put(AttributeType::mobility_ticket, *ticket);
  finish(request, response);

  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (!allocation.has_relay(family) || (plan.only && *plan.only != family)) continue;
    if (plan.is_delete) {
      drop_relay(allocation, family, request.effects);
    } else {
      set_expiry(allocation, family, request.now.instant + plan.lifetime);
    }
  }
  if (!allocation.has_any_relay()) {
    end_allocation(allocation, CloseReason::deleted, request.now, request.effects);
  }
  return plan.is_delete ? Reason::answered_delete : Reason::answered_refresh;
}

}  // namespace turnpike::turn
