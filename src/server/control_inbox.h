// Where the thread that serves HTTP finds what workers and the store's thread have for the
// operator.
#pragma once

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
class ControlInbox final : public AllocationObserver {
 public:
  static constexpr std::size_t max_waiting = 65'536;

  /// News end the wait of `reader`. Call it before any thread has some.
  void attach(net::Poller& reader) { reader_ = &reader; }

  // ---- from any thread ----
  void deliver(WorkerAnswer answer) { add(std::move(answer)); }
  void deliver(StoreAnswer answer) { add(std::move(answer)); }
  void deliver(LiveUsage usage) { add(std::move(usage)); }
  void on_opened(const turn::AllocationRecord& allocation, Now now) override {
    if (has_room()) add(OpenedNews{allocation, now.wall});
  }
  void on_closed(const turn::AllocationRecord& allocation, turn::CloseReason reason,
                 Now now) override {
    if (has_room()) add(ClosedNews{allocation, reason, now.wall});
  }

  [[nodiscard]] std::vector<ControlNews> collect() {
    const std::lock_guard lock{mutex_};
    return std::exchange(waiting_, {});
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
  void add(ControlNews news) {
    {
      const std::lock_guard lock{mutex_};
      waiting_.push_back(std::move(news));
      if (waiting_.size() > 1) return;  // whoever was first has woken the reader
    }
    reader_->wake();
  }

  mutable std::mutex mutex_;
  std::vector<ControlNews> waiting_;
  std::uint64_t lost_ = 0;
  net::Poller* reader_ = nullptr;
};

}  // namespace turnpike::server
