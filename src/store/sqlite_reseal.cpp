// Another key for the store, in SQLite.
//
// Key file and database cannot change in the same moment, and the program may be killed in each.
// So:
//  1. the new key is written beside the old one, as FILE.next;
//  2. one transaction seals everything with it;
//  3. it takes the place of FILE, which is kept as FILE.old.
// Whoever opens the store tries FILE and FILE.next, and goes on with the one that opens it. All
// three steps are made with the database's write lock held: of two that do this at once, the second
// begins where the first has ended.
#include <fmt/format.h>

#include <array>

#include "store/key_file.h"
#include "store/private_file.h"
#include "store/schema.h"
#include "store/seal.h"
#include "store/sqlite_store.h"

namespace turnpike::store {
namespace {

/// A column whose values are sealed. The statements give names with values, and take them.
struct SealedColumn {
  std::string_view name;  ///< as in Place
  std::string_view select;
  std::string_view update;
};

constexpr std::array sealed_columns{
    SealedColumn{"users.md5_key", "SELECT name, md5_key FROM users WHERE md5_key IS NOT NULL",
                 "UPDATE users SET md5_key = ?2 WHERE name = ?1"},
    SealedColumn{"users.sha256_key",
                 "SELECT name, sha256_key FROM users WHERE sha256_key IS NOT NULL",
                 "UPDATE users SET sha256_key = ?2 WHERE name = ?1"},
    SealedColumn{"secrets.value", "SELECT id, value FROM secrets",
                 "UPDATE secrets SET value = ?2 WHERE id = ?1"},
    SealedColumn{"api_keys.signing", "SELECT id, signing FROM api_keys",
                 "UPDATE api_keys SET signing = ?2 WHERE id = ?1"},
};

std::unique_ptr<Sealer> sealer_of(AeadKey key) {
  auto sealer = std::make_unique<Sealer>(key);
  wipe(key);
  return sealer;
}

}  // namespace

Seal find_seal(Database& database, const std::string& key_file) {
  for (;;) {
    std::vector<std::uint8_t> check = key_check(database);
    // The first one again, for the second may have taken its place between the two looks.
    for (const std::string& file : {key_file, next_key_file(key_file), key_file}) {
      const auto key =
          file == key_file ? std::optional{read_key_file(file)} : read_key_file_if_there(file);
      if (!key) continue;
      auto sealer = sealer_of(*key);
      if (is_key_of(check, *sealer)) return {std::move(sealer), std::move(check)};
    }
    if (key_check(database) == check) break;  // else sealed anew meanwhile
  }
  throw StoreFailure{Fault::wrong_key,
                     fmt::format("{} was sealed with another key than the one in the key file; set "
                                 "store.key_file to the right one, or put it back from your backup",
                                 database.path())};
}

void settle_key_file(Database& database, const std::string& key_file) {
  const std::string next_file = next_key_file(key_file);
  const auto next = read_key_file_if_there(next_file);
  if (!next || !is_key_of(key_check(database), *sealer_of(*next))) return;
  try {
    promote_next_key_file(key_file);
  } catch (const StoreFailure& failure) {
    throw StoreFailure{Fault::misconfigured,
                       fmt::format("{}. The store is sealed with the key in {} now, which is used "
                                   "where it is: keep it, and give it the other name yourself",
                                   failure.error().sentence, next_file)};
  }
}

/// Seals everything with the key that `key_of_next` gives, in one transaction.
void SqliteStore::seal_anew(const std::function<AeadKey()>& key_of_next, const Author& author) {
  Transaction transaction{*database_};
  settle_key_file(*database_, key_file_);
  const auto next = sealer_of(key_of_next());
  for (const SealedColumn& column : sealed_columns) {
    std::vector<std::pair<std::string, std::vector<std::uint8_t>>> values;
    {
      Rows rows = database_->query(column.select);
      while (rows.next()) {
        std::string row = rows.text(0);
        const Place place{column.name, row};
        std::vector<std::uint8_t> plain = unseal(place, rows.blob(1));
        std::vector<std::uint8_t> sealed = next->seal(place, plain);
        wipe(plain);
        values.emplace_back(std::move(row), std::move(sealed));
      }
    }
    for (const auto& [row, sealed] : values) database_->run(column.update, row, ByteView{sealed});
  }
  set_key_check(*database_, *next);
  note(actions::store_reseal, "", "", author);
  finish(transaction);
}

/// The key in `path`, or one that is made there for the owner of the one before.
AeadKey SqliteStore::other_key(const std::string& path) {
  auto key = read_key_file_if_there(path);
  if (!key) {
    key = read_or_make_key_file(path);
    copy_owner_and_mode(key_file_, path);
  }
  if (!is_key_of(key_check(*database_), *sealer_of(*key))) return *key;
  throw StoreFailure{Fault::misconfigured,
                     fmt::format("{} has the key that {} is sealed with already; name another "
                                 "file, or none to have a new key made in the place of this one",
                                 path, database_->path())};
}

Stored<Resealed> SqliteStore::reseal(const std::string& new_key_file, const Author& author) {
  return alone([&]() -> Resealed {
    const bool is_in_place = new_key_file.empty();
    if (is_in_place) {
      seal_anew([&] { return make_next_key_file(key_file_); }, author);
      Transaction transaction{*database_};
      settle_key_file(*database_, key_file_);
      transaction.commit();
    } else {
      seal_anew([&] { return other_key(new_key_file); }, author);
    }
    // The log still has what was sealed with the key before.
    database_->run_script("PRAGMA wal_checkpoint(TRUNCATE)");
    return is_in_place ? Resealed{key_file_, old_key_file(key_file_)}
                       : Resealed{new_key_file, key_file_};
  });
}

}  // namespace turnpike::store
