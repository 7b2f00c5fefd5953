#include "conformance/runner.h"

#include <algorithm>
#include <chrono>
#include <exception>

namespace turnpike::conformance {
namespace {

using stun::Method;

/// Never below: a busy machine is late by as much.
constexpr milliseconds rto_min{100};
constexpr int round_trips_per_rto = 4;

Outcome outcome_of(const Check& check, Session& session) {
  try {
    check.run(session);
    return {};
  } catch (const Ended& ended) {
    return ended.outcome;
  } catch (const std::exception& error) {  // no memory, no descriptors: nothing about the server
    return {Status::not_tried, {}, {}, std::string{"the suite itself failed: "} + error.what()};
  }
}

/// Whether `method` is answered without credentials, and how fast.
std::optional<nanoseconds> try_fence(Flow& flow, Method method) {
  const auto request = flow.build_request(method, [method](stun::MessageBuilder& message) {
    constexpr std::uint8_t udp = 17;
    if (method == Method::allocate) message.put_requested_transport(udp);
  });
  const Instant start = clock_now();
  flow.send(request);
  const auto view = stun::MessageView::parse(request);
  while (const auto frame = flow.next(start + 2 * flow.timing().rto)) {
    const auto reply = Reply::parse(*frame);
    if (reply && reply->view().transaction_id() == view->transaction_id()) {
      return clock_now() - start;
    }
  }
  return std::nullopt;
}

Contact contact_over(Session& session, Settings& settings) {
  const auto opened = session.try_open({});
  if (!opened) return {Contact::Kind::unreachable, opened.error().text};
  std::optional<nanoseconds> round_trip;
  for (const Method method :
       {Method::binding, Method::allocate, Method::binding, Method::allocate}) {
    round_trip = try_fence(**opened, method);
    if (!round_trip) continue;
    settings.timing.fence = method;
    break;
  }
  if (!round_trip) return {Contact::Kind::unreachable, "no answer"};
  const auto rto = std::chrono::ceil<milliseconds>(*round_trip * round_trips_per_rto);
  settings.timing.rto = std::min(settings.timing.rto, std::max(rto, rto_min));
  if (!settings.user) return {};

  Flow& flow = session.open();
  const Reply reply = flow.request(
      Method::allocate, [&](stun::MessageBuilder& message) { session.put_udp_relay(message); });
  constexpr std::uint16_t unauthenticated = 401;
  if (reply.error() == unauthenticated) {
    return {Contact::Kind::refused, "the server refuses the user name or the password (401)"};
  }
  return {};
}

}  // namespace

Counts count(const std::vector<CheckResult>& results) {
  Counts counts;
  for (const CheckResult& result : results) {
    switch (result.outcome.status) {
      case Status::passed:
        ++counts.passed;
        break;
      case Status::failed:
        ++counts.failed;
        break;
      case Status::warned:
        ++counts.warned;
        break;
      case Status::not_supported:
        ++counts.not_supported;
        break;
      case Status::not_tried:
        ++counts.not_tried;
        break;
    }
  }
  return counts;
}

CheckResult run_check(const Check& check, const Settings& settings, Random& random) {
  const Instant start = clock_now();
  Session session{settings, random};
  CheckResult result{&check, settings.transport, settings.server.family(), {}, {}, {}};
  result.outcome = outcome_of(check, session);
  if (result.outcome.status == Status::failed && check.strength != Strength::must) {
    result.outcome.status = Status::warned;
  }
  result.left_behind = session.clean_up();
  result.elapsed = clock_now() - start;
  return result;
}

Contact make_contact(Settings& settings, Random& random) {
  Contact contact;
  Session session{settings, random};
  try {
    contact = contact_over(session, settings);
  } catch (const Ended&) {
    contact = {};  // it answers, if oddly: the checks will say more
  }
  static_cast<void>(session.clean_up());
  return contact;
}

}  // namespace turnpike::conformance
