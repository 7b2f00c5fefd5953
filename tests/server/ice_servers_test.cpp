#include "server/ice_servers.h"

#include "catch.h"

using namespace turnpike;
using namespace turnpike::server;

namespace {

ListenAddress every_address(std::uint16_t port) { return {std::nullopt, port}; }
ListenAddress one_address(const char* address, std::uint16_t port) {
  return {IpAddress::parse(address), port};
}

/// The TURN URLs by which clients find a server with this configuration.
std::vector<std::string> urls_of(const Config& config) {
  return mint_ice_servers(servers_of(config), "secret", "", WallTime{}).turn_urls();
}

using Urls = std::vector<std::string>;

}  // namespace

TEST_CASE("there is a URL for each listener and for nothing else", "[server][ice_servers]") {
  Config config;
  config.domain = "turn.example.com";
  CHECK(urls_of(config) == Urls{"turn:turn.example.com:3478?transport=udp",
                                "turn:turn.example.com:3478?transport=tcp"});

  config.listen.tls = {every_address(5349), every_address(443)};
  config.listen.tcp = {};
  CHECK(urls_of(config) == Urls{"turn:turn.example.com:3478?transport=udp",
                                "turns:turn.example.com:5349?transport=tcp",
                                "turns:turn.example.com:443?transport=tcp"});

  config.listen = {{}, {every_address(3479)}, {}};
  CHECK(urls_of(config) == Urls{"turn:turn.example.com:3479?transport=tcp"});
}

TEST_CASE("two listeners that a domain makes one have one URL", "[server][ice_servers]") {
  Config config;
  config.domain = "turn.example.com";
  config.listen = {{one_address("192.0.2.1", 3478), one_address("2001:db8::1", 3478)}, {}, {}};
  CHECK(urls_of(config) == Urls{"turn:turn.example.com:3478?transport=udp"});
}

TEST_CASE("without a domain, URLs have the addresses that clients see", "[server][ice_servers]") {
  Config config;
  config.public_ip = {*IpAddress::parse("203.0.113.10")};
  config.listen = {{every_address(3478)},
                   {one_address("192.0.2.1", 3478), one_address("2001:db8::1", 3478)},
                   {}};
  CHECK(urls_of(config) == Urls{"turn:203.0.113.10:3478?transport=udp",
                                "turn:203.0.113.10:3478?transport=tcp",
                                "turn:[2001:db8::1]:3478?transport=tcp"});
  config.public_ip = {};
  CHECK(urls_of(config) ==
        Urls{"turn:192.0.2.1:3478?transport=tcp", "turn:[2001:db8::1]:3478?transport=tcp"});
}

TEST_CASE("a listener on loopback is handed out only where there are no others",
          "[server][ice_servers]") {
  Config config;
  config.domain = "turn.example.com";
  config.listen = {{every_address(3478)}, {one_address("127.0.0.1", 3478)}, {}};
  CHECK(urls_of(config) == Urls{"turn:turn.example.com:3478?transport=udp"});

  config.domain = "";
  config.public_ip = {*IpAddress::parse("203.0.113.10")};
  config.listen = {{one_address("127.0.0.1", 3478)}, {one_address("::1", 3478)}, {}};
  CHECK(urls_of(config) ==
        Urls{"turn:127.0.0.1:3478?transport=udp", "turn:[::1]:3478?transport=tcp"});
}

TEST_CASE("a link-local listener has no URL: none can name an interface", "[server][ice_servers]") {
  Config config;
  config.public_ip = {*IpAddress::parse("2001:db8::1")};
  config.listen = {
      {{IpAddress::parse("fe80::1"), 3478, "eth0"}}, {one_address("192.0.2.1", 3478)}, {}};
  CHECK(urls_of(config) == Urls{"turn:192.0.2.1:3478?transport=tcp"});
}

TEST_CASE("another host has the same listeners", "[server][ice_servers]") {
  const Config::Listen listen{{every_address(3478)}, {}, {every_address(443)}};
  CHECK(servers_at("turn.example.com", listen) ==
        std::vector<ServerAddress>{{"turn.example.com", 3478, Transport::udp},
                                   {"turn.example.com", 443, Transport::tls}});
}

TEST_CASE("STUN is offered over UDP, and no list without URLs", "[server][ice_servers]") {
  const auto ice = mint_ice_servers({{"turn.example.com", 443, Transport::tls}}, "secret", "alice",
                                    WallTime{seconds{1}});
  CHECK(ice.stun_urls().empty());
  CHECK(to_json(ice) == R"({"iceServers":[{"urls":["turns:turn.example.com:443?transport=tcp"],)"
                        R"("username":"1:alice","credential":")" +
                            ice.credential + R"("}],"expiresAt":"1970-01-01T00:00:01Z"})");
}
