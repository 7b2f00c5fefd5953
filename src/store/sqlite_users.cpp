// Users, in SQLite.
#include "store/sqlite_store.h"

namespace turnpike::store {
namespace {

constexpr std::string_view md5_column = "users.md5_key";
constexpr std::string_view sha256_column = "users.sha256_key";

// What user_in() reads. Statements are kept by their text, so these live as long as the program.
const std::string select_users =
    "SELECT name, realm, md5_key, sha256_key, max_allocations, bandwidth, disabled, created "
    "FROM users ";
const std::string select_by_name = select_users + "WHERE name = ?1";
const std::string select_by_hash = select_users + "WHERE userhash = ?1";
const std::string select_after = select_users + "WHERE name > ?1 ORDER BY name LIMIT ?2";

/// What of a user is about to change, for people.
std::string difference(const StoredUser& before, const StoredUser& after) {
  std::string text;
  const auto add = [&](bool differs, std::string_view what) {
    if (differs) text.append(text.empty() ? "" : ", ").append(what);
  };
  add(before.realm != after.realm || before.md5 != after.md5 || before.sha256 != after.sha256,
      "password");
  add(before.limits != after.limits, "limits");
  add(before.disabled != after.disabled, after.disabled ? "disabled" : "enabled");
  return text;
}

}  // namespace

StoredUser SqliteStore::user_in(const Rows& row) const {
  StoredUser user{.name = row.text(0), .realm = row.text(1)};
  if (!row.is_null(2)) user.md5 = unseal({md5_column, user.name}, row.blob(2));
  if (!row.is_null(3)) user.sha256 = unseal({sha256_column, user.name}, row.blob(3));
  if (!row.is_null(4)) user.limits.max_allocations = static_cast<std::uint32_t>(row.count(4));
  if (!row.is_null(5)) user.limits.bandwidth = row.count(5);
  user.disabled = row.integer(6) != 0;
  user.created = row.time(7);
  return user;
}

std::optional<StoredUser> SqliteStore::first_user(Rows rows) const {
  if (!rows.next()) return std::nullopt;
  return user_in(rows);
}

Stored<std::optional<StoredUser>> SqliteStore::find_user(std::string_view name) {
  return alone([&] { return first_user(database_->query(select_by_name, name)); });
}

Stored<std::optional<StoredUser>> SqliteStore::find_user_by_hash(const Sha256Digest& userhash) {
  return alone([&] { return first_user(database_->query(select_by_hash, ByteView{userhash})); });
}

Stored<std::vector<StoredUser>> SqliteStore::users(std::string_view after, std::size_t limit) {
  return alone([&] {
    std::vector<StoredUser> users;
    Rows rows = database_->query(select_after, after, limit);
    while (rows.next()) users.push_back(user_in(rows));
    return users;
  });
}

Stored<std::uint64_t> SqliteStore::user_count() {
  return alone([&] {
    Rows rows = database_->query("SELECT count(*) FROM users");
    return rows.next() ? rows.count(0) : std::uint64_t{0};
  });
}

/// Nothing for an algorithm that the user has no key of.
std::optional<std::vector<std::uint8_t>> SqliteStore::sealed_key(std::string_view column,
                                                                 const StoredUser& user,
                                                                 const auth::LongTermKey& key) {
  if (key.empty()) return std::nullopt;
  return seal({column, user.name}, key);
}

bool SqliteStore::insert_user(const StoredUser& user, const Author& author) {
  const std::size_t added = database_->run(
      "INSERT INTO users (name, realm, userhash, md5_key, sha256_key, max_allocations, bandwidth, "
      "disabled, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
      user.name, user.realm, ByteView{auth::userhash(user.name, user.realm)},
      sealed_key(md5_column, user, user.md5), sealed_key(sha256_column, user, user.sha256),
      user.limits.max_allocations, user.limits.bandwidth, user.disabled, author.when);
  if (added == 0) return false;
  note(actions::user_add, user.name, "realm " + user.realm, author);
  return true;
}

Stored<bool> SqliteStore::add_user(const StoredUser& user, const Author& author) {
  return changing([&] { return insert_user(user, author); });
}

Stored<std::size_t> SqliteStore::add_users(std::span<const StoredUser> users,
                                           const Author& author) {
  return changing([&] {
    std::size_t added = 0;
    for (const StoredUser& user : users) added += insert_user(user, author) ? 1U : 0U;
    return added;
  });
}

std::optional<StoredUser> SqliteStore::update_user(std::string_view name, const ChangeUser& change,
                                                   const Author& author) {
  const auto before = first_user(database_->query(select_by_name, name));
  if (!before) return std::nullopt;
  StoredUser user = *before;
  change(user);
  user.name = before->name;
  user.created = before->created;
  database_->run(
      "UPDATE users SET realm = ?2, userhash = ?3, md5_key = ?4, sha256_key = ?5, "
      "max_allocations = ?6, bandwidth = ?7, disabled = ?8 WHERE name = ?1",
      user.name, user.realm, ByteView{auth::userhash(user.name, user.realm)},
      sealed_key(md5_column, user, user.md5), sealed_key(sha256_column, user, user.sha256),
      user.limits.max_allocations, user.limits.bandwidth, user.disabled);
  note(actions::user_change, user.name, difference(*before, user), author);
  return user;
}

Stored<bool> SqliteStore::replace_user(const StoredUser& user, const Author& author) {
  return changing([&] {
    const auto replace = [&user](StoredUser& kept) { kept = user; };
    return update_user(user.name, replace, author).has_value();
  });
}

Stored<std::optional<StoredUser>> SqliteStore::change_user(std::string_view name,
                                                           const ChangeUser& change,
                                                           const Author& author) {
  return changing([&] { return update_user(name, change, author); });
}

Stored<bool> SqliteStore::remove_user(std::string_view name, const Author& author) {
  return changing([&] {
    if (database_->run("DELETE FROM users WHERE name = ?1", name) == 0) return false;
    note(actions::user_remove, name, "", author);
    return true;
  });
}

}  // namespace turnpike::store
