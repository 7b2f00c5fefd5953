// timing [SAMPLES]: does it take longer to refuse one secret than another? For each place where
// strangers offer something to be compared, two inputs that are refused alike, in random order; the
// times that they take are compared by Welch's t-test, as dudect does (Reparaz, Balasch and
// Verbauwhede, "Dude, is my code constant time?", 2017). HOSTILE.md A13: |t| < 4.5 over a million
// samples. Names are found in a hash table, whose chains differ by fractions of a nanosecond: there
// the difference itself is bounded. Fails when a bound is broken.
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/authenticator.h"
#include "base/random.h"
#include "client/long_term.h"
#include "signaling/token.h"
#include "stun/builder.h"

namespace turnpike::bench {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr double most_t = 4.5;
constexpr double most_ns_of_names = 2;
/// The slowest tenth is what else the machine does.
constexpr double kept_share = 0.9;
const Endpoint home{IpAddress::v4(0xc6336407), 4000};
const Now now{Instant{} + seconds{1'000'000}, WallTime{seconds{1'800'000'000}}};

/// Something that reads bytes and refuses them, and two kinds of those.
struct Case {
  const char* what;
  const char* first;
  const char* second;
  std::array<Bytes, 2> inputs;  // of one size
  std::function<bool(ByteView)> accepts;
  bool is_of_names = false;
};

// ---- the statistics -----------------------------------------------------------------------------

struct Sample {
  bool is_second;
  double ns;
};

struct Moments {
  double count = 0;
  double mean = 0;
  double squares = 0;  // of the distances from the mean, summed up (Welford)

  void add(double value) {
    ++count;
    const double distance = value - mean;
    mean += distance / count;
    squares += distance * (value - mean);
  }
  [[nodiscard]] double variance() const { return squares / (count - 1); }
};

struct Verdict {
  std::array<Moments, 2> kinds;

  [[nodiscard]] double difference() const { return kinds[1].mean - kinds[0].mean; }
  [[nodiscard]] double t() const {
    return difference() /
           std::sqrt(kinds[0].variance() / kinds[0].count + kinds[1].variance() / kinds[1].count);
  }
};

Verdict judge(std::vector<Sample> samples) {
  const auto kept = static_cast<std::ptrdiff_t>(kept_share * static_cast<double>(samples.size()));
  std::nth_element(samples.begin(), samples.begin() + kept, samples.end(),
                   [](const Sample& a, const Sample& b) { return a.ns < b.ns; });
  Verdict verdict;
  for (auto sample = samples.begin(); sample != samples.begin() + kept; ++sample) {
    verdict.kinds[sample->is_second ? 1 : 0].add(sample->ns);
  }
  return verdict;
}

// ---- the measurement ----------------------------------------------------------------------------

double ns_of(const Case& one, ByteView input) {
  const auto begin = std::chrono::steady_clock::now();
  const bool is_accepted = one.accepts(input);
  const auto end = std::chrono::steady_clock::now();
  if (is_accepted) std::abort();
  return std::chrono::duration<double, std::nano>(end - begin).count();
}

/// Both kinds are read from the same place, so that no cache knows one of them better.
std::vector<Sample> measure(const Case& one, std::size_t count, Random& random) {
  constexpr std::size_t warm_up = 10'000;
  std::vector<Sample> samples;
  samples.reserve(count);
  Bytes input(one.inputs[0].size());
  for (std::size_t i = 0; i < count + warm_up; ++i) {
    const bool is_second = random.next_u64() % 2 == 1;
    copy_bytes(one.inputs[is_second ? 1 : 0], input);
    const double ns = ns_of(one, input);
    if (i >= warm_up) samples.push_back({is_second, ns});
  }
  return samples;
}

// ---- what is measured ---------------------------------------------------------------------------

/// An Allocate of that user, in answer to a challenge.
Bytes signed_request(const auth::Authenticator& authenticator, const std::string& username,
                     const std::string& password) {
  Bytes challenge_bytes(512);
  stun::MessageBuilder challenge{challenge_bytes, stun::Class::error, stun::Method::allocate, {}};
  challenge.put_error_code(stun::ErrorCode::unauthenticated);
  authenticator.put_challenge(challenge, home, now.instant);
  client::LongTermClient user{username, password};
  user.on_error(stun::MessageView::parse(challenge.bytes()).value(), false);
  Bytes bytes(512);
  stun::MessageBuilder request{bytes, stun::Class::request, stun::Method::allocate, {}};
  request.put_requested_transport(17);
  client::put_signature(request, user.classic_signature());
  const ByteView message = request.bytes();
  return {message.begin(), message.end()};
}

/// With another byte at `position`; from the end, if it is negative. A letter, which may stand in a
/// token too.
Bytes damaged(Bytes bytes, std::ptrdiff_t position) {
  const auto at = position < 0 ? bytes.end() + position : bytes.begin() + position;
  *at = *at == 'A' ? 'Q' : 'A';
  return bytes;
}

constexpr auto mac_bytes = static_cast<std::ptrdiff_t>(Sha1Digest{}.size());

Case mac() {
  const stun::IntegrityKey key{bytes_of("key")};
  Bytes buffer(512);
  stun::MessageBuilder builder{buffer, stun::Class::request, stun::Method::allocate, {}};
  builder.put_requested_transport(17).put_message_integrity(key.sha1);
  const ByteView message = builder.bytes();
  const Bytes request{message.begin(), message.end()};
  return {"MESSAGE-INTEGRITY",
          "wrong in its first byte",
          "wrong in its last byte",
          {damaged(request, -mac_bytes), damaged(request, -1)},
          [key](ByteView bytes) {
            return stun::verify_message_integrity(stun::MessageView::parse(bytes).value(),
                                                  key.sha1);
          }};
}

Case name(auth::Authenticator& authenticator) {
  return {"user",
          "nobody's name",
          "a user's, with a wrong password",
          {signed_request(authenticator, "user850", "wrong"),
           signed_request(authenticator, "user150", "wrong")},
          [&authenticator](ByteView bytes) {
            const auto request = stun::MessageView::parse(bytes).value();
            const auto verdict = authenticator.check(request, home, now, auth::ExpiryRule::enforce);
            return std::holds_alternative<auth::Principal>(verdict);
          },
          true};
}

Case token() {
  const HmacSha256Key key{bytes_of("a key of thirty-two bytes, or so.")};
  signaling::Claims claims;
  claims.room = "room";
  claims.expires = now.wall + seconds{60};
  const std::string text = signaling::mint_token(claims, "k", key);
  const Bytes bytes{text.begin(), text.end()};
  const auto signature = static_cast<std::ptrdiff_t>(text.rfind('.') + 1);
  const signaling::FixedTokenKeys keys{{{"k", key}}};
  return {"signature of a room token",
          "wrong in its first byte",
          "wrong in its last byte",
          {damaged(bytes, signature), damaged(bytes, -1)},
          [keys](ByteView token) {
            return signaling::verify_token(text_of(token), keys, now.wall).has_value();
          }};
}

auth::CredentialSettings users() {
  auth::CredentialSettings settings;
  settings.realm = "timing.example";
  for (int i = 0; i < 100; ++i) {
    settings.users.push_back({"user" + std::to_string(100 + i), "password"});
  }
  return settings;
}

auth::Authenticator::Settings without_failure_limit(Random& random) {
  auth::Authenticator::Settings settings;
  random.fill(settings.nonce_key);
  settings.max_failures_per_minute = 0;
  return settings;
}

/// True when it is constant.
bool report(const Case& one, std::size_t count, Random& random) {
  const Verdict verdict = judge(measure(one, count, random));
  const bool holds = one.is_of_names ? std::abs(verdict.difference()) < most_ns_of_names
                                     : std::abs(verdict.t()) < most_t;
  std::printf("%s %s: %s %.1f ns, %s %.1f ns; difference %+.2f ns, t %+.2f\n",
              holds ? "holds  " : "FINDING", one.what, one.first, verdict.kinds[0].mean, one.second,
              verdict.kinds[1].mean, verdict.difference(), verdict.t());
  return holds;
}

int run(std::size_t count) {
  SecureRandom random;
  const auth::CredentialBook book{users()};
  auth::Authenticator authenticator{book, without_failure_limit(random)};
  bool holds = true;
  for (const Case& one : {mac(), name(authenticator), token()}) {
    holds = report(one, count, random) && holds;
  }
  return holds ? 0 : 1;
}

}  // namespace
}  // namespace turnpike::bench

int main(int argc, char** argv) {
  std::size_t count = 1'000'000;
  if (argc == 2) {
    const std::string_view text{argv[1]};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{} || end != text.data() + text.size() || count < 1000) argc = 0;
  }
  if (argc != 1 && argc != 2) {
    std::fputs("usage: timing [SAMPLES, 1000 at least]\n", stderr);
    return 2;
  }
  return turnpike::bench::run(count);
}
