#include "store/sqlite.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "catch.h"
#include "store/key_file.h"
#include "store/schema.h"
#include "store/store_files.h"

namespace turnpike::test {

using namespace store;

namespace {

unsigned mode_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw std::runtime_error("stat " + path);
  return status.st_mode & 07777U;
}

std::string read_all(const std::string& path) {
  std::ifstream stream{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{stream}, {}};
}

void write_all(const std::string& path, const std::string& bytes) {
  std::ofstream{path, std::ios::binary} << bytes;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

bool contains(const std::string& text, ByteView part) { return contains(text, text_of(part)); }

/// A store with one of each, closed.
void fill(const StoreFiles& files) {
  const auto store = files.open();
  sure(store->add_user(user_named("alice"), mina));
  sure(store->add_secret(secret_called("main", "canary-secret-value"), mina));
}

}  // namespace

// --- What is made --------------------------------------------------------------------------------

TEST_CASE("what is made is for its owner alone", "[store][I06]") {
  const ScratchDirectory directory;
  const Location location{directory.path() + "/new/turnpike.db",
                          directory.path() + "/new/turnpike.db.key"};
  const auto store = sure(open_sqlite(location, IfAbsent::create, Check::quick));
  CHECK(sure(store->add_user(user_named("alice"), mina)));
  CHECK(mode_of(directory.path() + "/new") == 0700);
  CHECK(mode_of(location.path) == 0600);
  CHECK(mode_of(location.path + "-wal") == 0600);
  CHECK(mode_of(location.path + "-shm") == 0600);
  CHECK(mode_of(location.key_file) == 0600);
}

TEST_CASE("what root makes belongs to the owner of the directory", "[store]") {
  if (::geteuid() != 0) return;
  constexpr uid_t someone = 12345;
  const StoreFiles files;
  REQUIRE(::chown(files.directory().path().c_str(), someone, someone) == 0);
  const auto store = files.open();
  CHECK(sure(store->add_user(user_named("alice"), mina)));
  for (const std::string& path :
       {files.path(), files.path() + "-wal", files.path() + "-shm", files.location().key_file}) {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CAPTURE(path);
    CHECK(status.st_uid == someone);
    CHECK(status.st_gid == someone);
  }
}

TEST_CASE("a store keeps what it is given, and leaves nothing else behind", "[store]") {
  const StoreFiles files;
  fill(files);
  const auto store = files.open();
  CHECK(sure(store->find_user("alice"))->md5 == user_named("alice").md5);
  CHECK(sure(store->secrets())[0].value == "canary-secret-value");
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator{files.directory().path()}) {
    CAPTURE(entry.path().string());
    CHECK_FALSE(contains(entry.path().string(), ".new-"));
    ++count;
  }
  CHECK(count == 4);  // the database, its key, -wal and -shm
}

TEST_CASE("a store that is not there is not made when nobody wants that", "[store]") {
  const StoreFiles files;
  const auto opened = open_sqlite(files.location(), IfAbsent::fail, Check::quick);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().fault == Fault::misconfigured);
  CHECK(contains(opened.error().sentence, "there is no store at " + files.path()));
  CHECK_FALSE(std::filesystem::exists(files.path()));
  CHECK_FALSE(std::filesystem::exists(files.location().key_file));
}

TEST_CASE("a store that cannot be made says so", "[store]") {
  const ScratchDirectory directory;
  directory.write("file", "");
  const Location location{directory.path() + "/file/turnpike.db", directory.path() + "/key"};
  const auto opened = open_sqlite(location, IfAbsent::create, Check::quick);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().fault == Fault::misconfigured);
  CHECK(contains(opened.error().sentence, directory.path() + "/file"));
}

// --- What is sealed ------------------------------------------------------------------------------

TEST_CASE("keys and secrets are in no file in the clear", "[store][I08]") {
  const StoreFiles files;
  const auto store = files.open();
  const StoredUser alice = user_named("alice", "canary-password");
  sure(store->add_user(alice, mina));
  sure(store->add_secret(secret_called("main", "canary-secret-value"), mina));
  const auto key = sure(store->create_api_key("web", mina));
  for (const std::string& path : {files.path(), files.path() + "-wal"}) {
    CAPTURE(path);
    const std::string bytes = read_all(path);
    CHECK_FALSE(bytes.empty());
    CHECK_FALSE(contains(bytes, "canary"));
    CHECK_FALSE(contains(bytes, alice.md5));
    CHECK_FALSE(contains(bytes, alice.sha256));
    CHECK_FALSE(contains(bytes, key->secret));
  }
  CHECK(contains(read_all(files.path() + "-wal"), "alice"));
}

TEST_CASE("keys do not open in another user's row or another column", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  sure(store->add_user(user_named("mallory", "known"), mina));
  sure(store->add_user(user_named("alice"), mina));
  {
    Database database{files.path()};
    database.run(
        "UPDATE users SET md5_key = (SELECT md5_key FROM users WHERE name = 'mallory') "
        "WHERE name = 'alice'");
    database.run("UPDATE users SET md5_key = sha256_key WHERE name = 'mallory'");
  }
  for (const std::string name : {"alice", "mallory"}) {
    const auto found = store->find_user(name);
    REQUIRE_FALSE(found);
    CHECK(found.error().fault == Fault::corrupt);
    CHECK(contains(found.error().sentence, "users.md5_key of \"" + name + "\""));
  }
}

