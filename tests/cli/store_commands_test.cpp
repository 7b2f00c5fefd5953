// The commands that keep users, secrets, API keys and revocations, on a real store.
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>

#include "auth/credentials.h"
#include "catch.h"
#include "cli/app.h"
#include "cli/control_socket.h"
#include "server/scratch_directory.h"
#include "signaling/api_keys.h"
#include "signaling/token.h"
#include "store/sqlite.h"

using namespace turnpike;
using turnpike::test::ControlSocket;
using turnpike::test::ScratchDirectory;

namespace {

constexpr WallTime now{seconds{1'795'219'200}};  // 2026-11-21T00:00:00Z
const std::string secret = "north-of-the-river-32-bytes-long-secret";

struct Ran {
  int code;
  std::string out;
  std::string err;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A configuration in a directory of its own, whose store is beside it.
struct World {
  ScratchDirectory directory;
  std::string input;
  WallTime time = now;
  bool err_is_terminal = false;
  std::string config = directory.write("turnpike.toml", config_text());

  static std::string config_text(const std::string& more = {}, const std::string& socket = {}) {
    return "realm = \"example.com\"\nstore.url = \"sqlite:turnpike.db\"\ncontrol.socket = \"" +
           socket + "\"\n" + more;
  }

  /// Runs `turnpike <arguments…> --config …`.
  [[nodiscard]] Ran run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--config", config});
    return run_bare(arguments);
  }
  [[nodiscard]] Ran run_bare(const std::vector<std::string>& arguments) const {
    std::istringstream in{input};
    std::ostringstream out;
    std::ostringstream err;
    const cli::Io io{.in = in,
                     .out = out,
                     .err = err,
                     .environment = {{"STATE_DIRECTORY", directory.path() + "/state"}},
                     .now = time,
                     .is_root = false,
                     .err_is_terminal = err_is_terminal,
                     .default_config_path = "/nonexistent/turnpike.toml"};
    const int code = cli::run(arguments, io);
    return {code, out.str(), err.str()};
  }
  /// The same with --output json, which has to succeed.
  [[nodiscard]] nlohmann::json json(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--output", "json"});
    const Ran ran = run(arguments);
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    return nlohmann::json::parse(ran.out);
  }
  [[nodiscard]] std::unique_ptr<store::Store> open() const {
    const std::string path = directory.path() + "/turnpike.db";
    auto opened =
        store::open_sqlite({path, path + ".key"}, store::IfAbsent::fail, store::Check::whole);
    if (!opened) throw std::runtime_error(opened.error().sentence);
    return std::move(*opened);
  }
  [[nodiscard]] bool has_store() const {
    return std::filesystem::exists(directory.path() + "/turnpike.db");
  }
  /// Verifies; the verdict's line.
  [[nodiscard]] std::string verdict(const std::string& user, const std::string& password,
                                    int expected_code) {
    input = password + "\n";
    const Ran ran = run({"credential", "verify", "--user", user, "--password", "-"});
    INFO(ran.err);
    CHECK(ran.code == expected_code);
    return ran.out;
  }
};

}  // namespace

TEST_CASE("each of the store's commands has help with an example", "[cli]") {
  const World world;
  for (const std::vector<std::string>& command : {std::vector<std::string>{"user", "add"},
                                                  {"user", "passwd"},
                                                  {"user", "change"},
                                                  {"user", "list"},
                                                  {"user", "remove"},
                                                  {"secret", "add"},
                                                  {"secret", "rotate"},
                                                  {"secret", "list"},
                                                  {"secret", "remove"},
                                                  {"key", "create"},
                                                  {"key", "list"},
                                                  {"key", "revoke"},
                                                  {"store", "reseal"},
                                                  {"credential", "verify"},
                                                  {"credential", "revoke"},
                                                  {"credential", "restore"},
                                                  {"credential", "list"}}) {
    CAPTURE(command);
    const Ran ran = world.run_bare({command[0], command[1], "--help"});
    CHECK(ran.code == 0);
    CHECK(contains(ran.out, "Example"));
    CHECK(contains(ran.out, "turnpike " + command[0] + " " + command[1]));
  }
  CHECK_FALSE(world.has_store());
}

// --- user ----------------------------------------------------------------------------------------

TEST_CASE("user add keeps keys and not the password", "[cli][I01]") {
  World world;
  world.input = "canary-password\n";
  const Ran ran = world.run({"user", "add", "alice"});
  CHECK(ran.code == 0);
  CHECK(ran.out == "The user alice was added for the realm example.com.\n");
  CHECK_FALSE(contains(ran.out + ran.err, "canary"));

  const auto user = world.open()->find_user("alice").value();
  REQUIRE(user);
  CHECK(user->sha256 == auth::long_term_key(stun::PasswordAlgorithm::sha256, "alice", "example.com",
                                            "canary-password"));
  CHECK(user->md5 == auth::long_term_key(stun::PasswordAlgorithm::md5, "alice", "example.com",
                                         "canary-password"));
  const Ran again = world.run({"user", "add", "alice"});
  CHECK(again.code == 1);
  CHECK(contains(again.err, "\"alice\""));
  CHECK(contains(again.err, "user passwd"));
  const auto log = world.open()->audit(100, 10).value();
  REQUIRE(log.size() == 1);
  CHECK(log[0].who.starts_with("uid "));
  CHECK(log[0].when == now);
}

TEST_CASE("user add takes a password from a file, or makes one", "[cli]") {
  World world;
  const std::string file = world.directory.write("pw", "from-file\n");
  CHECK(world.run({"user", "add", "alice", "--password", "@" + file}).code == 0);
  CHECK(contains(world.verdict("alice", "from-file", 0), "accepted: user of the store"));

  const auto made = world.json(
      {"user", "add", "bob", "--generate", "--max-allocations", "3", "--bandwidth", "4mbit"});
  const std::string password = made["password"];
  CHECK(password.size() == 24);
  CHECK(made["bandwidth"] == 4'000'000);
  CHECK(contains(world.verdict("bob", password, 0), "accepted"));
  const Ran table = world.run({"user", "add", "carol", "--generate"});
  CHECK(contains(table.out, "Password: "));
}

TEST_CASE("user add never takes the password from the command line", "[cli][I01]") {
  const World world;
  const Ran ran = world.run({"user", "add", "alice", "--password", "canary"});
  CHECK(ran.code == 2);
  CHECK(contains(ran.err, "takes @FILE or - (standard input)"));
  CHECK_FALSE(contains(ran.err, "canary"));
}

TEST_CASE("a password is typed twice at a terminal", "[cli]") {
  World world;
  world.err_is_terminal = true;
  world.input = "one\ntwo\n";
  const Ran differs = world.run({"user", "add", "alice"});
  CHECK(differs.code == 2);
  CHECK(contains(differs.err, "the two passwords differ"));
  world.input = "one\none\n";
  CHECK(world.run({"user", "add", "alice"}).code == 0);
  CHECK(contains(world.verdict("alice", "one", 0), "accepted"));
}

TEST_CASE("user passwd, change, list and remove do what they say", "[cli]") {
  World world;
  world.input = "old\n";
  CHECK(world.run({"user", "add", "alice", "--bandwidth", "0"}).code == 0);
  CHECK(world.run({"user", "add", "bob"}).code == 0);
  world.input = "new\n";
  CHECK(world.run({"user", "passwd", "alice"}).code == 0);
  CHECK(contains(world.verdict("alice", "old", 4), "the password is another one"));
  CHECK(contains(world.verdict("alice", "new", 0), "accepted"));

  CHECK(world.run({"user", "change", "alice", "--disable", "--max-allocations", "2"}).code == 0);
  CHECK(contains(world.verdict("alice", "new", 4), "the user is disabled"));
  const auto list = world.json({"user", "list"});
  REQUIRE(list.size() == 2);
  CHECK(list[0]["name"] == "alice");
  CHECK(list[0]["disabled"] == true);
  CHECK(list[0]["maxAllocations"] == 2);
  CHECK(list[0]["bandwidth"] == 0);
  CHECK_FALSE(list[1].contains("bandwidth"));
  const Ran table = world.run({"user", "list"});
  CHECK(contains(table.out, "NAME   REALM        ALLOCATIONS  BANDWIDTH  STATE     CREATED\n"));
  CHECK(contains(table.out,
                 "alice  example.com  2            none       disabled  2026-11-21T00:00:00Z\n"));
  CHECK(world.run({"user", "change", "alice", "--enable"}).code == 0);
  CHECK(contains(world.verdict("alice", "new", 0), "accepted"));

  CHECK(world.run({"user", "remove", "alice"}).code == 0);
  for (const char* const verb : {"remove", "change", "passwd"}) {
    const Ran gone = world.run({"user", verb, "alice"});
    CHECK(gone.code == 1);
    CHECK(contains(gone.err, "there is no user \"alice\""));
  }
}

TEST_CASE("users with odd names are added and removed exactly once", "[cli][I02]") {
  World world;
  const auto name = GENERATE(as<std::string>{}, "' OR 1=1--", "%", "_", "%s%n", "*", "-x", "🚗",
                             "a'; DROP TABLE users; --", "$(reboot)", "../../etc/passwd");
  CAPTURE(name);
  const auto user = [&](const std::string& verb) {
    world.input = "pw\n";
    return world.run_bare({"user", verb, "--config", world.config, "--", name}).code;
  };
  world.input = "pw\n";
  CHECK(world.run({"user", "add", "bystander"}).code == 0);
  CHECK(user("add") == 0);
  CHECK(user("add") == 1);
  CHECK(world.open()->user_count().value() == 2);
  CHECK(user("remove") == 0);
  CHECK(user("remove") == 1);
  CHECK(world.open()->user_count().value() == 1);
}

TEST_CASE("no name of a user, key or secret steers the terminal of who lists them", "[cli][I07]") {
  const World world;
  const std::string name =
      "\x1b]0;owned\x07\x1b[2J\xc2\x9b"
      "31m";
  REQUIRE(world.run({"key", "create", "first"}).code == 0);  // makes the store
  {
    const auto store = world.open();
    const store::Author author{"\x1b[31mroot", now};
    store::StoredUser user{.name = name, .realm = "example.com"};
    user.md5 = auth::long_term_key(stun::PasswordAlgorithm::md5, name, user.realm, "pw");
    REQUIRE(store->add_user(user, author).value());
    REQUIRE(store->add_secret({.id = name, .value = secret, .not_before = now}, author).value());
    REQUIRE(store->create_api_key(name, author).value());
  }
  for (const std::vector<std::string>& command : {std::vector<std::string>{"user", "list"},
                                                  {"secret", "list"},
                                                  {"key", "list"},
                                                  {"user", "remove", name},
                                                  {"user", "remove", name},
                                                  {"user", "add", name},
                                                  {"secret", "remove", name},
                                                  {"secret", "remove", name},
                                                  {"key", "revoke", name},
                                                  {"key", "revoke", name},
                                                  {"credential", "revoke", name},
                                                  {"credential", "list"},
                                                  {"credential", "restore", name},
                                                  {"credential", "restore", name},
                                                  {name},
                                                  {"user", name}}) {
    CAPTURE(command[0], command.size());
    const Ran ran = world.run(command);
    const std::string said = ran.out + ran.err;
    CHECK_FALSE(said.empty());
    CHECK_FALSE(contains(said, "\x1b"));
    CHECK_FALSE(contains(said, "\x07"));
    CHECK_FALSE(contains(said, "\xc2\x9b"));
  }
}

TEST_CASE("user refuses what it cannot mean", "[cli][I01]") {
  World world;
  world.input = "pw\n";
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"user"},
        {"user", "add"},
        {"user", "add", "a:b"},
        {"user", "add", "a\nb"},
        {"user", "add", ""},
        {"user", "add", "a\x1b[2J"},
        {"user", "add", "a\x7f"},
        {"user", "add", std::string(509, 'a')},
        {"user", "add", "a", "--bandwidth", "4"},
        {"user", "add", "a", "--max-allocations", "many"},
        {"user", "add", "a", "--generate", "--password", "-"},
        {"user", "change", "a", "--enable", "--disable"}}) {
    CAPTURE(arguments);
    CHECK(world.run(arguments).code == 2);
  }
}

