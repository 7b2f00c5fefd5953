// Time-limited credentials: USERNAME is the time of their end and a name, the password is made of
// it with a secret that a web service and the server share (draft-uberti-behave-turn-rest-00). No
// RFC has them; what the draft leaves open is advice here.
#include "auth/credentials.h"
#include "conformance/catalogue.h"
#include "net/clock.h"

namespace turnpike::conformance {
namespace {

using stun::Method;

constexpr std::uint16_t unauthenticated = 401;
constexpr seconds ten_minutes{600};

WallTime wall_now() { return net::read_clock().wall; }

/// The credential for `username`, whatever that is.
User credential(const Session& session, const std::string& username) {
  const auto& secret = session.settings().secret;
  if (!secret) not_tried("needs --secret");
  return {username, auth::time_limited_password(*secret, username)};
}

Flow& open_as(Session& session, const User& user) {
  FlowOptions options;
  options.as_user = user;
  return session.open(options);
}

/// A name that no earlier check has used, so that no quota is in the way.
std::string new_name(Session& session) {
  return "conformance-" + std::to_string(session.random().next_u64() % 1'000'000'000);
}

std::string username(Session& session, WallTime expiry) {
  return auth::time_limited_username(expiry, new_name(session));
}

/// Digits of a time to come.
std::string future() {
  return std::to_string((wall_now() + ten_minutes).time_since_epoch().count());
}

Reply allocate_as(Session& session, Flow& flow) {
  return flow.request(Method::allocate,
                      [&](stun::MessageBuilder& message) { session.put_udp_relay(message); });
}

void expect_refused(Session& session, const std::string& name) {
  Flow& flow = open_as(session, credential(session, name));
  const Reply reply = allocate_as(session, flow);
  expect(reply.error() == unauthenticated, "401 for the user name \"" + name + "\"",
         reply.describe());
}

void valid_is_accepted(Session& session) {
  Flow& flow = open_as(session, credential(session, username(session, wall_now() + ten_minutes)));
  session.allocate(flow);
}

void expired_is_refused(Session& session) {
  constexpr seconds an_hour{3600};
  expect_refused(session, username(session, wall_now() - an_hour));
}

void timestamp_is_needed(Session& session) {
  const std::string name = new_name(session);
  for (const std::string& without : {name, ":" + name, name + ":" + future(), std::string{}}) {
    expect_refused(session, without);
  }
}

void negative_is_refused(Session& session) {
  expect_refused(session, "-" + future() + ":" + new_name(session));
}

void malformed_is_refused(Session& session) {
  const std::string name = ":" + new_name(session);
  for (const std::string& malformed :
       {future() + "x", future() + ".5", future() + " ", " " + future(), "+" + future()}) {
    expect_refused(session, malformed + name);
  }
}

void huge_is_refused(Session& session) {
  const std::string name = ":" + new_name(session);
  for (const std::string huge :
       {"9223372036854775808", "18446744073709551616", "99999999999999999999999999999999"}) {
    expect_refused(session, huge + name);
  }
}

/// The credential ends while its allocation lives. New ones must be refused before the refresh says
/// anything: servers grant some seconds for clocks that differ.
void refresh_outlives_the_credential(Session& session) {
  constexpr seconds short_life{2};
  constexpr seconds patience{5};
  constexpr seconds slow_patience{120};
  const User user = credential(session, username(session, wall_now() + short_life));
  Flow& flow = open_as(session, user);
  session.allocate(flow);
  const seconds longest = session.settings().slow ? slow_patience : patience;
  const Instant until = clock_now() + short_life + longest;
  for (;;) {
    Flow& another = open_as(session, user);
    if (allocate_as(session, another).error() == unauthenticated) break;
    static_cast<void>(another.delete_allocation());
    session.close(another);
    if (clock_now() > until) {
      not_tried("the server still takes the credential " + std::to_string(longest.count()) +
                " s after its end" + (session.settings().slow ? "" : ": needs --slow"));
    }
    static_cast<void>(flow.next_from_peer(clock_now() + milliseconds{500}));
  }
  expect_success(flow.request(Method::refresh));
}

}  // namespace

std::vector<Check> time_limited_checks() {
  using enum Applies;
  using enum Strength;
  constexpr std::string_view draft = "draft-uberti-behave-turn-rest-00";
  return {
      {"time-limited-credential-is-accepted", "78", draft,
       "USERNAME \"<time>:<name>\" with the password base64(HMAC-SHA1(secret, USERNAME)) is valid.",
       must, everywhere, valid_is_accepted},
      {"expired-credential-is-401", "78", draft, "A time that has passed: 401 to an Allocate.",
       must, everywhere, expired_is_refused},
      {"credential-without-a-timestamp-is-401", "78", draft,
       "A user name that does not begin with a time is none, whatever the password.", must,
       everywhere, timestamp_is_needed},
      {"negative-timestamp-is-401", "78", draft, "A time before 1970 has passed.", must, everywhere,
       negative_is_refused},
      {"malformed-timestamp-is-401", "78", draft,
       "A time with anything but digits is none: the draft has no such form.", advice, everywhere,
       malformed_is_refused},
      {"huge-timestamp-is-401", "78", draft,
       "A number that no clock reaches makes no credential for ever.", advice, everywhere,
       huge_is_refused},
      {"refresh-outlives-the-credential", "78", draft,
       "A live allocation may be refreshed when its credential has expired: calls go on.", advice,
       udp, refresh_outlives_the_credential},
  };
}

}  // namespace turnpike::conformance
