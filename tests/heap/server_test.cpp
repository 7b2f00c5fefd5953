// The core: 100,000 messages of each kind through turn::Server, in virtual time.
#include "turn/server.h"

#include <array>
#include <optional>
#include <string>
#include <variant>

#include "catch.h"
#include "heap/heap_calls.h"
#include "heap/stranger.h"

namespace turnpike::test {
namespace {

constexpr std::size_t messages_per_flood = 100'000;
constexpr std::size_t warm_up = 1000;
constexpr std::uint32_t strangers_network = 0x08000000;  // 8.0.0.0
constexpr nanoseconds between{20'000};                   // 50,000 a second
constexpr seconds nonce_lifetime{600};

const Endpoint server_address{IpAddress::v4(0x0b160001), 3478};  // 11.22.0.1

class Core {
 public:
  explicit Core(bool asks_for_users) {
    turn::Server::Settings settings;
    settings.authentication.nonce_lifetime = nonce_lifetime;
    settings.authentication.asks_for_users = asks_for_users;
    settings.tcp_relays = true;
    server_.emplace(settings, book_, policy_, ledger_, random_);
  }

  /// What comes of the flood's next message, from another stranger.
  void take(const Flood& flood) { take(flood, taken_); }
  /// The same from stranger number 0.
  void take_from_one(const Flood& flood) { take(flood, 0); }
  /// What stranger number 0 is answered.
  std::string nonce_for_one() {
    const Bytes request = bare_allocate();
    server_->on_client_datagram(flow_of(0), request, now_, effects_);
    std::string nonce;
    for (const turn::Effect& effect : effects_.list()) {
      nonce = nonce_of(effects_.bytes_of(std::get<turn::SendToClient>(effect)));
    }
    effects_.clear();
    return nonce;
  }
  void wait(nanoseconds time) { now_.instant += time; }
  [[nodiscard]] std::size_t allocations() const { return server_->allocation_count(); }
  /// How many messages have come to this.
  [[nodiscard]] std::size_t count(turn::Reason reason) const {
    return reasons_.at(static_cast<std::size_t>(reason));
  }

 private:
  [[nodiscard]] static turn::ClientFlow flow_of(std::size_t stranger) {
    const Endpoint from{stranger_address(strangers_network, stranger), 40'000};
    return {{from, server_address, Transport::udp}, {}, {}};
  }
  void take(const Flood& flood, std::size_t stranger) {
    now_.instant += between;
    const auto& message = flood.messages[taken_ % flood.messages.size()];
    const auto handled = server_->on_client_datagram(flow_of(stranger), message, now_, effects_);
    ++reasons_.at(static_cast<std::size_t>(handled.reason));
    effects_.clear();
    ++taken_;
  }

  SeededRandom random_{7};
  auth::CredentialBook book_{known_users()};
  turn::Ledger ledger_{
      {{server_address.address, server_address.address}}, PortRange{49152, 65535}, turn::Limits{}};
  turn::PeerPolicy policy_{turn::PeerPolicy::Settings{}, ledger_.live_relays()};
  std::optional<turn::Server> server_;
  turn::Effects effects_;
  Now now_{Instant{seconds{1'000'000}}, WallTime{seconds{1'800'000'000}}};
  std::size_t taken_ = 0;
  std::array<std::size_t, turn::reason_count> reasons_{};
};

TEST_CASE("a stranger's message takes nothing from the heap", "[heap][turn][Q01][G5]") {
  const bool asks_for_users = GENERATE(false, true);
  SeededRandom random{11};
  for (const Flood& flood : floods_of_strangers(random)) {
    CAPTURE(asks_for_users, flood.name);
    Core core{asks_for_users};
    for (std::size_t i = 0; i < warm_up; ++i) core.take(flood);
    const std::uint64_t before = heap_calls();
    for (std::size_t i = 0; i < messages_per_flood; ++i) core.take(flood);
    CHECK(heap_calls() == before);
    CHECK(core.allocations() == 0);
  }
}

TEST_CASE("a guess at a password takes nothing from the heap, in time or with an old nonce",
          "[heap][turn][Q01][A09]") {
  const bool asks_for_users = GENERATE(false, true);
  const bool is_late = GENERATE(false, true);
  SeededRandom random{17};
  Core issuing{asks_for_users};  // all of them have the same key for nonces
  for (const Flood& flood : floods_of_guessers(random, issuing.nonce_for_one())) {
    CAPTURE(asks_for_users, is_late, flood.name);
    Core core{asks_for_users};
    if (is_late) core.wait(2 * nonce_lifetime);
    for (std::size_t i = 0; i < warm_up; ++i) core.take_from_one(flood);
    const std::uint64_t before = heap_calls();
    for (std::size_t i = 0; i < messages_per_flood; ++i) core.take_from_one(flood);
    CHECK(heap_calls() == before);
    CHECK(core.allocations() == 0);
    const bool is_of_many = flood.messages.size() > 1;
    if (!is_late && !is_of_many) CHECK(core.count(turn::Reason::dropped_throttled) > 0);
  }
}

}  // namespace
}  // namespace turnpike::test