// --- secret --------------------------------------------------------------------------------------

TEST_CASE("secrets are added, rotated, listed and removed", "[cli]") {
  World world;
  const std::string file = world.directory.write("s", secret + "\n");
  CHECK(world.run({"secret", "add", "main", "--value", "@" + file}).code == 0);
  CHECK(world.run({"secret", "add", "main", "--value", "@" + file}).code == 1);
  CHECK(world.open()->secrets().value()[0].value == secret);

  world.time = now + seconds{3600};
  const auto made = world.json({"secret", "rotate", "--grace", "2h"});
  CHECK(made["id"] == "2026-11-21");
  CHECK(made["value"].get<std::string>().size() == 44);
  auto list = world.json({"secret", "list"});
  REQUIRE(list.size() == 2);
  CHECK(list[0]["state"] == "verifies");
  CHECK(list[0]["notAfter"] == "2026-11-21T03:00:00Z");
  CHECK(list[1]["state"] == "signs");
  CHECK_FALSE(contains(world.run({"secret", "list"}).out, secret));
  world.time = now + seconds{3 * 3600};
  CHECK(world.json({"secret", "list"})[0]["state"] == "ended");

  CHECK(world.json({"secret", "add", "later", "--starts-in", "1h", "--ends-in",
                    "2h"})["notAfter"] == "2026-11-21T05:00:00Z");
  CHECK(contains(world.run({"secret", "list"}).out, "to come"));
  CHECK(world.run({"secret", "remove", "2026-11-21", "--in", "1h"}).code == 0);
  CHECK(world.json({"secret", "list"})[1]["notAfter"] == "2026-11-21T04:00:00Z");
  CHECK(world.run({"secret", "remove", "main"}).code == 0);
  CHECK(world.run({"secret", "remove", "main"}).code == 1);
  CHECK(world.json({"secret", "list"}).size() == 2);
}

