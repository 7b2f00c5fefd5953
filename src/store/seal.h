// The key that a store is sealed with: which one it is, and that it can be another one from one
// moment to the next (sqlite_reseal.cpp).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "store/database.h"
#include "store/sealer.h"

namespace turnpike::store {

/// The key of a store, and what it was recognised by.
struct Seal {
  std::unique_ptr<Sealer> sealer;
  std::vector<std::uint8_t> check;  ///< schema.h: key_check()
};

/// The one that opens `database`: that in `key_file`, or the one that waits beside it. Throws
/// StoreFailure.
[[nodiscard]] Seal find_seal(Database& database, const std::string& key_file);

/// Ends what a reseal has left undone when it was killed: a key that waits takes its place when
/// `database` is sealed with it. Throws StoreFailure. Preconditions: find_seal() has found one, and
/// a transaction is open, so that no two processes do this at once.
void settle_key_file(Database& database, const std::string& key_file);

}  // namespace turnpike::store
