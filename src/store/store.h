// What outlives the server and changes while it runs: users, secrets, API keys, revocations, who
// changed what, and what was used. The interface; sqlite.h is the one that keeps it in a file.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/credentials.h"
#include "auth/user_limits.h"
#include "base/crypto.h"
#include "base/result.h"
#include "base/time.h"

namespace turnpike::store {

// --- What can go wrong ---------------------------------------------------------------------------

enum class Fault : std::uint8_t {
  unavailable,    ///< locked by another for too long, disk full, input or output failed; try again
  misconfigured,  ///< path, owner, mode or key file: nothing that waiting would mend
  wrong_key,      ///< what is sealed was sealed with another key
  corrupt,        ///< no database of Turnpike's, or a damaged one
  newer,          ///< written by a later version
};

/// `sentence` is for people: the file, what is wrong, and the remedy. It has no secrets.
struct StoreError {
  Fault fault;
  std::string sentence;
};

template <class T>
using Stored = Result<T, StoreError>;

// --- What is kept --------------------------------------------------------------------------------

/// A user with a long-term password, of which only the keys are kept.
struct StoredUser {
  std::string name{};          ///< as the client sends it, after OpaqueString
  std::string realm{};         ///< that the keys were made for; with any other they are of no use
  auth::LongTermKey md5{};     ///< 16 bytes; empty: none
  auth::LongTermKey sha256{};  ///< 32 bytes; empty: none, as for users that came from coturn
  auth::UserLimits limits{};
  bool disabled = false;  ///< kept, and refused like an unknown user
  WallTime created{};     ///< set by the store
};

/// A secret that time-limited credentials are made and verified with, while it is valid.
struct StoredSecret {
  std::string id{};
  std::string value{};
  WallTime not_before{};
  std::optional<WallTime> not_after{};  ///< from then on it verifies nothing; nothing: no end
  WallTime created{};                   ///< set by the store

  [[nodiscard]] bool is_valid_at(WallTime when) const {
    return not_before <= when && (!not_after || when < *not_after);
  }
};

/// The secret to sign with at `when`: of those valid the one whose time began last; of several, the
/// last in `secrets`. Null when none is valid. Points into `secrets`.
[[nodiscard]] const StoredSecret* signing_secret(std::span<const StoredSecret> secrets,
                                                 WallTime when);

/// A program's key for the REST API. Its secret is recognised by `digest`; what room tokens are
/// signed with (HS256) is the secret itself, which is sealed in the file.
struct StoredApiKey {
  std::string id{};
  Sha256Digest digest{};  ///< of the secret
  std::string signing{};  ///< the secret: HmacSha256Key{bytes_of(signing)}
  WallTime created{};     ///< set by the store
};

/// An API key as it is shown: once with its secret, when it is made.
struct NewApiKey {
  std::string id{};
  std::string secret{};  ///< a bearer token (RFC 6750) of 264 random bits
};

/// What a revocation names.
enum class RevokedName : std::uint8_t {
  username,  ///< exactly this one, as the client sends it: "1795219200:alice"
  account,   ///< all of it: user "alice", and every time-limited "…:alice"
};

[[nodiscard]] std::string_view to_string(RevokedName kind);  ///< "username", "account"

/// Credentials that are refused although they verify.
struct Revocation {
  RevokedName kind = RevokedName::account;
  std::string name{};
  WallTime since{};                 ///< set by the store
  std::optional<WallTime> until{};  ///< then it ends by itself; nothing: it stays until lifted
  std::string reason{};             ///< for people

