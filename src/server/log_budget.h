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

/// At most `per_second` lines of each event in a second, which begins with its first line; of an
/// event that comes again for as long as an operator does nothing, one line in a minute. Not
/// thread-safe.
class LogBudget {
 public:
  static constexpr unsigned per_second = 10;
  static constexpr seconds lasting_pause{60};

  /// Lines of one event that were not written.
  struct Suppressed {
    std::string event;
    std::uint64_t count = 0;
  };

  /// What seconds or minutes that are over by `now` left out, each told once, in the order of the
  /// names.
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
      const seconds length = is_lasting(event) ? lasting_pause : seconds{1};
      found = windows_.emplace(std::string{event}, Window{now + length}).first;
    }
    Window& window = found->second;
    if (window.written < (is_lasting(event) ? 1 : per_second)) {
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

  /// Every thread that accepts says so five times a second while there are no descriptors.
  static bool is_lasting(std::string_view event) { return event == "accept_failed"; }

  std::map<std::string, Window, std::less<>> windows_;  ///< of spans that are not told yet
};

}  // namespace turnpike::server
