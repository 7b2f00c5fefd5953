// The REST API for the operator's programs: rooms, room tokens, TURN credentials (ADR 0030).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "signaling/api_keys.h"
#include "signaling/door.h"
#include "signaling/doors.h"
#include "signaling/ice.h"
#include "signaling/json.h"
#include "signaling/rate.h"

namespace turnpike::signaling {

/// Answers requests that bring an API key. web/openapi.json describes them; a test holds it against
/// operations().
///
/// Every key may do everything: keys tell programs apart and can be rotated, they are no tenants.
class RestDoor final : public Door {
 public:
  struct Settings {
    std::string version;  ///< these three are told by GET /v1/node
    std::string node;
    std::string region;
    Instant started{};  ///< of the server, for its uptime
    seconds token_ttl{3600};
    seconds max_token_ttl{7 * 86'400};
    seconds ice_ttl{3600};
    seconds max_ice_ttl{86'400};
    std::uint32_t requests_per_second = 50;  ///< of one API key; 0: no limit
    std::uint32_t request_burst = 200;
  };

  /// The referenced objects must outlive it.
  RestDoor(Settings settings, const ApiKeys& keys, IceSource& ice, Doors& doors);

  struct Operation {
    Method method;
    std::string_view path;  ///< with parameters in braces: "/v1/rooms/{id}"
  };
  /// All that it answers.
  [[nodiscard]] static std::vector<Operation> operations();

  [[nodiscard]] std::vector<Route> routes() const override;
  void on_asked(ConnectionId id, const Asked& asked, Now now) override;
  /// There are no WebSockets here, and no members.
  void on_ended(ConnectionId, std::uint16_t, Now) override {}
  void perform(ConnectionId, const Effect&, Now) override {}

 private:
  /// A request that may be answered.
  struct Call {
    const Request& request;
    const ApiKey& key;
    std::vector<std::string> parameters;  // of the path
    Json body;                            // an object, of POST and PATCH
    Now now;
  };
  struct Row;

  [[nodiscard]] static std::span<const Row> table();
  [[nodiscard]] Response answer(const Request& request, Now now);
  [[nodiscard]] const ApiKey* authenticate(const Request& request) const;
  /// The 429 when `key` has asked too often.
  [[nodiscard]] std::optional<Response> spend(const ApiKey& key, Now now);
  [[nodiscard]] Response dispatch(const Request& request, const ApiKey& key, Now now);

  [[nodiscard]] Response list_rooms(const Call& call);
  [[nodiscard]] Response create_room(const Call& call);
  [[nodiscard]] Response get_room(const Call& call);
  [[nodiscard]] Response change_room(const Call& call);
  [[nodiscard]] Response end_room(const Call& call);
  [[nodiscard]] Response create_token(const Call& call);
  [[nodiscard]] Response list_peers(const Call& call);
  [[nodiscard]] Response kick_peer(const Call& call);
  [[nodiscard]] Response post_message(const Call& call);
  [[nodiscard]] Response create_credentials(const Call& call);
  [[nodiscard]] Response turn_rest(const Call& call);
  [[nodiscard]] Response get_node(const Call& call);
  [[nodiscard]] IceServers make_credentials(const Call& call, std::string_view user,
                                            std::optional<seconds> ttl = std::nullopt);

  const Settings settings_;
  const ApiKeys& keys_;
  IceSource& ice_;
  Doors& doors_;
  std::map<std::string, RateMeter, std::less<>> rates_;  // by the keys' ids
};

}  // namespace turnpike::signaling
