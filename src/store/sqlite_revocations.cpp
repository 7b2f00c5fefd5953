// Revocations, in SQLite.
#include "store/sqlite_store.h"

namespace turnpike::store {

Stored<std::vector<Revocation>> SqliteStore::revocations(WallTime when) {
  return alone([&] {
    std::vector<Revocation> revocations;
    Rows rows = database_->query(
        "SELECT kind, name, since, until, reason FROM revocations "
        "WHERE until IS NULL OR until > ?1 ORDER BY kind, name",
        when);
    while (rows.next()) {
      const bool is_account = rows.text(0) == to_string(RevokedName::account);
      revocations.push_back({.kind = is_account ? RevokedName::account : RevokedName::username,
                             .name = rows.text(1),
                             .since = rows.time(2),
                             .until = rows.optional_time(3),
                             .reason = rows.text(4)});
    }
    return revocations;
  });
}

Stored<void> SqliteStore::revoke(const Revocation& revocation, const Author& author) {
  return changing([&] {
    database_->run(
        "INSERT INTO revocations (kind, name, since, until, reason) VALUES (?1, ?2, ?3, ?4, ?5) "
        "ON CONFLICT DO UPDATE SET since = ?3, until = ?4, reason = ?5",
        to_string(revocation.kind), revocation.name, author.when, revocation.until,
        revocation.reason);
    note(actions::credential_revoke, revocation.name, revocation.reason, author);
  });
}

Stored<bool> SqliteStore::restore(RevokedName kind, std::string_view name, const Author& author) {
  return changing([&] {
    if (database_->run("DELETE FROM revocations WHERE kind = ?1 AND name = ?2", to_string(kind),
                       name) == 0) {
      return false;
    }
    note(actions::credential_restore, name, "", author);
    return true;
  });
}

Stored<std::size_t> SqliteStore::remove_ended_revocations(WallTime now) {
  return changing([&] { return database_->run("DELETE FROM revocations WHERE until <= ?1", now); });
}

}  // namespace turnpike::store
