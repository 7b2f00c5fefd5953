// Requests but Allocate (RFC 8656 §5, §8.2, §10.2, §12.2), in the model's words.
#include <algorithm>

#include "sim/model.h"

namespace turnpike::sim {
namespace {

constexpr unsigned method_binding = 0x001;
constexpr unsigned method_allocate = 0x003;
constexpr unsigned method_refresh = 0x004;
constexpr unsigned method_create_permission = 0x008;
constexpr unsigned method_channel_bind = 0x009;
constexpr unsigned method_send = 0x006;
constexpr unsigned method_connect = 0x00A;
constexpr unsigned method_connection_bind = 0x00B;

constexpr unsigned attribute_channel_number = 0x000C;
constexpr unsigned attribute_lifetime = 0x000D;
constexpr unsigned attribute_peer = 0x0012;
constexpr unsigned attribute_requested_family = 0x0017;
constexpr unsigned attribute_mobility_ticket = 0x8030;

constexpr std::size_t most_unknown_listed = 8;  // ours: no longer than the request

/// Every comprehension-required attribute of RFC 8489, 8656 and 6062 that such a server knows.
bool is_known(unsigned type) {
  static const std::set<unsigned> known{
      0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x000C, 0x000D, 0x0012, 0x0013, 0x0014, 0x0015,
      0x0016, 0x0017, 0x0018, 0x0019, 0x001A, 0x001C, 0x001D, 0x001E, 0x0020, 0x0022, 0x002A};
  return known.count(type) == 1;
}

bool is_classic_request(ByteView datagram) {
  return datagram.size() >= 20 && datagram[0] <= 0x3f && (datagram[0] & 1) == 0 &&
         (datagram[1] & 0x10) == 0 && wire::number(datagram.subspan(2, 2)) % 4 == 0 &&
         wire::number(datagram.subspan(2, 2)) + 20 == datagram.size() &&
         wire::number(datagram.subspan(4, 4)) != 0x2112A442;
}

}  // namespace

Verdict Model::on_client(turn::WorkerId worker, const turn::ClientFlow& flow, ByteView datagram,
                         Now now) {
  Verdict verdict;
  sweep_reservations(now.instant);
  const bool is_abroad = flow.worker != worker;
  const bool is_message = !datagram.empty() && datagram[0] <= 3;
  const auto message = is_message ? wire::read(datagram) : std::nullopt;
  // Who has come here only because his allocation was here gets an answer to a request, and leave.
  const bool is_lost = is_abroad && find(worker, flow.tuple) == nullptr;
  const bool is_request = message && message->message_class == wire::request;
  if (!is_lost || is_request) {
    if (message) {
      if (is_request) {
        on_request(worker, flow, *message, now, verdict);
      } else if (message->message_class == wire::indication && message->method == method_send) {
        on_send(worker, flow, *message, now.instant, verdict);
      }
    } else if (is_message && flow.tuple.transport == Transport::dtls &&
               is_classic_request(datagram)) {
      Response response;  // RFC 8489 §11
      response.to = flow;
      response.code = 500;
      verdict.response = response;
    } else if (!datagram.empty() && datagram[0] >= 64 && datagram[0] <= 79) {
      on_channel_data(worker, flow, datagram, now.instant, verdict);
    }
  }
  // A request whose sender is asked for is not answered yet.
  const bool is_over = is_lost && !verdict.parked && find(worker, flow.tuple) == nullptr;
  if (is_over) verdict.released.push_back(flow);
  return verdict;
}

/// Tunnels (§21.4), our own relays, and ports behind which somebody answers anything (HOSTILE.md
/// P07, M08).
bool Model::must_not_answer(const FiveTuple& tuple) const {
  static const std::set<std::uint16_t> reflectors{0,  7,   13,  17,   19,   37,   53,
                                                  69, 123, 161, 1900, 5353, 11211};
  const std::string text = tuple.client.address.to_string();
  const bool is_tunnel =
      text.rfind("2002:", 0) == 0 || text.rfind("2001:0:", 0) == 0 || text.rfind("2001::", 0) == 0;
  if (is_tunnel && tuple.client.family() == Family::ipv6) return true;
  if (is_stream(tuple.transport)) return false;
  if (is_live(tuple.client)) return true;
  return tuple.transport == Transport::udp && reflectors.count(tuple.client.port) == 1;
}

std::vector<unsigned> Model::unknown_in(const wire::Message& message,
                                        const std::set<unsigned>& also) {
  std::vector<unsigned> unknown;
  for (const wire::Attribute& each : message.attributes) {
    const bool is_understood = is_known(each.type) || also.count(each.type) == 1;
    if (each.type < 0x8000 && !is_understood) unknown.push_back(each.type);
  }
  return unknown;
}

Response& Model::answer_unknown(const Request& request, const std::vector<unsigned>& unknown,
                                Verdict& verdict) const {
  Response& response = answer(request, 420, verdict);
  response.unknown = unknown;
  if (unknown.size() > most_unknown_listed) response.unknown.resize(most_unknown_listed);
  return response;
}

Response& Model::answer(const Request& request, int code, Verdict& verdict) const {
  Response response;
  response.to = request.flow;
  response.method = request.message.method;
  response.id = request.message.id;
  response.code = code;
  response.has_fingerprint = request.message.has_fingerprint;
  response.signer = request.who.signer;
  verdict.response = response;
  return *verdict.response;
}

void Model::answer_binding(const Request& request, Verdict& verdict) const {
  if (const auto crossing = crossing_of(request.flow.tuple)) {
    return answer_discovery(request, *crossing, verdict);
  }
  const auto unknown = unknown_in(request.message);
  if (unknown.empty()) {
    answer(request, 200, verdict).mapped = request.flow.tuple.client;
  } else {
    answer_unknown(request, unknown, verdict);
  }
}

/// To somebody who is not known.
void Model::deny(const Request& request, const Identity& identity, Verdict& verdict) const {
  Response& response = answer(request, identity.code, verdict);
  response.signer = {};
  response.is_challenge = identity.code == 401 || identity.code == 438;
  const bool is_stranger = request.flow.tuple.transport == Transport::udp;
  if (is_stranger && limits_.challenge_rate > 0) verdict.expense = Expense::challenge;
}

void Model::on_request(turn::WorkerId worker, const turn::ClientFlow& flow,
                       const wire::Message& message, Now now, Verdict& verdict) {
  const unsigned method = message.method;
  const bool is_served =
      method == method_binding || method == method_allocate || method == method_refresh ||
      method == method_create_permission || method == method_channel_bind ||
      (settings_.tcp_relays && (method == method_connect || method == method_connection_bind));
  if (!is_served || must_not_answer(flow.tuple)) return;
  Request request{worker, flow, message, now};
  if (method == method_binding) return answer_binding(request, verdict);

  sweep(worker, now.instant, verdict);
  const auto guest = guests_.find({worker, flow.tuple});
  if (guest != guests_.end()) {
    if (method == method_refresh) {
      guest->second.expires = std::max(guest->second.expires, now.instant + limits_.max_lifetime);
    }
    verdict.to_home = guest->second.home;
    return;
  }
  if (settings_.mobility && method == method_refresh && message.has(attribute_mobility_ticket)) {
    return on_move(request, verdict);
  }
  Allocation* const allocation = find(worker, flow.tuple);
  const bool is_upkeep =
      method == method_connection_bind || (method != method_allocate && allocation != nullptr);
  request.who = identify(request, is_upkeep, allocation != nullptr ? allocation->username : "");
  if (request.who.kind == Identity::Kind::silenced) return;
  if (request.who.kind == Identity::Kind::asked) {
    verdict.parked = request.who.username;
    return;
  }
  if (request.who.kind != Identity::Kind::known) return deny(request, request.who, verdict);

  const auto unknown = unknown_in(message);
  if (!unknown.empty()) {
    answer_unknown(request, unknown, verdict);
    return;
  }
  if (method == method_allocate) return on_allocate(request, verdict);
  if (method == method_connection_bind) return on_connection_bind(request, verdict);
  if (allocation == nullptr) {
    answer(request, 437, verdict);
  } else if (allocation->username != request.who.username) {
    answer(request, 441, verdict);
  } else if (allocation->pending) {
    return;  // ours: silence while the relay is being opened
  } else if (method == method_refresh) {
    on_refresh(request, *allocation, verdict);
  } else if (method == method_connect) {
    on_connect(request, *allocation, verdict);
  } else if (method == method_create_permission) {
    on_create_permission(request, *allocation, verdict);
  } else {
    on_channel_bind(request, *allocation, verdict);
  }
}

// --- Refresh (§8.2) ------------------------------------------------------------------------------

seconds Model::granted(std::optional<seconds> requested) const {
  if (!requested) return limits_.default_lifetime;
  return std::max(limits_.default_lifetime, std::min(*requested, limits_.max_lifetime));
}

Model::RefreshWish Model::refresh_wish(const Request& request, const Allocation& allocation) const {
  RefreshWish wish;
  if (const Bytes* const family = request.message.find(attribute_requested_family)) {
    if (family->size() != 4) return {400};
    const unsigned number = family->front();
    if (number != 1 && number != 2) return {443};
    wish.only = number == 1 ? Family::ipv4 : Family::ipv6;
    if (!allocation.has(*wish.only)) return {443};
  }
  const Bytes* const lifetime = request.message.find(attribute_lifetime);
  if (lifetime != nullptr && lifetime->size() != 4) return {400};
  std::optional<seconds> requested;
  if (lifetime != nullptr) {
    requested = seconds{static_cast<std::int64_t>(wire::number(*lifetime))};
  }
  wish.lifetime = requested == seconds{0} ? seconds{0} : granted(requested);
  return wish;
}

void Model::on_refresh(const Request& request, Allocation& allocation, Verdict& verdict) {
  const RefreshWish wish = refresh_wish(request, allocation);
  if (wish.error != 0) {
    answer(request, wish.error, verdict);
    return;
  }
  carry_out(wish, request, allocation, verdict);
}

Response& Model::carry_out(const RefreshWish& wish, const Request& request, Allocation& allocation,
                           Verdict& verdict) {
  Response& response = answer(request, 200, verdict);
  response.lifetime = wish.lifetime;
  for (auto& [family, relay] : allocation.relays) {
    const bool is_meant = relay.state == Relay::State::open && (!wish.only || *wish.only == family);
    if (!is_meant) continue;
    if (wish.lifetime == seconds{0}) {
      drop_relay(allocation, family, verdict);
    } else {
      relay.expires = request.now.instant + wish.lifetime;
    }
  }
  if (!allocation.has_any()) end(allocation, turn::CloseReason::deleted, verdict);
  return response;
}

// --- permissions and channels --------------------------------------------------------------------

std::size_t Model::permissions_with(const Allocation& allocation, const std::set<IpAddress>& added,
                                    Instant now) const {
  std::set<IpAddress> all = added;
  for (const auto& [address, expires] : allocation.permissions) {
    if (expires > now) all.insert(address);
  }
  return all.size();
}

/// Not from an RFC: so many new peers a second, on average.
bool Model::may_add(Allocation& allocation, std::size_t peers, Instant now) {
  const std::uint32_t rate = limits_.new_peers_per_second;
  if (rate == 0 || peers == 0) return true;
  const double full = static_cast<double>(rate) * limits_.new_peers_burst_s;
  if (!allocation.has_bucket) {
    allocation.has_bucket = true;
    allocation.bucket = full;
    allocation.bucket_filled = now;
  }
  const std::chrono::duration<double> elapsed = now - allocation.bucket_filled;
  allocation.bucket = std::min(full, allocation.bucket + elapsed.count() * rate);
  allocation.bucket_filled = now;
  const auto wanted = static_cast<double>(peers);
  if (allocation.bucket < wanted) return false;
  allocation.bucket -= wanted;
  return true;
}

void Model::on_create_permission(const Request& request, Allocation& allocation, Verdict& verdict) {
  const Instant now = request.now.instant;
  std::vector<IpAddress> wanted;
  for (const wire::Attribute& each : request.message.attributes) {
    if (each.type != attribute_peer) continue;
    const auto peer = wire::xored_address(each.value, request.message.id);
    if (!peer) {
      answer(request, 400, verdict);
      return;
    }
    // Ours: of more than there is room for, one is enough to tell.
    const bool is_new = std::find(wanted.begin(), wanted.end(), peer->address) == wanted.end();
    if (is_new && wanted.size() <= limits_.max_permissions) wanted.push_back(peer->address);
  }
  int error = wanted.empty() ? 400 : 0;
  for (const IpAddress& address : wanted) {
    if (error == 0 && !allocation.has(address.family())) error = 443;
  }
  for (const IpAddress& address : wanted) {
    if (error == 0 && !may_be_permitted(address, allocation.transport)) error = 403;
  }
  if (error == 0) {
    const std::set<IpAddress> distinct(wanted.begin(), wanted.end());
    const std::size_t before = permissions_with(allocation, {}, now);
    const std::size_t after = permissions_with(allocation, distinct, now);
    if (after > limits_.max_permissions || !may_add(allocation, after - before, now)) error = 508;
  }
  answer(request, error == 0 ? 200 : error, verdict);
  if (error != 0) return;
  for (const IpAddress& address : wanted) {
    allocation.permissions[address] = now + seconds{300};  // §9: MUST
  }
}

void Model::on_channel_bind(const Request& request, Allocation& allocation, Verdict& verdict) {
  const Instant now = request.now.instant;
  forget_expired(allocation, now);
  const Bytes* const number = request.message.find(attribute_channel_number);
  const Bytes* const peer_value = request.message.find(attribute_peer);
  const auto peer =
      peer_value != nullptr ? wire::xored_address(*peer_value, request.message.id) : std::nullopt;
  // Channels are for datagrams: ours, since RFC 6062 does not speak of them.
  int error = allocation.transport == turn::PeerTransport::udp ? 0 : 400;
  unsigned channel = 0;
  if (error == 0 && (number == nullptr || number->size() != 4 || !peer)) {
    error = 400;
  } else if (error == 0) {
    channel = static_cast<unsigned>(wire::number(ByteView{*number}.first(2)));
    if (channel < 0x4000 || channel > 0x4fff) error = 400;
  }
  bool is_refresh = false;
  for (const auto& [its_number, its] : allocation.channels) {
    if (error != 0) break;
    // "not currently bound to a different transport address", nor the address to another channel
    if ((its_number == channel) != (its.peer == *peer)) error = 400;
    if (its_number == channel && its.peer == *peer) is_refresh = true;
  }
  if (error == 0 && !allocation.has(peer->family())) error = 443;
  if (error == 0 && !is_peer_allowed(*peer, turn::PeerTransport::udp)) error = 403;
  if (error == 0) {
    const bool has_room = is_refresh || allocation.channels.size() < limits_.max_channels;
    const bool fits = permissions_with(allocation, {peer->address}, now) <= limits_.max_permissions;
    if (!has_room || !fits || (!is_refresh && !may_add(allocation, 1, now))) error = 508;
  }
  answer(request, error == 0 ? 200 : error, verdict);
  if (error != 0) return;
  allocation.channels[channel] = {*peer, now + seconds{600}};  // §12
  allocation.permissions[peer->address] = now + seconds{300};  // §12.2
}

}  // namespace turnpike::sim
