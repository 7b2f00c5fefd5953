// Channels: ChannelBind (RFC 8656 §12.2) and ChannelData from the client (§12.6).
#include "turn/server.h"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

namespace {

/// What a ChannelBind asks for.
struct Wanted {
  stun::ChannelNumber number;
  Endpoint peer;
};

/// Nothing when either attribute is missing or malformed, or the number is out of range.
std::optional<Wanted> read_wanted(const stun::MessageView& message) {
  const auto number_value = message.find(AttributeType::channel_number);
  const auto peer_value = message.find(AttributeType::xor_peer_address);
  if (!number_value || !peer_value) return std::nullopt;
  const auto number = stun::decode_channel_number(*number_value);
  const auto peer = stun::decode_xor_address(*peer_value, message.transaction_id());
  if (!number || !peer || !number->is_allowed()) return std::nullopt;
  return Wanted{*number, *peer};
}

}  // namespace

Reason Server::on_channel_bind(const Request& request, Allocation& allocation) {
  // Channels are for datagrams; RFC 6062 does not speak of them.
  if (allocation.transport != PeerTransport::udp) return refuse(request, ErrorCode::bad_request);
  const Instant now = request.now.instant;
  allocation.drop_expired(now);
  const auto wanted = read_wanted(request.message);
  if (!wanted) return refuse(request, ErrorCode::bad_request);
  const auto& [number, peer] = *wanted;

  // One peer a channel, one channel a peer; the same pair again is a refresh.
  Channel* bound = nullptr;
  for (Channel& channel : allocation.channels.span()) {
    const bool same_number = channel.number == number;
    const bool same_peer = channel.peer.endpoint() == peer;
    if (same_number != same_peer) return refuse(request, ErrorCode::bad_request);
    if (same_number) bound = &channel;
  }
  if (!allocation.has_relay(peer.family())) {
    return refuse(request, ErrorCode::peer_address_family_mismatch);
  }
  const auto permitted = policy_->check(peer, PeerTransport::udp);
  if (!permitted) return refuse(request, ErrorCode::forbidden);
  const auto scope = policy_->scope_of(peer.address, PeerTransport::udp);

  const Limits& limits = settings_.limits;
  const std::array<IpAddress, 1> address{peer.address};
  const bool has_room = (bound != nullptr || allocation.channels.size() < limits.max_channels) &&
                        allocation.permissions_with(address, now) <= limits.max_permissions;
  if (!has_room) return refuse_peers(request);
  if (bound == nullptr && !may_add_peers(allocation, 1, now)) return refuse_peers(request);

  const Channel binding{number, *permitted, now + limits.channel_lifetime};
  if (bound != nullptr) {
    *bound = binding;
  } else {
    allocation.channels.push_back(binding);
  }
  allocation.permit(permission_for(peer.address, scope, now));
  succeed(request);
  return Reason::answered_channel_bind;
}

Handled Server::on_channel_data(const ClientFlow& flow, ByteView datagram, Instant now,
                                Effects& effects) {
  const auto message = parse_channel_data(datagram);
  if (!message) return Reason::dropped_malformed;
  Allocation* const allocation = allocations_.find(flow.tuple);
  if (allocation == nullptr) return send_home(flow, datagram);
  if (!allocation->relays_any(now)) return Reason::dropped_no_allocation;
  if (allocation->mobility) note_data_from(flow.tuple, *allocation, effects);
  const Channel* const channel = allocation->channel(message->channel, now);
  if (channel == nullptr) return Reason::dropped_unbound_channel;

  const Endpoint& peer = channel->peer.endpoint();
  // Stricter than §12.6, which does not ask for the permission here: what may not come back may not
  // go out either.
  if (allocation->permission(peer.address, now) == nullptr) return Reason::dropped_no_permission;
  if (!allocation->relays(peer.family(), now)) return Reason::dropped_peer_family;
  if (!policy_->still_permits(channel->peer)) return Reason::dropped_peer_denied;
  Handled handled =
      relay_to_peer(*allocation, RelayPath::channel, channel->peer, message->payload, false, now);
  const bool leaves_by_relay = handled.reason == Reason::relayed_to_peer;
  if (leaves_by_relay) handled.forward->set_channel({allocation->slot, channel->number});
  return handled;
}

}  // namespace turnpike::turn