TEST_CASE("secret refuses what it cannot mean, and never takes the secret itself", "[cli]") {
  World world;
  const Ran ran = world.run({"secret", "add", "main", "--value", secret});
  CHECK(ran.code == 2);
  CHECK_FALSE(contains(ran.err, secret));
  world.input = "short\n";
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"secret", "add", "a", "--value", "-"},
        {"secret", "add", "a:b"},
        {"secret", "add", "a", "--starts-in", "2h", "--ends-in", "1h"},
        {"secret", "add", "a", "--ends-in", "1"},
        {"secret", "rotate", "a", "--grace", "soon"},
        {"secret", "remove"}}) {
    CAPTURE(arguments);
    CHECK(world.run(arguments).code == 2);
  }
  CHECK_FALSE(world.has_store());
}

// --- key -----------------------------------------------------------------------------------------

TEST_CASE("an API key is shown once, listed and revoked", "[cli]") {
  const World world;
  const auto made = world.json({"key", "create", "web"});
  const std::string key = made["key"];
  CHECK(key.starts_with("tpk_"));
  CHECK(world.run({"key", "create", "web"}).code == 1);
  CHECK(contains(world.run({"key", "create", "bot"}).out, "Key: tpk_"));
  const Ran list = world.run({"key", "list"});
  CHECK(list.out == "ID   CREATED\nbot  2026-11-21T00:00:00Z\nweb  2026-11-21T00:00:00Z\n");
  CHECK(world.json({"key", "list"})[1]["id"] == "web");
  CHECK(world.open()->api_keys().value()[1].signing == key);
  CHECK(world.run({"key", "revoke", "web"}).code == 0);
  CHECK(world.run({"key", "revoke", "web"}).code == 1);
  CHECK(world.json({"key", "list"}).size() == 1);
  CHECK(world.run({"key", "create", std::string(129, 'x')}).code == 2);
  CHECK(world.run({"key", "create", "a:b"}).code == 2);
}

