#include "server/parked_requests.h"

#include <algorithm>
#include <iterator>

namespace turnpike::server {

ParkedRequests::Outcome ParkedRequests::park(std::string_view username,
                                             const turn::ClientFlow& flow, ByteView request,
                                             Instant now) {
  if (request.size() > max_bytes) return Outcome::no_room;
  auto found = waiting_.find(username);
  const bool is_first = found == waiting_.end();
  if (is_first) {
    if (waiting_.size() >= max_users) return Outcome::no_room;
    found = waiting_.emplace(username, Waiting{now + patience, {}}).first;
  }
  auto& requests = found->second.requests;
  if (requests.size() >= max_requests_of_user) return Outcome::no_room;
  requests.push_back({flow, {request.begin(), request.end()}});
  return is_first ? Outcome::parked_first : Outcome::parked;
}

std::vector<ParkedRequests::Request> ParkedRequests::take(std::string_view username) {
  const auto found = waiting_.find(username);
  if (found == waiting_.end()) return {};
  auto requests = std::move(found->second.requests);
  waiting_.erase(found);
  return requests;
}

/// The user stays asked for: the answer is on its way.
void ParkedRequests::drop(const FiveTuple& tuple) {
  for (auto& [username, waiting] : waiting_) {
    std::erase_if(waiting.requests, [&](const Request& r) { return r.flow.tuple == tuple; });
  }
}

std::vector<ParkedRequests::Request> ParkedRequests::take_overdue(Instant now) {
  std::vector<Request> overdue;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (at->second.until > now) {
      ++at;
      continue;
    }
    auto& requests = at->second.requests;
    std::move(requests.begin(), requests.end(), std::back_inserter(overdue));
    at = waiting_.erase(at);
  }
  return overdue;
}

/// There are few, and mostly none.
std::optional<Instant> ParkedRequests::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [username, waiting] : waiting_) {
    if (!next || waiting.until < *next) next = waiting.until;
  }
  return next;
}

}  // namespace turnpike::server
