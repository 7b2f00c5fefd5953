// The CONNECTION-IDs that wait for their ConnectionBind, for all workers (RFC 6062 §5.4).
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/endpoint.h"
#include "base/random.h"
#include "base/result.h"
#include "stun/registry.h"
#include "turn/ids.h"

namespace turnpike::turn {

/// A peer data connection, whichever worker has it.
struct ConnectionOwner {
  WorkerId worker{};
  PeerConnectionId connection;

  friend bool operator==(const ConnectionOwner&, const ConnectionOwner&) = default;
};

/// Finds a pending connection by the number that its client was told. A ConnectionBind may arrive
/// at any worker. Every method may be called from any thread.
class ConnectionRegistry {
 public:
  /// Registers a connection of the user `username`, who reached this server at `server`; its
  /// CONNECTION-ID: random, so that nobody guesses the ones of others.
  [[nodiscard]] std::uint32_t add(const ConnectionOwner& owner, std::string_view username,
                                  const Endpoint& server, Random& random);
  /// Registers a connection again, under the number it had. False when that stands for another one.
  [[nodiscard]] bool add_again(std::uint32_t number, const ConnectionOwner& owner,
                               std::string_view username, const Endpoint& server);
  /// Does `number` still stand for `owner`?
  [[nodiscard]] bool holds(std::uint32_t number, const ConnectionOwner& owner) const;
  /// Takes a connection out for the user who binds it; works once. Error: 400 for a number that is
  /// not pending, or pending at another address of this server (§4.3: the client uses the one of
  /// its control connection); 441 for another user. The connection stays for its owner then.
  [[nodiscard]] Result<ConnectionOwner, stun::ErrorCode> claim(std::uint32_t number,
                                                               std::string_view username,
                                                               const Endpoint& server);
  /// Forgets `number` if it still stands for `owner`.
  void remove(std::uint32_t number, const ConnectionOwner& owner);

  [[nodiscard]] std::size_t size() const;

 private:
  struct Pending {
    ConnectionOwner owner;
    std::string username;
    Endpoint server;
  };

  mutable std::mutex mutex_;
  std::unordered_map<std::uint32_t, Pending> pending_;
};

}  // namespace turnpike::turn
