// Whoever asks as RFC 8489 §6.2.1 says to gets an answer (I-20). Watched from outside, by what
// arrives and what is sent: the model is not asked, so that what it takes for granted is seen too.
#pragma once

#include <map>

#include "base/endpoint.h"
#include "base/time.h"
#include "sim/wire.h"

namespace turnpike::sim {

/// Requests that are sent until they are answered or given up.
///
/// A request is neglected if it is given up although the last whole copy of it that reached a
/// server in time was followed by no answer, neither at once nor later, and nothing excuses that.
/// Which answers the network loses is not the server's fault; that it sends each of them is.
class Liveness {
 public:
  /// What a server may need for an answer: a key source answers within three seconds.
  static constexpr seconds time_to_answer{4};

  void on_request(const FiveTuple& client, const Bytes& request, Instant gives_up);
  /// A datagram has reached a server; whatever it is, whoever has sent it.
  void on_arrival(const FiveTuple& client, const Bytes& datagram, Instant now);
  /// A server has sent something.
  void on_answer(const Bytes& response) { note(response, State::answered); }
  /// What `response` answers, if that is watched; null: it is not. Valid until a change.
  [[nodiscard]] const Bytes* request_of(const Bytes& response);
  /// The client has its answer.
  void on_answered(const Bytes& id) { asked_.erase(id); }
  /// True: neglected. In any case it is not watched any more.
  [[nodiscard]] bool on_given_up(const Bytes& id);

  // ---- what excuses silence ----
  /// This copy was dropped because there were too many, or its user cannot be asked for now.
  void excuse(const Bytes& request) { note(request, State::excused); }
  /// All that servers had begun is forgotten.
  void excuse_all();
  /// What it has begun is over.
  void excuse_client(const FiveTuple& client);

 private:
  enum class State : std::uint8_t { unheard, waiting, answered, excused };
  struct Asked {
    FiveTuple client;
    Bytes request;
    Instant gives_up;
    State state = State::unheard;
  };

  void note(const Bytes& message, State state);
  [[nodiscard]] Asked* find(const Bytes& message);

  std::map<Bytes, Asked> asked_;  // by transaction ID
};

}  // namespace turnpike::sim
