// SQLite in C++: an open file, prepared statements, transactions. Everything here throws
// StoreFailure, and nothing is safe to be used by two threads at once.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "base/bytes.h"
#include "base/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace turnpike::store {

class Database;

/// A statement while it runs: its rows one after another. The statement is free again when this
/// goes out of scope.
class Rows {
 public:
  ~Rows();
  Rows(Rows&& other) noexcept
      : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)) {}
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  Rows& operator=(Rows&&) = delete;

  /// Goes to the next row; false: there is none.
  bool next();

  // Columns of the row, counted from 0. Views are valid until next().
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::uint64_t count(int column) const;
  [[nodiscard]] ByteView blob(int column) const;
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] WallTime time(int column) const { return WallTime{seconds{integer(column)}}; }
  [[nodiscard]] std::optional<WallTime> optional_time(int column) const;

 private:
  friend class Database;
  Rows(const Database& database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}

  void bind(int at, std::string_view value);
  void bind(int at, ByteView value);
  void bind(int at, std::nullopt_t);
  void bind_integer(int at, std::int64_t value);
  void bind(int at, WallTime value) { bind_integer(at, value.time_since_epoch().count()); }
  template <class T>
  void bind(int at, const std::optional<T>& value) {
    if (value) {
      bind(at, *value);
    } else {
      bind(at, std::nullopt);
    }
  }
  /// What does not fit into 64 bits with a sign becomes the largest that does.
  template <class T>
  requires std::is_integral_v<T>
  void bind(int at, T value) {
    constexpr auto largest = std::numeric_limits<std::int64_t>::max();
    const bool fits =
        std::is_signed_v<T> || static_cast<std::uint64_t>(value) <= std::uint64_t{largest};
    bind_integer(at, fits ? static_cast<std::int64_t>(value) : largest);
  }

  const Database& database_;
  sqlite3_stmt* statement_;
};

/// One open file.
class Database {
 public:
  /// Opens the file, which has to be there, and changes nothing in it.
  explicit Database(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

  /// Runs `sql`, which is prepared once and must outlive this, with `values` for ?1, ?2, …: text,
  /// bytes, whole numbers, times, optionals. For its rows.
  template <class... Values>
  [[nodiscard]] Rows query(std::string_view sql, const Values&... values) {
    Rows rows{*this, prepared(sql)};
    int at = 0;
    (rows.bind(++at, values), ...);
    return rows;
  }
  /// The same, to its end. How many rows it changed.
  template <class... Values>
  std::size_t run(std::string_view sql, const Values&... values) {
    Rows rows = query(sql, values...);
    while (rows.next()) {
    }
    return changed_rows();
  }
  /// Runs statements that take no values, one after another.
  void run_script(const char* sql);

  /// Has readers not wait for the one writer, in whatever process; for this file from now on.
  void use_write_ahead_log() { run_script("PRAGMA journal_mode = WAL"); }

  /// Throws what SQLite's error `code` means here.
  [[noreturn]] void fail(int code) const;
  [[nodiscard]] bool is_in_transaction() const;

 private:
  [[nodiscard]] sqlite3_stmt* prepared(std::string_view sql);
  [[nodiscard]] std::size_t changed_rows() const;

  std::string path_;
  sqlite3* handle_ = nullptr;
  std::unordered_map<std::string_view, sqlite3_stmt*> statements_;
};

/// Writes that belong together. Undone when it goes out of scope without commit().
class Transaction {
 public:
  /// Waits for other writers.
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// When this returns, everything is on the disk.
  void commit();

 private:
  Database& database_;
  bool is_open_ = true;
};

}  // namespace turnpike::store