TEST_CASE("another key is refused, and the store left as it is", "[store]") {
  const StoreFiles files;
  fill(files);
  const std::string key = read_all(files.location().key_file);
  const std::string before = read_all(files.path());
  write_all(files.location().key_file, base64_encode(AeadKey{}) + "\n");
  const auto opened = files.try_open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().fault == Fault::wrong_key);
  CHECK(contains(opened.error().sentence, "was sealed with another key"));
  CHECK(read_all(files.path()) == before);

  write_all(files.location().key_file, key);
  CHECK(sure(files.open()->find_user("alice")));
}

TEST_CASE("a lost key is not replaced by a new one", "[store]") {
  const StoreFiles files;
  fill(files);
  std::filesystem::remove(files.location().key_file);
  const auto opened = files.try_open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().fault == Fault::misconfigured);
  CHECK(contains(opened.error().sentence, "is not there"));
  CHECK_FALSE(std::filesystem::exists(files.location().key_file));
}

TEST_CASE("a new store takes the key that is there", "[store]") {
  const StoreFiles files;
  files.directory().write("turnpike.db.key", base64_encode(AeadKey{}) + "\n");
  fill(files);
  CHECK(read_key_file(files.location().key_file) == AeadKey{});
}

// --- Damage and other versions -------------------------------------------------------------------

TEST_CASE("what is no database is refused and left alone", "[store][I09]") {
  const StoreFiles files;
  fill(files);
  for (const std::string& bytes :
       {std::string{}, std::string{"not a database"}, std::string(8192, 'x'),
        read_all(files.path()).substr(0, 5000)}) {
    write_all(files.path(), bytes);
    const auto opened = files.try_open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().fault == Fault::corrupt);
    CHECK(contains(opened.error().sentence, files.path()));
    CHECK(read_all(files.path()) == bytes);
  }
}

TEST_CASE("another program's SQLite file is refused and left alone", "[store][I09]") {
  const StoreFiles files;
  files.directory().write("turnpike.db.key", base64_encode(AeadKey{}) + "\n");
  write_all(files.path(), "");
  Database{files.path()}.run_script("CREATE TABLE cats (name TEXT); PRAGMA user_version = 1");
  const std::string before = read_all(files.path());
  const auto opened = files.try_open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().fault == Fault::corrupt);
  CHECK(contains(opened.error().sentence, "is no database of Turnpike's"));
  CHECK(read_all(files.path()) == before);
}

TEST_CASE("a damaged page is found when every page is read", "[store][I09][X03]") {
  const StoreFiles files;
  {
    const auto store = files.open();
    std::vector<StoredUser> many;
    for (int i = 0; i < 500; ++i) many.push_back(user_named("user-" + std::to_string(i)));
    CHECK(sure(store->add_users(many, mina)) == 500);
  }
  std::string bytes = read_all(files.path());
  for (std::size_t at = bytes.size() / 2; at < bytes.size() / 2 + 4096; ++at) bytes[at] = '\x5a';
  write_all(files.path(), bytes);
  const auto opened = files.try_open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().fault == Fault::corrupt);
  CHECK(contains(opened.error().sentence, "damaged"));
  CHECK(read_all(files.path()) == bytes);
}

TEST_CASE("a store of a later version is refused and left alone", "[store][I09]") {
  const StoreFiles files;
  fill(files);
  Database{files.path()}.run_script("PRAGMA user_version = 99");
  const auto opened = files.try_open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().fault == Fault::newer);
  CHECK(contains(opened.error().sentence, "written by a later Turnpike"));
  Database database{files.path()};
  Rows rows = database.query("PRAGMA user_version");
  REQUIRE(rows.next());
  CHECK(rows.integer(0) == 99);
}

TEST_CASE("a store of version 1 becomes one of the present version, with all it has", "[store]") {
  const StoreFiles files;
  {
    Sealer sealer{read_or_make_key_file(files.location().key_file)};
    files.directory().write("turnpike.db", "");
    Database database{files.path()};
    make_schema(database, sealer, 1);
    database.run("INSERT INTO secrets VALUES ('main', ?1, 1, NULL, 1)",
                 ByteView{sealer.seal({"secrets.value", "main"}, bytes_of("north"))});
    database.run("INSERT INTO audit VALUES (7, 1, 'uid 0', 'secret.add', 'main', '')");
  }
  const auto store = files.open();
  CHECK(sure(store->secrets())[0].value == "north");
  CHECK(sure(store->change_counter()) == 7);
  const std::vector<UsageRecord> records{{.allocation = "0-1", .account = "alice", .ended = noon}};
  sure(store->append_usage(records));
  CHECK(sure(store->usage({}, "alice", 0, 10)).size() == 1);
  Database database{files.path()};
  Rows rows = database.query("PRAGMA user_version");
  REQUIRE(rows.next());
  CHECK(rows.integer(0) == schema_version);
}

TEST_CASE("each version leads to the same tables", "[store]") {
  const auto tables = [](const std::string& path) {
    Database database{path};
    std::string all;
    Rows rows = database.query("SELECT sql FROM sqlite_schema ORDER BY name");
    while (rows.next()) all += rows.text(0) + "\n";
    return all;
  };
  const ScratchDirectory directory;
  Sealer sealer{AeadKey{}};
  std::vector<std::string> found;
  for (int version = 1; version <= schema_version; ++version) {
    const std::string path = directory.write(std::to_string(version), "");
    {
      Database database{path};
      make_schema(database, sealer, version);
      migrate(database);
    }
    found.push_back(tables(path));
    CHECK(found.back() == found.front());
  }
}

}  // namespace turnpike::test
