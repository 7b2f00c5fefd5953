// The core: 100,000 messages of each kind through turn::Server, in virtual time.
#include "turn/server.h"

#include "catch.h"
#include "heap/heap_calls.h"
#include "heap/stranger.h"

namespace turnpike::test {
namespace {

constexpr std::size_t messages_per_flood = 100'000;
constexpr std::size_t warm_up = 1000;
constexpr std::uint32_t strangers_network = 0x08000000;  // 8.0.0.0
constexpr nanoseconds between{20'000};                   // 50,000 a second

const Endpoint server_address{IpAddress::v4(0x0b160001), 3478};  // 11.22.0.1

class Core {
 public:
  explicit Core(bool asks_for_users) {
    turn::Server::Settings settings;
    settings.authentication.nonce_lifetime = seconds{600};
    settings.authentication.asks_for_users = asks_for_users;
    settings.tcp_relays = true;
    server_.emplace(settings, book_, policy_, ledger_, random_);
  }

  /// What comes of the flood's next message, from another stranger.
  void take(const Flood& flood) {
    const Endpoint from{stranger_address(strangers_network, taken_), 40'000};
    const turn::ClientFlow flow{{from, server_address, Transport::udp}, {}, {}};
    now_.instant += between;
    const auto& message = flood.messages[taken_ % flood.messages.size()];
    server_->on_client_datagram(flow, message, now_, effects_);
    answered_ += effects_.list().size();
    effects_.clear();
    ++taken_;
  }
  [[nodiscard]] std::size_t allocations() const { return server_->allocation_count(); }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }

 private:
  SeededRandom random_{7};
  auth::CredentialBook book_{known_users()};
  turn::Ledger ledger_{
      {{server_address.address, server_address.address}}, PortRange{49152, 65535}, turn::Limits{}};
  turn::PeerPolicy policy_{turn::PeerPolicy::Settings{}, ledger_.live_relays()};
  std::optional<turn::Server> server_;
  turn::Effects effects_;
  Now now_{Instant{seconds{1'000'000}}, WallTime{seconds{1'800'000'000}}};
  std::size_t taken_ = 0;
  std::uint64_t answered_ = 0;
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

}  // namespace
}  // namespace turnpike::test
