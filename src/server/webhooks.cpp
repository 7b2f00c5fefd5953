#include "server/webhooks.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/http_poster.h"
#include "server/log.h"

namespace turnpike::server {
namespace {

using Clock = std::chrono::steady_clock;

constexpr milliseconds longest_wait{60'000};

/// One POST.
struct Delivery {
  std::optional<signaling::ConnectionId> question{};  // nothing: an event
  std::string body{};
  unsigned failures = 0;
  Clock::time_point due{};  // of an event
};

}  // namespace

/// The thread and what it works on.
class Webhooks::Courier {
 public:
  Courier(Settings settings, std::function<void(Answer)> on_answer)
      : settings_(std::move(settings)),
        on_answer_(std::move(on_answer)),
        poster_({settings_.url, settings_.secret, settings_.ca_file, settings_.timeout}) {
    thread_ = std::thread{[this] { run(); }};
  }
  ~Courier() {
    {
      const std::lock_guard lock{mutex_};
      is_over_ = true;
    }
    poster_.wake();
    thread_.join();
  }
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  void ask(signaling::ConnectionId connection, std::string body) {
    {
      const std::lock_guard lock{mutex_};
      questions_.push_back({connection, std::move(body)});
    }
    poster_.wake();
  }

  void tell(std::string event) {
    {
      const std::lock_guard lock{mutex_};
      if (events_.size() >= settings_.max_queued_events) {
        ++counters_.lost;
        return;
      }
      events_.push_back(std::move(event));
    }
    poster_.wake();
  }

  Counters counters() const {
    const std::lock_guard lock{mutex_};
    return counters_;
  }

 private:
  void run() {
    while (take_work()) {
      for (const HttpPoster::Done& done : poster_.wait(time_to_wait())) finish(done);
    }
  }

  /// Starts what can be started; false when it is over.
  bool take_work() {
    std::vector<Delivery> questions;
    {
      const std::lock_guard lock{mutex_};
      if (is_over_) return false;
      questions.swap(questions_);
      if (!event_ && !has_event_under_way_ && !events_.empty()) {
        event_.emplace().body = std::move(events_.front());
        events_.pop_front();
      }
    }
    for (Delivery& question : questions) start(std::move(question));
    if (event_ && event_->due <= Clock::now()) {
      has_event_under_way_ = true;
      start(*std::exchange(event_, std::nullopt));
    }
    return true;
  }

  void start(Delivery delivery) {
    const std::uint64_t id = ++last_id_;
    poster_.post(id, delivery.body);
    under_way_.emplace(id, std::move(delivery));
  }

  void finish(const HttpPoster::Done& done) {
    auto node = under_way_.extract(done.id);
    if (node.mapped().question) return finish_question(node.mapped(), done);
    has_event_under_way_ = false;
    finish_event(std::move(node.mapped()), done);
  }

  void finish_question(const Delivery& delivery, const HttpPoster::Done& done) {
    Answer answer{*delivery.question, std::nullopt};
    if (done.is_good()) answer.answer = signaling::parse_webhook_answer(done.body);
    count(answer.answer ? &Counters::answered : &Counters::unanswered);
    if (!answer.answer) {
      log_event(
          LogLevel::warn, "webhook_unanswered",
          {{"problem", done.is_good() ? std::string{"the answer makes no sense"} : done.problem}});
    }
    on_answer_(std::move(answer));
  }

  void finish_event(Delivery delivery, const HttpPoster::Done& done) {
    if (done.is_good()) return count(&Counters::delivered);
    if (delivery.failures == settings_.retries) {
      log_event(LogLevel::warn, "webhook_event_lost", {{"problem", done.problem}});
      return count(&Counters::lost);
    }
    const auto wait =
        std::min(settings_.first_retry * (1 << std::min(delivery.failures, 16U)), longest_wait);
    ++delivery.failures;
    delivery.due = Clock::now() + wait;
    count(&Counters::retried);
    event_ = std::move(delivery);
  }

  [[nodiscard]] milliseconds time_to_wait() const {
    if (!event_) return longest_wait;
    const auto wait = std::chrono::ceil<milliseconds>(event_->due - Clock::now());
    return std::clamp(wait, milliseconds{0}, longest_wait);
  }

  void count(std::uint64_t Counters::*counter) {
    const std::lock_guard lock{mutex_};
    ++(counters_.*counter);
  }

  const Settings settings_;
  const std::function<void(Answer)> on_answer_;
  HttpPoster poster_;

  mutable std::mutex mutex_;
  std::vector<Delivery> questions_;  // guarded by mutex_, like what follows
  std::deque<std::string> events_;
  Counters counters_;
  bool is_over_ = false;

  std::optional<Delivery> event_;  // the thread's: the next event, waiting for its time
  bool has_event_under_way_ = false;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, Delivery> under_way_;
  std::thread thread_;
};

Webhooks::Webhooks(Settings settings, std::function<void(Answer)> on_answer)
    : courier_(std::make_unique<Courier>(std::move(settings), std::move(on_answer))) {}

Webhooks::~Webhooks() = default;

void Webhooks::ask(signaling::ConnectionId connection, std::string body) {
  courier_->ask(connection, std::move(body));
}

void Webhooks::tell(std::string event_json) { courier_->tell(std::move(event_json)); }

Webhooks::Counters Webhooks::counters() const { return courier_->counters(); }

}  // namespace turnpike::server
