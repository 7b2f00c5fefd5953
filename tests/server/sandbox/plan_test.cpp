#include "server/sandbox/plan.h"

#include <algorithm>

#include "catch.h"

using namespace turnpike::server;

namespace {

using Ports = std::vector<std::uint16_t>;

bool has(const std::vector<std::string>& paths, const std::string& path) {
  return std::find(paths.begin(), paths.end(), path) != paths.end();
}

/// A configuration that reaches nobody.
Config plain() {
  Config config;
  config.store.path.clear();
  config.control.socket.clear();
  return config;
}

TEST_CASE("a plain server reads its configuration and connects to nobody", "[server][sandbox]") {
  const SandboxPlan plan = plan_sandbox(plain(), {{"/etc/turnpike/turnpike.toml"}, "", ""});
  CHECK(plan.readable_files == std::vector<std::string>{"/etc/turnpike/turnpike.toml"});
  CHECK(plan.writable.empty());
  CHECK(plan.removable.empty());
  CHECK_FALSE(has(plan.readable, "/etc"));
  CHECK(plan.connects_to == Ports{});
  CHECK_FALSE(plan.abstract_sockets);
  CHECK_FALSE(plan.low_ports);
}

TEST_CASE("what the configuration names can be reached", "[server][sandbox]") {
  Config config = plain();
  config.tls = {"/etc/tls/chain.pem", "/etc/tls/key.pem"};
  config.web.root = "/srv/www";
  config.store.path = "/var/lib/turnpike/turnpike.db";
  config.control.socket = "/run/turnpike/control.sock";
  const SandboxPlan plan = plan_sandbox(config, {{}, "/run/credentials/turnpike-store-key", ""});
  CHECK(plan.readable_files == std::vector<std::string>{"/etc/tls/chain.pem", "/etc/tls/key.pem",
                                                        "/run/credentials/turnpike-store-key"});
  CHECK(has(plan.readable, "/srv/www"));
  CHECK(plan.writable == std::vector<std::string>{"/var/lib/turnpike"});
  CHECK(plan.removable == std::vector<std::string>{"/run/turnpike"});
}

TEST_CASE("paths without a directory are meant in the current one", "[server][sandbox]") {
  Config config = plain();
  config.store.path = "turnpike.db";
  CHECK(plan_sandbox(config, {{}, "turnpike.db.key", ""}).writable ==
        std::vector<std::string>{"."});
}

TEST_CASE("hook and webhook are reached at their ports, and their names looked up",
          "[server][sandbox]") {
  Config config = plain();
  const auto [url, port] = GENERATE(table<std::string, std::uint16_t>({
      {"https://users.example.com/ask", 443},
      {"http://users.example.com", 80},
      {"http://127.0.0.1:8080/ask?a=b:c", 8080},
      {"https://[2001:db8::1]:8443/", 8443},
      {"https://name:word@users.example.com:444/", 444},
  }));
  CAPTURE(url);
  config.auth.hook = url;
  SandboxPlan plan = plan_sandbox(config, {});
  CHECK(plan.connects_to == Ports{port, 53});
  CHECK(has(plan.readable, "/etc"));
  CHECK(has(plan.readable_files, "/etc/resolv.conf"));
  config.signaling.webhook = "https://rooms.example.com:9443";
  CHECK(plan_sandbox(config, {}).connects_to == Ports{port, 9443, 53});
}

TEST_CASE("an address whose port cannot be told takes the limit away, not the hook",
          "[server][sandbox]") {
  Config config = plain();
  config.auth.hook = "https://users.example.com:port/";
  CHECK(plan_sandbox(config, {}).connects_to == std::nullopt);
}

TEST_CASE("TCP relays connect to any port", "[server][sandbox]") {
  Config config = plain();
  config.relay.tcp = true;
  CHECK(plan_sandbox(config, {}).connects_to == std::nullopt);
}

TEST_CASE("relays on ports below 1024 keep the right to bind them", "[server][sandbox]") {
  Config config = plain();
  config.relay.ports = {1000, 2000};
  CHECK(plan_sandbox(config, {}).low_ports);
}

TEST_CASE("a service manager with an abstract socket is still told", "[server][sandbox]") {
  CHECK(plan_sandbox(plain(), {{}, "", "@/org/freedesktop/systemd1/notify"}).abstract_sockets);
  CHECK_FALSE(plan_sandbox(plain(), {{}, "", "/run/systemd/notify"}).abstract_sockets);
}

}  // namespace
