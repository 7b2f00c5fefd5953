// Send indications from the client (RFC 8656 §11.2), and what comes from peers: datagrams (§11.3,
// §12.7) and ICMP errors (§11.5).
#include "turn/server.h"

namespace turnpike::turn {

using stun::AttributeType;

namespace {

/// ICMP types whose errors are passed on (RFC 8656 §11.5).
bool is_relayed_icmp(Family family, std::uint8_t type) {
  if (family == Family::ipv4) return type == 3 || type == 11;
  return type == 1 || type == 2 || type == 3;
}

/// Only these two carry an MTU (RFC 8656 §18.13).
bool carries_mtu(Family family, const stun::Icmp& icmp) {
  return family == Family::ipv4 ? icmp.type == 3 && icmp.code == 4 : icmp.type == 2;
}

std::uint8_t padding_of(std::size_t bytes) {
  return static_cast<std::uint8_t>(padded_to_4(bytes) - bytes);
}

/// Streams pad, so that the next message is aligned; datagrams need not (RFC 8656 §12.5).
std::uint8_t channel_padding(const Allocation& allocation, std::size_t bytes) {
  return is_stream(allocation.flow.tuple.transport) ? padding_of(bytes) : std::uint8_t{0};
}

}  // namespace

Handled Server::on_send(const ClientFlow& flow, const stun::MessageView& message, Instant now,
                        Effects& effects) {
  Allocation* const allocation = allocations_.find(flow.tuple);
  if (allocation == nullptr) return send_home(flow, message.bytes());
  if (!allocation->relays_any(now)) return Reason::dropped_no_allocation;
  if (allocation->transport != PeerTransport::udp) return Reason::dropped_transport;
  if (has_unknown_attribute(message)) return Reason::dropped_bad_indication;
  const auto peer_value = message.find(AttributeType::xor_peer_address);
  const auto payload = message.find(AttributeType::data);
  const auto peer =
      peer_value ? stun::decode_xor_address(*peer_value, message.transaction_id()) : std::nullopt;
  if (!peer || !payload) return Reason::dropped_bad_indication;
  if (allocation->mobility) note_data_from(flow.tuple, *allocation, effects);

  if (!allocation->relays(peer->family(), now)) return Reason::dropped_peer_family;
  if (allocation->permission(peer->address, now) == nullptr) return Reason::dropped_no_permission;
  const auto permitted = policy_->check(*peer, PeerTransport::udp);
  if (!permitted) return Reason::dropped_peer_denied;
  // Only IPv4 has the bit; with IPv6 on either side the attribute MUST be ignored (§13).
  const bool both_ipv4 =
      peer->family() == Family::ipv4 && flow.tuple.client.family() == Family::ipv4;
  const bool dont_fragment = both_ipv4 && message.has(AttributeType::dont_fragment);
  return relay_to_peer(*allocation, RelayPath::send, *permitted, *payload, dont_fragment, now);
}

/// The last step of Send and ChannelData. A peer that is another allocation of this server needs no
/// network in between, only the checks at its end.
Handled Server::relay_to_peer(Allocation& allocation, RelayPath path, const PermittedPeer& peer,
                              ByteView payload, bool dont_fragment, Instant now) {
  if (!has_bandwidth(allocation, payload.size(), now)) return Reason::dropped_bandwidth;
  count_to_peer(allocation, path, payload.size());
  const Family family = peer.endpoint().family();
  const auto place = ledger_.live_relays().find(peer.endpoint());
  if (!place) {
    const RelayId via = AllocationTable::relay_id(allocation, family);
    return {Reason::relayed_to_peer, Forward::ToPeer{via, peer, dont_fragment}, payload};
  }
  const Endpoint& from = allocation.relay(family).relayed;
  if (place->worker != settings_.worker) {
    return {Reason::relayed_to_neighbour, Forward::ToNeighbour{*place, from}, payload};
  }
  Handled handled = on_peer_datagram(place->relay, from, payload, now);
  if (handled.forward) handled.reason = Reason::relayed_between_clients;
  return handled;
}

void Server::count_to_peer(Allocation& allocation, RelayPath path, std::size_t bytes) {
  ++allocation.traffic.packets_to_peer;
  allocation.traffic.bytes_to_peer += bytes;
  auto& volume = counters_.volume(RelayDirection::to_peer, path);
  ++volume.packets;
  volume.bytes += bytes;
}

void Server::count_to_client(Allocation& allocation, RelayPath path, std::size_t bytes) {
  ++allocation.traffic.packets_to_client;
  allocation.traffic.bytes_to_client += bytes;
  auto& volume = counters_.volume(RelayDirection::to_client, path);
  ++volume.packets;
  volume.bytes += bytes;
}

Handled Server::on_peer_datagram(RelayId relay, const Endpoint& peer, ByteView datagram,
                                 Instant now) {
  const Family family = AllocationTable::family_of(relay);
  Allocation* const allocation = allocations_.find(relay);
  if (allocation == nullptr || !allocation->relays(family, now))
    return Reason::dropped_closed_relay;
  const Permission* const permission = allocation->permission(peer.address, now);
  if (permission == nullptr) return Reason::dropped_no_permission;
  // A permission for our own address is meant for other clients' relays, not for what else runs
  // here.
  if (permission->only_live_relays && !ledger_.live_relays().contains(peer)) {
    return Reason::dropped_peer_denied;
  }
  if (!allocation->has_client) return Reason::dropped_client_gone;

  const Channel* const channel = allocation->channel_to(peer, now);
  // XOR-PEER-ADDRESS, DATA's header and payload: more than a message's length can say (IPv6 only).
  const std::size_t indication_bytes =
      12 + address_bytes(peer.family()) + padded_to_4(datagram.size());
  if (channel == nullptr && indication_bytes > UINT16_MAX) return Reason::dropped_too_large;
  if (!has_bandwidth(*allocation, datagram.size(), now)) return Reason::dropped_bandwidth;

  if (channel != nullptr) {
    count_to_client(*allocation, RelayPath::channel, datagram.size());
    Handled handled{Reason::relayed_to_client, allocation->flow, datagram,
                    channel_padding(*allocation, datagram.size())};
    put_channel_data_header(handled.forward->make_header(channel_data_header_bytes),
                            channel->number, datagram.size());
    handled.forward->set_channel({allocation->slot, channel->number});
    return handled;
  }
  count_to_client(*allocation, RelayPath::send, datagram.size());
  Handled handled{Reason::relayed_to_client, allocation->flow, datagram,
                  padding_of(datagram.size())};
  put_data_indication_header(*handled.forward, peer);
  return handled;
}

bool Server::relays_next(Handled& verdict, ByteView datagram, Instant now) {
  if (!verdict.forward || !verdict.forward->channel()) return false;
  if (verdict.reason == Reason::relayed_to_peer) {
    return relays_next_to_peer(*verdict.forward, datagram, now);
  }
  return verdict.reason == Reason::relayed_to_client &&
         relays_next_to_client(*verdict.forward, datagram, now);
}

bool Server::relays_next_to_peer(Forward& forward, ByteView datagram, Instant now) {
  const auto message = parse_channel_data(datagram);
  if (!message || message->channel != forward.channel()->channel) return false;
  Allocation& allocation = allocations_.at(forward.channel()->slot);
  if (!has_bandwidth(allocation, message->payload.size(), now)) return false;
  count_to_peer(allocation, RelayPath::channel, message->payload.size());
  forward.set_payload(message->payload, 0);
  return true;
}

bool Server::relays_next_to_client(Forward& forward, ByteView datagram, Instant now) {
  Allocation& allocation = allocations_.at(forward.channel()->slot);
  if (!has_bandwidth(allocation, datagram.size(), now)) return false;
  count_to_client(allocation, RelayPath::channel, datagram.size());
  put_channel_data_header(forward.make_header(channel_data_header_bytes),
                          forward.channel()->channel, datagram.size());
  forward.set_payload(datagram, channel_padding(allocation, datagram.size()));
  return true;
}

Reason Server::on_peer_icmp(RelayId relay, const Endpoint& peer, const stun::Icmp& icmp, Now now,
                            Effects& effects) {
  const Family family = AllocationTable::family_of(relay);
  const Allocation* const allocation = allocations_.find(relay);
  if (allocation == nullptr || !allocation->relays(family, now.instant))
    return Reason::dropped_closed_relay;
  if (!is_relayed_icmp(peer.family(), icmp.type)) return Reason::dropped_icmp;
  // The permission looked at is that of the datagram's destination, not of the ICMP's sender.
  if (allocation->permission(peer.address, now.instant) == nullptr)
    return Reason::dropped_no_permission;
  if (!allocation->has_client) return Reason::dropped_client_gone;

  stun::TransactionId id{};
  random_.fill(id);
  stun::MessageBuilder indication{scratch_, stun::Class::indication, stun::Method::data, id};
  stun::Icmp relayed = icmp;
  if (!carries_mtu(peer.family(), icmp)) relayed.error_data = 0;
  indication.put_xor_address(AttributeType::xor_peer_address, peer).put_icmp(relayed);
  effects.send(allocation->flow, indication.bytes());
  return Reason::relayed_icmp;
}

/// A Data indication up to and including the header of its DATA attribute: 36 bytes for an IPv4
/// peer, 48 for IPv6. The payload and its padding follow.
void Server::put_data_indication_header(Forward& forward, const Endpoint& peer) {
  const std::size_t payload_bytes = forward.payload().size();
  stun::TransactionId id{};
  random_.fill(id);
  const std::size_t size = stun::header_bytes + 8 + address_bytes(peer.family()) + 4;
  const MutableByteView out = forward.make_header(size);
  stun::MessageBuilder indication{out, stun::Class::indication, stun::Method::data, id};
  indication.put_xor_address(AttributeType::xor_peer_address, peer).put_empty(AttributeType::data);
  // The DATA attribute was put empty; now give it, and the message, the length of the payload.
  store_be16(out.last(2), static_cast<std::uint16_t>(payload_bytes));
  const std::size_t message_bytes = size - stun::header_bytes + padded_to_4(payload_bytes);
  store_be16(out.subspan(2), static_cast<std::uint16_t>(message_bytes));
}

}  // namespace turnpike::turn
