#include "store/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "store/failure.h"

namespace turnpike::store {
namespace {

// Longer than anything but an import of very many users holds it.
constexpr int busy_timeout_ms = 5'000;

constexpr const char* settings = R"(
  PRAGMA foreign_keys = ON;
  PRAGMA synchronous = FULL;
  PRAGMA trusted_schema = OFF;
  PRAGMA cell_size_check = ON;
  PRAGMA secure_delete = ON;
  PRAGMA temp_store = MEMORY;
)";

Fault fault_of(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT:
      return Fault::unavailable;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return Fault::misconfigured;
    default:  // also what can only be when tables are not as we made them
      return Fault::corrupt;
  }
}

std::string sentence_of(int code, const std::string& path, std::string_view message) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fmt::format("{} has been locked by another process for {} seconds; try again", path,
                         busy_timeout_ms / 1000);
    case SQLITE_FULL:
      return fmt::format("{}: the disk is full, and nothing was changed; make room and try again",
                         path);
    default:
      break;
  }
  switch (fault_of(code)) {
    case Fault::unavailable:
      return fmt::format("{} cannot be read or written: {}; see what the system's log says", path,
                         message);
    case Fault::misconfigured:
      return fmt::format(
          "{} cannot be opened for writing: {}; check that the user who runs this owns the file "
          "and its directory",
          path, message);
    default:
      return fmt::format(
          "{} is no database of Turnpike's or is damaged: {}; put it back from your backup, or "
          "move it away to begin an empty one",
          path, message);
  }
}

}  // namespace

// --- Rows ----------------------------------------------------------------------------------------

Rows::~Rows() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

bool Rows::next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  database_.fail(code);
}

std::string Rows::text(int column) const {
  const auto* const text = sqlite3_column_text(statement_, column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::int64_t Rows::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::uint64_t Rows::count(int column) const {
  const std::int64_t value = integer(column);
  return value < 0 ? 0 : static_cast<std::uint64_t>(value);
}

ByteView Rows::blob(int column) const {
  const auto* const bytes =
      static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

bool Rows::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::optional<WallTime> Rows::optional_time(int column) const {
  if (is_null(column)) return std::nullopt;
  return time(column);
}

void Rows::bind(int at, std::string_view value) {
  // A null pointer would bind NULL, and an empty view may have one.
  const char* const text = value.empty() ? "" : value.data();
  const int code = sqlite3_bind_text(statement_, at, text, static_cast<int>(value.size()),
                                     SQLITE_TRANSIENT);  // NOLINT: a macro of SQLite's
  if (code != SQLITE_OK) database_.fail(code);
}

void Rows::bind(int at, ByteView value) {
  const int code = value.empty() ? sqlite3_bind_zeroblob(statement_, at, 0)
                                 : sqlite3_bind_blob(statement_, at, value.data(),
                                                     static_cast<int>(value.size()),
                                                     SQLITE_TRANSIENT);  // NOLINT: as above
  if (code != SQLITE_OK) database_.fail(code);
}

void Rows::bind(int at, std::nullopt_t) {
  const int code = sqlite3_bind_null(statement_, at);
  if (code != SQLITE_OK) database_.fail(code);
}

void Rows::bind_integer(int at, std::int64_t value) {
  const int code = sqlite3_bind_int64(statement_, at, value);
  if (code != SQLITE_OK) database_.fail(code);
}

// --- Database ------------------------------------------------------------------------------------

Database::Database(const std::string& path) : path_(path) {
  const int code =
      sqlite3_open_v2(path.c_str(), &handle_,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  try {
    if (code != SQLITE_OK) fail(code);
    sqlite3_busy_timeout(handle_, busy_timeout_ms);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    run_script(settings);
  } catch (...) {
    sqlite3_close(handle_);
    throw;
  }
}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

void Database::run_script(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

void Database::fail(int code) const {
  throw StoreFailure{fault_of(code), sentence_of(code, path_, sqlite3_errmsg(handle_))};
}

bool Database::is_in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

sqlite3_stmt* Database::prepared(std::string_view sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) return found->second;
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) fail(code);
  statements_.emplace(sql, statement);
  return statement;
}

std::size_t Database::changed_rows() const {
  return static_cast<std::size_t>(sqlite3_changes(handle_));
}

// --- Transaction ---------------------------------------------------------------------------------

Transaction::Transaction(Database& database) : database_(database) {
  database_.run("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  // Some failures have undone it already.
  if (!is_open_ || !database_.is_in_transaction()) return;
  try {
    database_.run_script("ROLLBACK");
  } catch (const StoreFailure&) {  // then closing the file does it
    return;
  }
}

void Transaction::commit() {
  database_.run("COMMIT");
  is_open_ = false;
}

}  // namespace turnpike::store