TEST_CASE("an API key does not take the id of one in the configuration", "[cli]") {
  World world;
  world.directory.write(
      "turnpike.toml",
      World::config_text("auth.api_keys = [{ id = \"web\", value = \"" + secret + "\" }]\n"));
  const Ran ran = world.run({"key", "create", "web"});
  CHECK(ran.code == 1);
  CHECK(contains(ran.err, "\"web\" is an API key of the configuration"));
}

// --- credential ----------------------------------------------------------------------------------

TEST_CASE("credential verify says why a time-limited credential is refused", "[cli]") {
  World world;
  const std::string file = world.directory.write("s", secret);
  CHECK(world.run({"secret", "add", "main", "--value", "@" + file}).code == 0);
  const auto password_of = [](const std::string& username) {
    return auth::time_limited_password(secret, username);
  };
  const std::string good = auth::time_limited_username(now + seconds{600}, "alice");
  CHECK(world.verdict(good, password_of(good), 0) == "accepted: secret main of the store\n");
  CHECK(contains(world.verdict(good, "other", 4), "made with none of the 1 secrets"));
  const std::string late = auth::time_limited_username(now - seconds{30}, "alice");
  CHECK(contains(world.verdict(late, password_of(late), 4), "it ran out at 2026-11-20T23:59:30Z"));
  const std::string long_one = auth::time_limited_username(now + seconds{90'000}, "alice");
  CHECK(contains(world.verdict(long_one, password_of(long_one), 4), "more than a day is refused"));
  CHECK(contains(world.verdict("nobody", "x", 4), "there is no such user"));

  CHECK(world.run({"secret", "rotate", "next", "--grace", "1s"}).code == 0);
  world.time = now + seconds{5};
  CHECK(
      contains(world.verdict(good, password_of(good), 4), "that secret ended at 2026-11-21T00:00"));
}

TEST_CASE("credential verify knows the configuration, also without a store", "[cli]") {
  World world;
  world.directory.write("turnpike.toml",
                        World::config_text("auth.users = [{ name = \"bob\", password = \"pw\" }]\n"
                                           "auth.secrets = [{ id = \"a\", value = \"" +
                                           secret + "\" }]\n"));
  CHECK(contains(world.verdict("bob", "pw", 0), "accepted: user of the configuration"));
  CHECK(contains(world.verdict("bob", "no", 4), "not the one under auth.users"));
  const std::string name = auth::time_limited_username(now + seconds{600}, "alice");
  CHECK(contains(world.verdict(name, auth::time_limited_password(secret, name), 0),
                 "secret a of the configuration"));
  CHECK_FALSE(world.has_store());
}

TEST_CASE("a user of another realm is refused with the remedy", "[cli]") {
  World world;
  world.input = "pw\n";
  CHECK(world.run({"user", "add", "alice"}).code == 0);
  world.directory.write("turnpike.toml",
                        "realm = \"example.org\"\nstore.url = \"sqlite:turnpike.db\"\n");
  CHECK(contains(world.verdict("alice", "pw", 4), "run `turnpike user passwd alice`"));
}

TEST_CASE("what is revoked is refused, listed and restored", "[cli]") {
  World world;
  world.input = "pw\n";
  CHECK(world.run({"user", "add", "alice"}).code == 0);
  const Ran revoked = world.run({"credential", "revoke", "alice", "--reason", "lost phone"});
  CHECK(revoked.code == 0);
  CHECK(revoked.out == "Everything of alice is refused until 2026-11-22T00:00:00Z.\n");
  CHECK(contains(world.verdict("alice", "pw", 4),
                 "the account \"alice\" is revoked until 2026-11-22T00:00:00Z (lost phone)"));
  const std::string one = "1795222800:bob";
  CHECK(world.json({"credential", "revoke", one})["until"] == "2026-11-22T01:00:00Z");
  CHECK(world.run({"credential", "revoke", "carol", "--forever"}).out ==
        "Everything of carol is refused for ever.\n");
  CHECK(world.json({"credential", "revoke", "dave", "--for", "1h"})["until"] ==
        "2026-11-21T01:00:00Z");

  const auto list = world.json({"credential", "list"});
  REQUIRE(list.size() == 4);
  CHECK(list[0]["name"] == "alice");
  CHECK(list[0]["reason"] == "lost phone");
  CHECK_FALSE(list[1].contains("until"));
  CHECK(list[3]["kind"] == "username");
  CHECK(contains(world.run({"credential", "list"}).out, "lost phone"));
  world.time = now + seconds{3600};
  CHECK(world.json({"credential", "list"}).size() == 3);

  CHECK(world.run({"credential", "restore", "alice"}).code == 0);
  CHECK(contains(world.verdict("alice", "pw", 0), "accepted"));
  CHECK(world.run({"credential", "restore", "alice"}).code == 1);
  CHECK(world.run({"credential", "revoke", "a:b"}).code == 2);
  CHECK(world.run({"credential", "revoke", "a", "--for", "1h", "--forever"}).code == 2);
}

TEST_CASE("credential mint signs with the store's secret when the configuration has none",
          "[cli]") {
  World world;
  const std::string file = world.directory.write("s", secret + "\n");
  const auto minted = [&]() -> nlohmann::json {
    const Ran ran = world.run({"credential", "mint", "--user", "alice", "--ttl", "10m"});
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    return nlohmann::json::parse(ran.out)["iceServers"][0];
  };
  const Ran none = world.run({"credential", "mint", "--user", "alice"});
  CHECK(none.code == 2);
  CHECK(contains(none.err, "there is no store at " + world.directory.path() + "/turnpike.db"));
  CHECK_FALSE(world.has_store());

  CHECK(world.run({"secret", "add", "main", "--value", "@" + file}).code == 0);
  const auto ice = minted();
  CHECK(ice["credential"] ==
        auth::time_limited_password(secret, ice["username"].get<std::string>()));
  CHECK(world.verdict(ice["username"], ice["credential"], 0) ==
        "accepted: secret main of the store\n");

  world.time = now + seconds{60};
  CHECK(world.run({"secret", "rotate", "next"}).code == 0);
  const auto later = minted();
  CHECK(contains(world.verdict(later["username"], later["credential"], 0), "secret next"));

  for (const char* const id : {"main", "next"}) {
    CHECK(world.run({"secret", "remove", id}).code == 0);
  }
  const Ran empty = world.run({"credential", "mint"});
  CHECK(empty.code == 2);
  CHECK(contains(empty.err, "turnpike.db has none either; `turnpike secret add` makes one"));
}

TEST_CASE("credential mint prefers the configuration's secret, as the server does", "[cli]") {
  World world;
  CHECK(world.run({"secret", "add", "stored"}).code == 0);
  world.directory.write(
      "turnpike.toml",
      World::config_text("auth.secrets = [{ id = \"a\", value = \"" + secret + "\" }]\n"));
  const auto ran = world.run({"credential", "mint"});
  REQUIRE(ran.code == 0);
  const auto ice = nlohmann::json::parse(ran.out)["iceServers"][0];
  CHECK(ice["credential"] ==
        auth::time_limited_password(secret, ice["username"].get<std::string>()));
}

TEST_CASE("room token signs with a key of the store when the configuration has none", "[cli]") {
  World world;
  const auto key_of = [&](const Ran& ran) {
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    std::vector<signaling::FixedApiKeys::Entry> entries;
    const std::vector<store::StoredApiKey> keys = world.open()->api_keys().value();
    for (const store::StoredApiKey& key : keys) {
      entries.push_back({key.id, key.signing});
    }
    const std::string token = nlohmann::json::parse(ran.out)["token"];
    const auto verified = signaling::verify_token(token, signaling::FixedApiKeys{entries}, now);
    REQUIRE(verified);
    return verified->key_id;
  };
  const std::vector<std::string> command{"room", "token", "--room", "demo", "--output", "json"};
  CHECK(world.run(command).code == 2);
  for (const char* const id : {"bot", "web"}) CHECK(world.run({"key", "create", id}).code == 0);
  CHECK(key_of(world.run(command)) == "bot");
  std::vector<std::string> by_id = command;
  by_id.insert(by_id.end(), {"--key-id", "web"});
  CHECK(key_of(world.run(by_id)) == "web");

  CHECK(world.run({"key", "revoke", "web"}).code == 0);
  const Ran gone = world.run(by_id);
  CHECK(gone.code == 2);
  CHECK(contains(gone.err, "no API key called \"web\" under auth.api_keys"));
}

// --- The running server --------------------------------------------------------------------------

TEST_CASE("each change of the store is told to the running server, and nothing else is", "[cli]") {
  World world;
  world.input = "pw\n";
  const ControlSocket server{world.directory.path() + "/control.sock"};
  world.directory.write("turnpike.toml",
                        World::config_text({}, world.directory.path() + "/control.sock"));
  for (const std::vector<std::string>& change : {std::vector<std::string>{"user", "add", "alice"},
                                                 {"user", "passwd", "alice"},
                                                 {"user", "change", "alice", "--disable"},
                                                 {"user", "remove", "alice"},
                                                 {"secret", "add", "main"},
                                                 {"secret", "rotate", "next"},
                                                 {"secret", "remove", "next", "--in", "1h"},
                                                 {"secret", "remove", "main"},
                                                 {"key", "create", "web"},
                                                 {"key", "revoke", "web"},
                                                 {"credential", "revoke", "alice"},
                                                 {"credential", "restore", "alice"}}) {
    CAPTURE(change);
    const Ran ran = world.run(change);
    CHECK(ran.code == 0);
    CHECK(ran.err.empty());
    CHECK(server.take() == std::vector<std::string>{"POST /v1/store/changed HTTP/1.1"});
  }
  for (const char* const noun : {"user", "secret", "key", "credential"}) {
    CHECK(world.run({noun, "list"}).code == 0);
  }
  CHECK(world.run({"user", "change", "nobody", "--disable"}).code == 1);
  CHECK(server.take().empty());
}

TEST_CASE("a server that does not answer holds no change up, and one that is gone is not missed",
          "[cli]") {
  World world;
  world.directory.write("turnpike.toml",
                        World::config_text({}, world.directory.path() + "/control.sock"));
  CHECK(world.run({"key", "create", "gone"}).err.empty());

  const ControlSocket server{world.directory.path() + "/control.sock", ControlSocket::Mood::mute};
  const auto start = std::chrono::steady_clock::now();
  const Ran ran = world.run({"key", "create", "web"});
  CHECK(ran.code == 0);
  CHECK(ran.err.empty());
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds{5});
  CHECK(world.json({"key", "list"}).size() == 2);
}

// --- store ---------------------------------------------------------------------------------------

TEST_CASE("store reseal gives the store another key and keeps the old one for backups", "[cli]") {
  World world;
  world.input = "pw\n";
  CHECK(world.run({"user", "add", "alice"}).code == 0);
  const std::string key = world.directory.path() + "/turnpike.db.key";
  const Ran ran = world.run({"store", "reseal"});
  CHECK(ran.code == 0);
  CHECK(contains(ran.out, "turnpike.db is sealed with a new key, in " + key + ".\n"));
  CHECK(contains(ran.out, key + ".old, opens backups of before"));
  CHECK(contains(world.verdict("alice", "pw", 0), "accepted"));

  const std::string elsewhere = world.directory.path() + "/store.key";
  const auto moved = world.json({"store", "reseal", "--new-key-file", elsewhere});
  CHECK(moved["keyFile"] == elsewhere);
  CHECK(moved["oldKeyFile"] == key);
  CHECK(world.run({"user", "list"}).code == 78);
  world.directory.write("turnpike.toml",
                        World::config_text("store.key_file = \"" + elsewhere + "\"\n"));
  CHECK(contains(world.verdict("alice", "pw", 0), "accepted"));
}

TEST_CASE("store reseal makes no store, and tells the running server", "[cli]") {
  World world;
  const Ran none = world.run({"store", "reseal"});
  CHECK(none.code == 78);
  CHECK_FALSE(world.has_store());
  CHECK(world.run({"key", "create", "web"}).code == 0);
  const ControlSocket server{world.directory.path() + "/control.sock"};
  world.directory.write("turnpike.toml",
                        World::config_text({}, world.directory.path() + "/control.sock"));
  CHECK(world.run({"store", "reseal"}).code == 0);
  CHECK(server.take().size() == 1);
}

// --- Where the store is --------------------------------------------------------------------------

TEST_CASE("a store that is not there is told, and not made by looking", "[cli][I04]") {
  const World world;
  for (const std::vector<std::string>& command : {std::vector<std::string>{"user", "list"},
                                                  {"secret", "list"},
                                                  {"key", "list"},
                                                  {"credential", "list"},
                                                  {"user", "remove", "a"}}) {
    const Ran ran = world.run(command);
    CHECK(ran.code == 78);
    CHECK(contains(ran.err, "there is no store at " + world.directory.path() + "/turnpike.db"));
  }
  CHECK_FALSE(world.has_store());
}

TEST_CASE("--store names a store, and the quickstart has its own", "[cli]") {
  World world;
  world.input = "pw\n";
  const std::string path = world.directory.path() + "/other.db";
  CHECK(world.run({"user", "add", "alice", "--store", "sqlite:" + path}).code == 0);
  CHECK(world.json({"user", "list", "--store", path}).size() == 1);
  CHECK_FALSE(world.has_store());
  CHECK(world.run_bare({"user", "add", "bob"}).code == 0);
  CHECK(std::filesystem::exists(world.directory.path() + "/state/turnpike.db"));
}

TEST_CASE("a configuration without a store says so, and a wrong key is 78", "[cli]") {
  World world;
  world.input = "pw\n";
  CHECK(world.run({"user", "add", "alice"}).code == 0);
  world.directory.write("turnpike.db.key", "5J8nYzU6N2q4bQGJr1RkzCz3vXoSvQd0m3m8lJ3wV0A=\n");
  const Ran wrong = world.run({"user", "list"});
  CHECK(wrong.code == 78);
  CHECK(contains(wrong.err, "sealed with another key"));
  world.directory.write("turnpike.toml", "store.url = \"\"\n");
  const Ran none = world.run({"user", "list"});
  CHECK(none.code == 78);
  CHECK(contains(none.err, "store.url is empty"));
}
