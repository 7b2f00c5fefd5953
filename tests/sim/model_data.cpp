// Application data and ICMP (RFC 8656 §11, §12.6, §12.7), in the model's words.
#include "sim/model.h"

namespace turnpike::sim {
namespace {

constexpr unsigned attribute_peer = 0x0012;
constexpr unsigned attribute_data = 0x0013;
constexpr unsigned attribute_dont_fragment = 0x001A;

}  // namespace

void Model::send_home(turn::WorkerId worker, const FiveTuple& tuple, Verdict& verdict) const {
  const auto guest = guests_.find({worker, tuple});
  if (guest != guests_.end()) verdict.to_home = guest->second.home;
}

void Model::on_send(turn::WorkerId worker, const turn::ClientFlow& flow,
                    const wire::Message& message, Instant now, Verdict& verdict) {
  Allocation* const allocation = find(worker, flow.tuple);
  if (allocation == nullptr) return send_home(worker, flow.tuple, verdict);
  const bool relays =
      allocation->relays_at(Family::ipv4, now) || allocation->relays_at(Family::ipv6, now);
  const bool is_for_tcp = allocation->transport == turn::PeerTransport::tcp;  // RFC 6062 §4.4: not
  if (!relays || is_for_tcp || !unknown_in(message).empty()) return;
  const Bytes* const peer_value = message.find(attribute_peer);
  const Bytes* const payload = message.find(attribute_data);
  const auto peer =
      peer_value != nullptr ? wire::xored_address(*peer_value, message.id) : std::nullopt;
  if (!peer || payload == nullptr) return;
  if (allocation->is_mobile) note_data_from(flow.tuple, *allocation, verdict);
  const bool may_pass = allocation->relays_at(peer->family(), now) &&
                        allocation->permits(peer->address, now) &&
                        is_peer_allowed(*peer, turn::PeerTransport::udp);
  if (!may_pass) return;
  const bool all_v4 = peer->family() == Family::ipv4 && flow.tuple.client.family() == Family::ipv4;
  to_peer(*allocation, *peer, *payload, all_v4 && message.has(attribute_dont_fragment), now,
          verdict);
}

void Model::on_channel_data(turn::WorkerId worker, const turn::ClientFlow& flow, ByteView datagram,
                            Instant now, Verdict& verdict) {
  const auto data = wire::read_channel_data(datagram);
  if (!data) return;
  Allocation* const allocation = find(worker, flow.tuple);
  if (allocation == nullptr) return send_home(worker, flow.tuple, verdict);
  const bool relays =
      allocation->relays_at(Family::ipv4, now) || allocation->relays_at(Family::ipv6, now);
  if (!relays) return;
  if (allocation->is_mobile) note_data_from(flow.tuple, *allocation, verdict);
  const auto channel = allocation->channels.find(data->channel);
  if (channel == allocation->channels.end() || channel->second.expires <= now) return;
  const Endpoint peer = channel->second.peer;
  // A permission is asked for here too: stricter than §12.6, and ours. That the peer is allowed
  // was found out when the channel was bound or the policy changed; live relays come and go.
  const bool is_own = class_of(peer.address, settings_) == PeerClass::own;
  const bool may_pass = allocation->permits(peer.address, now) &&
                        allocation->relays_at(peer.family(), now) && (!is_own || is_live(peer));
  if (may_pass) to_peer(*allocation, peer, data->payload, false, now, verdict);
}

void Model::to_peer(Allocation& allocation, const Endpoint& peer, const Bytes& payload,
                    bool dont_fragment, Instant now, Verdict& verdict) {
  const Relay& relay = allocation.relays.at(peer.family());
  allocation.moved.to_peer += payload.size();
  const bool may_lack_bandwidth = may_lose(allocation);
  for (const Allocation& each : allocations_) {
    const auto its = each.relays.find(peer.family());
    if (its == each.relays.end() || its->second.state != Relay::State::open) continue;
    if (its->second.relayed != peer || each.transport != turn::PeerTransport::udp) continue;
    // The peer is a client of ours.
    if (each.home != allocation.home) {
      verdict.to_neighbour = {{each.home, its->second.id}, relay.relayed, payload};
    } else {
      const Verdict there = on_peer(each.home, its->second.id, relay.relayed, payload, now);
      verdict.to_client = there.to_client;
    }
    verdict.may_lack_bandwidth = may_lack_bandwidth;
    return;
  }
  verdict.to_peer = {relay.id, peer, payload, dont_fragment};
  verdict.may_lack_bandwidth = may_lack_bandwidth;
}

/// Which datagrams there is no bandwidth for is not foretold.
bool Model::may_lose(Allocation& allocation) const {
  if (limits_.bandwidth_per_allocation != 0) allocation.may_have_lost = true;
  return limits_.bandwidth_per_allocation != 0;
}

Verdict Model::on_peer(turn::WorkerId worker, turn::RelayId id, const Endpoint& peer,
                       ByteView payload, Instant now) {
  Verdict verdict;
  Family family{};
  Allocation* const allocation = find(worker, id, family);
  if (allocation == nullptr || !allocation->relays_at(family, now)) return verdict;
  if (!allocation->permits(peer.address, now) || !allocation->has_client) return verdict;
  // From this host itself only what is another client's.
  const bool is_own = class_of(peer.address, settings_) == PeerClass::own;
  if (is_own && !is_live(peer)) return verdict;
  std::optional<unsigned> channel;
  for (const auto& [number, its] : allocation->channels) {
    if (its.peer == peer && its.expires > now) channel = number;
  }
  // XOR-PEER-ADDRESS and DATA have to fit into a message, whose length has 16 bits.
  const std::size_t address_size = peer.family() == Family::ipv4 ? 8 : 20;
  const std::size_t indication_size = 4 + address_size + 4 + (payload.size() + 3) / 4 * 4;
  if (!channel && indication_size > 0xffff) return verdict;
  verdict.to_client = {allocation->flow, channel, peer, Bytes(payload.begin(), payload.end())};
  allocation->moved.to_client += payload.size();
  verdict.may_lack_bandwidth = may_lose(*allocation);
  return verdict;
}

/// §11.5: destination unreachable and time exceeded, packet too big; to a peer with a permission.
Verdict Model::on_icmp(turn::WorkerId worker, turn::RelayId id, const Endpoint& peer, unsigned type,
                       Instant now) {
  Verdict verdict;
  Family family{};
  const Allocation* const allocation = find(worker, id, family);
  if (allocation == nullptr || !allocation->relays_at(family, now)) return verdict;
  const bool is_v4 = peer.family() == Family::ipv4;
  const bool is_passed_on = is_v4 ? type == 3 || type == 11 : type >= 1 && type <= 3;
  if (!is_passed_on || !allocation->permits(peer.address, now) || !allocation->has_client) {
    return verdict;
  }
  verdict.icmp_about = peer;
  verdict.icmp_to = allocation->flow;
  return verdict;
}

}  // namespace turnpike::sim
