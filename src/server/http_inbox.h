// Where the thread that serves HTTP finds the connections that workers have for it.
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "net/poller.h"
#include "server/stream_session.h"

namespace turnpike::server {

/// Connections whose first byte was that of an HTTP request. Each is counted in ConnectionLimits,
/// by its client's address.
class HttpInbox {
 public:
  /// deliver() ends the wait of `reader`. Call it before any thread delivers.
  void attach(net::Poller& reader) { reader_ = &reader; }
  /// From any thread.
  void deliver(StreamSession session) {
    {
      const std::lock_guard lock{mutex_};
      waiting_.push_back(std::move(session));
    }
    reader_->wake();
  }
  [[nodiscard]] std::vector<StreamSession> collect() {
    const std::lock_guard lock{mutex_};
    return std::exchange(waiting_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<StreamSession> waiting_;
  net::Poller* reader_ = nullptr;
};

}  // namespace turnpike::server
