// What the core calls the shell's things: sockets, workers, relays.
#pragma once

#include <cstdint>

namespace turnpike::turn {

/// The shell's name for the listening socket that a client's datagrams come in on.
enum class ListenerId : std::uint32_t {};

/// The number of a worker, each of which has a turn::Server. There are at most 255.
enum class WorkerId : std::uint8_t {};

/// Names a relay socket of one worker. A closed relay's id is never used again: its slot may be,
/// with another generation.
struct RelayId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;

  friend bool operator==(const RelayId&, const RelayId&) = default;
};

/// Names the connection between a TCP relay of one worker and a peer (RFC 6062). Like a RelayId it
/// is never used again.
struct PeerConnectionId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;

  friend bool operator==(const PeerConnectionId&, const PeerConnectionId&) = default;
};

/// Names a relay socket of any worker.
struct RelayPlace {
  WorkerId worker{};
  RelayId relay;

  friend bool operator==(const RelayPlace&, const RelayPlace&) = default;
};

}  // namespace turnpike::turn
