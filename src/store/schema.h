// The tables, and how older ones become the present ones.
#pragma once

#include <vector>

#include "store/database.h"
#include "store/sealer.h"

namespace turnpike::store {

/// What this program reads and writes. 1: users, secrets, API keys, revocations, audit log;
/// 2: usage.
inline constexpr int schema_version = 3;

/// Makes the tables of `version` in an empty file, and seals in it what key_check() gives.
void make_schema(Database& database, Sealer& sealer, int version);

/// Throws StoreFailure when the file is not one of Turnpike's, or is of a newer version.
void check_version(Database& database);

/// Brings the tables up to `schema_version`. Precondition: check_version() had nothing to say.
void migrate(Database& database);

/// What a key is recognised by: something sealed with the one of this file. Another one is there
/// when all was sealed anew.
[[nodiscard]] std::vector<std::uint8_t> key_check(Database& database);
[[nodiscard]] bool is_key_of(ByteView key_check, const Sealer& sealer);
/// Writes it anew, with another key.
void set_key_check(Database& database, Sealer& sealer);

/// Reads every page. Throws StoreFailure when something does not fit together.
void check_pages(Database& database);

}  // namespace turnpike::store
