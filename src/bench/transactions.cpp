#include "bench/transactions.h"

#include <algorithm>
#include <utility>

#include "bench/set_up.h"
#include "net/clock.h"

namespace turnpike::bench {
namespace {

constexpr milliseconds tick{20};

}  // namespace

Transactions::Transactions(const Plan& plan, Links& links, Random& random, bool spins)
    : plan_(plan), links_(links), spins_(spins) {
  const client::LongTermClient user{plan.username, plan.password};
  clients_.reserve(plan.allocations);
  for (std::size_t i = 0; i < plan.allocations; ++i) {
    clients_.push_back({TurnSession{static_cast<std::uint32_t>(i), user, random}, {}});
    idle_.push_back(i);
  }
}

void Transactions::run(Pacer pacer, nanoseconds duration) {
  completed_ = failed_ = 0;
  latency_ = {};
  retransmissions_before_ += retransmissions();
  const Instant start = net::read_clock().instant;
  Instant now = start;
  Instant next_tick = start + tick;
  pacer.start(start);
  const auto is_sending = [&] { return now < start + duration; };
  for (; is_sending() || busy() > 0; now = net::read_clock().instant) {
    std::uint64_t due = is_sending() ? pacer.due(now, busy()) : 0;
    for (; due > 0 && !idle_.empty(); --due) begin_next(now);
    if (now >= next_tick) {
      links_.on_tick();
      on_deadlines(now);
      next_tick = now + tick;
    }
    if (turn() || spins_) continue;
    const auto next = pacer.next();
    wait_for(links_, next ? std::clamp(*next - now, nanoseconds{0}, nanoseconds{tick}) : tick);
  }
  elapsed_ = now - start;
  left_out_ = pacer.left_out();
}

std::uint64_t Transactions::retransmissions() const {
  std::uint64_t sum = 0;
  for (const Client& client : clients_) sum += client.session.retransmissions();
  return sum - retransmissions_before_;
}

void Transactions::begin_next(Instant now) {
  const std::size_t number = idle_.front();
  idle_.pop_front();
  Client& client = clients_[number];
  client.began = now;
  client.is_deleting = false;
  if (plan_.mode == Mode::churn && std::exchange(client.is_known, false)) links_.renew(number);
  if (plan_.mode == Mode::binding) {
    client.session.begin_binding(now);
  } else {
    client.session.begin_allocate(true, plan_.server.family(), now);
  }
  send(number);
}

void Transactions::send(std::size_t client) {
  links_.add_message(client, clients_[client].session.request());
}

bool Transactions::turn() {
  links_.flush();
  const bool any = links_.receive(*this);
  links_.flush();
  return any;
}

void Transactions::on_message(ByteView message, Instant now) {
  const auto answer = message_to_session(message, clients_.size());
  if (!answer) return;
  TurnSession& session = clients_[answer->session].session;
  on_step(answer->session, session.on_message(answer->message, now), now);
}

void Transactions::on_step(std::size_t client, TurnSession::Step step, Instant now) {
  switch (step) {
    case TurnSession::Step::wait:
      return;
    case TurnSession::Step::send:
      return send(client);
    case TurnSession::Step::done:
      return on_done(client, now);
    case TurnSession::Step::failed:
      break;
  }
  const SessionFailure& failure = clients_[client].session.failure();
  if (failure.kind != SessionFailure::Kind::silence) throw failure_from(plan_, failure);
  ++failed_;
  finish(client);
}

void Transactions::on_done(std::size_t number, Instant now) {
  Client& client = clients_[number];
  if (plan_.mode == Mode::churn && !client.is_deleting) {
    client.is_deleting = true;
    client.session.begin_delete(now);
    return send(number);
  }
  ++completed_;
  latency_.add(now - client.began);
  finish(number);
}

void Transactions::finish(std::size_t client) {
  clients_[client].is_known = true;
  idle_.push_back(client);
}

void Transactions::on_deadlines(Instant now) {
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    if (clients_[i].session.is_busy()) on_step(i, clients_[i].session.on_deadline(now), now);
  }
}

}  // namespace turnpike::bench
