#include "server/quickstart.h"

#include <sys/stat.h>

#include "catch.h"
#include "server/ice_servers.h"
#include "server/scratch_directory.h"

using namespace turnpike;
using namespace turnpike::server;
using turnpike::test::ScratchDirectory;

namespace {

constexpr WallTime some_time{seconds{1'795'219'200}};  // 2026-11-21T00:00:00Z

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the state directory is systemd's, else the system's or the user's",
          "[server][quickstart]") {
  CHECK(state_directory({{"STATE_DIRECTORY", "/var/lib/a:/var/lib/b"}, {"HOME", "/home/u"}},
                        true) == "/var/lib/a");
  CHECK(state_directory({{"HOME", "/root"}}, true) == "/var/lib/turnpike");
  CHECK(state_directory({{"XDG_STATE_HOME", "/s"}, {"HOME", "/home/u"}}, false) == "/s/turnpike");
  CHECK(state_directory({{"XDG_STATE_HOME", ""}, {"HOME", "/home/u"}}, false) ==
        "/home/u/.local/state/turnpike");
  CHECK(state_directory({}, false).empty());
}

TEST_CASE("the quickstart listens on loopback only, with a secret of its own",
          "[server][quickstart]") {
  const ScratchDirectory directory;
  const auto config = quickstart_config(directory.path());
  REQUIRE(config);
  REQUIRE_FALSE(config->listen.udp.empty());
  for (const ListenAddress& listener : config->listen.udp) {
    REQUIRE(listener.address);
    CHECK(listener.address->is_loopback());
    CHECK(listener.port == 3478);
  }
  CHECK(config->listen.udp.size() == (has_ipv6_loopback() ? 2U : 1U));
  CHECK(config->listen.tcp == config->listen.udp);
  CHECK(config->listen.tls.empty());
  REQUIRE(config->auth.secrets.size() == 1);
  CHECK(config->auth.secrets[0].value.size() == 64);
}

TEST_CASE("the quickstart's secret is private and stays the same", "[server][quickstart]") {
  const ScratchDirectory directory;
  const std::string state = directory.path() + "/deep/state";
  const auto first = quickstart_secret(state);
  REQUIRE(first);
  CHECK(mode_of(state) == 0700);
  CHECK(mode_of(state + "/quickstart.secret") == 0600);
  CHECK(quickstart_secret(state) == first);
  CHECK(quickstart_secret(directory.path()) != first);
}

TEST_CASE("a quickstart secret that cannot be used is refused with the remedy",
          "[server][quickstart]") {
  const ScratchDirectory directory;
  (void)directory.write("quickstart.secret", "short\n");
  const auto weak = quickstart_secret(directory.path());
  REQUIRE_FALSE(weak);
  CHECK(contains(weak.error(), "/quickstart.secret: the secret has 5 bytes"));
  CHECK(contains(weak.error(), "or remove the file to get a new one"));

  const auto nowhere = quickstart_secret(directory.write("a-file", "") + "/state");
  REQUIRE_FALSE(nowhere);
  CHECK(contains(nowhere.error(), "set STATE_DIRECTORY"));
  REQUIRE_FALSE(quickstart_secret(""));
}

TEST_CASE("the banner has all that is needed to try the server", "[server][quickstart]") {
  Config config = quickstart_listeners(true);
  config.auth.secrets = {{"quickstart", "north-of-the-river-32-bytes-long-secret"}};
  const std::string banner = quickstart_banner(config, some_time);
  CHECK(contains(banner, "udp  127.0.0.1:3478"));
  CHECK(contains(banner, "udp  [::1]:3478"));
  CHECK(contains(banner, "tcp  127.0.0.1:3478"));
  CHECK(contains(banner, "tcp  [::1]:3478"));
  CHECK_FALSE(contains(banner, "tls"));
  CHECK(contains(banner, "new RTCPeerConnection({"));
  CHECK(contains(banner, "turn:127.0.0.1:3478?transport=udp"));
  CHECK(contains(banner, "turn:127.0.0.1:3478?transport=tcp"));
  CHECK(contains(banner, "turn:[::1]:3478?transport=tcp"));
  CHECK(contains(banner, "1795305600:quickstart"));  // 24 hours later
  CHECK(contains(banner, "turnpike stun 127.0.0.1:3478"));
  CHECK(contains(banner, "turnutils_uclient"));
  CHECK(contains(banner, "Ctrl-C"));
  CHECK_FALSE(contains(banner, "north-of-the-river"));
}

TEST_CASE("the banner does without UDP", "[server][quickstart]") {
  Config config = quickstart_listeners(false);
  config.listen.udp.clear();
  config.auth.secrets = {{"quickstart", "north-of-the-river-32-bytes-long-secret"}};
  const std::string banner = quickstart_banner(config, some_time);
  CHECK(contains(banner, "turn:127.0.0.1:3478?transport=tcp"));
  CHECK_FALSE(contains(banner, "stun"));
  CHECK_FALSE(contains(banner, "udp"));
}

TEST_CASE("minted credentials follow the TURN REST convention", "[server][quickstart]") {
  // printf %s 1795219800:alice | openssl dgst -sha1 -hmac north-of-the-river-32-bytes-long-secret
  // -binary | base64
  const auto ice =
      mint_ice_servers({{"turn.example.com", 3478}}, "north-of-the-river-32-bytes-long-secret",
                       "alice", some_time + seconds{600});
  CHECK(ice.username == "1795219800:alice");
  CHECK(ice.credential == "BTeyK8sRj/DDwHKHAQxxETUizr4=");
  CHECK(
      to_json(ice) ==
      R"({"iceServers":[{"urls":["turn:turn.example.com:3478?transport=udp"],"username":"1795219800:alice",)"
      R"("credential":"BTeyK8sRj/DDwHKHAQxxETUizr4="},{"urls":["stun:turn.example.com:3478"]}],)"
      R"("expiresAt":"2026-11-21T00:10:00Z"})");
}
