// The connections between TCP relays and their peers (RFC 6062 §5): plain data, and the table that
// holds them.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "auth/authenticator.h"
#include "turn/effects.h"

namespace turnpike::turn {

struct SavedServer;

/// What a Connect that waits for its peer needs for its answer.
struct PendingConnect {
  stun::TransactionId transaction;
  stun::IntegrityKey key;
  auth::ResponseIntegrity integrity;
  bool with_fingerprint;
};

/// One peer data connection.
struct PeerConnection {
  enum class State : std::uint8_t {
    absent,
    connecting,  ///< the Connect is not answered yet
    waiting,     ///< for its ConnectionBind; nothing is read from the peer
    bound,       ///< to a client's data connection
  };

  State state = State::absent;
  bool is_of_peer = false;  // the peer made it, from whatever port
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::uint32_t allocation = 0;  // its slot
  Endpoint peer;
  std::uint32_t number = 0;                 // CONNECTION-ID; of one that is waiting
  std::unique_ptr<PendingConnect> pending;  // of one that is connecting

  [[nodiscard]] PeerConnectionId id() const { return {slot, generation}; }
};

/// Connections in numbered slots; a slot's address does not change while the table lives.
class PeerConnectionTable {
 public:
  /// Null when the connection is gone.
  [[nodiscard]] PeerConnection* find(PeerConnectionId id);
  [[nodiscard]] PeerConnection& at(std::uint32_t slot) { return slots_[slot]; }
  [[nodiscard]] const PeerConnection& at(std::uint32_t slot) const { return slots_[slot]; }

  /// A fresh connection; the caller gives it a state at once.
  PeerConnection& create(std::uint32_t allocation, const Endpoint& peer);
  /// Empties the slot; its id is not valid any more.
  void destroy(PeerConnection& connection);

  [[nodiscard]] std::size_t size() const { return slots_.size() - free_.size(); }

  // ---- snapshots (snapshot.h) ----
  /// Slots in use or not; each is less than this.
  [[nodiscard]] std::uint32_t slot_count() const {
    return static_cast<std::uint32_t>(slots_.size());
  }
  /// Where those that are to come will be; the last one is taken next.
  [[nodiscard]] const std::vector<std::uint32_t>& free_slots() const { return free_; }
  /// An empty table gets the slots of a saved one. Those that are not free there are to be filled
  /// or given to destroy() at once.
  void restore_slots(const SavedServer& saved);

 private:
  std::deque<PeerConnection> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace turnpike::turn
