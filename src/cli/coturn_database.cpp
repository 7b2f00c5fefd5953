#include "cli/coturn_database.h"

#include <fmt/format.h>

#include "store/database.h"
#include "store/failure.h"

namespace turnpike::cli::coturn {
namespace {

bool has_table(store::Database& database, std::string_view name) {
  return database.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1", name)
      .next();
}

/// Calls `take` for each row of a table, which older databases may not have.
template <class Take>
void for_each_row(store::Database& database, std::string_view table, std::string_view sql,
                  const Take& take) {
  if (!has_table(database, table)) return;
  store::Rows rows = database.query(sql);
  while (rows.next()) take(rows);
}

std::vector<Database::RealmValue> realm_values(store::Database& database, std::string_view table,
                                               std::string_view sql) {
  std::vector<Database::RealmValue> values;
  for_each_row(database, table, sql, [&](const store::Rows& row) {
    values.push_back({row.text(0), row.text(1)});
  });
  return values;
}

std::size_t count_of(store::Database& database, std::string_view table, std::string_view sql) {
  std::size_t count = 0;
  for_each_row(database, table, sql,
               [&](const store::Rows& row) { count = static_cast<std::size_t>(row.count(0)); });
  return count;
}

Database read_all(store::Database& database) {
  Database all;
  for_each_row(database, "turnusers_lt",
               "SELECT realm, name, hmackey FROM turnusers_lt ORDER BY realm, name",
               [&](const store::Rows& row) {
                 all.users.push_back({row.text(0), row.text(1), row.text(2)});
               });
  for_each_row(database, "turn_realm_option",
               "SELECT realm, opt, value FROM turn_realm_option ORDER BY realm, opt",
               [&](const store::Rows& row) {
                 all.options.push_back({row.text(0), row.text(1), row.text(2)});
               });
  all.secrets = realm_values(database, "turn_secret",
                             "SELECT realm, value FROM turn_secret ORDER BY realm, rowid");
  all.allowed_peers =
      realm_values(database, "allowed_peer_ip",
                   "SELECT realm, ip_range FROM allowed_peer_ip ORDER BY realm, ip_range");
  all.denied_peers =
      realm_values(database, "denied_peer_ip",
                   "SELECT realm, ip_range FROM denied_peer_ip ORDER BY realm, ip_range");
  all.origins =
      count_of(database, "turn_origin_to_realm", "SELECT count(*) FROM turn_origin_to_realm");
  all.oauth_keys = count_of(database, "oauth_key", "SELECT count(*) FROM oauth_key");
  all.admin_users = count_of(database, "admin_user", "SELECT count(*) FROM admin_user");
  return all;
}

}  // namespace

Result<Database, std::string> read_database(const std::string& path) {
  try {
    store::Database database{path};
    if (has_table(database, "turnusers_lt")) return read_all(database);
    return Failure{
        fmt::format("{}: it has no table turnusers_lt, so it is no database of coturn's;"
                    " name its SQLite database, by default /var/lib/turn/turndb",
                    path)};
  } catch (const store::StoreFailure& failure) {
    return Failure{fmt::format("{}; name coturn's SQLite database, by default /var/lib/turn/turndb",
                               failure.error().sentence)};
  }
}

}  // namespace turnpike::cli::coturn
