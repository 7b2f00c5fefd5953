#include "cli/app.h"

#include <sstream>

#include "catch.h"
#include "cli/exit_code.h"
#include "cli/host_port.h"
#include "server/scratch_directory.h"

#include <nlohmann/json.hpp>

using namespace turnpike;
using namespace turnpike::cli;
using turnpike::test::ScratchDirectory;

namespace {

const std::string secret = "north-of-the-river-32-bytes-long-secret";

/// How a command ended and what it said.
struct Ran {
  int code;
  std::string out;
  std::string err;
};

/// The world of one command: no default configuration, a fixed time, an empty environment.
struct World {
  std::map<std::string, std::string> environment;
  std::string input;
  std::string default_config = "/nonexistent/turnpike.toml";
  bool err_is_terminal = false;

  [[nodiscard]] Ran run(const std::vector<std::string>& arguments) const {
    std::istringstream in{input};
    std::ostringstream out;
    std::ostringstream err;
    const Io io{.in = in,
                .out = out,
                .err = err,
                .environment = environment,
                .now = WallTime{seconds{1'795'219'200}},  // 2026-11-21T00:00:00Z
                .is_root = false,
                .err_is_terminal = err_is_terminal,
                .default_config_path = default_config};
    const int code = cli::run(arguments, io);
    return {code, out.str(), err.str()};
  }
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

// --- The command line as such
// ------------------------------------------------------------------------

TEST_CASE("a command line that makes no sense is exit code 2", "[cli]") {
  const World world;
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{},
        {"bogus"},
        {"config"},
        {"config", "bogus"},
        {"version", "--bogus"},
        {"version", "extra"},
        {"version", "--output", "xml"},
        {"stun"},
        {"stun", "turn:example.com"},
        {"stun", "a:1", "--port", "2"},
        {"stun", "-4", "-6", "example.com"},
        {"stun", "example.com", "--count", "0"},
        {"stun", "example.com:0"},
        {"stun", "example.com", "--timeout", "5"},
        {"serve", "--insecure-allow-peers", "127.0.0.1/8"},
        {"config", "check", "--set", "realm"}}) {
    CAPTURE(arguments);
    const Ran ran = world.run(arguments);
    CHECK(ran.code == 2);
    CHECK_FALSE(ran.err.empty());
    CHECK(ran.out.empty());
  }
}

TEST_CASE("help is exit code 0 and has examples", "[cli]") {
  const World world;
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--help"},
                                                    {"serve", "--help"},
                                                    {"config", "check", "--help"},
                                                    {"config", "show", "--help"},
                                                    {"credential", "mint", "--help"},
                                                    {"stun", "--help"}}) {
    CAPTURE(arguments);
    const Ran ran = world.run(arguments);
    CHECK(ran.code == 0);
    CHECK(contains(ran.out, "Example"));
    CHECK(contains(ran.out, "turnpike"));
  }
}

TEST_CASE("the version is printed for people and for programs", "[cli]") {
  const World world;
  const Ran table = world.run({"version"});
  CHECK(table.code == 0);
  CHECK(table.out.starts_with("turnpike "));
  CHECK(world.run({"--version"}).out == table.out);
  const auto json = nlohmann::json::parse(world.run({"version", "--output", "json"}).out);
  CHECK("turnpike " + json["version"].get<std::string>() + "\n" == table.out);
}

// --- config
// --------------------------------------------------------------------------------------------

TEST_CASE("config check accepts a good file", "[cli]") {
  const ScratchDirectory directory;
  const std::string file =
      directory.write("t.toml", "auth.secrets = [{ id = \"a\", value = \"" + secret + "\" }]\n");
  const World world;
  const Ran ran = world.run({"config", "check", "--config", file});
  CHECK(ran.code == 0);
  CHECK(contains(ran.out, file + ": the configuration is valid."));
  CHECK(nlohmann::json::parse(
            world.run({"config", "check", "-c", file, "--output", "json"}).out)["ok"] == true);
}

