// The credentials that hold now: those of the configuration and of the store together, kept up to
// date while the server runs.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/credential_book.h"
#include "server/config.h"
#include "server/mailbox.h"
#include "signaling/api_keys.h"
#include "store/store.h"

namespace turnpike::server {

/// The id of a secret that nobody has configured, made at the start for the rooms. One of the store
/// is signed with instead, for it outlives the process.
inline constexpr std::string_view makeshift_secret_id = "rooms";

/// What rooms and the REST API need of them.
struct RoomCredentials {
  std::string signing_secret;  ///< time-limited credentials are made with it; empty: there is none
  std::vector<signaling::FixedApiKeys::Entry> api_keys;
};

/// All functions may be called from any thread; those that look into the store may wait for it.
class Credentials {
 public:
  /// `store` may be null; it and `mailboxes` must outlive this.
  Credentials(const Config::Auth& auth, std::string realm, store::Store* store,
              Mailboxes& mailboxes);

  /// The book of this moment. The first one is for the workers' start; they are sent all others.
  [[nodiscard]] std::shared_ptr<const auth::CredentialBook> book() const;
  [[nodiscard]] RoomCredentials for_rooms() const;
  /// `on_change` is called after each change, on the thread that found it.
  void watch(std::function<void(const RoomCredentials&)> on_change);

  /// Reads the store again. A store that cannot be read leaves all as it was.
  void read_store(WallTime now);
  /// The configuration has changed.
  void use(const Config::Auth& auth, WallTime now);
  /// Call it about once a second: secrets begin and end by the clock.
  void on_time(WallTime now);

 private:
  struct Stored {
    std::vector<store::StoredSecret> secrets;
    std::vector<store::StoredApiKey> api_keys;
    std::vector<store::Revocation> revocations;
  };

  [[nodiscard]] std::optional<Stored> read(WallTime now);
  void rebuild(WallTime now);
  void publish();
  [[nodiscard]] std::vector<auth::Secret> valid_secrets(WallTime now) const;
  [[nodiscard]] std::optional<WallTime> next_boundary(WallTime now) const;

  const std::string realm_;
  store::Store* const store_;
  Mailboxes& mailboxes_;

  mutable std::mutex mutex_;
  Config::Auth auth_;  // guarded by mutex_, like what follows
  Stored stored_;
  std::shared_ptr<const auth::CredentialBook> book_;
  RoomCredentials for_rooms_;
  std::optional<WallTime> boundary_;  // when a secret begins or ends
  std::function<void(const RoomCredentials&)> on_change_;
};

}  // namespace turnpike::server
