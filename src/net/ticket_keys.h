// The keys under which TLS sessions are handed to clients as tickets (RFC 5077, RFC 8446 §4.6.1).
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/time.h"

namespace turnpike::net {

/// Whoever gets hold of a ticket key reads all connections that its tickets resume, so a key is
/// used for two hours, stays good for what it has sealed for two more, and is wiped then. May be
/// used from any thread.
class TicketKeys {
 public:
  /// How long tickets are made with one key. No ticket lives longer (OpenSSL's default).
  static constexpr seconds period{7200};

  /// Wiped when it goes.
  struct Key {
    std::array<std::uint8_t, 16> name;
    std::array<std::uint8_t, 32> encryption;
    std::array<std::uint8_t, 32> authentication;

    ~Key() {
      wipe(encryption);
      wipe(authentication);
    }
  };
  struct Found {
    Key key;
    bool is_current;  ///< false: the client is to be given a new ticket
  };

  /// The key for new tickets.
  [[nodiscard]] Key current(Instant now);
  /// The key that a ticket names; nothing when it is too old, or was never ours.
  [[nodiscard]] std::optional<Found> find(ByteView name, Instant now);

 private:
  void rotate(Instant now);  // with mutex_ held
  void make_current(Instant now);

  std::mutex mutex_;
  SecureRandom random_;
  std::optional<Key> current_;
  std::optional<Key> previous_;
  Instant made_at_{};
};

}  // namespace turnpike::net
