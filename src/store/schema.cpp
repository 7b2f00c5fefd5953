#include "store/schema.h"

#include <fmt/format.h>

#include <array>

#include "store/failure.h"

namespace turnpike::store {
namespace {

constexpr std::int64_t application_id = 0x54504b53;  // "TPKS", as `file` shows it

// Names are what clients send, byte by byte. Times are seconds since 1970. "sealed": by Sealer.
constexpr const char* version_1 = R"(
  CREATE TABLE key_check (
    sealed BLOB NOT NULL
  ) STRICT;
  CREATE TABLE users (
    name TEXT NOT NULL PRIMARY KEY,
    realm TEXT NOT NULL,
    userhash BLOB NOT NULL,
    md5_key BLOB,     -- sealed
    sha256_key BLOB,  -- sealed
    max_allocations INTEGER,
    bandwidth INTEGER,
    disabled INTEGER NOT NULL,
    created INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX users_by_hash ON users (userhash);
  CREATE TABLE secrets (
    id TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL,  -- sealed
    not_before INTEGER NOT NULL,
    not_after INTEGER,
    created INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    signing BLOB NOT NULL,  -- sealed
    created INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE revocations (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    reason TEXT NOT NULL,
    PRIMARY KEY (kind, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
  ) STRICT;
)";

constexpr const char* version_2 = R"(
  CREATE TABLE usage (
    number INTEGER PRIMARY KEY,
    allocation TEXT NOT NULL,
    username TEXT NOT NULL,
    account TEXT NOT NULL,
    client TEXT NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    packets_to_peer INTEGER NOT NULL,
    bytes_to_peer INTEGER NOT NULL,
    packets_to_client INTEGER NOT NULL,
    bytes_to_client INTEGER NOT NULL,
    reason TEXT NOT NULL
  ) STRICT;
  CREATE INDEX usage_by_end ON usage (ended);
  CREATE INDEX usage_by_account ON usage (account, ended);
)";

// What an allocation had used when it was last looked at. No index but its key: rows are written
// over and over.
constexpr const char* version_3 = R"(
  CREATE TABLE usage_live (
    allocation TEXT NOT NULL PRIMARY KEY,
    username TEXT NOT NULL,
    account TEXT NOT NULL,
    client TEXT NOT NULL,
    started INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    packets_to_peer INTEGER NOT NULL,
    bytes_to_peer INTEGER NOT NULL,
    packets_to_client INTEGER NOT NULL,
    bytes_to_client INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
)";

/// What leads from each version to the next. Never changed once released: files out there went
/// through them.
constexpr std::array<const char*, schema_version> steps{version_1, version_2, version_3};

constexpr Place key_check_place{"key_check.sealed", ""};
constexpr std::string_view key_check_text = "turnpike";

std::int64_t pragma(Database& database, std::string_view sql) {
  Rows rows = database.query(sql);
  return rows.next() ? rows.integer(0) : 0;
}

std::int64_t version_of(Database& database) { return pragma(database, "PRAGMA user_version"); }

void go_from(Database& database, std::int64_t from, int to) {
  for (std::int64_t version = from; version < to; ++version) {
    database.run_script(steps.at(static_cast<std::size_t>(version)));
  }
  if (from < to) database.run_script(fmt::format("PRAGMA user_version = {}", to).c_str());
}

}  // namespace

void make_schema(Database& database, Sealer& sealer, int version) {
  Transaction transaction{database};
  database.run_script(fmt::format("PRAGMA application_id = {}", application_id).c_str());
  go_from(database, 0, version);
  database.run("INSERT INTO key_check VALUES (?1)",
               ByteView{sealer.seal(key_check_place, bytes_of(key_check_text))});
  transaction.commit();
}

void check_version(Database& database) {
  const std::int64_t version = version_of(database);
  if (pragma(database, "PRAGMA application_id") != application_id || version <= 0) {
    throw StoreFailure{Fault::corrupt,
                       fmt::format("{} is no database of Turnpike's; set store.url to the right "
                                   "file, or move this one away to begin an empty one",
                                   database.path())};
  }
  if (version <= schema_version) return;
  throw StoreFailure{Fault::newer,
                     fmt::format("{} was written by a later Turnpike (its version is {}, this one "
                                 "knows {}); install that Turnpike again, or put back the backup "
                                 "from before it",
                                 database.path(), version, schema_version)};
}

void migrate(Database& database) {
  if (version_of(database) == schema_version) return;
  Transaction transaction{database};
  // Read again: another process may have been first.
  go_from(database, version_of(database), schema_version);
  transaction.commit();
}

std::vector<std::uint8_t> key_check(Database& database) {
  Rows rows = database.query("SELECT sealed FROM key_check");
  if (!rows.next()) return {};
  const ByteView sealed = rows.blob(0);
  return {sealed.begin(), sealed.end()};
}

bool is_key_of(ByteView key_check, const Sealer& sealer) {
  return sealer.open(key_check_place, key_check).has_value();
}

void set_key_check(Database& database, Sealer& sealer) {
  database.run("UPDATE key_check SET sealed = ?1",
               ByteView{sealer.seal(key_check_place, bytes_of(key_check_text))});
}

void check_pages(Database& database) {
  Rows rows = database.query("PRAGMA quick_check(1)");
  const std::string answer = rows.next() ? rows.text(0) : "no answer";
  if (answer == "ok") return;
  throw StoreFailure{Fault::corrupt, fmt::format("{} is damaged: {}; put it back from your backup",
                                                 database.path(), answer)};
}

}  // namespace turnpike::store
