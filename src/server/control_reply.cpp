#include "server/control_reply.h"

#include <chrono>

#include "signaling/json.h"
#include "signaling/rest_reply.h"

namespace turnpike::server {
namespace {

using signaling::ArrayWriter;
using signaling::ObjectWriter;
using signaling::rfc3339;

std::string relayed_json(const std::array<std::optional<Endpoint>, 2>& relayed) {
  ArrayWriter out;
  for (const auto& endpoint : relayed) {
    if (endpoint) out.text(endpoint->to_string());
  }
  return out.finish();
}

template <class Counted>
void write_counts(ObjectWriter& out, const Counted& counted) {
  out.number("packetsToPeer", counted.packets_to_peer).number("bytesToPeer", counted.bytes_to_peer);
  out.number("packetsToClient", counted.packets_to_client)
      .number("bytesToClient", counted.bytes_to_client);
}

seconds whole(nanoseconds time) { return std::chrono::floor<seconds>(time); }

std::uint64_t count_of(seconds time) {
  return static_cast<std::uint64_t>(std::max(time, seconds{0}).count());
}

/// What all that is said of one allocation begins with.
template <class Allocation>
void write_who(ObjectWriter& out, const Allocation& allocation) {
  out.text("id", to_string(allocation.name)).text("user", allocation.username);
  out.text("account", allocation.account).text("client", allocation.client.client.to_string());
  out.text("clientTransport", to_string(allocation.client.transport));
}

template <class Allocation>
store::UsageRecord usage_of(const Allocation& allocation, seconds duration, WallTime ended) {
  store::UsageRecord record;
  record.allocation = to_string(allocation.name);
  record.username = allocation.username;
  record.account = allocation.account;
  record.client = allocation.client.client.address.to_string();
  record.started = ended - duration;
  record.ended = ended;
  record.packets_to_peer = allocation.traffic.packets_to_peer;
  record.bytes_to_peer = allocation.traffic.bytes_to_peer;
  record.packets_to_client = allocation.traffic.packets_to_client;
  record.bytes_to_client = allocation.traffic.bytes_to_client;
  return record;
}

void write_event(ObjectWriter& out, const turn::AllocationRecord& allocation, WallTime at) {
  out.text("at", rfc3339(at));
  write_who(out, allocation);
  out.text("peerTransport", to_string(allocation.transport));
  out.raw("relayed", relayed_json(allocation.relayed));
}

}  // namespace

std::string_view to_string(turn::PeerTransport transport) {
  return transport == turn::PeerTransport::udp ? "udp" : "tcp";
}

std::string traffic_json(const turn::Traffic& traffic) {
  ObjectWriter out;
  write_counts(out, traffic);
  return out.finish();
}

std::string allocation_json(const AllocationRow& row, WallTime now) {
  ObjectWriter out;
  write_who(out, row);
  out.text("peerTransport", to_string(row.peer_transport));
  out.raw("relayed", relayed_json(row.relayed));
  out.text("startedAt", rfc3339(now - row.age)).number("expiresIn", count_of(row.expires_in));
  out.number("permissions", row.permissions).number("channels", row.channels);
  out.raw("traffic", traffic_json(row.traffic)).number("bitrate", row.bitrate);
  return out.finish();
}

std::string event_json(const OpenedNews& news) {
  ObjectWriter out;
  write_event(out, news.allocation, news.at);
  return out.finish();
}

std::string event_json(const ClosedNews& news) {
  ObjectWriter out;
  write_event(out, news.allocation, news.at);
  out.text("reason", to_string(news.reason));
  out.number("durationSeconds", count_of(whole(news.allocation.duration)));
  out.raw("traffic", traffic_json(news.allocation.traffic));
  return out.finish();
}

store::UsageRecord usage_record(const ClosedNews& news) {
  const seconds duration = whole(news.allocation.duration);
  store::UsageRecord record = usage_of(news.allocation, duration, news.at);
  record.reason = to_string(news.reason);
  return record;
}

store::UsageRecord usage_record(const AllocationRow& row, WallTime at) {
  return usage_of(row, row.age, at);
}

std::string usage_json(const store::UsageRecord& record) {
  ObjectWriter out;
  out.text("id", record.allocation).text("user", record.username).text("account", record.account);
  out.text("client", record.client);
  out.text("startedAt", rfc3339(record.started)).text("endedAt", rfc3339(record.ended));
  out.text("reason", record.reason);
  write_counts(out, record);
  return out.finish();
}

std::string usage_json(const store::UsageSum& sum) {
  ObjectWriter out;
  out.text("account", sum.account).number("allocations", sum.allocations);
  out.number("durationSeconds", count_of(sum.duration));
  write_counts(out, sum);
  return out.finish();
}

std::string user_json(const store::StoredUser& user) {
  ObjectWriter out;
  out.text("name", user.name).text("realm", user.realm);
  ArrayWriter algorithms;
  if (!user.md5.empty()) algorithms.text("md5");
  if (!user.sha256.empty()) algorithms.text("sha256");
  out.raw("algorithms", algorithms.finish());
  if (user.limits.max_allocations) out.number("maxAllocations", *user.limits.max_allocations);
  if (user.limits.bandwidth) out.number("bandwidth", *user.limits.bandwidth);
  out.boolean("disabled", user.disabled).text("createdAt", rfc3339(user.created));
  return out.finish();
}

std::string secret_json(const store::StoredSecret& secret) {
  ObjectWriter out;
  out.text("id", secret.id).text("notBefore", rfc3339(secret.not_before));
  if (secret.not_after) out.text("notAfter", rfc3339(*secret.not_after));
  return out.text("createdAt", rfc3339(secret.created)).finish();
}

std::string key_json(const store::StoredApiKey& key) {
  ObjectWriter out;
  return out.text("id", key.id).text("createdAt", rfc3339(key.created)).finish();
}

std::string revocation_json(const store::Revocation& revocation) {
  ObjectWriter out;
  out.text("kind", to_string(revocation.kind)).text("name", revocation.name);
  out.text("since", rfc3339(revocation.since));
  if (revocation.until) out.text("until", rfc3339(*revocation.until));
  return out.text("reason", revocation.reason).finish();
}

std::string change_json(const store::Change& change) {
  ObjectWriter out;
  out.number("number", change.number).text("at", rfc3339(change.when)).text("who", change.who);
  out.text("action", change.action).text("subject", change.subject).text("detail", change.detail);
  return out.finish();
}

}  // namespace turnpike::server
