#include "turn/peer_connection.h"

#include "base/assert.h"
#include "turn/saved_state.h"

namespace turnpike::turn {

PeerConnection* PeerConnectionTable::find(PeerConnectionId id) {
  if (id.slot >= slots_.size()) return nullptr;
  PeerConnection& connection = slots_[id.slot];
  const bool is_live = connection.state != PeerConnection::State::absent;
  return is_live && connection.generation == id.generation ? &connection : nullptr;
}

PeerConnection& PeerConnectionTable::create(std::uint32_t allocation, const Endpoint& peer) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back().slot = free_.back();
  }
  PeerConnection& connection = slots_[free_.back()];
  free_.pop_back();
  connection.allocation = allocation;
  connection.peer = peer;
  return connection;
}

void PeerConnectionTable::destroy(PeerConnection& connection) {
  const std::uint32_t slot = connection.slot;
  const std::uint32_t next_generation = connection.generation + 1;
  connection = PeerConnection{};
  connection.slot = slot;
  connection.generation = next_generation;
  free_.push_back(slot);
}

void PeerConnectionTable::restore_slots(const SavedServer& saved) {
  TURNPIKE_ASSERT(slots_.empty());
  for (const SavedConnectionSlot& slot : saved.connections) {
    const auto number = static_cast<std::uint32_t>(slots_.size());
    PeerConnection& connection = slots_.emplace_back();
    connection.slot = number;
    connection.generation = slot.generation;
  }
  free_ = saved.free_connections;
}

}  // namespace turnpike::turn
