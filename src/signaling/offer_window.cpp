#include "signaling/offer_window.h"

#include <algorithm>

#include "signaling/json.h"
#include "signaling/limits.h"

namespace turnpike::signaling {
namespace {

/// Descriptions are a few KiB. Longer texts are not worth reading.
constexpr std::size_t max_description_bytes = 65'536;

}  // namespace

Utterance classify(std::string_view text) {
  if (text.size() > max_description_bytes) return Utterance::other;
  const auto json = parse_json(text, bounds::json_depth);
  if (!json || !json->is_object()) return Utterance::other;
  const auto type = json->find("type");
  if (type == json->end()) return Utterance::other;
  if (*type == "offer") return Utterance::offer;
  if (*type == "answer") return Utterance::answer;
  return *type == "candidate" ? Utterance::candidate : Utterance::other;
}

void OfferWindow::on_text(ConnectionId from, const Frame& frame, Instant instant,
                          std::vector<Passed>& passed) {
  const bool is_off = settings_->first == milliseconds::zero();
  const Utterance utterance = is_off ? Utterance::other : classify(*frame);
  if (utterance == Utterance::offer) hold_offer(from, instant);
  if (utterance == Utterance::answer) {
    // It has taken the other's offer and with that given up its own.
    discard(from);
    unanswered_.reset();
  }
  Held* const held = held_of(from);
  const bool waits = utterance == Utterance::offer || utterance == Utterance::candidate;
  if (!waits || held == nullptr) return passed.push_back({from, frame});
  held->frames.push_back(frame);
  held->bytes += frame->size();
  if (held->frames.size() > settings_->max_held_texts || held->bytes > settings_->max_held_bytes) {
    release(from, passed);
  }
}

void OfferWindow::clear() {
  held_.clear();
  unanswered_.reset();
}

void OfferWindow::on_deadline(Instant instant, std::vector<Passed>& passed) {
  while (!held_.empty()) {
    const auto next = std::min_element(held_.begin(), held_.end(),
                                       [](const Held& a, const Held& b) { return a.due < b.due; });
    if (next->due > instant) return;
    release(next->from, passed);
  }
}

std::optional<Instant> OfferWindow::next_deadline() const {
  std::optional<Instant> next;
  for (const Held& held : held_) {
    if (!next || held.due < *next) next = held.due;
  }
  return next;
}

OfferWindow::Held* OfferWindow::held_of(ConnectionId from) {
  const auto found = std::find_if(held_.begin(), held_.end(),
                                  [from](const Held& held) { return held.from == from; });
  return found == held_.end() ? nullptr : &*found;
}

/// One that is said again while it waits waits no longer for that.
void OfferWindow::hold_offer(ConnectionId from, Instant instant) {
  if (held_of(from) != nullptr) return;
  const bool is_crossing = unanswered_ && *unanswered_ != from;
  if (!is_crossing) unanswered_ = from;
  held_.push_back({from, instant + (is_crossing ? settings_->crossing : settings_->first)});
}

void OfferWindow::discard(ConnectionId from) {
  held_.erase(std::remove_if(held_.begin(), held_.end(),
                             [from](const Held& held) { return held.from == from; }),
              held_.end());
}

void OfferWindow::release(ConnectionId from, std::vector<Passed>& passed) {
  for (const Frame& frame : held_of(from)->frames) passed.push_back({from, frame});
  discard(from);
}

}  // namespace turnpike::signaling