  [[nodiscard]] bool holds_at(WallTime when) const { return !until || when < *until; }
};

/// An allocation that has ended.
struct UsageRecord {
  std::string allocation{};  ///< its name: "3-1742"
  std::string username{};
  std::string account{};
  std::string client{};  ///< address, whole or truncated as the caller decides
  WallTime started{};
  WallTime ended{};
  std::uint64_t packets_to_peer = 0;
  std::uint64_t bytes_to_peer = 0;
  std::uint64_t packets_to_client = 0;
  std::uint64_t bytes_to_client = 0;
  std::string reason{};  ///< why it ended: "expired", "killed", …
};

/// Why an allocation ended whose server did not live to say so.
inline constexpr std::string_view crashed = "crashed";

/// The sum of one account's records.
struct UsageSum {
  std::string account{};
  std::uint64_t allocations = 0;
  seconds duration{};
  std::uint64_t packets_to_peer = 0;
  std::uint64_t bytes_to_peer = 0;
  std::uint64_t packets_to_client = 0;
  std::uint64_t bytes_to_client = 0;
};

/// Records that ended at `from` or later, and before `to`.
struct TimeSpan {
  WallTime from = WallTime::min();
  WallTime to = WallTime::max();
};

/// Who changes something, and when. "uid 1000 (mina)", "key web": what the audit log shows.
struct Author {
  std::string who{};
  WallTime when{};
};

/// One entry of the audit log.
struct Change {
  std::uint64_t number = 0;  ///< counts up, never given again
  WallTime when{};
  std::string who;
  std::string action;   ///< "user.add"; see `actions`
  std::string subject;  ///< the name or id of what was changed
  std::string detail;   ///< for people; has no secrets
};

/// What the store itself writes as Change::action. Others may add their own with record().
namespace actions {
inline constexpr std::string_view user_add = "user.add";
inline constexpr std::string_view user_change = "user.change";
inline constexpr std::string_view user_remove = "user.remove";
inline constexpr std::string_view secret_add = "secret.add";
inline constexpr std::string_view secret_retire = "secret.retire";
inline constexpr std::string_view secret_remove = "secret.remove";
inline constexpr std::string_view key_create = "key.create";
inline constexpr std::string_view key_revoke = "key.revoke";
inline constexpr std::string_view credential_revoke = "credential.revoke";
inline constexpr std::string_view credential_restore = "credential.restore";
inline constexpr std::string_view store_reseal = "store.reseal";
}  // namespace actions

// --- The store -----------------------------------------------------------------------------------

/// All functions may be called from any thread, and may wait for a disk or for another process:
/// never from a worker. When a function that changes something returns without an error, the change
/// and its audit entry are on the disk together; otherwise neither is. "False" answers are no
/// errors, and change nothing.
class Store {
 public:
  virtual ~Store() = default;

  // Users. Names are compared byte by byte.
  [[nodiscard]] virtual Stored<std::optional<StoredUser>> find_user(std::string_view name) = 0;
  /// By USERHASH (RFC 8489 §14.4) of name and realm.
  [[nodiscard]] virtual Stored<std::optional<StoredUser>> find_user_by_hash(
      const Sha256Digest& userhash) = 0;
  /// At most `limit` users whose names come after `after`, in the order of their bytes.
  [[nodiscard]] virtual Stored<std::vector<StoredUser>> users(std::string_view after,
                                                              std::size_t limit) = 0;
  [[nodiscard]] virtual Stored<std::uint64_t> user_count() = 0;
  /// False when there is one of that name.
  [[nodiscard]] virtual Stored<bool> add_user(const StoredUser& user, const Author& author) = 0;
  /// All in one transaction, but for those whose names are taken. How many were added.
  [[nodiscard]] virtual Stored<std::size_t> add_users(std::span<const StoredUser> users,
                                                      const Author& author) = 0;
  /// Everything but the time it was created. False when there is none of that name.
  [[nodiscard]] virtual Stored<bool> replace_user(const StoredUser& user, const Author& author) = 0;
  /// Has `change` say what is to be different about a user as it is now; nobody else changes it
  /// meanwhile. The name and the time it was created stay. The user as it is then; nothing when
  /// there is none of that name.
  using ChangeUser = std::function<void(StoredUser&)>;
  [[nodiscard]] virtual Stored<std::optional<StoredUser>> change_user(std::string_view name,
                                                                      const ChangeUser& change,
                                                                      const Author& author) = 0;
  /// False when there is none.
  [[nodiscard]] virtual Stored<bool> remove_user(std::string_view name, const Author& author) = 0;

  // Secrets.
  /// All of them, valid or not, in the order in which their times begin.
  [[nodiscard]] virtual Stored<std::vector<StoredSecret>> secrets() = 0;
  /// False when there is one of that id.
  [[nodiscard]] virtual Stored<bool> add_secret(const StoredSecret& secret,
                                                const Author& author) = 0;
  /// Adds `secret` and has all others end at `others_end`, unless they end earlier. False when
  /// there is one of that id.
  [[nodiscard]] virtual Stored<bool> rotate_secret(const StoredSecret& secret, WallTime others_end,
                                                   const Author& author) = 0;
  /// Has it end at `not_after`. False when there is none.
  [[nodiscard]] virtual Stored<bool> retire_secret(std::string_view id, WallTime not_after,
                                                   const Author& author) = 0;
  /// False when there is none.
  [[nodiscard]] virtual Stored<bool> remove_secret(std::string_view id, const Author& author) = 0;

