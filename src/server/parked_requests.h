// Requests that wait until somebody has said who their sender is (turn::AskForUser).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "turn/effects.h"

namespace turnpike::server {

/// Bounded: whoever asks for more than there is room for is not answered, and tries again.
class ParkedRequests {
 public:
  static constexpr std::size_t max_users = 1024;          ///< asked for at one time
  static constexpr std::size_t max_requests_of_user = 8;  ///< retransmissions, mostly
  static constexpr std::size_t max_bytes = 2048;          ///< of one request
  static constexpr seconds patience{10};                  ///< with one answer

  struct Request {
    turn::ClientFlow flow;
    std::vector<std::uint8_t> bytes;
  };
  enum class Outcome : std::uint8_t {
    parked,
    parked_first,  ///< the first of this user: somebody is to be asked
    no_room,
  };

  Outcome park(std::string_view username, const turn::ClientFlow& flow, ByteView request,
               Instant now);
  /// The requests of `username`, which do not wait any more.
  [[nodiscard]] std::vector<Request> take(std::string_view username);
  /// The client at `tuple` is gone, and what it sent with it.
  void drop(const FiveTuple& tuple);
  /// The requests that have waited too long, which are given up.
  [[nodiscard]] std::vector<Request> take_overdue(Instant now);
  [[nodiscard]] std::optional<Instant> next_deadline() const;
  [[nodiscard]] bool empty() const { return waiting_.empty(); }

 private:
  struct Waiting {
    Instant until;
    std::vector<Request> requests;
  };
  std::map<std::string, Waiting, std::less<>> waiting_;  // by username
};

}  // namespace turnpike::server
