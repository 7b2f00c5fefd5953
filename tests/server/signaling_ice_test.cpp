#include "server/signaling_ice.h"

#include "auth/credentials.h"
#include "catch.h"

namespace turnpike::server::test {

namespace {

constexpr WallTime now{seconds{1'795'215'600}};

Config config_with_secret() {
  Config config;
  config.auth.secrets.push_back({"a", "0123456789abcdef0123456789abcdef"});
  return config;
}

}  // namespace

TEST_CASE("who joins gets credentials of this server that name peer and room",
          "[server][signaling]") {
  Config config = config_with_secret();
  config.domain = "turn.example";
  config.listen.tls = {ListenAddress{std::nullopt, 443}};
  SignalingIce source{config};
  const auto ice = source.ice_servers({"p_7Qk2", "demo", "evil.example", seconds{3600}}, now);
  REQUIRE(ice.servers.size() == 2);
  CHECK(ice.servers[0].urls == std::vector<std::string>{"stun:turn.example:3478"});
  CHECK(ice.servers[0].username.empty());
  CHECK(ice.servers[1].urls == std::vector<std::string>{"turn:turn.example:3478?transport=udp",
                                                        "turn:turn.example:3478?transport=tcp",
                                                        "turns:turn.example:443?transport=tcp"});
  CHECK(ice.servers[1].username == "1795219200:p_7Qk2@demo");
  CHECK(ice.servers[1].credential ==
        auth::time_limited_password(config.auth.secrets.front().value, "1795219200:p_7Qk2@demo"));
  CHECK(ice.expires_at == now + seconds{3600});
}

TEST_CASE("a server that does not know its name uses the one that clients came by",
          "[server][signaling]") {
  const Config config = config_with_secret();  // ":3478", no domain, no public_ip
  SignalingIce source{config};
  const auto urls = [&](std::string_view host) {
    return source.ice_servers({"p", "r", host, seconds{60}}, now).servers.at(0).urls.at(0);
  };
  CHECK(urls("turn.example:8443") == "stun:turn.example:3478");
  CHECK(urls("[2001:db8::1]:3478") == "stun:[2001:db8::1]:3478");
  CHECK(urls("192.0.2.7") == "stun:192.0.2.7:3478");
  CHECK(source.ice_servers({"p", "r", "no host", seconds{60}}, now).servers.empty());
}

}  // namespace turnpike::server::test
