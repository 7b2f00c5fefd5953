// Can this host get a relay from a TURN server, over which transports, and does the relay relay?
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/random.h"
#include "base/time.h"
#include "client/nat_behavior.h"
#include "conformance/flow.h"
#include "conformance/session.h"

namespace turnpike::diagnosis {

/// A way to the server.
struct TurnPath {
  Transport transport = Transport::udp;
  Endpoint server;
  std::string server_name;  ///< for TLS: the certificate must be valid for it
  bool is_guess = false;    ///< a usual port that nobody has named

  /// "udp:3478"
  [[nodiscard]] std::string to_string() const;
};

/// How a path ended. Stable: the words of the JSON output.
enum class PathState : std::uint8_t {
  ok,                 ///< an allocation was made, and given back
  wants_credentials,  ///< a TURN server is there; without credentials there is no more to know
  credentials_refused,
  nothing_listens,  ///< refused by the host
  timed_out,
  no_route,
  certificate,  ///< a TLS server, but its certificate must not be trusted
  handshake,    ///< something else than TLS is there, or no version in common
  no_turn,      ///< STUN is answered, TURN is not
  no_capacity,  ///< 486 or 508
  other_error,
};
[[nodiscard]] std::string_view to_string(PathState state);

struct PathResult {
  TurnPath path;
  PathState state = PathState::timed_out;
  std::string detail;  ///< for people; empty with `ok`
  nanoseconds took{};  ///< from nothing to the allocation, handshakes included

  /// The server is there and speaks TURN.
  [[nodiscard]] bool is_usable() const {
    return state == PathState::ok || state == PathState::wants_credentials;
  }
};

/// What tries a path.
struct TurnTester {
  std::optional<conformance::User> user;
  Random& random;
  milliseconds rto{250};
  milliseconds connect_timeout{4000};
};

/// Makes an allocation over `path` and gives it back. Blocks, for eight seconds at most.
[[nodiscard]] PathResult try_path(const TurnPath& path, const TurnTester& tester);

/// What came through a relay.
struct RelayResult {
  std::optional<Endpoint> relayed;
  std::string problem;  ///< why there was no relay, or why no echo; empty: there was
  std::uint32_t echoes_sent = 0;
  std::vector<nanoseconds> echoes;  ///< client, relay, second relay, client; shortest first
  double offered_mbit = 0;          ///< what was sent in a second; 0: not tried
  double received_mbit = 0;
  client::Trial mobility = client::Trial::inconclusive;  ///< RFC 8016
  /// A datagram that this host sends to the relayed address itself comes in.
  client::Trial is_reachable = client::Trial::inconclusive;
  std::string reachable_doubt;  ///< why that is inconclusive
};

/// Two allocations that talk to each other, and this host that talks to one of them. At most 1 MB
/// is sent. Precondition: `tester.user`, and try_path() says ok.
[[nodiscard]] RelayResult try_relay(const TurnPath& path, const TurnTester& tester);

}  // namespace turnpike::diagnosis
