#include "store/sqlite.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "store/failure.h"
#include "store/key_file.h"
#include "store/private_file.h"
#include "store/schema.h"
#include "store/sqlite_store.h"

namespace turnpike::store {
namespace {

bool is_there(const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0) return true;
  if (errno == ENOENT) return false;
  throw StoreFailure{Fault::misconfigured,
                     fmt::format("{} cannot be reached: {}; check that the user who runs this may "
                                 "enter its directory",
                                 path, std::generic_category().message(errno))};
}

/// The key of a store that is there, or one for a store that is to be made.
std::unique_ptr<Sealer> sealer_for(const Location& location, bool is_new) {
  AeadKey key =
      is_new ? read_or_make_key_file(location.key_file) : read_key_file(location.key_file);
  auto sealer = std::make_unique<Sealer>(key);
  wipe(key);
  return sealer;
}

void make_database(const std::string& path, Sealer& sealer) {
  make_directory_of(path);
  make_private_file(path, [&](const std::string& new_path) {
    Database database{new_path};
    make_schema(database, sealer, schema_version);
  });
}

std::unique_ptr<Store> open(const Location& location, IfAbsent if_absent, Check check) {
  const bool is_new = !is_there(location.path);
  if (is_new && if_absent == IfAbsent::fail) {
    throw StoreFailure{Fault::misconfigured,
                       fmt::format("there is no store at {}; `turnpike user add`, `secret add` and "
                                   "`key create` make one, or name another with --store",
                                   location.path)};
  }
  auto sealer = sealer_for(location, is_new);
  if (is_new) make_database(location.path, *sealer);

  auto database = std::make_unique<Database>(location.path);
  check_version(*database);
  check_key(*database, *sealer);
  if (check == Check::whole) check_pages(*database);
  database->use_write_ahead_log();
  migrate(*database);
  return std::make_unique<SqliteStore>(std::move(database), std::move(sealer));
}

}  // namespace

Stored<std::unique_ptr<Store>> open_sqlite(const Location& location, IfAbsent if_absent,
                                           Check check) {
  return caught([&] { return open(location, if_absent, check); });
}

}  // namespace turnpike::store