TEST_CASE("config check lists what is wrong and ends with 78", "[cli][C01]") {
  const ScratchDirectory directory;
  const std::string file = directory.write("t.toml", "realm = 1\n[relay]\nport = \"1\"\n");
  const World world;
  const Ran ran = world.run({"config", "check", "--config", file});
  CHECK(ran.code == 78);
  CHECK(contains(ran.err, file + ":1:9: realm: "));
  CHECK(contains(ran.err, file + ":3:1: relay.port: "));
  const auto json =
      nlohmann::json::parse(world.run({"config", "check", "-c", file, "--output", "json"}).out);
  CHECK(json["ok"] == false);
  REQUIRE(json["errors"].size() >= 2);
  CHECK(world.run({"config", "check", "--config", directory.path() + "/none.toml"}).code == 78);
}

TEST_CASE("serve refuses a wrong configuration with 78 before anything starts", "[cli][C01]") {
  const ScratchDirectory directory;
  const World world;
  const Ran missing = world.run({"serve", "--config", directory.path() + "/none.toml"});
  CHECK(missing.code == 78);
  CHECK(contains(missing.err, "none.toml: cannot be read: No such file"));
  const Ran no_auth =
      world.run({"serve", "--config", directory.write("t.toml", "realm = \"x\"\n")});
  CHECK(no_auth.code == 78);
  CHECK(contains(no_auth.err, "neither secrets nor users"));
}

TEST_CASE("a generated secret is suggested on a terminal only", "[cli]") {
  const ScratchDirectory directory;
  World world;
  const std::vector<std::string> arguments{"serve", "--config",
                                           directory.write("t.toml", "realm = \"x\"\n")};
  CHECK_FALSE(contains(world.run(arguments).err, "value = "));
  world.err_is_terminal = true;
  const std::string first = world.run(arguments).err;
  CHECK(contains(first, "secrets = [{ id = \"main\", value = \""));
  CHECK(first != world.run(arguments).err);
}

TEST_CASE("a default file that is there but cannot be read is no quickstart", "[cli]") {
  const ScratchDirectory directory;
  World world;
  world.default_config = directory.path();  // a directory in its place
  CHECK(world.run({"serve"}).code == 78);
}

TEST_CASE("config show hides secrets and tells origins", "[cli][I08]") {
  const ScratchDirectory directory;
  const std::string file =
      directory.write("t.toml", "[auth]\nsecrets = [{ id = \"a\", value = \"" + secret +
                                    "\" }]\nusers = [{ name = \"u\", password = \"canary\" }]\n");
  World world;
  world.environment = {{"TURNPIKE__REALM", "env.example"}};
  const Ran table =
      world.run({"config", "show", "--config", file, "--origin", "--set", "workers=2"});
  CHECK(table.code == 0);
  CHECK(contains(table.out, "realm = \"env.example\""));
  CHECK(contains(table.out, "# env TURNPIKE__REALM\n"));
  CHECK(contains(table.out, "# --set workers\n"));
  CHECK(contains(table.out, "# " + file + ":2\n"));
  CHECK(contains(table.out, "value = \"(hidden)\""));

  const Ran json = world.run({"config", "show", "--config", file, "--origin", "--output", "json"});
  const auto parsed = nlohmann::json::parse(json.out);
  CHECK(parsed["config"]["relay"]["ports"] == "49152-65535");
  CHECK(parsed["config"]["auth"]["users"][0]["password"] == "(hidden)");
  CHECK(parsed["origins"]["realm"] == "env TURNPIKE__REALM");
  for (const std::string& text : {table.out, table.err, json.out, json.err}) {
    CHECK_FALSE(contains(text, secret));
    CHECK_FALSE(contains(text, "canary"));
  }
}

TEST_CASE("without a file, config shows the quickstart and makes nothing", "[cli]") {
  const ScratchDirectory directory;
  World world;
  world.environment = {{"STATE_DIRECTORY", directory.path() + "/state"}};
  const Ran ran = world.run({"config", "show"});
  CHECK(ran.code == 0);
  CHECK(contains(ran.out, "127.0.0.1:3478"));
  CHECK(contains(world.run({"config", "check"}).out, "quickstart"));
  CHECK_FALSE(std::filesystem::exists(directory.path() + "/state"));
}

