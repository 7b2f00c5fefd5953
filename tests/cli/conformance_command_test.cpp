// `turnpike conformance` as a command line; against real servers it is
// tests/e2e/conformance.test.mjs.
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/app.h"
#include "conformance/fake_server.h"

using namespace turnpike;

namespace {

struct Ran {
  int code;
  std::string out;
  std::string err;
};

Ran run(std::vector<std::string> arguments, const std::string& input = "") {
  std::istringstream in{input};
  std::ostringstream out;
  std::ostringstream err;
  const cli::Io io{
      .in = in, .out = out, .err = err, .environment = {}, .now = {}, .default_config_path = {}};
  arguments.insert(arguments.begin(), "conformance");
  const int code = cli::run(arguments, io);
  return {code, out.str(), err.str()};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("conformance lists its checks", "[cli]") {
  const Ran table = run({"--list"});
  CHECK(table.code == 0);
  CHECK(contains(table.out, "second-allocate-is-437"));
  const auto json = nlohmann::json::parse(run({"--list", "--output", "json"}).out);
  CHECK(json.size() >= 100);
  CHECK(json[0].contains("rule"));
}

TEST_CASE("conformance without a server, or with one that makes no sense, is a mistake", "[cli]") {
  CHECK(run({}).code == 2);
  CHECK(run({"turn://127.0.0.1"}).code == 2);
  CHECK(run({"127.0.0.1", "--check", "no-such-check"}).code == 2);
  CHECK(run({"127.0.0.1", "--transport", "sctp"}).code == 2);
  CHECK(run({"127.0.0.1", "--peer-address", "here"}).code == 2);
}

TEST_CASE("conformance never takes a password from the command line", "[cli]") {
  const Ran ran = run({"127.0.0.1", "--user", "alice", "--password", "secret"});
  CHECK(ran.code == 2);
  CHECK(contains(ran.err, "@FILE"));
  CHECK_FALSE(contains(ran.err, "secret"));
  CHECK(run({"127.0.0.1", "--user", "alice", "--password", "@/no/such/file"}).code == 2);
  CHECK(run({"127.0.0.1", "--user", "alice", "--password", "-"}, "\n").code == 2);
}

TEST_CASE("conformance says when nobody answers", "[cli]") {
  // A port that was free a moment ago: the host says so by ICMP.
  auto socket = conformance::Socket::udp({*IpAddress::parse("127.0.0.1"), 0});
  REQUIRE(socket);
  const std::string target = socket->local().to_string();
  { const conformance::Socket gone = std::move(*socket); }
  const Ran ran = run({target, "--rto", "20", "--output", "json"});
  CHECK(ran.code == 69);
  CHECK(contains(ran.err, "cannot be reached over udp"));
  const auto json = nlohmann::json::parse(ran.out);
  CHECK(json["summary"]["passed"] == 0);
  CHECK(json["summary"]["not_tried"].get<std::size_t>() == json["checks"].size());
}

TEST_CASE("conformance ends with 1 when a check fails, with 0 when it passes", "[cli]") {
  const conformance::FakeServer server{[](ByteView request) {
    return stun::MessageView::parse(request) ? conformance::succeed(request) : conformance::Bytes{};
  }};
  const std::string target = "stun:" + server.settings().server.to_string();
  const Ran passed = run({target, "--rto", "50", "--check", "good-fingerprint-is-taken"});
  CHECK(passed.code == 0);
  CHECK(contains(passed.out, "passed 1, failed 0"));
  const Ran failed = run({target, "--rto", "50", "--check", "binding-tells-*"});
  CHECK(failed.code == 1);
  CHECK(contains(failed.out, "expected  XOR-MAPPED-ADDRESS"));
}
