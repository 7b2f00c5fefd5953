// How another thread asks the main thread to read the configuration again.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <future>
#include <mutex>
#include <utility>
#include <vector>

#include "server/reload.h"

namespace turnpike::server {

/// The main thread waits for signals, so a request is a SIGHUP to this very process, and everybody
/// who waits gets the report of the reload that comes of it.
class ReloadDesk {
 public:
  /// Asks, and waits for the report. Any thread but the main one.
  [[nodiscard]] ReloadReport ask() {
    std::future<ReloadReport> report;
    {
      const std::lock_guard lock{mutex_};
      if (is_closed_) return stopping();
      report = waiting_.emplace_back().get_future();
    }
    ::kill(::getpid(), SIGHUP);
    return report.get();
  }

  /// The main thread's: the report for all who have asked before.
  void answer(const ReloadReport& report) {
    for (auto& each : take()) each.set_value(report);
  }
  /// The main thread's: there will be no reload any more.
  void close() {
    {
      const std::lock_guard lock{mutex_};
      is_closed_ = true;
    }
    answer(stopping());
  }

 private:
  [[nodiscard]] static ReloadReport stopping() { return {{"the server is stopping"}, {}, {}}; }
  [[nodiscard]] std::vector<std::promise<ReloadReport>> take() {
    const std::lock_guard lock{mutex_};
    return std::exchange(waiting_, {});
  }

  std::mutex mutex_;
  std::vector<std::promise<ReloadReport>> waiting_;  // guarded by mutex_, like what follows
  bool is_closed_ = false;
};

}  // namespace turnpike::server
