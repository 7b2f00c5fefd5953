// Another key for the store: whole, in a running server, and killed at any moment.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <thread>

#include "base/seeded_random.h"
#include "catch.h"
#include "store/database.h"
#include "store/key_file.h"
#include "store/store_files.h"

namespace turnpike::test {

using namespace store;

namespace {

std::string read_all(const std::string& path) {
  std::ifstream stream{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{stream}, {}};
}

bool is_there(const std::string& path) { return std::filesystem::exists(path); }

/// One of everything that is sealed.
void fill(Store& store) {
  sure(store.add_user(user_named("alice"), mina));
  StoredUser from_coturn = user_named("bob");
  from_coturn.sha256.clear();
  sure(store.add_user(from_coturn, mina));
  sure(store.add_secret(secret_called("main", "canary-secret-value"), mina));
  sure(store.create_api_key("web", mina));
}

/// All that fill() put in, as it reads now.
std::vector<std::string> contents(Store& store) {
  std::vector<std::string> all;
  for (const char* const name : {"alice", "bob"}) {
    const auto user = sure(store.find_user(name));
    if (!user) continue;
    all.emplace_back(text_of(user->md5));
    all.emplace_back(text_of(user->sha256));
  }
  for (const StoredSecret& secret : sure(store.secrets())) all.push_back(secret.value);
  for (const StoredApiKey& key : sure(store.api_keys())) all.push_back(key.signing);
  return all;
}

/// Every BLOB in the database but the hashes, by table and column.
std::map<std::string, std::vector<std::string>> sealed_values(const std::string& path) {
  Database database{path};
  std::vector<std::string> statements;  // Database keeps views of them
  std::map<std::string, std::vector<std::string>> values;
  Rows columns = database.query(
      "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c "
      "WHERE t.type = 'table' AND c.type = 'BLOB' AND c.name NOT IN ('userhash', 'digest')");
  std::vector<std::pair<std::string, std::string>> found;
  while (columns.next()) found.emplace_back(columns.text(0), columns.text(1));
  statements.reserve(found.size());
  for (const auto& [table, column] : found) {
    statements.push_back("SELECT " + column + " FROM " + table + " WHERE " + column + " NOT NULL");
    Rows rows = database.query(statements.back());
    while (rows.next()) values[table + "." + column].emplace_back(text_of(rows.blob(0)));
  }
  return values;
}

/// Runs `code` in a child of its own, which ends with 0 when it returns true.
pid_t in_a_child(const std::function<bool()>& code) {
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork");
  if (child == 0) _exit(code() ? 0 : 1);
  return child;
}

int status_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

}  // namespace

TEST_CASE("resealed, a store has all that it had, and another key", "[store]") {
  const StoreFiles files;
  const std::string& key_file = files.location().key_file;
  fill(*files.open());
  const auto before = contents(*files.open());
  const std::string old_key = read_all(key_file);
  const auto resealed = sure(reseal_sqlite(files.location(), {}, mina));
  CHECK(resealed.key_file == key_file);
  CHECK(resealed.old_key_file == key_file + ".old");
  CHECK(read_all(resealed.old_key_file) == old_key);
  CHECK(read_all(key_file) != old_key);
  CHECK_FALSE(is_there(key_file + ".next"));

  const auto store = files.open();
  CHECK(contents(*store) == before);
  const auto log = sure(store->audit(1000, 1));
  CHECK(log.at(0).action == "store.reseal");
  CHECK(log.at(0).who == mina.who);
  const auto with_the_old_key =
      open_sqlite({files.path(), resealed.old_key_file}, IfAbsent::fail, Check::quick);
  REQUIRE_FALSE(with_the_old_key);
  CHECK(with_the_old_key.error().fault == Fault::wrong_key);
}

TEST_CASE("no sealed value stays as it was, in the file or in its log", "[store]") {
  const StoreFiles files;
  const auto server = files.open();  // keeps the log
  fill(*server);
  const auto before = sealed_values(files.path());
  CHECK(before.size() == 5);  // a new column of sealed values belongs into sqlite_reseal.cpp
  sure(reseal_sqlite(files.location(), {}, mina));
  const auto after = sealed_values(files.path());
  for (const auto& [column, values] : before) {
    CAPTURE(column);
    REQUIRE(after.at(column).size() == values.size());
    for (const std::string& value : values) {
      for (const std::string& path : {files.path(), files.path() + "-wal"}) {
        CHECK(read_all(path).find(value) == std::string::npos);
      }
    }
  }
}

TEST_CASE("what was sealed for a user who is removed is nowhere in the file", "[store]") {
  const StoreFiles files;
  fill(*files.open());
  const auto before = sealed_values(files.path());
  for (const char* const name : {"alice", "bob"}) {
    CHECK(sure(files.open()->remove_user(name, mina)));
  }
  CHECK_FALSE(is_there(files.path() + "-wal"));  // nobody has it open: all is in the file
  for (const std::string& value : before.at("users.md5_key")) {
    CHECK(read_all(files.path()).find(value) == std::string::npos);
  }
}

TEST_CASE("who has the store open goes on with the new key", "[store]") {
  const StoreFiles files;
  const auto server = files.open();
  fill(*server);
  const auto before = contents(*server);
  sure(reseal_sqlite(files.location(), {}, mina));
  CHECK(contents(*server) == before);

  sure(reseal_sqlite(files.location(), {}, mina));
  CHECK(sure(server->add_user(user_named("carol"), mina)));  // sealed with the key of now
  sure(reseal_sqlite(files.location(), {}, mina));
  CHECK(sure(server->replace_user(user_named("alice", "another"), mina)));
  const auto reopened = files.open();
  CHECK(sure(reopened->find_user("carol"))->md5 == user_named("carol").md5);
  CHECK(sure(reopened->find_user("alice"))->md5 == user_named("alice", "another").md5);
}

TEST_CASE("the new key has the owner and the mode of the old one", "[store]") {
  const StoreFiles files;
  fill(*files.open());
  const std::string& key_file = files.location().key_file;
  REQUIRE(::chmod(key_file.c_str(), 0640) == 0);
  if (::geteuid() == 0) REQUIRE(::chown(key_file.c_str(), 0, 12345) == 0);
  const std::string elsewhere = files.directory().path() + "/elsewhere.key";
  struct stat before {};
  REQUIRE(::stat(key_file.c_str(), &before) == 0);
  sure(reseal_sqlite(files.location(), {}, mina));
  sure(reseal_sqlite(files.location(), elsewhere, mina));
  for (const std::string& path : {key_file, elsewhere}) {
    struct stat after {};
    REQUIRE(::stat(path.c_str(), &after) == 0);
    CHECK(after.st_mode == before.st_mode);
    CHECK(after.st_uid == before.st_uid);
    CHECK(after.st_gid == before.st_gid);
  }
}

TEST_CASE("resealed with another file, the store opens with that one alone", "[store]") {
  const StoreFiles files;
  const auto server = files.open();
  fill(*server);
  const auto before = contents(*server);
  const std::string key_file =
      files.directory().write("mine.key", "5J8nYzU6N2q4bQGJr1RkzCz3vXoSvQd0m3m8lJ3wV0A=\n");
  sure(reseal_sqlite(files.location(), key_file, mina));
  const auto with_the_old_file = files.try_open();
  REQUIRE_FALSE(with_the_old_file);
  CHECK(with_the_old_file.error().fault == Fault::wrong_key);
  const Location moved{files.path(), key_file};
  CHECK(contents(*sure(open_sqlite(moved, IfAbsent::fail, Check::whole))) == before);

  // A server that knows the old file only says so, and seals nothing that would not open.
  CHECK(server->find_user("alice").error().fault == Fault::wrong_key);
  CHECK(server->add_user(user_named("carol"), mina).error().fault == Fault::wrong_key);
  CHECK(sure(server->user_count()) == 2);

  const auto again = reseal_sqlite(moved, key_file, mina);
  REQUIRE_FALSE(again);
  CHECK(again.error().sentence.find("is sealed with already") != std::string::npos);
}

TEST_CASE("a key that could not take its place is used where it waits, and moved later",
          "[store]") {
  const StoreFiles files;
  const std::string& key_file = files.location().key_file;
  fill(*files.open());
  const auto server = files.open();
  const auto before = contents(*server);
  sure(reseal_sqlite(files.location(), {}, mina));
  // As it is when the program is killed behind the transaction.
  std::filesystem::rename(key_file, key_file + ".next");
  std::filesystem::rename(key_file + ".old", key_file);

  CHECK(contents(*server) == before);
  CHECK(is_there(key_file + ".next"));
  CHECK(contents(*files.open()) == before);
  CHECK_FALSE(is_there(key_file + ".next"));
  CHECK(contents(*files.open()) == before);
}

TEST_CASE("a key that was made and never used is passed over, and replaced", "[store]") {
  const StoreFiles files;
  const std::string& key_file = files.location().key_file;
  fill(*files.open());
  const auto before = contents(*files.open());
  // As it is when the program is killed before the transaction.
  const std::string unused = "5J8nYzU6N2q4bQGJr1RkzCz3vXoSvQd0m3m8lJ3wV0A=\n";
  files.directory().write("turnpike.db.key.next", unused);
  CHECK(contents(*files.open()) == before);
  sure(reseal_sqlite(files.location(), {}, mina));
  CHECK(read_all(key_file) != unused);
  CHECK(contents(*files.open()) == before);
}

TEST_CASE("killed at any moment, a reseal leaves a store that opens", "[store]") {
  const StoreFiles files;
  fill(*files.open());
  const auto before = contents(*files.open());
  // Some are killed early, some late and some at their end, however fast the machine is.
  const auto began = std::chrono::steady_clock::now();
  sure(reseal_sqlite(files.location(), {}, mina));
  const std::chrono::nanoseconds one = std::chrono::steady_clock::now() - began;
  const std::uint64_t changes_before = sure(files.open()->change_counter());
  SeededRandom random{20'261'129};
  std::uint64_t changes = 0;
  for (int round = 0; round < 40; ++round) {
    const pid_t child = in_a_child([&] {
      while (reseal_sqlite(files.location(), {}, mina)) {
      }
      return false;
    });
    const auto most = static_cast<std::uint64_t>(3 * one.count());
    std::this_thread::sleep_for(std::chrono::nanoseconds{random.next_u64() % most});
    ::kill(child, SIGKILL);
    CHECK(WIFSIGNALED(status_of(child)));  // until then none has failed
    const auto store = files.open();
    REQUIRE(contents(*store) == before);
    changes = sure(store->change_counter());
  }
  CHECK(changes > changes_before + 6);  // some reseals have come to their end
}

TEST_CASE("several who reseal at once, and one who writes, do not disturb one another", "[store]") {
  const StoreFiles files;
  fill(*files.open());
  const auto before = contents(*files.open());
  constexpr int rounds = 8;
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    children.push_back(in_a_child([&] {
      for (int round = 0; round < rounds; ++round) {
        if (!reseal_sqlite(files.location(), {}, mina)) return false;
      }
      return true;
    }));
  }
  children.push_back(in_a_child([&] {
    const auto store = files.open();
    for (int number = 0; number < 40; ++number) {
      const StoredUser user = user_named("user-" + std::to_string(number));
      const auto added = store->add_user(user, mina);
      const auto found = store->find_user(user.name);
      if (!added || !*added || !found || !*found || (*found)->md5 != user.md5) return false;
    }
    return true;
  }));
  for (const pid_t child : children) CHECK(status_of(child) == 0);

  const auto store = files.open();
  CHECK(contents(*store) == before);
  const auto users = sure(store->users("", 1000));
  CHECK(users.size() == 42);
  CHECK(sure(store->change_counter()) == 4 + 40 + 3 * rounds);
}

TEST_CASE("a key's directory that takes no file stops a reseal before it begins", "[store]") {
  if (::geteuid() == 0) return;  // root may write everywhere
  const ScratchDirectory keys;
  const StoreFiles files;
  const Location location{files.path(), keys.path() + "/store.key"};
  const auto store = sure(open_sqlite(location, IfAbsent::create, Check::quick));
  fill(*store);
  REQUIRE(::chmod(keys.path().c_str(), 0500) == 0);
  const auto resealed = reseal_sqlite(location, {}, mina);
  REQUIRE(::chmod(keys.path().c_str(), 0700) == 0);
  REQUIRE_FALSE(resealed);
  CHECK(resealed.error().fault == Fault::misconfigured);
  CHECK(contents(*sure(open_sqlite(location, IfAbsent::fail, Check::whole))).size() == 6);
}

}  // namespace turnpike::test
