// The doctor's judgements over what a host may look like.
#include "diagnosis/doctor.h"

#include <algorithm>

#include "catch.h"

using namespace turnpike;
using namespace turnpike::diagnosis;
using namespace std::chrono_literals;

namespace {

server::Config with_ports(std::uint16_t first, std::uint16_t last) {
  server::Config config;
  config.relay.ports = {first, last};
  return config;
}

Level level_of(const Findings& findings) {
  REQUIRE_FALSE(findings.empty());
  return std::max_element(findings.begin(), findings.end(),
                          [](const Finding& a, const Finding& b) { return a.level < b.level; })
      ->level;
}

std::string limits(const std::string& soft) {
  return "Limit                     Soft Limit           Hard Limit           Units     \n"
         "Max processes             95964                95964                processes \n"
         "Max open files            " +
         soft + "                 1048576              files     \n";
}

DoctorPlan plan_with_secret(const std::string& value) {
  DoctorPlan plan;
  plan.loaded.config.auth.secrets = {{"main", value}};
  return plan;
}

// What `nft -j list ruleset` prints, shortened.
std::string input_chain(const std::string& policy, const std::string& rules) {
  return R"({"nftables":[{"metainfo":{}},{"chain":{"family":"inet","table":"filter","name":"input",)"
         R"("hook":"input","policy":")" +
         policy + R"("}})" + rules + "]}";
}
std::string rule(const std::string& match, const std::string& verdict) {
  return R"(,{"rule":{"family":"inet","table":"filter","chain":"input","expr":[)" + match +
         (match.empty() ? "" : ",") + "{\"" + verdict + "\":null}]}}";
}
std::string udp_ports(const std::string& right) {
  return R"({"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":)" +
         right + "}}";
}

}  // namespace

TEST_CASE("the exit code is that of the worst finding", "[diagnosis]") {
  CHECK(exit_code_of({{Level::ok, "a", "", ""}, {Level::note, "b", "", ""}}) == 0);
  CHECK(exit_code_of({{Level::ok, "a", "", ""}, {Level::warning, "b", "", ""}}) == 3);
  CHECK(exit_code_of({{Level::problem, "a", "", ""}, {Level::warning, "b", "", ""}}) == 1);
}

TEST_CASE("a remedy stands under its finding", "[diagnosis]") {
  const std::string text = to_text({{Level::problem, "dns", "it leads elsewhere", "correct it"}});
  CHECK(text ==
        "problem  dns: it leads elsewhere\n         -> correct it\n1 problem, 0 warnings.\n");
}

TEST_CASE("few open files are a problem of the server, and of nobody else", "[diagnosis]") {
  const auto config = with_ports(50000, 59999);
  CHECK(level_of(check_open_files(config, limits("1048576"), true)) == Level::ok);
  CHECK(level_of(check_open_files(config, limits("unlimited"), true)) == Level::ok);
  CHECK(level_of(check_open_files(config, limits("8192"), true)) == Level::warning);
  CHECK(level_of(check_open_files(config, limits("1024"), true)) == Level::problem);
  CHECK(level_of(check_open_files(config, limits("1024"), false)) == Level::note);
}

TEST_CASE("small socket buffers are a warning each", "[diagnosis]") {
  CHECK(level_of(check_socket_buffers("4194304\n", "4194304\n")) == Level::ok);
  CHECK(level_of(check_socket_buffers("212992\n", "4194304\n")) == Level::warning);
  CHECK(check_socket_buffers("", "").empty());
}

TEST_CASE("a connection table that fills up is told before it is full", "[diagnosis]") {
  const auto config = with_ports(50000, 50999);
  CHECK(level_of(check_conntrack(config, "", "")) == Level::ok);
  CHECK(level_of(check_conntrack(config, "100\n", "262144\n")) == Level::ok);
  CHECK(level_of(check_conntrack(config, "100\n", "2000\n")) == Level::warning);
  CHECK(level_of(check_conntrack(config, "250000\n", "262144\n")) == Level::problem);
}

