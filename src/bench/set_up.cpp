#include "bench/set_up.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <chrono>

#include "net/clock.h"

namespace turnpike::bench {
namespace {

/// Requests at once: no server's receive buffer is too small for that.
constexpr std::size_t busy_max = 32;
constexpr milliseconds deadline_interval{20};

}  // namespace

BenchFailure failure_from(const Plan& plan, const SessionFailure& failure) {
  const std::string where =
      fmt::format("{} over {}", plan.server.to_string(), to_string(plan.transport));
  switch (failure.kind) {
    case SessionFailure::Kind::silence:
      return {BenchFailure::Kind::unreachable,
              fmt::format("{} does not answer; is a server running there?", where)};
    case SessionFailure::Kind::credentials:
      return {
          BenchFailure::Kind::credentials,
          fmt::format("{} refuses {}: name, password or secret is wrong", where, plan.username)};
    case SessionFailure::Kind::refused:
    case SessionFailure::Kind::nonsense:
      break;
  }
  return {BenchFailure::Kind::refused, fmt::format("{} refuses {}", where, failure.text)};
}

void wait_for(const Links& links, nanoseconds timeout) {
  pollfd waiting{links.descriptor(), POLLIN, 0};
  const auto whole = std::chrono::ceil<milliseconds>(timeout);
  ::poll(&waiting, 1, static_cast<int>(whole.count()));
}

SetUp::SetUp(const Plan& plan, std::size_t clients, Links& links, Random& random)
    : plan_(plan), links_(links) {
  sessions_.reserve(clients);
  const client::LongTermClient user{plan.username, plan.password};
  for (std::size_t i = 0; i < clients; ++i) {
    sessions_.emplace_back(static_cast<std::uint32_t>(i), user, random);
  }
}

void SetUp::allocate() {
  run(Task::allocate, {});
  stop_if_refused();
}

void SetUp::bind(const std::vector<Endpoint>& peers) {
  run(Task::bind, peers);
  stop_if_refused();
}

void SetUp::remove() { run(Task::remove, {}); }

void SetUp::stop_if_refused() {
  if (!failure_) return;
  const SessionFailure failure = *failure_;
  remove();  // what was made before the server had enough
  throw failure_from(plan_, failure);
}

std::vector<Endpoint> SetUp::relayed() const {
  std::vector<Endpoint> addresses;
  addresses.reserve(sessions_.size());
  for (const TurnSession& session : sessions_) addresses.push_back(session.relayed());
  return addresses;
}

void SetUp::run(Task task, const std::vector<Endpoint>& peers) {
  task_ = task;
  failure_.reset();
  busy_.clear();
  pending_ = 0;
  std::size_t next = 0;
  Instant next_check = net::read_clock().instant + deadline_interval;
  while (next < sessions_.size() || pending_ > 0) {
    Instant now = net::read_clock().instant;
    if (failure_ && task != Task::remove) next = sessions_.size();
    while (next < sessions_.size() && pending_ < busy_max) {
      const std::size_t client = next++;
      if (task == Task::remove && !sessions_[client].has_allocation()) continue;
      begin(client, peers, now);
    }
    links_.flush();
    if (!links_.receive(*this)) wait_for(links_, deadline_interval);
    now = net::read_clock().instant;
    if (now < next_check) continue;
    next_check = now + deadline_interval;
    links_.on_tick();
    on_deadlines(now);
  }
  links_.flush();
}

void SetUp::begin(std::size_t client, const std::vector<Endpoint>& peers, Instant now) {
  TurnSession& session = sessions_[client];
  switch (task_) {
    case Task::allocate:
      session.begin_allocate(true, plan_.server.family(), now);
      break;
    case Task::bind:
      session.begin_bind(plan_.framing, peers[client], now);
      break;
    case Task::remove:
      session.begin_delete(now);
      break;
  }
  ++pending_;
  busy_.push_back(client);
  send(client);
}

void SetUp::send(std::size_t client) { links_.add_message(client, sessions_[client].request()); }

void SetUp::on_message(ByteView message, Instant now) {
  const auto answer = message_to_session(message, sessions_.size());
  if (!answer) return;
  on_step(answer->session, sessions_[answer->session].on_message(answer->message, now));
}

void SetUp::on_step(std::size_t client, TurnSession::Step step) {
  switch (step) {
    case TurnSession::Step::wait:
      return;
    case TurnSession::Step::send:
      return send(client);
    case TurnSession::Step::failed:
      failure_ = sessions_[client].failure();
      break;
    case TurnSession::Step::done:
      break;
  }
  --pending_;
}

void SetUp::on_deadlines(Instant now) {
  std::erase_if(busy_, [&](std::size_t client) { return !sessions_[client].is_busy(); });
  for (const std::size_t client : std::vector<std::size_t>{busy_}) {
    on_step(client, sessions_[client].on_deadline(now));
  }
}

}  // namespace turnpike::bench
