// The REST API for the operator's programs: rooms, room tokens, TURN credentials (ADR 0030).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "signaling/door.h"
#include "signaling/doors.h"
#include "signaling/ice.h"
#include "signaling/json.h"
#include "signaling/rest_gate.h"
#include "signaling/rest_request.h"

namespace turnpike::signaling {

/// Answers whom the RestGate lets in. web/openapi.json describes it; a test holds it against
/// operations().
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
  };

  /// The referenced objects must outlive it.
  RestDoor(Settings settings, RestGate& gate, IceSource& ice, Doors& doors);

  /// All that it answers.
  [[nodiscard]] static std::vector<RestOperation> operations();

  [[nodiscard]] std::vector<Route> routes() const override;
  void on_asked(ConnectionId id, const Asked& asked, Now now) override;
  /// There are no WebSockets here, and no members.
  void on_ended(ConnectionId, std::uint16_t, Now) override {}
  void perform(ConnectionId, const Effect&, Now) override {}

 private:
  /// A request that may be answered.
  struct Call {
    const Request& request;
    const ApiKey* key;                    // nullptr: the operator of this host
    std::vector<std::string> parameters;  // of the path
    Json body;                            // an object, of POST and PATCH
    Now now;
  };
  struct Row;

  [[nodiscard]] static std::span<const Row> table();
  [[nodiscard]] Response answer(ConnectionId id, const Request& request, Now now);

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
  RestGate& gate_;
  IceSource& ice_;
  Doors& doors_;
};

}  // namespace turnpike::signaling
