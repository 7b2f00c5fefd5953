// Compares PeerPolicy with peer_policy_oracle.py, which was written from the papers (HOSTILE.md
// P15).
#include <cstdio>
#include <memory>
#include <sstream>

#include "catch.h"
#include "turn/peer_policy.h"
#include "turn/spelled.h"

namespace turnpike::turn {
namespace {

using namespace spelled;

/// Reads the oracle's lines and counts what the policy sees otherwise.
class Comparison {
 public:
  void take(const std::string& line) {
    std::istringstream words{line};
    std::string verb;
    words >> verb;
    if (verb == "?") return ask(words);
    if (verb == "permit") return ask_for_permission(words);
    if (verb == "end") {
      ended_ = true;
    } else if (verb == "reset") {
      settings_ = {};
      relays_.clear();
      policy_.reset();
    } else {
      configure(verb, words);
    }
  }

  std::size_t asked = 0;
  std::size_t differences = 0;
  std::string first_differences;
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  static PeerTransport transport(const std::string& word) {
    return word == "tcp" ? PeerTransport::tcp : PeerTransport::udp;
  }

  void configure(const std::string& verb, std::istringstream& words) {
    std::string where;
    words >> where;
    if (verb == "allow" || verb == "deny") {
      std::string first;
      std::string last;
      std::string proto;
      words >> first >> last >> proto;
      PeerRule made = rule(where);
      if (first != "-") {
        made.ports = PortRange{static_cast<std::uint16_t>(std::stoul(first)),
                               static_cast<std::uint16_t>(std::stoul(last))};
      }
      if (proto != "-") made.transport = transport(proto);
      (verb == "allow" ? settings_.allow : settings_.deny).push_back(made);
    } else if (verb == "insecure") {
      settings_.insecure_allow.push_back(cidr(where));
    } else if (verb == "own") {
      settings_.own_addresses.push_back(ip(where));
    } else {
      std::uint16_t port = 0;
      words >> port;
      auto& list = verb == "listener" ? settings_.own_listeners : relays_;
      list.push_back({ip(where), port});
    }
  }

  const PeerPolicy& policy() {
    if (policy_) return *policy_;
    std::vector<IpAddress> addresses;
    for (const Endpoint& relay : relays_) addresses.push_back(relay.address);
    live_ = std::make_unique<LiveRelays>(addresses);
    for (const Endpoint& relay : relays_) live_->insert(relay, {});
    policy_ = std::make_unique<PeerPolicy>(settings_, *live_);
    return *policy_;
  }

  void ask(std::istringstream& words) {
    std::string address;
    std::uint16_t port = 0;
    std::string proto;
    std::string expected;
    words >> address >> port >> proto >> expected;
    const auto result = policy().check({ip(address), port}, transport(proto));
    const std::string_view verdict = result ? "allowed" : to_string(result.error());
    compare(address + " " + std::to_string(port) + " " + proto, expected, verdict);
  }

  void ask_for_permission(std::istringstream& words) {
    std::string address;
    std::string proto;
    std::string expected;
    words >> address >> proto >> expected;
    if (expected == "maybe") return;
    const PermissionScope scope = policy().scope_of(ip(address), transport(proto));
    const std::string_view verdict = scope == PermissionScope::peers ? "peers"
                                     : scope == PermissionScope::only_live_relays
                                         ? "only_live_relays"
                                         : "nothing";
    compare("permission " + address + " " + proto, expected, verdict);
  }

  void compare(const std::string& question, const std::string& expected, std::string_view verdict) {
    ++asked;
    if (verdict == expected) return;
    if (++differences > 10) return;
    first_differences +=
        question + ": oracle " + expected + ", policy " + std::string{verdict} + "\n";
  }

  PeerPolicy::Settings settings_;
  std::vector<Endpoint> relays_;
  std::unique_ptr<LiveRelays> live_;
  std::unique_ptr<PeerPolicy> policy_;
  bool ended_ = false;
};

struct CloseProcess {
  void operator()(std::FILE* pipe) const { pclose(pipe); }
};

}  // namespace

TEST_CASE("the policy and an oracle in Python agree on every question", "[turn][P15]") {
  const std::string command = "python3 '" TURNPIKE_SOURCE_DIR "/tests/turn/peer_policy_oracle.py'";
  std::vector<char> buffer(1 << 20);
  const std::unique_ptr<std::FILE, CloseProcess> pipe{popen(command.c_str(), "r")};
  REQUIRE(pipe);
  std::setvbuf(pipe.get(), buffer.data(), _IOFBF, buffer.size());
  Comparison comparison;
  std::array<char, 256> line{};
  while (std::fgets(line.data(), line.size(), pipe.get()) != nullptr) comparison.take(line.data());
  REQUIRE(comparison.ended());  // the script came to its end
  CHECK(comparison.asked > 200'000);
  INFO(comparison.first_differences);
  CHECK(comparison.differences == 0);
}

}  // namespace turnpike::turn
