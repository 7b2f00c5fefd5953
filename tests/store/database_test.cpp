#include "store/database.h"

#include "catch.h"
#include "server/scratch_directory.h"
#include "store/failure.h"

namespace turnpike::test {

using namespace store;

namespace {

/// A file with a table of numbers.
struct Numbers {
  ScratchDirectory directory;
  std::string path = directory.write("numbers.db", "");
  Database database{path};

  Numbers() {
    database.use_write_ahead_log();
    database.run_script("CREATE TABLE numbers (value)");
  }
  [[nodiscard]] std::int64_t count() {
    Rows rows = database.query("SELECT count(*) FROM numbers");
    return rows.next() ? rows.integer(0) : -1;
  }
};

template <class Code>
Fault fault_of(const Code& code) {
  try {
    code();
  } catch (const StoreFailure& failure) {
    return failure.error().fault;
  }
  throw std::runtime_error("nothing was thrown");
}

}  // namespace

TEST_CASE("values come back as they were bound", "[store]") {
  Numbers numbers;
  const std::string text{"a\0b", 3};
  const std::vector<std::uint8_t> bytes{0, 255};
  Rows rows = numbers.database.query("SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8", text, ByteView{bytes},
                                     std::int64_t{-1}, std::uint64_t{0xffff'ffff'ffff'ffffU},
                                     std::optional<std::uint32_t>{}, std::string_view{}, ByteView{},
                                     WallTime{seconds{5}});
  REQUIRE(rows.next());
  CHECK(rows.text(0) == text);
  CHECK(std::equal(bytes.begin(), bytes.end(), rows.blob(1).begin(), rows.blob(1).end()));
  CHECK(rows.integer(2) == -1);
  CHECK(rows.count(2) == 0);
  CHECK(rows.count(3) == 0x7fff'ffff'ffff'ffffU);
  CHECK(rows.is_null(4));
  CHECK_FALSE(rows.optional_time(4));
  CHECK_FALSE(rows.is_null(5));
  CHECK(rows.text(5).empty());
  CHECK_FALSE(rows.is_null(6));
  CHECK(rows.blob(6).empty());
  CHECK(rows.time(7) == WallTime{seconds{5}});
  CHECK(rows.optional_time(7) == WallTime{seconds{5}});
  CHECK_FALSE(rows.next());
}

TEST_CASE("a transaction without commit leaves nothing", "[store]") {
  Numbers numbers;
  {
    const Transaction transaction{numbers.database};
    CHECK(numbers.database.run("INSERT INTO numbers VALUES (1), (2)") == 2);
    CHECK(numbers.count() == 2);
  }
  CHECK(numbers.count() == 0);
  Transaction transaction{numbers.database};
  numbers.database.run("INSERT INTO numbers VALUES (?1)", 1);
  transaction.commit();
  CHECK_FALSE(numbers.database.is_in_transaction());
  CHECK(numbers.count() == 1);
}

TEST_CASE("a writer that waits in vain is told so, and a reader does not wait", "[store][X02]") {
  Numbers numbers;
  Database other{numbers.path};
  other.run_script("PRAGMA busy_timeout = 0");
  const Transaction transaction{numbers.database};
  CHECK(fault_of([&] { const Transaction second{other}; }) == Fault::unavailable);
  Rows rows = other.query("SELECT count(*) FROM numbers");
  CHECK(rows.next());
}

TEST_CASE("a full disk is told, and undoes the transaction", "[store][X01]") {
  Numbers numbers;
  numbers.database.run_script("PRAGMA max_page_count = 4");
  const auto fill = [&] {
    Transaction transaction{numbers.database};
    numbers.database.run("INSERT INTO numbers VALUES (1)");
    numbers.database.run("INSERT INTO numbers VALUES (zeroblob(100000))");
    transaction.commit();
  };
  CHECK(fault_of(fill) == Fault::unavailable);
  CHECK(numbers.count() == 0);
}

TEST_CASE("a file that may not be written, or is not there, is told", "[store]") {
  const ScratchDirectory directory;
  CHECK(fault_of([&] { const Database none{directory.path() + "/none"}; }) == Fault::misconfigured);
  CHECK(fault_of([&] { const Database a_directory{directory.path()}; }) == Fault::misconfigured);
}

}  // namespace turnpike::test
