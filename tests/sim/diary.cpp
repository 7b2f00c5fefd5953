#include "sim/diary.h"

#include <algorithm>
#include <sstream>

#include "base/hash.h"

namespace turnpike::sim {
namespace {

constexpr unsigned attribute_peer_address = 0x0012;
constexpr unsigned attribute_nonce = 0x0015;
constexpr unsigned attribute_relayed_address = 0x0016;
constexpr unsigned attribute_mapped_address = 0x0020;
constexpr unsigned attribute_reservation_token = 0x0022;
constexpr unsigned attribute_connection_id = 0x002A;
constexpr unsigned attribute_mobility_ticket = 0x8030;
constexpr HashSeed any_seed{1};

void put_bytes(std::ostream& out, ByteView bytes) {
  out << bytes.size() << " bytes, " << hash_bytes(bytes, any_seed);
}

/// Of a relayed address the port is drawn; tokens, nonces and tickets are drawn as a whole.
void put_attribute(std::ostream& out, const wire::Attribute& attribute, const Bytes& id) {
  out << ", " << attribute.type << ": ";
  const auto endpoint = wire::xored_address(attribute.value, id);
  switch (attribute.type) {
    case attribute_relayed_address:
      out << (endpoint ? endpoint->address.to_string() : "malformed");
      return;
    case attribute_peer_address:
    case attribute_mapped_address:
      out << (endpoint ? endpoint->to_string() : "malformed");
      return;
    case attribute_nonce:
    case attribute_reservation_token:
    case attribute_connection_id:
    case attribute_mobility_ticket:
      out << attribute.value.size() << " bytes";
      return;
    default:
      put_bytes(out, attribute.value);
  }
}

std::string in_words(const Bytes& datagram) {
  std::ostringstream out;
  const auto message = wire::read(datagram);
  if (!message) {
    put_bytes(out, datagram);
    return out.str();
  }
  const bool is_signed = message->integrity || message->integrity_sha256;
  const Bytes* const error = message->find(0x0009);
  out << "class " << message->message_class << ", method " << message->method << ", code "
      << (error == nullptr ? 0 : wire::error_code(*error)) << (is_signed ? ", signed" : "");
  // The transaction ID of a response is the client's own, that of an indication is drawn.
  if (message->message_class != wire::indication) out << ", to " << wire::number(message->id);
  for (const wire::Attribute& each : message->attributes) put_attribute(out, each, message->id);
  return out.str();
}

std::string at_time(Instant now) { return std::to_string(now.time_since_epoch().count()) + ' '; }

}  // namespace

void Diaries::received(const IpAddress& client, const Bytes& datagram, Instant now) {
  diaries_[client].push_back(at_time(now) + "received: " + in_words(datagram));
}

void Diaries::relayed(const IpAddress& client, const Endpoint& peer, ByteView payload,
                      Instant now) {
  std::ostringstream out;
  out << at_time(now) << "relayed to " << peer.to_string() << ": ";
  put_bytes(out, payload);
  diaries_[client].push_back(out.str());
}

void Diaries::moved(const IpAddress& client, std::uint64_t bytes, nanoseconds pause, Instant now) {
  diaries_[client].push_back(at_time(now) + "moved " + std::to_string(bytes) + " bytes, waits " +
                             std::to_string(pause.count()) + " ns");
}

Diaries::Diary Diaries::of(const IpAddress& client) const {
  const auto found = diaries_.find(client);
  return found == diaries_.end() ? Diary{} : found->second;
}

std::string first_difference(const Diaries::Diary& one, const Diaries::Diary& other) {
  const std::size_t most = std::max(one.size(), other.size());
  for (std::size_t i = 0; i < most; ++i) {
    const std::string here = i < one.size() ? one[i] : "nothing";
    const std::string there = i < other.size() ? other[i] : "nothing";
    if (here != there) return here + "\ninstead of\n" + there;
  }
  return {};
}

}  // namespace turnpike::sim
