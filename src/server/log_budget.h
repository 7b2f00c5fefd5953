// How many warnings of one name may be written: strangers cause some of them, and a flood of lines
// fills disks and hides what matters.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace turnpike::server {

/// At most `per_second` lines of each event in a second, which begins with its first line. Not
/// thread-safe.
class LogBudget {
 public:
  static constexpr unsigned per_second = 10;

  /// Lines of one event that were not written.
  struct Suppressed {
    std::string event;
    std::uint64_t count = 0;
  };

  /// What seconds that are over by `now` left out, each told once, in the order of the names.
  [[nodiscard]] std::vector<Suppressed> take_suppressed(Instant now) {
    std::vector<Suppressed> taken;
    for (auto it = windows_.begin(); it != windows_.end();) {
      const Window& window = it->second;
      if (now < window.end) {
        ++it;
        continue;
      }
      if (window.suppressed > 0) taken.push_back({it->first, window.suppressed});
      it = windows_.erase(it);
    }
    return taken;
  }

  /// True when one more line of `event` may be written at `now`; counts it either way. Take what is
  /// over first.
  [[nodiscard]] bool may_write(std::string_view event, Instant now) {
    auto found = windows_.find(event);
    if (found == windows_.end()) {
      found = windows_.emplace(std::string{event}, Window{now + seconds{1}, 0, 0}).first;
    }
    Window& window = found->second;
    if (window.written < per_second) {
      ++window.written;
      return true;
    }
    ++window.suppressed;
    return false;
  }

 private:
  struct Window {
    Instant end;
    unsigned written = 0;
    std::uint64_t suppressed = 0;
  };

  std::map<std::string, Window, std::less<>> windows_;  ///< of seconds that are not told yet
};

}  // namespace turnpike::server
