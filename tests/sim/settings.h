// What one seed stands for: which features are on, how small everything is, and how often things go
// wrong. Each seed takes a subset, so that rare things meet (swarm testing).
#pragma once

#include <string>
#include <vector>

#include "auth/credential_book.h"
#include "base/seeded_random.h"
#include "turn/nat_discovery.h"
#include "turn/server.h"

namespace turnpike::sim {

using test::SeededRandom;

/// The client that misbehaves where all are kept apart.
inline constexpr unsigned intruder = 0;

/// Faults are in per mille of the chances there are.
struct Settings {
  std::uint64_t seed = 0;

  /// Clients share nothing: no network, no name, and nothing is scarce. One of them, the intruder,
  /// does what it can in its own name; the others are correct.
  bool is_apart = false;

  // ---- the servers ----
  std::uint8_t workers = 1;
  std::vector<turn::RelayAddress> relays;
  PortRange ports{50000, 50003};
  turn::Limits limits;
  turn::AddressFamilyRule address_family = turn::AddressFamilyRule::strict;
  bool strict_expiry = false;
  bool mobility = false;
  bool tcp_relays = false;
  bool asks_for_users = false;
  bool has_alternates = false;
  /// From where one may ask to be answered from elsewhere (RFC 5780); empty: that is off.
  std::vector<turn::DiscoverySquare> nat_discovery;
  std::uint32_t max_failures = 0;  ///< a minute, of who guesses passwords; 0: no limit
  seconds nonce_lifetime{600};

  // ---- the network, between clients and servers ----
  unsigned loss = 0;
  unsigned duplicates = 0;
  unsigned corruption = 0;
  unsigned truncation = 0;
  milliseconds delay{0};   ///< at least
  milliseconds jitter{0};  ///< and up to so much more, so that what is sent first may come last

  // ---- the shell ----
  unsigned port_in_use = 0;
  unsigned no_resources = 0;
  unsigned late_opens = 0;
  unsigned late_timers = 0;
  unsigned silent_key_source = 0;
  milliseconds slow_key_source{3000};  ///< at most

  // ---- the clients ----
  unsigned clients = 4;
  unsigned recklessness = 0;  ///< how often what a client does makes no sense
  unsigned malice = 0;        ///< how often it is meant to harm
  unsigned forgetfulness = 0;
  milliseconds pace{1000};  ///< between two things that a client does, about
  unsigned naps = 0;        ///< pauses of minutes
  unsigned curiosity = 0;   ///< how often it looks what its NAT is like, beside all else
  unsigned turns = 1500;    ///< of all clients together; then all is wound up

  // ---- the operator ----
  bool reloads_policy = false;
  bool reloads_limits = false;
  bool reloads_book = false;
  bool forgets_users = false;
  bool drains = false;
  bool kills = false;
  bool sets_clock = false;  ///< the wall clock
  unsigned restarts = 0;    ///< before an event: all servers end, and others go on for them

  /// Draws all of it.
  [[nodiscard]] static Settings of(std::uint64_t seed);
  /// The same where all are kept apart.
  [[nodiscard]] static Settings apart_of(std::uint64_t seed);
  /// One line for people.
  [[nodiscard]] std::string to_string() const;
};

/// `per_mille` of a thousand times.
[[nodiscard]] inline bool happens(SeededRandom& random, unsigned per_mille) {
  return per_mille > 0 && random.below(1000) < per_mille;
}

// ---- the users ----

/// Who claims to be somebody, with which password.
struct Login {
  std::string username;
  std::string password;
};

inline constexpr std::string_view realm = "example.org";
inline constexpr std::size_t book_variants = 3;

/// Book 0 knows static users and secrets; 1 has other passwords, another secret, and somebody
/// revoked; 2 has static users alone, one of whom has a name that is a time-limited one elsewhere.
[[nodiscard]] auth::CredentialSettings credentials(std::size_t variant);
/// All that some book accepts, or the key source; and two that nobody does.
[[nodiscard]] const std::vector<Login>& logins();
/// Where clients are kept apart, names have one owner, who knows the password; the intruder has
/// his, and wrong passwords for others'. Elsewhere everybody may claim everything.
[[nodiscard]] bool may_claim(const Login& login, bool is_intruder, const Settings& settings);
/// What the key source says: the password of a user it knows.
[[nodiscard]] std::optional<std::string> asked_password(std::string_view username);
[[nodiscard]] auth::UserLimits asked_limits(std::string_view username);

// ---- the places ----

inline constexpr std::size_t policy_variants = 4;
/// 1 and 3 deny 8.8.4.0/24; 2 and 3 open 10.1.0.0/16:1000-40000.
[[nodiscard]] turn::PeerPolicy::Settings policy(std::size_t variant, const Settings& settings);

/// How the model sees an address that is somebody's peer.
enum class PeerClass : std::uint8_t {
  open,
  deniable,  ///< by the odd policies
  private_,  ///< opened by policies 2 and 3
  own,       ///< relayed addresses and this host
  never,
};
[[nodiscard]] PeerClass class_of(const IpAddress& address, const Settings& settings);
/// Peers that clients think of, of every class.
[[nodiscard]] const std::vector<Endpoint>& peers();

/// Where datagrams to an address of the servers come in: at a socket of their own, or at the
/// wildcard that every family has at the usual port.
[[nodiscard]] turn::ListenerId listener_of(const Endpoint& server);
/// The server's addresses of that family, in a square and outside.
[[nodiscard]] std::vector<Endpoint> server_addresses(Family family, const Settings& settings);

[[nodiscard]] IpAddress ip(std::string_view text);
[[nodiscard]] Endpoint at(std::string_view text);

/// The first instant, and the wall clock then.
inline constexpr Instant first_instant{seconds{1'000'000}};
inline constexpr WallTime first_wall{seconds{1'800'000'000}};

}  // namespace turnpike::sim
