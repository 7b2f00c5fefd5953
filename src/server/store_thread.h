// The store's own thread: what may wait for a disk waits here, and neither HTTP nor packets do.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/time.h"
#include "server/control_inbox.h"
#include "store/store.h"

namespace turnpike::server {

/// Puts questions to the store, one after another, and keeps usage records until they are in it.
///
/// Records are written together, after a second at the latest. While the store refuses them they
/// wait, and are tried again; when too many wait, further ones are lost and counted.
/// At the start, and then every few hours, what nobody will ask for any more is removed.
class StoreThread {
 public:
  struct Settings {
    std::size_t max_records = 100'000;  ///< that wait
    std::size_t max_batch = 1000;       ///< records in one transaction
    milliseconds longest_delay{1000};   ///< of a record; and until a refused batch is tried again
    seconds usage_kept{std::chrono::hours{24 * 400}};  ///< a year to account for, and a month
    milliseconds housekeeping_every{std::chrono::hours{6}};
  };
  /// Of usage records.
  struct Counters {
    std::uint64_t written = 0;
    std::uint64_t waiting = 0;
    std::uint64_t lost = 0;
    std::uint64_t noted = 0;  ///< of allocations that lived, over and over
    bool is_failing = false;  ///< the store has refused the last batch
  };
  using Question = std::function<StoreAnswer(store::Store&)>;

  /// Answers go to `inbox`. The references must outlive it.
  StoreThread(Settings settings, store::Store& store, ControlInbox& inbox);
  /// Writes what waits, once, and ends.
  ~StoreThread();
  StoreThread(const StoreThread&) = delete;
  StoreThread& operator=(const StoreThread&) = delete;

  // ---- from any thread; never waits for the disk ----
  void ask(Question question);
  void add_usage(store::UsageRecord record);
  /// What allocations that live have used so far: written soon, and before all usage that is added
  /// later. What the store refuses is not tried again.
  void note_live_usage(std::vector<store::UsageRecord> records);
  [[nodiscard]] Counters counters() const;

 private:
  using Clock = std::chrono::steady_clock;
  using Lock = std::unique_lock<std::mutex>;

  void run();
  void answer_questions(Lock& lock);
  void write_live_usage(Lock& lock);
  void write_batch(Lock& lock);
  void keep_house(Lock& lock);

  const Settings settings_;
  store::Store& store_;
  ControlInbox& inbox_;

  mutable std::mutex mutex_;
  std::condition_variable condition_;
  std::deque<Question> questions_;          // guarded by mutex_, like what follows
  std::deque<store::UsageRecord> records_;  // the oldest first
  std::vector<store::UsageRecord> live_;    // written before records_, where they may end
  std::optional<Clock::time_point> due_;    // when records are to be written; set while some wait
  Clock::time_point housekeeping_due_;
  Counters counters_;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace turnpike::server
