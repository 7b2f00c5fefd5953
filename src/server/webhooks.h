// The operator's webhook over HTTP: asked about joins, told of events (ADR 0031). In a thread of
// its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "signaling/effects.h"
#include "signaling/webhook.h"

namespace turnpike::server {

/// POSTs JSON to one URL, as HttpPoster does.
///
/// Questions are asked at once and never again: a client waits. Events are delivered one at a time
/// and in order; one that is not taken with 2xx is tried again, later each time, and then given up.
/// When too many wait, new ones are lost.
class Webhooks {
 public:
  struct Settings {
    std::string url;                  ///< http or https
    std::string secret;               ///< signs every request
    std::string ca_file{};            ///< PEM; empty: the system's certificate authorities
    milliseconds timeout{5'000};      ///< from the question to the end of the answer
    milliseconds first_retry{1'000};  ///< doubles each time
    unsigned retries = 5;             ///< of one event
    std::size_t max_queued_events = 1000;
  };
  /// What came of a question; nothing: no answer in time, or none that makes sense.
  struct Answer {
    signaling::ConnectionId connection;
    std::optional<signaling::WebhookAnswer> answer;
  };
  /// Since the start, for metrics.
  struct Counters {
    std::uint64_t answered = 0;
    std::uint64_t unanswered = 0;
    std::uint64_t delivered = 0;  ///< events
    std::uint64_t retried = 0;    ///< deliveries that failed and were tried again
    std::uint64_t lost = 0;       ///< events given up, and those for which there was no room
  };

  /// `on_answer` is called on the webhook's thread, once for each question unless this is
  /// destroyed before. Throws std::runtime_error when libcurl cannot be set up.
  Webhooks(Settings settings, std::function<void(Answer)> on_answer);
  /// Ends what is under way; events that wait are lost.
  ~Webhooks();
  Webhooks(const Webhooks&) = delete;
  Webhooks& operator=(const Webhooks&) = delete;

  // ---- from any thread; never waits for the network ----
  void ask(signaling::ConnectionId connection, std::string body);
  void tell(std::string event_json);
  [[nodiscard]] Counters counters() const;

 private:
  class Courier;
  std::unique_ptr<Courier> courier_;
};

}  // namespace turnpike::server
