// One Binding request over a real UDP socket: the driver of client::Transaction for the command
// line.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/endpoint.h"
#include "base/random.h"
#include "base/time.h"
#include "client/binding.h"

namespace turnpike::cli {

/// The addresses `host` stands for, of `family` if given. Blocks for as long as DNS takes. Throws
/// CommandFailure (unavailable) with a sentence when there are none.
[[nodiscard]] std::vector<IpAddress> resolve(const std::string& host, std::optional<Family> family);

/// An answer came.
struct Answered {
  client::BindingAnswer answer;
  nanoseconds elapsed;          ///< since the request was sent first
  std::uint32_t transmissions;  ///< more than 1: `elapsed` is not the round-trip time
};
/// No answer came in time.
struct Unanswered {
  std::uint32_t transmissions;
};

/// A UDP socket that is connected to one server, so that only its answers and its ICMP errors come
/// in.
class StunSocket {
 public:
  /// Throws CommandFailure (unavailable) when there is no route to `server`.
  explicit StunSocket(const Endpoint& server);
  ~StunSocket();
  StunSocket(const StunSocket&) = delete;
  StunSocket& operator=(const StunSocket&) = delete;

  /// Sends a Binding request and waits for its answer, at most `timeout`. Throws CommandFailure
  /// (unavailable) when the network refuses.
  [[nodiscard]] std::variant<Answered, Unanswered> ask(Random& random, nanoseconds timeout);

 private:
  void send(ByteView request);
  /// The next datagram, or nothing when `until` comes first.
  std::optional<std::vector<std::uint8_t>> receive(Instant until);

  Endpoint server_;
  int socket_;
};

}  // namespace turnpike::cli
