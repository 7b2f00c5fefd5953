// The tables, and how older ones become the present ones.
#pragma once

#include "store/database.h"
#include "store/sealer.h"

namespace turnpike::store {

/// What this program reads and writes. 1: users, secrets, API keys, revocations, audit log;
/// 2: usage.
inline constexpr int schema_version = 3;

/// Makes the tables of `version` in an empty file, and seals in it what check_key() looks at.
void make_schema(Database& database, Sealer& sealer, int version);

/// Throws StoreFailure when the file is not one of Turnpike's, or is of a newer version.
void check_version(Database& database);

/// Brings the tables up to `schema_version`. Precondition: check_version() had nothing to say.
void migrate(Database& database);

/// Throws StoreFailure when the key is not the one that the file was made with.
void check_key(Database& database, const Sealer& sealer);

/// Reads every page. Throws StoreFailure when something does not fit together.
void check_pages(Database& database);

}  // namespace turnpike::store