// --- credential mint
// -----------------------------------------------------------------------------------

TEST_CASE("credential mint prints what a browser takes", "[cli]") {
  // printf %s 1795219800:alice | openssl dgst -sha1 -hmac north-of-the-river-32-bytes-long-secret
  // -binary | base64
  const ScratchDirectory directory;
  const World world;
  const Ran ran =
      world.run({"credential", "mint", "--secret", "@" + directory.write("s", secret + "\n", 0644),
                 "--user", "alice", "--ttl", "10m", "--format", "json", "--host",
                 "turn.example.com", "--host", "[2001:db8::1]:5000"});
  CHECK(ran.code == 0);
  CHECK(ran.err.empty());
  CHECK(
      ran.out ==
      R"({"iceServers":[{"urls":["turn:turn.example.com:3478?transport=udp","turn:[2001:db8::1]:5000?transport=udp"],)"
      R"("username":"1795219800:alice","credential":"BTeyK8sRj/DDwHKHAQxxETUizr4="},)"
      R"({"urls":["stun:turn.example.com:3478","stun:[2001:db8::1]:5000"]}],"expiresAt":"2026-11-21T00:10:00Z"})"
      "\n");
}

TEST_CASE("credential mint takes the secret from standard input or the environment", "[cli]") {
  const ScratchDirectory directory;
  World world;
  world.input = secret + "\n";
  const std::vector<std::string> options{"--ttl", "10m", "--user", "alice", "--host", "h"};
  const auto mint = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"credential", "mint"});
    arguments.insert(arguments.end(), options.begin(), options.end());
    return world.run(arguments);
  };
  const Ran from_stdin = mint({"--secret", "-"});
  CHECK(contains(from_stdin.out, "BTeyK8sRj/DDwHKHAQxxETUizr4="));
  world.input.clear();
  world.environment = {{"TURNPIKE__AUTH__SECRET", secret}};
  CHECK(mint({}).out == from_stdin.out);
  world.environment = {{"TURNPIKE__AUTH__SECRET_FILE", directory.write("s", secret)}};
  CHECK(mint({}).out == from_stdin.out);
}

TEST_CASE("credential mint takes secret, lifetime and host from a configuration", "[cli]") {
  const ScratchDirectory directory;
  const std::string file =
      directory.write("t.toml",
                      "domain = \"turn.example.com\"\n[listen]\nudp = "
                      "[\":3479\"]\n[auth]\ncredential_ttl = \"10m\"\nsecrets = "
                      "[{ id = \"a\", value = \"" +
                          secret + "\" }]\n");
  const Ran ran = World{}.run({"credential", "mint", "--config", file, "--user", "alice"});
  CHECK(ran.code == 0);
  CHECK(contains(ran.out, R"(["turn:turn.example.com:3479?transport=udp",)"
                          R"("turn:turn.example.com:3478?transport=tcp"])"));
  CHECK(contains(ran.out, "BTeyK8sRj/DDwHKHAQxxETUizr4="));

  const auto urls_at = [&](const std::string& host) {
    const std::string out =
        World{}
            .run({"credential", "mint", "--config", file, "--host", host, "--format", "uri"})
            .out;
    std::string urls;  // without user and password
    for (std::size_t at = 0; (at = out.find('@', at)) != std::string::npos; ++at) {
      urls += out.substr(at + 1, out.find('\n', at) - at);
    }
    return urls;
  };
  CHECK(urls_at("h") == "h:3479?transport=udp\nh:3478?transport=tcp\n");
  CHECK(urls_at("h:3478") == "h:3478?transport=tcp\n");  // the listener with this port
  CHECK(urls_at("h:99") == "h:99?transport=udp\n");      // there is none: some NAT's port
}

