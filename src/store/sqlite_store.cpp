#include "store/sqlite_store.h"

#include <fmt/format.h>

#include "store/schema.h"

namespace turnpike::store {
namespace {

std::vector<Change> changes_in(Rows rows) {
  std::vector<Change> changes;
  while (rows.next()) {
    changes.push_back({.number = rows.count(0),
                       .when = rows.time(1),
                       .who = rows.text(2),
                       .action = rows.text(3),
                       .subject = rows.text(4),
                       .detail = rows.text(5)});
  }
  return changes;
}

}  // namespace

// --- What was changed ----------------------------------------------------------------------------

void SqliteStore::note(std::string_view action, std::string_view subject, std::string_view detail,
                       const Author& author) {
  database_->run("INSERT INTO audit (at, who, action, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
                 author.when, author.who, action, subject, detail);
}

/// The one place where the log loses entries: as long as there are changes, it is never longer.
void SqliteStore::cut_audit_log() {
  database_->run("DELETE FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?1",
                 kept_changes_);
}

Stored<std::vector<Change>> SqliteStore::audit(std::uint64_t before, std::size_t limit) {
  return alone([&] {
    return changes_in(
        database_->query("SELECT number, at, who, action, subject, detail FROM audit "
                         "WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
                         before, limit));
  });
}

Stored<void> SqliteStore::record(std::string_view action, std::string_view subject,
                                 std::string_view detail, const Author& author) {
  return changing([&] { note(action, subject, detail, author); });
}

Stored<std::uint64_t> SqliteStore::change_counter() {
  return alone([&] {
    std::int64_t version = 0;
    if (Rows rows = database_->query("PRAGMA data_version"); rows.next()) version = rows.integer(0);
    if (!seen_ || seen_->data_version != version) {
      Rows rows = database_->query("SELECT max(number) FROM audit");
      seen_ = SeenChanges{version, rows.next() ? rows.count(0) : 0};
    }
    return seen_->number;
  });
}

Stored<std::vector<Change>> SqliteStore::changes_since(std::uint64_t counter, std::size_t limit) {
  return alone([&] {
    return changes_in(
        database_->query("SELECT number, at, who, action, subject, detail FROM audit "
                         "WHERE number > ?1 ORDER BY number LIMIT ?2",
                         counter, limit));
  });
}

// --- Sealing -------------------------------------------------------------------------------------

bool SqliteStore::has_key_changed() const { return key_check(*database_) != seal_.check; }

/// Nobody changes the key while this transaction is open: what is sealed now will open.
std::vector<std::uint8_t> SqliteStore::seal(const Place& place, ByteView plain) {
  if (has_key_changed()) throw KeyChanged{};
  return seal_.sealer->seal(place, plain);
}

std::vector<std::uint8_t> SqliteStore::unseal(const Place& place, ByteView sealed) const {
  if (auto plain = seal_.sealer->open(place, sealed)) return std::move(*plain);
  if (has_key_changed()) throw KeyChanged{};
  throw StoreFailure{Fault::corrupt,
                     fmt::format("{}: {} of \"{}\" was changed by something else than Turnpike, or "
                                 "is damaged; put the file back from your backup, or remove and "
                                 "add that entry again",
                                 database_->path(), place.column, place.row)};
}

}  // namespace turnpike::store
