#include <nlohmann/json.hpp>
#include <sstream>

#include "catch.h"
#include "cli/app.h"
#include "server/scratch_directory.h"
#include "signaling/api_keys.h"

using namespace turnpike;
using turnpike::test::ScratchDirectory;

namespace {

const std::string api_key = "north-of-the-river-32-bytes-long-key";
constexpr WallTime now{seconds{1'795'219'200}};  // 2026-11-21T00:00:00Z

struct Ran {
  int code;
  std::string out;
  std::string err;
};

/// Runs `turnpike room token <arguments…>` with the key on standard input.
Ran mint(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"room", "token"});
  std::istringstream in{api_key + "\n"};
  std::ostringstream out;
  std::ostringstream err;
  const cli::Io io{.in = in,
                   .out = out,
                   .err = err,
                   .environment = {},
                   .now = now,
                   .is_root = false,
                   .err_is_terminal = false,
                   .default_config_path = "/nonexistent/turnpike.toml"};
  const int code = cli::run(arguments, io);
  return {code, out.str(), err.str()};
}

nlohmann::json mint_json(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--output", "json"});
  const Ran ran = mint(std::move(arguments));
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  return nlohmann::json::parse(ran.out);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("room token mints what the server's rooms accept", "[cli]") {
  const auto printed = mint_json({"--key", "-", "--key-id", "web", "--room", "demo", "--name",
                                  "Mina", "--role", "viewer", "--sub", "u1", "--ttl", "10m",
                                  "--max", "4", "--can", "message,lock", "--relay-only"});
  CHECK(printed["room"] == "demo");
  CHECK(printed["expiresAt"] == "2026-11-21T00:10:00Z");
  CHECK_FALSE(printed.contains("link"));
  const signaling::FixedApiKeys keys{{{"bot", api_key + "2"}, {"web", api_key}}};
  const auto verified = signaling::verify_token(printed["token"].get<std::string>(), keys, now);
  REQUIRE(verified);
  CHECK(verified->key_id == "web");
  const signaling::Claims& claims = verified->claims;
  CHECK(claims.room == "demo");
  CHECK(claims.name == "Mina");
  CHECK(claims.role == signaling::Role::viewer);
  CHECK(claims.subject == "u1");
  CHECK(claims.max == 4u);
  CHECK(claims.can == std::vector{signaling::Right::message, signaling::Right::lock});
  CHECK(claims.relay_only);
  CHECK(claims.expires == now + seconds{600});
}

TEST_CASE("room token takes a key of the configuration", "[cli]") {
  const ScratchDirectory directory;
  const std::string file =
      directory.write("t.toml", "[auth]\nsecrets = [{ id = \"a\", value = \"" + api_key +
                                    "-turn\" }]\napi_keys = [{ id = \"web\", value = \"" + api_key +
                                    "\" }, { id = \"bot\", value = \"" + api_key + "2\" }]\n");
  const signaling::FixedApiKeys keys{{{"web", api_key}, {"bot", api_key + "2"}}};
  const auto key_of = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--config", file, "--room", "demo"});
    const std::string token = mint_json(std::move(more))["token"];
    const auto verified = signaling::verify_token(token, keys, now);
    return verified ? verified->key_id : "none";
  };
  CHECK(key_of({}) == "web");
  CHECK(key_of({"--key-id", "bot"}) == "bot");
  const Ran missing = mint({"--config", file, "--room", "demo", "--key-id", "other"});
  CHECK(missing.code == 2);
  CHECK(contains(missing.err, "no API key called \"other\""));
  const std::string without =
      directory.write("u.toml", "auth.secrets = [{ id = \"a\", value = \"" + api_key + "\" }]\n");
  CHECK(contains(mint({"--config", without, "--room", "demo"}).err, "auth.api_keys"));
}

TEST_CASE("room token prints an invitation that keeps the token out of logs", "[cli]") {
  const auto printed =
      mint_json({"--key", "-", "--room", "회의 1&2", "--url", "https://turn.example.com"});
  const std::string token = printed["token"];
  CHECK(printed["link"] ==
        "https://turn.example.com/#room=%ED%9A%8C%EC%9D%98%201%262&token=" + token);
  const Ran table = mint({"--key", "-", "--room", "demo", "--url", "http://127.0.0.1:8080/call/"});
  CHECK(contains(table.out, "expires  2026-11-21T01:00:00Z\n"));
  CHECK(contains(table.out, "link     http://127.0.0.1:8080/call/#room=demo&token="));
  for (const char* const url : {"turn.example.com", "https://", "https://h/?a", "https://h/#a"}) {
    CHECK(mint({"--key", "-", "--room", "demo", "--url", url}).code == 2);
  }
}

TEST_CASE("room token never takes the key from the command line", "[cli]") {
  const Ran ran = mint({"--key", api_key, "--room", "demo"});
  CHECK(ran.code == 2);
  CHECK(contains(ran.err, "--key takes @FILE or - (standard input)"));
  CHECK_FALSE(contains(ran.err, api_key));
}

TEST_CASE("room token refuses what it cannot mean", "[cli]") {
  const ScratchDirectory directory;
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{"--role", "admin"},
        {"--can", "fly"},
        {"--ttl", "169h"},
        {"--ttl", "10"},
        {"--max", "0"},
        {"--max", "65"},
        {"--name", "a\nb"},
        {"--sub", std::string(257, 'x')},
        {"--room", ""},
        {"--key", "@" + directory.path() + "/none"},
        {"--key", "@" + directory.write("short", "short")}}) {
    std::vector<std::string> arguments = options;
    const auto has = [&](const std::string& option) {
      return std::find(options.begin(), options.end(), option) != options.end();
    };
    if (!has("--room")) arguments.insert(arguments.end(), {"--room", "demo"});
    if (!has("--key")) arguments.insert(arguments.end(), {"--key", "-"});
    const Ran ran = mint(arguments);
    INFO(options[0] + " " + options[1]);
    CHECK(ran.code == 2);
    CHECK(ran.out.empty());
  }
  CHECK(contains(mint({"--room", "demo"}).err, "give --key @FILE, --key - or --config FILE"));
}