TEST_CASE("credential mint never takes the secret from the command line", "[cli]") {
  const Ran ran = World{}.run({"credential", "mint", "--secret", secret});
  CHECK(ran.code == 2);
  CHECK(contains(ran.err, "--secret takes @FILE or - (standard input)"));
  CHECK_FALSE(contains(ran.err, secret));
  CHECK(ran.out.empty());
}

TEST_CASE("credential mint refuses what it cannot mean", "[cli]") {
  World world;
  world.input = secret;
  for (const std::vector<std::string>& options : {std::vector<std::string>{"--ttl", "25h"},
                                                  {"--ttl", "10"},
                                                  {"--user", "a\nb"},
                                                  {"--user", "a:b"},
                                                  {"--host", "https://turn.example.com"},
                                                  {"--host", "h:0"},
                                                  {"--format", "xml"},
                                                  {"--user", std::string(498, 'u')}}) {
    CAPTURE(options);
    std::vector<std::string> arguments{"credential", "mint", "--secret", "-"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    CHECK(world.run(arguments).code == 2);
  }
  CHECK(world.run({"credential", "mint"}).code == 2);
  CHECK(world.run({"credential", "mint", "--secret", "@/nonexistent/secret"}).code == 2);
  world.input = "\n";
  CHECK(world.run({"credential", "mint", "--secret", "-"}).code == 2);
}

TEST_CASE("the other formats carry the same credentials", "[cli]") {
  World world;
  world.input = secret;
  const auto mint = [&](const std::string& format) {
    return world
        .run({"credential", "mint", "--secret", "-", "--user", "alice", "--ttl", "10m", "--host",
              "h", "--format", format})
        .out;
  };
  CHECK(contains(mint("js"), "const pc = new RTCPeerConnection({"));
  CHECK(mint("env") ==
        "TURN_URLS='turn:h:3478?transport=udp'\nTURN_USERNAME='1795219800:alice'\nTURN_CREDENTIAL='"
        "BTeyK8sRj/DDwHKHAQxxETUizr4='\n"
        "STUN_URLS='stun:h:3478'\nTURN_EXPIRES_AT='2026-11-21T00:10:00Z'\n");
  CHECK(mint("curl").starts_with(
      "curl -X POST -H 'Content-Type: application/json' --data '{\"iceServers\":["));
  CHECK(mint("uri") ==
        "turn://1795219800%3Aalice:BTeyK8sRj%2FDDwHKHAQxxETUizr4%3D@h:3478?transport=udp\n");
}

// --- stun
// ----------------------------------------------------------------------------------------------

TEST_CASE("hosts and stun: URIs are read", "[cli][rfc7064]") {
  using Port = std::optional<std::uint16_t>;
  CHECK(parse_stun_target("turn.example.com") == HostPort{"turn.example.com", Port{}});
  CHECK(parse_stun_target("turn.example.com:99") == HostPort{"turn.example.com", Port{99}});
  CHECK(parse_stun_target("stun:turn.example.com") == HostPort{"turn.example.com", Port{}});
  CHECK(parse_stun_target("stun:[2001:db8::1]:99") == HostPort{"2001:db8::1", Port{99}});
  CHECK(parse_stun_target("[2001:db8::1]") == HostPort{"2001:db8::1", Port{}});
  CHECK(parse_stun_target("2001:db8::1") == HostPort{"2001:db8::1", Port{}});
  CHECK(parse_stun_target("192.0.2.1:3478") == HostPort{"192.0.2.1", Port{3478}});
  for (const char* text :
       {"", ":3478", "h:", "h:0", "h:65536", "h:x", "[h]:1", "[::1", "[::1]x", "[::1]:", "a b",
        "stuns:h", "turn:h", "stun://h", "stun:", "h/path", "http://h"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_stun_target(text));
  }
}

TEST_CASE("a host that does not exist is exit code 69", "[cli]") {
  const Ran ran = World{}.run({"stun", "does-not-exist.invalid"});
  CHECK(ran.code == 69);
  CHECK(contains(ran.err, "does-not-exist.invalid"));
}
