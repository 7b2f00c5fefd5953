// A turn::Server on a bench for the fuzz targets that feed it sequences: the same at every start,
// so that an input always means the same.
#pragma once

#include <string>

#include "base/seeded_random.h"
#include "input.h"
#include "turn/server.h"

namespace turnpike::fuzz {

inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
inline Endpoint endpoint(std::string_view text) { return Endpoint::parse(text).value(); }

inline constexpr std::string_view realm = "example.org";
inline constexpr std::string_view username = "alice";
inline constexpr std::string_view password = "wonderland";

/// alice:wonderland, made once for all inputs.
inline const auth::CredentialBook& credential_book() {
  static const auth::CredentialBook book = [] {
    auth::CredentialSettings settings;
    settings.realm = realm;
    settings.users = {{std::string{username}, std::string{password}}};
    return auth::CredentialBook{settings};
  }();
  return book;
}

/// Server, ledger and policy with a virtual clock. Relays on 203.0.113.1 and 2001:db8::1.
struct Bench {
  static constexpr PortRange relay_ports{50000, 50031};

  explicit Bench(const turn::Limits& limits, PortRange ports = relay_ports)
      : ledger({{ip("203.0.113.1"), ip("203.0.113.1")}, {ip("2001:db8::1"), ip("2001:db8::1")}},
               ports, limits),
        policy(policy_settings(), ledger.live_relays()),
        server(server_settings(limits), credential_book(), policy, ledger, random) {}

  static turn::PeerPolicy::Settings policy_settings() {
    turn::PeerPolicy::Settings settings;
    settings.allow = {
        {IpPrefix::parse("10.1.0.0/16").value(), PortRange{1000, 40000}, std::nullopt}};
    settings.deny = {{IpPrefix::parse("8.8.4.0/24").value(), std::nullopt, std::nullopt}};
    settings.own_addresses = {ip("203.0.113.1"), ip("2001:db8::1")};
    settings.own_listeners = {endpoint("203.0.113.1:3478"), endpoint("[2001:db8::1]:3478")};
    return settings;
  }
  static turn::Server::Settings server_settings(const turn::Limits& limits) {
    turn::Server::Settings settings;
    settings.limits = limits;
    settings.authentication.nonce_key.fill(0x4e);
    settings.authentication.cached_keys = 4;
    return settings;
  }
  /// Client number `index` of 4: two IPv4, two IPv6.
  static turn::ClientFlow flow(std::size_t index) {
    turn::ClientFlow flow;
    const bool is_v4 = index < 2;
    flow.tuple.client = {ip(is_v4 ? "198.51.100.7" : "2001:db8:7::7"),
                         static_cast<std::uint16_t>(40000 + index)};
    flow.tuple.server = endpoint(is_v4 ? "203.0.113.1:3478" : "[2001:db8::1]:3478");
    flow.listener = turn::ListenerId{is_v4 ? 0U : 1U};
    return flow;
  }

  /// Lets time pass; deadlines on the way fire at their time, as the shell sees to it.
  void advance(nanoseconds elapsed) {
    const Instant end = now.instant + elapsed;
    while (const auto deadline = server.next_deadline()) {
      if (*deadline > end) break;
      move_to(std::max(*deadline, now.instant));
      server.on_deadline(now, effects);
      // What is due has been done: the shell would spin otherwise.
      PROMISE(!server.next_deadline() || *server.next_deadline() > now.instant);
    }
    move_to(end);
  }

  test::SeededRandom random{1};
  turn::Ledger ledger;
  turn::PeerPolicy policy;
  turn::Server server;
  turn::Effects effects;
  Now now{Instant{seconds{100'000}}, WallTime{seconds{1'780'000'000}}};

 private:
  void move_to(Instant instant) {
    now.wall += std::chrono::duration_cast<seconds>(instant - now.instant);
    now.instant = instant;
  }
};

inline bool is_inside(ByteView part, ByteView whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace turnpike::fuzz
