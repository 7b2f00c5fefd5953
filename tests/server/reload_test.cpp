#include "server/reload.h"

#include "catch.h"
#include "server/config_schema.h"

namespace turnpike::server {

using Keys = std::vector<std::string>;

TEST_CASE("a configuration that says the same changes nothing", "[server]") {
  Config config;
  config.auth.secrets = {{"n", "north"}};
  const ReloadPlan plan = plan_reload(config, config);
  CHECK(plan.changed.empty());
  CHECK(plan.needs_restart.empty());
}

TEST_CASE("what a running server can take up is taken up, and named", "[server]") {
  Config running;
  running.auth.secrets = {{"n", "north"}};
  Config wanted = running;
  wanted.auth.secrets = {{"s", "south"}, {"n", "north"}};
  wanted.relay.max_allocations_per_user = 3;
  wanted.log.level = LogLevel::debug;
  const ReloadPlan plan = plan_reload(running, wanted);
  CHECK(plan.changed == Keys{"relay.max_allocations_per_user", "auth.secrets", "log.level"});
  CHECK(plan.needs_restart.empty());
  CHECK(plan.config.auth.secrets == wanted.auth.secrets);
  CHECK(plan.config.relay.max_allocations_per_user == 3);
  CHECK(plan.config.log.level == LogLevel::debug);
}

TEST_CASE("a secret of the same id with another value is a change", "[server]") {
  Config running;
  running.auth.secrets = {{"n", "north"}};
  running.auth.users = {{"alice", "wonderland"}};
  Config wanted = running;
  wanted.auth.secrets[0].value = "changed";
  wanted.auth.users[0].password = "changed";
  CHECK(plan_reload(running, wanted).changed == Keys{"auth.secrets", "auth.users"});
}

TEST_CASE("what needs a restart is named and left as it runs", "[server]") {
  Config running;
  Config wanted;
  wanted.listen.udp = {ListenAddress{std::nullopt, 3479}};
  wanted.domain = "turn.example.com";
  wanted.auth.hook_secret = "another";
  wanted.signaling.webhook_secret = "another";
  const ReloadPlan plan = plan_reload(running, wanted);
  CHECK(plan.changed.empty());
  CHECK(plan.needs_restart ==
        Keys{"domain", "listen.udp", "auth.hook_secret", "signaling.webhook_secret"});
  CHECK(plan.config.listen.udp == running.listen.udp);
  CHECK(plan.config.domain.empty());
}

}  // namespace turnpike::server
