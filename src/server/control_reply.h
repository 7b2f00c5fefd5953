// What the operator is answered, as JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/control_inbox.h"
#include "server/worker_order.h"
#include "store/store.h"

namespace turnpike::server {

/// {"id":…,"user":…,"account":…,"client":…,"clientTransport":…,"peerTransport":…,"relayed":[…],
/// "startedAt":…,"expiresIn":…,"permissions":…,"channels":…,"traffic":{…},"bitrate":…}
[[nodiscard]] std::string allocation_json(const AllocationRow& row, WallTime now);
/// {"packetsToPeer":…,"bytesToPeer":…,"packetsToClient":…,"bytesToClient":…}
[[nodiscard]] std::string traffic_json(const turn::Traffic& traffic);
/// What events say of an allocation; with a reason when it has ended.
[[nodiscard]] std::string event_json(const OpenedNews& news);
[[nodiscard]] std::string event_json(const ClosedNews& news);
/// What is kept of it.
[[nodiscard]] store::UsageRecord usage_record(const ClosedNews& news);
/// The same of one that lives, up to `at`.
[[nodiscard]] store::UsageRecord usage_record(const AllocationRow& row, WallTime at);

[[nodiscard]] std::string usage_json(const store::UsageRecord& record);
[[nodiscard]] std::string usage_json(const store::UsageSum& sum);
/// Without keys.
[[nodiscard]] std::string user_json(const store::StoredUser& user);
/// Without what is secret.
[[nodiscard]] std::string secret_json(const store::StoredSecret& secret);
[[nodiscard]] std::string key_json(const store::StoredApiKey& key);
[[nodiscard]] std::string revocation_json(const store::Revocation& revocation);
[[nodiscard]] std::string change_json(const store::Change& change);

/// "udp" or "tcp".
[[nodiscard]] std::string_view to_string(turn::PeerTransport transport);

}  // namespace turnpike::server
