// Where the thread that serves HTTP finds what workers and the store's thread have for the
// operator.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include "net/poller.h"
#include "server/allocation_observer.h"
#include "server/worker_order.h"
#include "signaling/http.h"

namespace turnpike::server {

/// A client has been told of its allocation.
struct OpenedNews {
  turn::AllocationRecord allocation;
  WallTime at;
};
/// The same allocation has ended.
struct ClosedNews {
  turn::AllocationRecord allocation;
  turn::CloseReason reason;
  WallTime at;
};
/// What came of a question to the store.
struct StoreAnswer {
  std::uint64_t question;
  signaling::Response response;
  bool has_changed;  ///< something in the store is different now
};

using ControlNews = std::variant<WorkerAnswer, StoreAnswer, OpenedNews, ClosedNews, LiveUsage>;

/// News in the order in which they came. Bounded: what cannot wait is counted. Answers are never
/// lost, for questions are few.
///
/// To wake the reader costs a worker as much as half an allocation. So openings and ends are not
/// news while nobody wants them, and where there are many, they do not wake the reader each: who
/// has found something comes again after a pause.
class ControlInbox final : public AllocationObserver {
 public:
  static constexpr std::size_t max_waiting = 65'536;
  /// For how long openings and ends may wait for a reader who was there just now.
  static constexpr milliseconds pause{5};

  /// News end the wait of `reader`. Call it before any thread has some.
  void attach(net::Poller& reader) { reader_ = &reader; }

  // ---- by the reader ----
  /// From now on: are openings and ends news? At first they are not.
  void want_allocations(bool are_wanted) { wants_allocations_ = are_wanted; }
  /// All that waits. Who has found something has to come again after `pause`.
  [[nodiscard]] std::vector<ControlNews> collect() {
    const std::lock_guard lock{mutex_};
    reader_comes_again_ = !waiting_.empty();
    is_reader_woken_ = false;
    return std::exchange(waiting_, {});
  }

  // ---- from any thread ----
  void deliver(WorkerAnswer answer) { add(std::move(answer), Urgency::at_once); }
  void deliver(StoreAnswer answer) { add(std::move(answer), Urgency::at_once); }
  void deliver(LiveUsage usage) { add(std::move(usage), Urgency::at_once); }
  void on_opened(const turn::AllocationRecord& allocation, Now now) override {
    if (wants_allocations_ && has_room()) add(OpenedNews{allocation, now.wall}, Urgency::soon);
  }
  void on_closed(const turn::AllocationRecord& allocation, turn::CloseReason reason,
                 Now now) override {
    if (!wants_allocations_ || !has_room()) return;
    add(ClosedNews{allocation, reason, now.wall}, Urgency::soon);
  }

  /// Openings and ends that nobody will hear of.
  [[nodiscard]] std::uint64_t lost() const {
    const std::lock_guard lock{mutex_};
    return lost_;
  }

 private:
  [[nodiscard]] bool has_room() {
    const std::lock_guard lock{mutex_};
    if (waiting_.size() < max_waiting) return true;
    ++lost_;
    return false;
  }
  enum class Urgency : std::uint8_t { at_once, soon };
  void add(ControlNews news, Urgency urgency) {
    {
      const std::lock_guard lock{mutex_};
      waiting_.push_back(std::move(news));
      const bool can_wait = urgency == Urgency::soon && reader_comes_again_;
      if (is_reader_woken_ || can_wait) return;
      is_reader_woken_ = true;
    }
    reader_->wake();
  }

  std::atomic<bool> wants_allocations_ = false;
  mutable std::mutex mutex_;
  std::vector<ControlNews> waiting_;
  bool is_reader_woken_ = false;     // and has not come yet
  bool reader_comes_again_ = false;  // without being woken
  std::uint64_t lost_ = 0;
  net::Poller* reader_ = nullptr;
};

}  // namespace turnpike::server
