// The Store in SQLite: one connection, used by one thread at a time. Its functions are spread over
// the sqlite_*.cpp files by what they are about.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"
#include "store/failure.h"
#include "store/seal.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace turnpike::store {

/// How many entries of the audit log are kept, the latest: some 20 MB. docs/store.md says so.
inline constexpr std::uint64_t default_kept_changes = 200'000;

class SqliteStore final : public Store {
 public:
  /// An open file whose schema is the present one, the key that opens it, and where that is.
  SqliteStore(std::unique_ptr<Database> database, Seal seal, std::string key_file,
              std::uint64_t kept_changes = default_kept_changes)
      : database_(std::move(database)),
        seal_(std::move(seal)),
        key_file_(std::move(key_file)),
        kept_changes_(kept_changes) {}

  Stored<std::optional<StoredUser>> find_user(std::string_view name) override;
  Stored<std::optional<StoredUser>> find_user_by_hash(const Sha256Digest& userhash) override;
  Stored<std::vector<StoredUser>> users(std::string_view after, std::size_t limit) override;
  Stored<std::uint64_t> user_count() override;
  Stored<bool> add_user(const StoredUser& user, const Author& author) override;
  Stored<std::size_t> add_users(std::span<const StoredUser> users, const Author& author) override;
  Stored<bool> replace_user(const StoredUser& user, const Author& author) override;
  Stored<std::optional<StoredUser>> change_user(std::string_view name, const ChangeUser& change,
                                                const Author& author) override;
  Stored<bool> remove_user(std::string_view name, const Author& author) override;

  Stored<std::vector<StoredSecret>> secrets() override;
  Stored<bool> add_secret(const StoredSecret& secret, const Author& author) override;
  Stored<bool> rotate_secret(const StoredSecret& secret, WallTime others_end,
                             const Author& author) override;
  Stored<bool> retire_secret(std::string_view id, WallTime not_after,
                             const Author& author) override;
  Stored<bool> remove_secret(std::string_view id, const Author& author) override;

  Stored<std::vector<StoredApiKey>> api_keys() override;
  Stored<std::optional<NewApiKey>> create_api_key(std::string_view id,
                                                  const Author& author) override;
  Stored<bool> revoke_api_key(std::string_view id, const Author& author) override;

  Stored<std::vector<Revocation>> revocations(WallTime when) override;
  Stored<void> revoke(const Revocation& revocation, const Author& author) override;
  Stored<bool> restore(RevokedName kind, std::string_view name, const Author& author) override;
  Stored<std::size_t> remove_ended_revocations(WallTime now) override;

  Stored<std::vector<Change>> audit(std::uint64_t before, std::size_t limit) override;
  Stored<void> record(std::string_view action, std::string_view subject, std::string_view detail,
                      const Author& author) override;
  Stored<std::uint64_t> change_counter() override;
  Stored<std::vector<Change>> changes_since(std::uint64_t counter, std::size_t limit) override;

  Stored<void> append_usage(std::span<const UsageRecord> records) override;
  Stored<void> note_live_usage(std::span<const UsageRecord> records) override;
  Stored<std::size_t> settle_live_usage() override;
  Stored<std::vector<UsageRecord>> usage(const TimeSpan& span, std::string_view account,
                                         std::size_t offset, std::size_t limit) override;
  Stored<std::vector<UsageSum>> usage_by_account(const TimeSpan& span, std::size_t limit) override;
  Stored<std::size_t> remove_usage_before(WallTime end) override;

  /// See reseal_sqlite(). The store is of no use afterwards, but to be closed, when `new_key_file`
  /// is not empty.
  Stored<Resealed> reseal(const std::string& new_key_file, const Author& author);

 private:
  /// What the last look at change_counter() found.
  struct SeenChanges {
    std::int64_t data_version;  // SQLite's: other connections have written when it differs
    std::uint64_t number;
  };

  /// Another process has sealed everything with another key: thrown by seal() and unseal(), caught
  /// by alone(). Seen from outside only when it happens again and again within one call.
  struct KeyChanged : StoreFailure {
    KeyChanged() : StoreFailure{Fault::unavailable, "the store gets another key; try again"} {}
  };

  static constexpr int key_changes_max = 20;  // within one call

  /// Runs `code` alone, and gives its answer or what it throws. Again when the key has changed.
  template <class Code>
  auto alone(const Code& code) {
    const std::lock_guard lock{mutex_};
    return caught([&] {
      for (int changes = 0;; ++changes) {
        try {
          return code();
        } catch (const KeyChanged&) {
          if (changes == key_changes_max) throw;
        }
        seal_ = find_seal(*database_, key_file_);
      }
    });
  }
  /// The same in one transaction.
  template <class Code>
  auto changing(const Code& code) {
    return alone([&] {
      Transaction transaction{*database_};
      if constexpr (std::is_void_v<decltype(code())>) {
        code();
        finish(transaction);
      } else {
        auto answer = code();
        finish(transaction);
        return answer;
      }
    });
  }
  void finish(Transaction& transaction) {
    cut_audit_log();
    transaction.commit();
    seen_.reset();
  }
  void cut_audit_log();

  /// Writes an audit entry, within the transaction of what it tells of.
  void note(std::string_view action, std::string_view subject, std::string_view detail,
            const Author& author);
  bool insert_user(const StoredUser& user, const Author& author);
  /// Writes what `change` makes of a user, within a transaction.
  std::optional<StoredUser> update_user(std::string_view name, const ChangeUser& change,
                                        const Author& author);
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> sealed_key(std::string_view column,
                                                                    const StoredUser& user,
                                                                    const auth::LongTermKey& key);
  bool insert_secret(const StoredSecret& secret, const Author& author);
  [[nodiscard]] std::optional<StoredUser> first_user(Rows rows) const;
  [[nodiscard]] StoredUser user_in(const Rows& row) const;

  /// Within a transaction.
  [[nodiscard]] std::vector<std::uint8_t> seal(const Place& place, ByteView plain);
  /// Throws StoreFailure when it was not sealed for this place.
  [[nodiscard]] std::vector<std::uint8_t> unseal(const Place& place, ByteView sealed) const;
  [[nodiscard]] bool has_key_changed() const;

  void seal_anew(const std::function<AeadKey()>& key_of_next, const Author& author);
  [[nodiscard]] AeadKey other_key(const std::string& path);

  std::mutex mutex_;
  std::unique_ptr<Database> database_;
  Seal seal_;
  const std::string key_file_;
  const std::uint64_t kept_changes_;
  std::optional<SeenChanges> seen_;
};

}  // namespace turnpike::store
