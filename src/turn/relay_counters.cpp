#include "turn/relay_counters.h"

#include <algorithm>

#include "base/assert.h"

namespace turnpike::turn {
namespace {

void add(std::uint64_t& total, const RelaxedCounter& some) { total += some.value(); }

void add(RelayTotals::Volume& total, const RelayCounters::Volume& some) {
  add(total.packets, some.packets);
  add(total.bytes, some.bytes);
}

template <class Total, class Some, std::size_t Size>
void add(std::array<Total, Size>& totals, const std::array<Some, Size>& some) {
  for (std::size_t i = 0; i < Size; ++i) add(totals[i], some[i]);
}

// Numbers one by one, in the order in which they stand.
template <class Visit>
void visit_each(const RelaxedCounter& counter, Visit&& visit) {
  visit(counter);
}
template <class Visit>
void visit_each(RelaxedCounter& counter, Visit&& visit) {
  visit(counter);
}
template <class Volume, class Visit>
requires requires(Volume& v) { v.packets; }
void visit_each(Volume& volume, Visit&& visit) {
  visit(volume.packets);
  visit(volume.bytes);
}
template <class Array, class Visit>
requires requires(Array& a) { a.begin(); }
void visit_each(Array& counters, Visit&& visit) {
  for (auto& each : counters) visit_each(each, visit);
}

template <class Counters, class Visit>
void visit_growing(Counters& counters, Visit&& visit) {
  visit_each(counters.requests, visit);
  visit_each(counters.opened, visit);
  visit_each(counters.closed, visit);
  visit_each(counters.durations, visit);
  visit_each(counters.duration_seconds, visit);
  visit_each(counters.relayed, visit);
  visit_each(counters.quota_rejections, visit);
}

}  // namespace

std::string_view to_string(RelayDirection direction) {
  return direction == RelayDirection::to_peer ? "to_peer" : "to_client";
}

std::string_view to_string(RelayPath path) {
  switch (path) {
    case RelayPath::channel:
      return "channel";
    case RelayPath::send:
      return "send";
    case RelayPath::stream:
      return "stream";
  }
  return "?";
}

std::string_view to_string(QuotaScope scope) {
  switch (scope) {
    case QuotaScope::user:
      return "user";
    case QuotaScope::network:
      return "network";
    case QuotaScope::total:
      return "total";
    case QuotaScope::ports:
      return "ports";
    case QuotaScope::peers:
      return "peers";
  }
  return "?";
}

std::size_t method_index(stun::Method method) {
  const auto found = std::find(answered_methods.begin(), answered_methods.end(), method);
  TURNPIKE_ASSERT(found != answered_methods.end());
  return static_cast<std::size_t>(found - answered_methods.begin());
}

std::string_view metric_name(stun::Method method) {
  static constexpr std::array<std::string_view, answered_methods.size()> names{
      "binding",      "allocate", "refresh",        "create_permission",
      "channel_bind", "connect",  "connection_bind"};
  return names.at(method_index(method));
}

std::size_t answer_code_index(std::uint16_t code) {
  auto found = std::find(answer_codes.begin(), answer_codes.end(), code);
  if (found == answer_codes.end()) found = std::find(answer_codes.begin(), answer_codes.end(), 500);
  return static_cast<std::size_t>(found - answer_codes.begin());
}

std::size_t duration_class(nanoseconds duration) {
  const auto bound =
      std::find_if(duration_bounds_s.begin(), duration_bounds_s.end(),
                   [&](std::uint32_t bound_s) { return duration <= seconds{bound_s}; });
  return static_cast<std::size_t>(bound - duration_bounds_s.begin());
}

RelayTotals& operator+=(RelayTotals& totals, const RelayCounters& some) {
  add(totals.relays, some.relays);
  add(totals.requests, some.requests);
  add(totals.opened, some.opened);
  add(totals.closed, some.closed);
  add(totals.durations, some.durations);
  add(totals.duration_seconds, some.duration_seconds);
  add(totals.relayed, some.relayed);
  add(totals.quota_rejections, some.quota_rejections);
  return totals;
}

std::vector<std::uint64_t> growing_values(const RelayCounters& counters) {
  std::vector<std::uint64_t> values;
  visit_growing(counters, [&](const RelaxedCounter& each) { values.push_back(each.value()); });
  return values;
}

void add_growing_values(RelayCounters& counters, std::span<const std::uint64_t> values) {
  std::size_t next = 0;
  visit_growing(counters, [&](RelaxedCounter& each) { each += values[next++]; });
  TURNPIKE_ASSERT(next == values.size());
}

}  // namespace turnpike::turn
