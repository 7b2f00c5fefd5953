// What a room, a member and a connection are: plain records. Rooms keeps them and keeps them true.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/crypto.h"
#include "base/endpoint.h"
#include "base/time.h"
#include "signaling/call_path.h"
#include "signaling/effects.h"
#include "signaling/protocol.h"
#include "signaling/rate.h"
#include "signaling/replay_ring.h"
#include "signaling/rights.h"

namespace turnpike::signaling {

/// Who speaks through a connection.
enum class DoorKind : std::uint8_t {
  native,   ///< turnpike.v1: Rooms reads and writes its messages
  foreign,  ///< another protocol, which sits on Rooms: it gets membership and fan-out, no messages
};

/// What is kept of a client's Origin.
inline constexpr std::size_t max_kept_origin_bytes = 256;

/// What the shell knows about a client. Whether its Origin is allowed was decided before.
struct ClientInfo {
  IpAddress address;
  std::string origin;  ///< for the webhook; at most `max_kept_origin_bytes`
  std::string host{};  ///< the name by which it reached this server, as in Host; may be empty
};

/// What a join was granted, by token, webhook or open house.
struct Grant {
  std::string subject;  ///< empty: nobody in particular
  std::string name;
  Role role = Role::member;
  Rights rights;
  std::optional<std::uint32_t> max;
  std::optional<seconds> ice_ttl;
  bool relay_only = false;
  std::string key_id;  ///< the API key whose quota a new room counts against
};

struct Connection;
struct Room;

/// One peer of one room. It outlives its connection for the resume window.
struct Member {
  Member(Room& home, const ReplayRing& empty) : room(&home), replay(empty) {}

  std::uint32_t slot = 0;
  Room* room;
  Connection* connection = nullptr;  ///< nullptr: away
  std::string peer;
  std::uint32_t n = 0;
  Grant grant;
  std::string meta_json = "{}";
  std::string ticket;
  Sha256Digest token_digest{};  ///< of the token it joined with, for the ticket is bound to it
  ReplayRing replay;
  RateMeter messages;  ///< while it is away
  Instant away_until{};
  Instant ice_refresh_at{};
  std::vector<std::pair<std::uint32_t, CallPath>> paths;  ///< last report, by the other's n

  /// Roles between two members: the later one offers, the earlier one is polite.
  [[nodiscard]] bool offers_to(const Member& other) const { return n > other.n; }
  [[nodiscard]] bool is_polite_to(const Member& other) const { return n < other.n; }
};

struct Room {
  std::string id;
  DoorKind door = DoorKind::native;
  std::string protocol;  ///< of foreign members
  std::uint32_t max = 0;
  bool locked = false;
  bool keep_when_empty = false;  ///< made by the operator, not by a join
  std::string meta_json = "{}";
  std::string key_id;
  std::uint32_t last_n = 0;      ///< never used twice
  std::uint64_t last_seq = 0;    ///< of the room's frames, so that one text serves all receivers
  std::vector<Member*> members;  ///< by n
};

/// A join that waits for the webhook.
struct PendingJoin {
  Join join;
  std::string id_json;
  // What Rooms::Entry says beside it, of a foreign one.
  std::optional<std::uint32_t> max{};
  std::string protocol{};
};

/// One connection. Until it has joined this record is all that is kept about it.
struct Connection {
  std::uint32_t slot = 0;
  ConnectionId id{};
  DoorKind door = DoorKind::native;
  ClientInfo client;
  RateMeter messages;
  Member* member = nullptr;
  std::unique_ptr<PendingJoin> pending;
  Instant due{};  ///< by its state: join, webhook answer, next ping, or pong
  bool awaits_pong = false;
  std::uint64_t ping_ts = 0;
  std::uint64_t ping_seq = 0;       ///< frames up to it were sent before the last ping
  std::optional<Instant> close_at;  ///< a drain's turn
};

/// Owns records and numbers them densely, for the deadline queue.
template <class Record>
class SlotTable {
 public:
  Record& add(std::unique_ptr<Record> record) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(records_.size()));
      records_.emplace_back();
    }
    record->slot = free_.back();
    free_.pop_back();
    auto& place = records_[record->slot];
    place = std::move(record);
    ++count_;
    return *place;
  }
  void remove(std::uint32_t slot) {
    records_[slot].reset();
    free_.push_back(slot);
    --count_;
  }
  [[nodiscard]] Record& at(std::uint32_t slot) { return *records_[slot]; }
  [[nodiscard]] std::size_t size() const { return count_; }
  /// Every slot ever used; nullptr where none is now.
  [[nodiscard]] const std::vector<std::unique_ptr<Record>>& slots() const { return records_; }

 private:
  std::vector<std::unique_ptr<Record>> records_;
  std::vector<std::uint32_t> free_;
  std::size_t count_ = 0;
};

}  // namespace turnpike::signaling
