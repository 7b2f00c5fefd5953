// Two that both offer at the same moment: which of the offers waits, and for how long. How a text
// is recognised, and who is in the room, is not here but in the relay door.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "signaling/effects.h"

namespace turnpike::signaling {

/// What a text between two parties is to the window.
enum class Utterance : std::uint8_t { offer, answer, candidate, other };

/// Reads the `type` of a JSON object. What is no JSON, or too long for a description, is `other`.
[[nodiscard]] Utterance classify(std::string_view text);

/// The offer window of one room of two (SIGNALING.md §1.2, "counsel glare").
///
/// When both sides offer, each browser rolls its own offer back and nobody is called. So an offer
/// waits for a moment. If the other side's comes meanwhile, or while the first is unanswered, that
/// one waits longer, and is thrown away when its sender answers the first. Of a sender whose offer
/// waits, the candidates wait with it; everything else passes. Texts are never changed.
class OfferWindow {
 public:
  struct Settings {
    milliseconds first{300};       ///< how long an offer waits for a crossing one; zero: none waits
    milliseconds crossing{1'000};  ///< how long the crossing one waits for its sender's answer
    // What may wait of one sender; beyond it all of that passes.
    std::size_t max_held_texts = 128;
    std::size_t max_held_bytes = 256 * 1024;
  };
  /// One text for the other side.
  struct Passed {
    ConnectionId from;
    Frame frame;
  };

  /// `settings` must outlive it.
  explicit OfferWindow(const Settings& settings) : settings_(&settings) {}

  /// `from` says `frame` to the other party, who is there. Appends what is to be delivered now.
  void on_text(ConnectionId from, const Frame& frame, Instant instant, std::vector<Passed>& passed);
  /// One of the two has gone: what waits was for nobody who will be there, or by nobody who is.
  void clear();
  /// Lets go what has waited long enough.
  void on_deadline(Instant instant, std::vector<Passed>& passed);
  [[nodiscard]] std::optional<Instant> next_deadline() const;

 private:
  /// An offer that waits, and the candidates after it.
  struct Held {
    ConnectionId from;
    Instant due;
    std::vector<Frame> frames{};
    std::size_t bytes = 0;
  };

  [[nodiscard]] Held* held_of(ConnectionId from);
  void hold_offer(ConnectionId from, Instant instant);
  void discard(ConnectionId from);
  void release(ConnectionId from, std::vector<Passed>& passed);

  const Settings* settings_;
  std::vector<Held> held_;                  // one of each side at most, by their age
  std::optional<ConnectionId> unanswered_;  // whose offer waits as the first, or is on its way
};

}  // namespace turnpike::signaling
