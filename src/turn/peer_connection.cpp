#include "turn/peer_connection.h"

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

}  // namespace turnpike::turn
