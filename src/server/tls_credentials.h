// The certificate in force, exchanged while connections come in.
#pragma once

#include <memory>
#include <mutex>

#include "net/tls.h"

namespace turnpike::server {

/// Holds the current TlsContext. Any thread; asked once per connection.
class TlsCredentials {
 public:
  /// Null when TLS is not configured.
  [[nodiscard]] std::shared_ptr<const net::TlsContext> get() const {
    const std::lock_guard lock{mutex_};
    return context_;
  }
  void set(std::shared_ptr<const net::TlsContext> context) {
    const std::lock_guard lock{mutex_};
    context_ = std::move(context);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const net::TlsContext> context_;
};

}  // namespace turnpike::server
