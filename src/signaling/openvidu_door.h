// The two routes of an application server as OpenVidu's tutorials have it: a session, and a token
// for it. The calls themselves are turnpike.v1's, by way of web/compat/openvidu-browser.js.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/crypto.h"
#include "base/hash.h"
#include "base/random.h"
#include "signaling/door.h"
#include "signaling/doors.h"
#include "signaling/rate.h"

namespace turnpike::signaling {

/// POST /api/sessions and POST /api/sessions/<session>/connections, answered in plain text.
///
/// A session is a room of its name with `room_prefix` before it, so that nobody gets a token for a
/// room that was not made here. Whoever asks is given one: what bounds it are the budget of each
/// address and the number of sessions. A session that nobody has used for a while is over.
class OpenViduDoor final : public Door {
 public:
  /// What tokens are signed with; `id` is their `kid`.
  struct Key {
    std::string id;
    HmacSha256Key material;
  };
  struct Settings {
    std::optional<Key> key{};  ///< none: connections get no token, as for rooms open to all
    std::string room_prefix = "openvidu-";
    std::uint32_t max_peers = 8;  ///< of a session: each sends to each
    std::size_t max_sessions = 256;
    milliseconds unused_lifetime{600'000};
    seconds token_lifetime{3600};
    std::uint32_t requests_per_minute = 60;  ///< of one address (IPv6: /64); 0: no limit
    HashSeed hash_seed{};
  };

  /// `doors` and `random` must outlive it.
  OpenViduDoor(Doors& doors, const Settings& settings, Random& random)
      : doors_(doors),
        settings_(settings),
        random_(random),
        requests_(settings.requests_per_minute, settings.hash_seed) {}

  [[nodiscard]] std::vector<Route> routes() const override;
  void on_asked(ConnectionId id, const Asked& asked, Now now) override;
  void on_ended(ConnectionId, std::uint16_t, Now) override {}
  void perform(ConnectionId, const Effect&, Now) override {}
  void on_deadline(Now now) override;
  [[nodiscard]] std::optional<Instant> next_deadline() const override;

  [[nodiscard]] std::size_t session_count() const { return sessions_.size(); }

 private:
  struct Session {
    bool is_ours;  ///< made here, and so ended here
    Instant due;   ///< when it is over, if it is empty then
  };

  [[nodiscard]] Response answer(const Asked& asked, Now now);
  [[nodiscard]] Response answer_session(const Request& request, Now now);
  [[nodiscard]] Response answer_connection(const Request& request, Now now);
  [[nodiscard]] bool make_room_of(const std::string& session, Now now);
  [[nodiscard]] std::string room_of(std::string_view session) const;
  [[nodiscard]] std::string mint(const std::string& room, Now now);
  [[nodiscard]] std::string random_hex();
  void keep(const std::string& session, Session& record, Instant instant);

  Doors& doors_;
  const Settings settings_;
  Random& random_;
  JoinBudget requests_;
  std::map<std::string, Session, std::less<>> sessions_;
  std::set<std::pair<Instant, std::string>> due_;  // all sessions
};

}  // namespace turnpike::signaling
