// The store in one SQLite file. Several processes may have it open: the server and the command
// line. Key material, secrets and API keys are sealed in it with a key that is kept elsewhere.
#pragma once

#include <memory>
#include <string>

#include "store/store.h"

namespace turnpike::store {

/// Where a store is.
struct Location {
  std::string path;      ///< of the database; its directory is made when it is not there
  std::string key_file;  ///< 32 bytes as one line of base64, as `openssl rand -base64 32` writes
};

enum class IfAbsent : std::uint8_t {
  create,  ///< makes the database, and a key file where there is none (both of mode 0600)
  fail,    ///< Fault::misconfigured
};

enum class Check : std::uint8_t {
  quick,  ///< that it is ours, of a version we know, and that the key opens it
  whole,  ///< every page too: for the start of a server
};

/// Opens the store at `location`, bringing an older one up to date. A damaged file, a newer one or
/// another key are errors and are left as they are: a database that is there is never made anew.
/// What is made belongs to the owner of its directory, also when root makes it.
[[nodiscard]] Stored<std::unique_ptr<Store>> open_sqlite(const Location& location,
                                                         IfAbsent if_absent, Check check);

/// Where the key is that opens a store, and the one from before.
struct Resealed {
  std::string key_file;
  std::string old_key_file;
};

/// Seals everything in the store at `location` with another key, in one transaction, also while a
/// server has it open. With an empty `new_key_file` a random key takes the place of the one in
/// `location.key_file`, which is kept beside it with ".old" behind its name: servers and commands
/// go on. Else with the key in `new_key_file`, made when there is none, and from then on only a
/// location with that file is right.
///
/// Killed at any moment, it leaves a store that opens with `location`, or in the second case with
/// one of the two files.
[[nodiscard]] Stored<Resealed> reseal_sqlite(const Location& location,
                                             const std::string& new_key_file, const Author& author);

}  // namespace turnpike::store
