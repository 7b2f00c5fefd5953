// Notices that certificate files have changed and loads them anew. Reads files; no clock, no
// thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "net/tls.h"

namespace turnpike::net {

/// Watches the two files of a TlsContext. Made to be polled about once a second by one thread.
class CertificateWatcher {
 public:
  /// `current` is what was loaded from the files. The first poll() reads them again, as they may
  /// have changed in the meantime.
  CertificateWatcher(std::string certificate_file, std::string key_file,
                     std::shared_ptr<const TlsContext> current);

  struct Outcome {
    /// What new sessions use from now on. Null: as before.
    std::shared_ptr<const TlsContext> context;
    /// Why changed files were not taken, as one sentence; empty: nothing went wrong. Said once per
    /// change of the files.
    std::string error;
  };

  /// Loads the files if one of them looks different from the last poll (times, size, inode; links
  /// are followed). The old context stays when the new pair is broken, half-written or, as
  /// `options` say, out of date.
  [[nodiscard]] Outcome poll(const TlsContext::LoadOptions& options);

 private:
  /// What stat says about a file; `error` is errno when it says nothing.
  struct Look {
    int error = 0;
    dev_t device = 0;
    ino_t inode = 0;
    off_t bytes = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;  // also moves with permissions, and when a tool restores mtime
    bool operator==(const Look&) const = default;
  };
  static Look look_at(const std::string& file);

  std::string certificate_file_;
  std::string key_file_;
  std::shared_ptr<const TlsContext> current_;
  std::optional<std::array<Look, 2>> seen_;  // nothing before the first poll
};

}  // namespace turnpike::net