  // API keys.
  /// By id.
  [[nodiscard]] virtual Stored<std::vector<StoredApiKey>> api_keys() = 0;
  /// Makes one; the only time that its secret is shown. Nothing when there is one of that id.
  [[nodiscard]] virtual Stored<std::optional<NewApiKey>> create_api_key(std::string_view id,
                                                                        const Author& author) = 0;
  /// It is gone with its tokens. False when there is none.
  [[nodiscard]] virtual Stored<bool> revoke_api_key(std::string_view id, const Author& author) = 0;

  // Revocations.
  /// Those that hold at `when`, by name.
  [[nodiscard]] virtual Stored<std::vector<Revocation>> revocations(WallTime when) = 0;
  /// Also when the same is revoked already: the later word holds.
  [[nodiscard]] virtual Stored<void> revoke(const Revocation& revocation, const Author& author) = 0;
  /// Lifts one. False when there is none.
  [[nodiscard]] virtual Stored<bool> restore(RevokedName kind, std::string_view name,
                                             const Author& author) = 0;
  /// Forgets those that no longer hold; that changes nothing for anybody and is not audited.
  [[nodiscard]] virtual Stored<std::size_t> remove_ended_revocations(WallTime now) = 0;

  // What was changed. Of the audit log the latest entries are kept, 200,000 of them.
  /// At most `limit` entries with numbers below `before`, the latest first.
  [[nodiscard]] virtual Stored<std::vector<Change>> audit(std::uint64_t before,
                                                          std::size_t limit) = 0;
  /// Writes an entry about something that is not kept here, such as a killed allocation.
  [[nodiscard]] virtual Stored<void> record(std::string_view action, std::string_view subject,
                                            std::string_view detail, const Author& author) = 0;
  /// The number of the last change by anybody, in whatever process; 0: none yet. Costs a few
  /// microseconds while nothing changes: for asking several times a second. Usage is no change.
  [[nodiscard]] virtual Stored<std::uint64_t> change_counter() = 0;
  /// The changes with numbers above `counter` that are still kept, the oldest first, at most
  /// `limit`: what of one's own is to be read again.
  [[nodiscard]] virtual Stored<std::vector<Change>> changes_since(std::uint64_t counter,
                                                                  std::size_t limit) = 0;

  // What was used.
  /// In one transaction. What note_live_usage() has said of the same allocations is replaced.
  [[nodiscard]] virtual Stored<void> append_usage(std::span<const UsageRecord> records) = 0;
  /// What allocations that live have used so far, up to `ended`; the reason does not count. In one
  /// transaction. Is no record yet.
  [[nodiscard]] virtual Stored<void> note_live_usage(std::span<const UsageRecord> records) = 0;
  /// Makes records of what note_live_usage() has said of allocations whose end nobody has told,
  /// `crashed`. How many. For a server that begins: names of allocations come again, and no other
  /// server may use the store.
  [[nodiscard]] virtual Stored<std::size_t> settle_live_usage() = 0;
  /// At most `limit` records of `span`, of one account or, when that is empty, of all; the latest
  /// first, after skipping `offset`.
  [[nodiscard]] virtual Stored<std::vector<UsageRecord>> usage(const TimeSpan& span,
                                                               std::string_view account,
                                                               std::size_t offset,
                                                               std::size_t limit) = 0;
  /// One sum for each account with records in `span`, the most bytes first; at most `limit`.
  [[nodiscard]] virtual Stored<std::vector<UsageSum>> usage_by_account(const TimeSpan& span,
                                                                       std::size_t limit) = 0;
  /// Forgets records that ended before `end`. How many.
  [[nodiscard]] virtual Stored<std::size_t> remove_usage_before(WallTime end) = 0;

 protected:
  Store() = default;
  Store(const Store&) = default;
  Store& operator=(const Store&) = default;
};

}  // namespace turnpike::store
