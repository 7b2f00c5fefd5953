#include "bench/upkeep.h"

#include <algorithm>
#include <utility>

namespace turnpike::bench {

Upkeep::Upkeep(Framing framing, nanoseconds period, std::vector<TurnSession>& sessions,
               std::vector<Endpoint> peers, Links& links, Instant now)
    : framing_(framing),
      period_(period),
      sessions_(sessions),
      peers_(std::move(peers)),
      is_binding_(sessions.size()),
      links_(links),
      started_(now) {}

void Upkeep::on_tick(Instant now) {
  std::erase_if(busy_, [&](std::size_t client) { return !sessions_[client].is_busy(); });
  const std::chrono::duration<double> elapsed = now - started_;
  const double periods = elapsed / std::chrono::duration<double>{period_};
  const auto due = static_cast<std::uint64_t>(periods * static_cast<double>(sessions_.size()));
  for (; begun_ < due; ++begun_) begin(begun_ % sessions_.size(), now);

  for (const std::size_t client : busy_) {
    const auto step = sessions_[client].on_deadline(now);
    if (step == TurnSession::Step::send) ++counts_.sent_again;
    on_step(client, step, now);
  }
}

void Upkeep::begin(std::size_t client, Instant now) {
  TurnSession& session = sessions_[client];
  if (session.is_busy()) return fail("not done when its time came again");
  is_binding_[client] = false;
  session.begin_refresh(now);
  busy_.push_back(client);
  send(client);
}

void Upkeep::send(std::size_t client) { links_.add_message(client, sessions_[client].request()); }

void Upkeep::on_message(ByteView message, Instant now) {
  const auto answer = message_to_session(message, sessions_.size());
  if (!answer) return;
  on_step(answer->session, sessions_[answer->session].on_message(answer->message, now), now);
}

void Upkeep::on_step(std::size_t client, TurnSession::Step step, Instant now) {
  switch (step) {
    case TurnSession::Step::wait:
      return;
    case TurnSession::Step::send:
      return send(client);
    case TurnSession::Step::failed:
      return fail(sessions_[client].failure().text);
    case TurnSession::Step::done:
      break;
  }
  if (is_binding_[client]) {
    ++counts_.done;
    return;
  }
  is_binding_[client] = true;
  sessions_[client].begin_bind(framing_, peers_[client], now);
  send(client);
}

void Upkeep::fail(const std::string& failure) {
  if (counts_.failed++ == 0) counts_.failure = failure;
}

}  // namespace turnpike::bench
