// `turnpike bench` as a command line; against real servers it is tests/e2e/bench.test.mjs.
#include <sstream>

#include "catch.h"
#include "cli/app.h"

using namespace turnpike;

namespace {

struct Ran {
  int code;
  std::string err;
};

Ran run_command(const std::string& command, std::vector<std::string> arguments,
                const std::string& input) {
  std::istringstream in{input};
  std::ostringstream out;
  std::ostringstream err;
  const cli::Io io{
      .in = in, .out = out, .err = err, .environment = {}, .now = {}, .default_config_path = {}};
  arguments.insert(arguments.begin(), command);
  const int code = cli::run(arguments, io);
  return {code, err.str()};
}

Ran run(const std::vector<std::string>& arguments) {
  return run_command("bench", arguments, "secret\n");
}

/// What goes wrong with these options and good credentials.
std::string refusal(std::vector<std::string> options) {
  options.insert(options.begin(), {"127.0.0.1:9", "--user", "alice", "--password", "-"});
  const Ran ran = run(options);
  CHECK(ran.code == 2);
  return ran.err;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("bench needs a server, and credentials where it makes allocations", "[cli]") {
  CHECK(run({}).code == 2);
  CHECK(run({"turn://127.0.0.1"}).code == 2);
  const Ran ran = run({"127.0.0.1:9"});
  CHECK(ran.code == 2);
  CHECK(contains(ran.err, "give --user and --password, or --secret"));
}

TEST_CASE("bench never takes a password from the command line", "[cli]") {
  const Ran ran = run({"127.0.0.1:9", "--user", "alice", "--password", "hunter2"});
  CHECK(ran.code == 2);
  CHECK(contains(ran.err, "@FILE"));
  CHECK_FALSE(contains(ran.err, "hunter2"));
  CHECK(run({"127.0.0.1:9", "--secret", "-", "--password", "-"}).code == 2);
}

TEST_CASE("a name too long for STUN is refused before anything is sent", "[cli]") {
  const std::string command = GENERATE(as<std::string>{}, "bench", "nat-test", "conformance");
  const std::string credential = GENERATE(as<std::string>{}, "--password", "--secret");
  if (command == "conformance" && credential == "--secret") return;  // it makes names of its own
  const std::string name(509, 'a');
  const Ran refused = run_command(command, {"127.0.0.1:9", "--user", name, credential, "-"},
                                  "0123456789abcdef0123456789abcdef\n");
  CHECK(refused.code == 2);
  CHECK(contains(refused.err, "--user: the user name has 5"));
  CHECK(contains(refused.err, " bytes, and STUN carries 508 at most"));
}

TEST_CASE("bench says what is wrong with an option", "[cli]") {
  CHECK(contains(refusal({"--mode", "flood"}), "--mode: flood is not known; use client-to-peer"));
  CHECK(contains(refusal({"--transport", "sctp"}), "--transport: sctp is not known"));
  CHECK(contains(refusal({"--rate", "fast"}), "--rate: fast is neither max nor search"));
  CHECK(contains(refusal({"--rate", "0"}), "--rate: 0 is neither"));
  CHECK(contains(refusal({"--clients-from", "here"}), "--clients-from: here is no IPv4 prefix"));
  CHECK(contains(refusal({"--clients-from", "fd00::/64"}), "is no IPv4 prefix"));
  CHECK(contains(refusal({"--peer-address", "::1"}), "--peer-address: ::1 is no IP address of"));
  CHECK(contains(refusal({"--size", "19"}), "--size"));
  CHECK(contains(refusal({"--train", "65"}), "--train"));
}

TEST_CASE("bench refuses what does not go together", "[cli]") {
  CHECK(contains(refusal({"--pair", "--allocations", "5"}), "must be even"));
  CHECK(contains(refusal({"--pair", "--mode", "peer-to-client"}), "--pair goes with"));
  CHECK(contains(refusal({"--size", "1200", "--train", "60"}), "must not exceed 65,507 bytes"));
  CHECK(contains(refusal({"--mode", "binding", "--rate", "search"}), "--rate search goes with"));
  CHECK(contains(refusal({"--rate", "search", "--seconds", "9"}), "outlive the permissions"));
  CHECK(contains(refusal({"--against", "forwarder", "--transport", "tcp"}), "UDP alone"));
  CHECK(contains(refusal({"--seconds", "241"}), "more than 240 needs --refresh"));
  CHECK(contains(refusal({"--mode", "idle", "--seconds", "241"}), "more than 240 needs --refresh"));
  CHECK(contains(refusal({"--mode", "churn", "--refresh", "30"}), "--refresh goes with the modes"));
  CHECK(contains(refusal({"--against", "forwarder", "--refresh", "30"}), "through a TURN server"));
}