TEST_CASE("relay ports that the kernel gives away are a warning", "[diagnosis]") {
  const auto config = with_ports(49152, 65535);
  CHECK(level_of(check_local_ports(config, "32768\t60999\n", "")) == Level::warning);
  CHECK(level_of(check_local_ports(config, "32768\t49151\n", "")) == Level::ok);
}

TEST_CASE("a clock that lags behind the server's own files is wrong", "[diagnosis]") {
  const WallTime now{1'800'000'000s};
  CHECK(level_of(check_clock(now, now - 60s, true)) == Level::ok);
  CHECK(level_of(check_clock(now, std::nullopt, false)) == Level::warning);
  CHECK(level_of(check_clock(now, now + 200'000s, true)) == Level::problem);
}

TEST_CASE("secrets are judged by length and variety", "[diagnosis]") {
  CHECK(level_of(check_configuration(plan_with_secret("0123456789abcdef0123456789abcdef"))) ==
        Level::ok);
  CHECK(level_of(check_configuration(plan_with_secret("geheim"))) == Level::warning);
  CHECK(level_of(check_configuration(plan_with_secret(std::string(64, 'a')))) == Level::warning);
}

TEST_CASE("warnings of the configuration are passed on", "[diagnosis]") {
  DoctorPlan plan = plan_with_secret("0123456789abcdef0123456789abcdef");
  plan.loaded.warnings = {"something is odd"};
  CHECK(level_of(check_configuration(plan)) == Level::warning);
}

TEST_CASE("public_ip is compared with what this host has", "[diagnosis]") {
  const auto lan = IpAddress::parse("192.168.1.5").value();
  const auto outside = IpAddress::parse("11.22.33.44").value();
  server::Config config;
  CHECK(level_of(check_addresses(config, {outside})) == Level::note);  // no domain
  CHECK(level_of(check_addresses(config, {lan})) == Level::warning);
  config.public_ip = {lan};
  CHECK(level_of(check_addresses(config, {lan})) == Level::warning);
  config.public_ip = {outside};
  CHECK(level_of(check_addresses(config, {lan})) == Level::note);
}

TEST_CASE("a domain must lead to this host", "[diagnosis]") {
  server::Config config;
  config.domain = "192.0.2.77";  // an address resolves without DNS
  config.public_ip = {IpAddress::parse("11.22.33.44").value()};
  CHECK(level_of(check_addresses(config, {})) == Level::problem);
  config.domain = "11.22.33.44";
  CHECK(level_of(check_addresses(config, {})) == Level::note);
}

TEST_CASE("relay addresses that are not this host's are a problem", "[diagnosis]") {
  server::Config config;
  config.relay.addresses = {IpAddress::parse("127.0.0.1").value()};
  CHECK(level_of(check_relay_addresses(config)) == Level::ok);
  config.relay.addresses = {IpAddress::parse("192.0.2.77").value()};
  CHECK(level_of(check_relay_addresses(config)) == Level::problem);
}

TEST_CASE("a firewall is in the way when it drops relay ports", "[diagnosis]") {
  const auto config = with_ports(50000, 50999);
  const auto level = [&](const std::string& ruleset) {
    return level_of(check_firewall(config, ruleset));
  };
  CHECK(level(input_chain("accept", "")) == Level::ok);
  CHECK(level(input_chain("accept", rule(udp_ports("{\"range\":[49152,65535]}"), "drop"))) ==
        Level::problem);
  CHECK(level(input_chain("accept", rule(udp_ports("{\"set\":[53,{\"range\":[50500,50600]}]}"),
                                         "reject"))) == Level::problem);
  CHECK(level(input_chain("accept", rule(udp_ports("53"), "drop"))) == Level::ok);
  CHECK(level(input_chain("drop", "")) == Level::warning);
  CHECK(level(input_chain("drop", rule(udp_ports("{\"range\":[50000,50500]}"), "accept"))) ==
        Level::warning);
  CHECK(level(input_chain("drop", rule(udp_ports("{\"range\":[50000,50999]}"), "accept"))) ==
        Level::ok);
  CHECK(level(input_chain("drop", rule("", "accept"))) == Level::ok);
  CHECK(level("no JSON") == Level::ok);
  CHECK(level_of(check_firewall(config, std::nullopt)) == Level::note);
}
