#include "store/sqlite.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "store/failure.h"
#include "store/key_file.h"
#include "store/private_file.h"
#include "store/schema.h"
#include "store/seal.h"
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

void make_store(const Location& location) {
  Sealer sealer{read_or_make_key_file(location.key_file)};
  make_directory_of(location.path);
  make_private_file(location.path, [&](const std::string& new_path) {
    Database database{new_path};
    make_schema(database, sealer, schema_version);
  });
}

/// A reseal that was killed at its end is ended now. Where that may not be written the key does as
/// well where it is.
void end_reseal(Database& database, const std::string& key_file) {
  if (!is_there(next_key_file(key_file))) return;
  const auto ended = caught([&] {
    Transaction transaction{database};
    settle_key_file(database, key_file);
    transaction.commit();
  });
  static_cast<void>(ended);
}

std::unique_ptr<SqliteStore> open(const Location& location, IfAbsent if_absent, Check check) {
  const bool is_new = !is_there(location.path);
  if (is_new && if_absent == IfAbsent::fail) {
    throw StoreFailure{Fault::misconfigured,
                       fmt::format("there is no store at {}; `turnpike user add`, `secret add` and "
                                   "`key create` make one, or name another with --store",
                                   location.path)};
  }
  if (is_new) make_store(location);

  auto database = std::make_unique<Database>(location.path);
  check_version(*database);
  Seal seal = find_seal(*database, location.key_file);
  if (check == Check::whole) check_pages(*database);
  database->use_write_ahead_log();
  migrate(*database);
  end_reseal(*database, location.key_file);
  return std::make_unique<SqliteStore>(std::move(database), std::move(seal), location.key_file);
}

}  // namespace

Stored<std::unique_ptr<Store>> open_sqlite(const Location& location, IfAbsent if_absent,
                                           Check check) {
  return caught([&]() -> std::unique_ptr<Store> { return open(location, if_absent, check); });
}

Stored<Resealed> reseal_sqlite(const Location& location, const std::string& new_key_file,
                               const Author& author) {
  auto opened = caught([&] { return open(location, IfAbsent::fail, Check::whole); });
  if (!opened) return Failure{opened.error()};
  return (*opened)->reseal(new_key_file, author);
}

}  // namespace turnpike::store
