// CreatePermission (RFC 8656 §10.2): all of the peers or none.
#include <algorithm>

#include "turn/server.h"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

namespace {

/// The peers' addresses, each once; nothing when there is none or one of them is malformed. Of more
/// than `max` one is enough to tell: a message has room for thousands, each compared with all.
std::optional<std::vector<IpAddress>> read_peers(const stun::MessageView& message,
                                                 std::size_t max) {
  std::vector<IpAddress> peers;
  for (const stun::AttributeView attribute : message.attributes()) {
    if (attribute.type != AttributeType::xor_peer_address) continue;
    const auto peer = stun::decode_xor_address(attribute.value, message.transaction_id());
    if (!peer) return std::nullopt;
    const bool is_known = std::find(peers.begin(), peers.end(), peer->address) != peers.end();
    if (!is_known && peers.size() <= max) peers.push_back(peer->address);
  }
  if (peers.empty()) return std::nullopt;
  return peers;
}

}  // namespace

Reason Server::on_create_permission(const Request& request, Allocation& allocation) {
  const auto peers = read_peers(request.message, settings_.limits.max_permissions);
  if (!peers) return refuse(request, ErrorCode::bad_request);
  const bool families_fit = std::all_of(peers->begin(), peers->end(), [&](const IpAddress& peer) {
    return allocation.has_relay(peer.family());
  });
  if (!families_fit) return refuse(request, ErrorCode::peer_address_family_mismatch);
  // Asked once: another worker's relay may end between two questions.
  const Instant now = request.now.instant;
  std::vector<Permission> wanted;
  wanted.reserve(peers->size());
  for (const IpAddress& peer : *peers) {
    const auto scope = policy_->scope_of(peer, allocation.transport);
    if (scope == PermissionScope::nothing) return refuse(request, ErrorCode::forbidden);
    wanted.push_back(permission_for(peer, scope, now));
  }

  allocation.drop_expired(now);
  const std::size_t count = allocation.permissions_with(*peers, now);
  const std::size_t added = count - allocation.permissions.size();
  if (count > settings_.limits.max_permissions || !may_add_peers(allocation, added, now)) {
    return refuse_peers(request);
  }
  for (const Permission& permission : wanted) allocation.permit(permission);
  succeed(request);
  return Reason::answered_create_permission;
}

bool Server::may_add_peers(Allocation& allocation, std::size_t count, Instant now) const {
  const Limits& limits = settings_.limits;
  if (limits.new_peers_per_second == 0 || count == 0) return true;
  return allocation.new_peers.spend(static_cast<std::uint32_t>(count), limits.new_peers_per_second,
                                    limits.new_peers_burst_s, now);
}

Reason Server::refuse_peers(const Request& request) {
  note_rejection(QuotaScope::peers);
  return refuse(request, ErrorCode::insufficient_capacity);
}

Permission Server::permission_for(const IpAddress& peer, PermissionScope scope, Instant now) const {
  return {peer, now + settings_.limits.permission_lifetime, scope != PermissionScope::peers};
}

}  // namespace turnpike::turn
