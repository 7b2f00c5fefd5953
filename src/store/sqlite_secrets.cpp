// Secrets of time-limited credentials, and API keys, in SQLite.
#include <algorithm>

#include "store/sqlite_store.h"

namespace turnpike::store {
namespace {

constexpr std::string_view secret_column = "secrets.value";
constexpr std::string_view signing_column = "api_keys.signing";

std::string text_from(std::vector<std::uint8_t> bytes) {
  std::string text{text_of(bytes)};
  wipe(bytes);
  return text;
}

/// 264 random bits in letters, digits, - and _, with a mark by which scanners of source code know
/// it. Shorter than a block of SHA-256, so that HMAC keys are made of it and not of its digest,
/// which the database shows (RFC 2104 §2).
std::string random_api_key() {
  std::array<std::uint8_t, 33> bytes{};
  SecureRandom random;
  random.fill(bytes);
  std::string text = base64_encode(bytes);  // no padding: whole groups of three
  wipe(bytes);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return "tpk_" + text;
}

}  // namespace

// --- Secrets -------------------------------------------------------------------------------------

Stored<std::vector<StoredSecret>> SqliteStore::secrets() {
  return alone([&] {
    std::vector<StoredSecret> secrets;
    Rows rows = database_->query(
        "SELECT id, value, not_before, not_after, created FROM secrets "
        "ORDER BY not_before, created, id");
    while (rows.next()) {
      StoredSecret secret{.id = rows.text(0)};
      secret.value = text_from(unseal({secret_column, secret.id}, rows.blob(1)));
      secret.not_before = rows.time(2);
      secret.not_after = rows.optional_time(3);
      secret.created = rows.time(4);
      secrets.push_back(std::move(secret));
    }
    return secrets;
  });
}

bool SqliteStore::insert_secret(const StoredSecret& secret, const Author& author) {
  const std::size_t added = database_->run(
      "INSERT INTO secrets (id, value, not_before, not_after, created) "
      "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
      secret.id, ByteView{seal({secret_column, secret.id}, bytes_of(secret.value))},
      secret.not_before, secret.not_after, author.when);
  if (added == 0) return false;
  note(actions::secret_add, secret.id, "", author);
  return true;
}

Stored<bool> SqliteStore::add_secret(const StoredSecret& secret, const Author& author) {
  return changing([&] { return insert_secret(secret, author); });
}

Stored<bool> SqliteStore::rotate_secret(const StoredSecret& secret, WallTime others_end,
                                        const Author& author) {
  return changing([&] {
    if (!insert_secret(secret, author)) return false;
    std::vector<std::string> retired;
    Rows rows = database_->query(
        "UPDATE secrets SET not_after = ?1 WHERE id != ?2 AND "
        "(not_after IS NULL OR not_after > ?1) RETURNING id",
        others_end, secret.id);
    while (rows.next()) retired.push_back(rows.text(0));
    for (const std::string& id : retired) {
      note(actions::secret_retire, id, "replaced by " + secret.id, author);
    }
    return true;
  });
}

Stored<bool> SqliteStore::retire_secret(std::string_view id, WallTime not_after,
                                        const Author& author) {
  return changing([&] {
    if (database_->run("UPDATE secrets SET not_after = ?2 WHERE id = ?1", id, not_after) == 0) {
      return false;
    }
    note(actions::secret_retire, id, "", author);
    return true;
  });
}

Stored<bool> SqliteStore::remove_secret(std::string_view id, const Author& author) {
  return changing([&] {
    if (database_->run("DELETE FROM secrets WHERE id = ?1", id) == 0) return false;
    note(actions::secret_remove, id, "", author);
    return true;
  });
}

// --- API keys ------------------------------------------------------------------------------------

Stored<std::vector<StoredApiKey>> SqliteStore::api_keys() {
  return alone([&] {
    std::vector<StoredApiKey> keys;
    Rows rows = database_->query("SELECT id, digest, signing, created FROM api_keys ORDER BY id");
    while (rows.next()) {
      StoredApiKey key{.id = rows.text(0)};
      key.signing = text_from(unseal({signing_column, key.id}, rows.blob(2)));
      key.digest = sha256(bytes_of(key.signing));
      key.created = rows.time(3);
      keys.push_back(std::move(key));
    }
    return keys;
  });
}

Stored<std::optional<NewApiKey>> SqliteStore::create_api_key(std::string_view id,
                                                             const Author& author) {
  return changing([&]() -> std::optional<NewApiKey> {
    NewApiKey key{std::string{id}, random_api_key()};
    const ByteView secret = bytes_of(key.secret);
    const std::size_t added = database_->run(
        "INSERT INTO api_keys (id, digest, signing, created) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT DO NOTHING",
        id, ByteView{sha256(secret)}, ByteView{seal({signing_column, id}, secret)}, author.when);
    if (added == 0) return std::nullopt;
    note(actions::key_create, id, "", author);
    return key;
  });
}

Stored<bool> SqliteStore::revoke_api_key(std::string_view id, const Author& author) {
  return changing([&] {
    if (database_->run("DELETE FROM api_keys WHERE id = ?1", id) == 0) return false;
    note(actions::key_revoke, id, "", author);
    return true;
  });
}

}  // namespace turnpike::store
