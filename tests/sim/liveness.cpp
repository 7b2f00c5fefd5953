#include "sim/liveness.h"

namespace turnpike::sim {
namespace {

constexpr std::size_t header_size = 20;

Bytes id_of(const Bytes& message) { return Bytes(message.begin() + 8, message.begin() + 20); }

}  // namespace

Liveness::Asked* Liveness::find(const Bytes& message) {
  if (message.size() < header_size) return nullptr;
  const auto found = asked_.find(id_of(message));
  return found == asked_.end() ? nullptr : &found->second;
}

void Liveness::note(const Bytes& message, State state) {
  Asked* const asked = find(message);
  if (asked != nullptr && asked->state == State::waiting) asked->state = state;
}

const Bytes* Liveness::request_of(const Bytes& response) {
  const Asked* const asked = find(response);
  return asked == nullptr ? nullptr : &asked->request;
}

void Liveness::on_request(const FiveTuple& client, const Bytes& request, Instant gives_up) {
  asked_.insert_or_assign(id_of(request), Asked{client, request, gives_up});
}

void Liveness::on_arrival(const FiveTuple& client, const Bytes& datagram, Instant now) {
  Asked* const asked = find(datagram);
  if (asked == nullptr || !(asked->client == client) || asked->request != datagram) return;
  if (now + time_to_answer > asked->gives_up) return;
  asked->state = State::waiting;
}

bool Liveness::on_given_up(const Bytes& id) {
  const auto found = asked_.find(id);
  if (found == asked_.end()) return false;
  const bool is_neglected = found->second.state == State::waiting;
  asked_.erase(found);
  return is_neglected;
}

void Liveness::excuse_all() {
  for (auto& [id, asked] : asked_) {
    if (asked.state == State::waiting) asked.state = State::excused;
  }
}

void Liveness::excuse_client(const FiveTuple& client) {
  for (auto& [id, asked] : asked_) {
    const bool waits = asked.state == State::waiting && asked.client == client;
    if (waits) asked.state = State::excused;
  }
}

}  // namespace turnpike::sim
