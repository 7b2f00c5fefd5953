// What nat-test concludes from what it found, and that it says so.
#include "diagnosis/nat_report.h"

#include <nlohmann/json.hpp>

#include "catch.h"

using namespace turnpike;
using namespace turnpike::diagnosis;
using client::Doubt;
using client::NatFiltering;
using client::NatMapping;
using client::Trial;

namespace {

Endpoint at(std::string_view text) { return Endpoint::parse(text).value(); }

FamilyResult good_family() {
  FamilyResult family;
  family.server = at("203.0.113.10:3478");
  family.local = IpAddress::parse("192.168.1.23");
  family.interface = "wlan0";
  client::NatBehavior& behavior = family.behavior;
  behavior.is_udp_open = true;
  behavior.local = at("192.168.1.23:40000");
  behavior.mapped = at("198.51.100.7:40000");
  behavior.rtts.assign(20, milliseconds{18});
  behavior.pings = 20;
  behavior.destinations = 4;
  behavior.alg = {Trial::no, Doubt::none};
  behavior.fragments = {Trial::yes, Doubt::none};
  behavior.port_preserved = {Trial::yes, Doubt::none};
  behavior.hairpin = {Trial::no, Doubt::none};
  behavior.mapping = {NatMapping::endpoint_independent, Doubt::none};
  behavior.filtering = {NatFiltering::address_and_port_dependent, Doubt::none};
  return family;
}

PathResult path(Transport transport, std::uint16_t port, PathState state, bool is_guess = false) {
  PathResult result;
  result.path = {
      transport, {IpAddress::parse("203.0.113.10").value(), port}, "turn.example.com", is_guess};
  result.state = state;
  result.took = milliseconds{24};
  return result;
}

NatReport good_report() {
  NatReport report;
  report.target = "turn.example.com";
  report.has_user = true;
  report.families = {good_family()};
  report.paths = {path(Transport::udp, 3478, PathState::ok)};
  report.relay_path = report.paths.front().path;
  report.relay.relayed = at("203.0.113.10:52110");
  report.relay.echoes_sent = 5;
  report.relay.echoes.assign(5, milliseconds{19});
  report.relay.offered_mbit = 8;
  report.relay.received_mbit = 8;
  report.relay.mobility = Trial::no;
  report.relay.is_reachable = Trial::yes;
  report.took = milliseconds{9800};
  return report;
}

bool says(const std::vector<std::string>& lines, const std::string& part) {
  for (const std::string& line : lines) {
    if (line.find(part) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("where everything works nothing needs to be mended", "[diagnosis]") {
  const NatJudgement judgement = judge(good_report());
  CHECK(judgement.verdict == NatVerdict::ok);
  CHECK(judgement.fixes.empty());
  CHECK(says(judgement.sentences, "Direct calls work with most peers"));
  CHECK(says(judgement.sentences, "Calls from here will work"));
}

TEST_CASE("the report tells each finding in a line", "[diagnosis]") {
  const std::string text = to_text(good_report());
  for (const char* const line : {
           "turnpike nat-test turn.example.com  9.8 s\n",
           "Local       IPv4  192.168.1.23 (wlan0)\n",
           "UDP         open  RTT 18 ms (min 18, p95 18), loss 0/20, fragments ok, ALG none\n",
           "Public      198.51.100.7, port preserved  CGNAT: no (not 100.64/10)\n",
           "4.3, 4 destinations agree\n",
           "Hairpin     no  Binding lifetime not tried (--lifetime)\n",
           "Old name    port-restricted cone (RFC 3489)\n",
           "TURN        udp:3478 ok 24 ms\n",
           "Relay       203.0.113.10:52110 by udp:3478, echo 19 ms, 8.0 of 8.0 Mbit/s there and "
           "back, "
           "reachable from here, ICE mobility no\n",
       }) {
    CAPTURE(line, text);
    CHECK(text.find(line) != std::string::npos);
  }
}

TEST_CASE("the JSON report has the same and its verdict", "[diagnosis]") {
  const auto json = nlohmann::json::parse(to_json(good_report()));
  CHECK(json["verdict"] == "ok");
  CHECK(json["families"][0]["mapping"]["value"] == "endpoint-independent");
  CHECK(json["families"][0]["rtt_ms"]["median"] == 18.0);
  CHECK(json["paths"][0]["state"] == "ok");
  CHECK(json["relay"]["relayed"] == "203.0.113.10:52110");
  CHECK(json["families"][0]["binding_lifetime"]["reason"] == "not-asked");
}

TEST_CASE("refused credentials count before everything else", "[diagnosis]") {
  NatReport report = good_report();
  report.paths = {path(Transport::udp, 3478, PathState::credentials_refused)};
  CHECK(judge(report).verdict == NatVerdict::refused);
}

TEST_CASE("without any way to TURN there is no path, whatever UDP does", "[diagnosis]") {
  NatReport report = good_report();
  report.relay_path.reset();
  report.paths = {path(Transport::udp, 3478, PathState::timed_out),
                  path(Transport::tls, 443, PathState::certificate)};
  const NatJudgement judgement = judge(report);
  CHECK(judgement.verdict == NatVerdict::no_path);
  CHECK(says(judgement.fixes, "tls:443: browsers will refuse it"));
  CHECK(says(judgement.sentences, "no way to a TURN server"));
}

TEST_CASE("a named URL that fails degrades, a usual port that is closed does not", "[diagnosis]") {
  NatReport report = good_report();
  report.paths.push_back(path(Transport::tls, 5349, PathState::nothing_listens, true));
  CHECK(judge(report).verdict == NatVerdict::ok);
  report.paths.push_back(path(Transport::tls, 443, PathState::nothing_listens, false));
  const NatJudgement judgement = judge(report);
  CHECK(judgement.verdict == NatVerdict::degraded);
  CHECK(says(judgement.fixes, "open 443/tcp"));
}

TEST_CASE("blocked UDP degrades and says what TCP costs", "[diagnosis]") {
  NatReport report = good_report();
  report.families.front().behavior = {};
  report.paths = {path(Transport::tcp, 3478, PathState::ok)};
  const NatJudgement judgement = judge(report);
  CHECK(judgement.verdict == NatVerdict::degraded);
  CHECK(says(judgement.sentences, "UDP does not reach the server"));
  CHECK(says(judgement.fixes, "let UDP out"));
}

TEST_CASE("loss above a tenth degrades", "[diagnosis]") {
  NatReport report = good_report();
  report.families.front().behavior.rtts.resize(18);
  CHECK(judge(report).verdict == NatVerdict::ok);
  report.families.front().behavior.rtts.resize(17);
  CHECK(judge(report).verdict == NatVerdict::degraded);
  CHECK(says(judge(report).sentences, "3 of 20 packets were lost"));
}

TEST_CASE("closed relay ports and a meddling router are told", "[diagnosis]") {
  NatReport report = good_report();
  report.relay.is_reachable = Trial::no;
  CHECK(says(judge(report).fixes, "what is sent to 203.0.113.10:52110 does not arrive"));
  report = good_report();
  report.families.front().behavior.alg = {Trial::yes, Doubt::none};
  CHECK(says(judge(report).fixes, "ALG"));
}

TEST_CASE("what is inconclusive is said with its reason, and no verdict is made of it",
          "[diagnosis]") {
  NatReport report = good_report();
  client::NatBehavior& behavior = report.families.front().behavior;
  behavior.mapping = {NatMapping::inconclusive, Doubt::no_other_address};
  behavior.filtering = {NatFiltering::inconclusive, Doubt::no_other_address};
  const NatJudgement judgement = judge(report);
  CHECK(judgement.verdict == NatVerdict::ok);
  CHECK(says(judgement.sentences, "cannot be told: the server has one address"));
  CHECK(to_text(report).find("Mapping     inconclusive: the server has one address") !=
        std::string::npos);
}

TEST_CASE("a STUN server alone is judged by UDP", "[diagnosis]") {
  NatReport report = good_report();
  report.wants_relay = false;
  report.relay_path.reset();
  report.paths.clear();
  CHECK(judge(report).verdict == NatVerdict::ok);
  report.families.front().behavior.is_udp_open = false;
  CHECK(judge(report).verdict == NatVerdict::no_path);
}

TEST_CASE("the carrier's shared space is told from a public address", "[diagnosis]") {
  NatReport report = good_report();
  report.families.front().behavior.local = at("100.64.3.4:40000");
  CHECK(to_text(report).find("CGNAT: yes") != std::string::npos);
}
