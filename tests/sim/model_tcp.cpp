// TCP allocations (RFC 6062 §5, docs/adr/0013), in the model's words.
#include <algorithm>

#include "sim/model.h"

namespace turnpike::sim {

using turn::PeerTransport;

namespace {

constexpr unsigned attribute_peer = 0x0012;
constexpr unsigned attribute_connection = 0x002A;
constexpr seconds patience{30};  // with peers (§5.2: at least), and with clients (§5.2, §5.3)
constexpr std::size_t most_connections = 64;  // ours

}  // namespace

Model::PeerConnection* Model::find(turn::WorkerId worker, turn::PeerConnectionId id,
                                   Allocation*& owner) {
  for (Allocation& each : allocations_) {
    if (each.home != worker) continue;
    for (PeerConnection& connection : each.connections) {
      if (connection.id != id) continue;
      owner = &each;
      return &connection;
    }
  }
  return nullptr;
}

void Model::forget(Allocation& allocation, const PeerConnection& connection) {
  allocation.connections.remove_if(
      [&](const PeerConnection& each) { return &each == &connection; });
}

/// By the server, which tells the client only if its Connect waits for an answer.
void Model::close(Allocation& allocation, const PeerConnection& connection, bool with_answer,
                  Verdict& verdict) {
  if (connection.id) verdict.closed_connections.emplace_back(allocation.home, *connection.id);
  const bool is_connecting = connection.state == PeerConnection::State::connecting;
  if (is_connecting && with_answer) {
    verdict.failed_connects.push_back(answer_of(allocation, connection, 447));
  }
  forget(allocation, connection);
}

Response Model::answer_of(const Allocation& allocation, const PeerConnection& connection,
                          int code) {
  Response response = connection.answer;
  response.to = allocation.flow;
  response.code = code;
  return response;
}

void Model::sweep_connections(Allocation& allocation, Instant now, Verdict& verdict) {
  for (auto at = allocation.connections.begin(); at != allocation.connections.end();) {
    const PeerConnection& each = *at++;
    const bool is_over = each.state != PeerConnection::State::bound && each.deadline <= now;
    if (is_over) close(allocation, each, true, verdict);
  }
}

/// §5.5: "If the allocation associated with a data connection expires, the data connection MUST be
/// closed"; here, when the relay is gone that it is of.
void Model::drop_connections(Allocation& allocation, Family family, Verdict& verdict) {
  for (auto at = allocation.connections.begin(); at != allocation.connections.end();) {
    const PeerConnection& each = *at++;
    if (each.peer.family() == family) close(allocation, each, false, verdict);
  }
}

/// A peer that has connected may come from any port.
bool Model::may_be_connected(const PeerConnection& connection) const {
  const Endpoint& peer = connection.peer;
  if (!connection.is_of_peer) return is_peer_allowed(peer, PeerTransport::tcp);
  const bool is_own = class_of(peer.address, settings_) == PeerClass::own;
  return is_own ? is_live(peer, PeerTransport::tcp)
                : may_be_permitted(peer.address, PeerTransport::tcp);
}

void Model::recheck_connections(Allocation& allocation, bool with_answer, Verdict& verdict) const {
  for (auto at = allocation.connections.begin(); at != allocation.connections.end();) {
    const PeerConnection& each = *at++;
    if (!may_be_connected(each)) close(allocation, each, with_answer, verdict);
  }
}

/// Connects under way are forgotten, and nobody is told.
void Model::restart_connections(Allocation& allocation, Verdict& verdict) {
  for (auto at = allocation.connections.begin(); at != allocation.connections.end();) {
    const PeerConnection& each = *at++;
    const bool is_connecting = each.state == PeerConnection::State::connecting;
    if (is_connecting) close(allocation, each, false, verdict);
  }
}

// --- requests ------------------------------------------------------------------------------------

/// The order of §5.2.
void Model::on_connect(const Request& request, Allocation& allocation, Verdict& verdict) {
  const Bytes* const value = request.message.find(attribute_peer);
  const auto peer =
      value != nullptr ? wire::xored_address(*value, request.message.id) : std::nullopt;
  const auto is_with_peer = [&](const PeerConnection& each) { return each.peer == peer; };
  auto& all = allocation.connections;
  int error = 0;
  if (allocation.transport != PeerTransport::tcp) {
    error = 437;
  } else if (!peer) {
    error = 400;
  } else if (std::any_of(all.begin(), all.end(), is_with_peer)) {
    error = 446;
  } else if (!allocation.has(peer->family())) {
    error = 443;
  } else if (!is_peer_allowed(*peer, PeerTransport::tcp)) {
    error = 403;
  } else if (all.size() >= most_connections || !may_add(allocation, 1, request.now.instant)) {
    error = 508;
  }
  if (error != 0) {
    answer(request, error, verdict);
    return;
  }
  PeerConnection& made = all.emplace_back();
  made.peer = *peer;
  made.deadline = request.now.instant + patience;
  made.answer = answer(request, 200, verdict);
  verdict.response.reset();
  verdict.connects = {allocation.relays.at(peer->family()).id, *peer};
}

/// §5.4; it comes on a connection that is nothing else yet, at the address that the control
/// connection came to (§4.3).
void Model::on_connection_bind(const Request& request, Verdict& verdict) {
  const turn::ClientFlow& flow = request.flow;
  const bool is_free = is_stream(flow.tuple.transport) && flow.worker == request.worker &&
                       find(request.worker, flow.tuple) == nullptr;
  const Bytes* const value = request.message.find(attribute_connection);
  if (!is_free || value == nullptr || value->size() != 4) {
    answer(request, 400, verdict);
    return;
  }
  const auto number = static_cast<std::uint32_t>(wire::number(*value));
  for (Allocation& each : allocations_) {
    for (PeerConnection& connection : each.connections) {
      if (connection.number != number) continue;
      if (each.username != request.who.username) {
        answer(request, 441, verdict);
      } else if (each.flow.tuple.server != flow.tuple.server) {
        answer(request, 400, verdict);
      } else {
        connection.number.reset();  // it works once
        answer(request, 200, verdict);
        verdict.binds = {flow, each.home, *connection.id};
      }
      return;
    }
  }
  answer(request, 400, verdict);
}

// --- what the shell says -------------------------------------------------------------------------

bool Model::adopt(turn::WorkerId worker, turn::PeerConnectionId id) {
  Allocation* owner = nullptr;
  if (find(worker, id, owner) != nullptr) return false;
  for (Allocation& each : allocations_) {
    if (each.home != worker) continue;
    for (PeerConnection& connection : each.connections) {
      if (connection.id) continue;
      connection.id = id;
      return true;
    }
  }
  return false;
}

bool Model::learn_connection(std::uint32_t number, const FiveTuple& client) {
  for (const Allocation& each : allocations_) {
    const auto& all = each.connections;
    const bool is_taken =
        std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.number == number; });
    if (is_taken) return false;
  }
  for (Allocation& each : allocations_) {
    if (!(each.flow.tuple == client)) continue;
    for (PeerConnection& connection : each.connections) {
      if (!connection.is_unnumbered) continue;
      connection.is_unnumbered = false;
      connection.number = number;
      return true;
    }
  }
  return false;
}

void Model::await_bind(PeerConnection& connection, Instant now) {
  connection.state = PeerConnection::State::waiting;
  connection.is_unnumbered = true;
  connection.deadline = now + patience;
}

Verdict Model::on_peer_connected(turn::WorkerId worker, turn::PeerConnectionId id,
                                 turn::ConnectOutcome outcome, Instant now) {
  Verdict verdict;
  Allocation* owner = nullptr;
  PeerConnection* const connection = find(worker, id, owner);
  if (connection == nullptr) return verdict;
  if (outcome == turn::ConnectOutcome::failed) {
    verdict.response = answer_of(*owner, *connection, 447);
    forget(*owner, *connection);
    return verdict;
  }
  verdict.response = answer_of(*owner, *connection, 200);
  verdict.response->has_new_connection = true;
  await_bind(*connection, now);
  return verdict;
}

Verdict Model::on_peer_accepted(turn::WorkerId worker, turn::RelayId relay, const Endpoint& peer,
                                Instant now) {
  Verdict verdict;
  Family family{};
  Allocation* const allocation = find(worker, relay, family);
  if (allocation == nullptr || !allocation->relays_at(family, now)) return verdict;
  if (!allocation->permits(peer.address, now)) return verdict;
  const bool is_own = class_of(peer.address, settings_) == PeerClass::own;
  if (is_own && !is_live(peer, PeerTransport::tcp)) return verdict;
  if (allocation->connections.size() >= most_connections) return verdict;
  PeerConnection& made = allocation->connections.emplace_back();
  made.peer = peer;
  made.is_of_peer = true;
  await_bind(made, now);
  verdict.attempt = {allocation->flow, peer};
  return verdict;
}

bool Model::on_streams_bound(turn::WorkerId worker, turn::PeerConnectionId id) {
  Allocation* owner = nullptr;
  PeerConnection* const connection = find(worker, id, owner);
  if (connection == nullptr) return false;
  connection->state = PeerConnection::State::bound;
  return true;
}

/// What has passed is paid for at the limit's rate, one thing after the other; up to a quarter of a
/// second, or 64 KiB, may be owed (docs/adr/0035).
std::optional<Instant> Model::on_streams_moved(turn::WorkerId worker, turn::PeerConnectionId id,
                                               const Moved& moved, Instant now) {
  Allocation* owner = nullptr;
  if (find(worker, id, owner) == nullptr) return std::nullopt;
  owner->moved.to_peer += moved.to_peer;
  owner->moved.to_client += moved.to_client;
  const std::uint64_t limit = limits_.bandwidth_per_allocation;
  if (limit == 0) return std::nullopt;
  const auto time_for = [&](std::uint64_t bytes) {
    return nanoseconds{static_cast<std::int64_t>(bytes * 8'000'000'000 / limit)};
  };
  owner->paid_until = std::max(owner->paid_until, now) + time_for(moved.to_peer + moved.to_client);
  const nanoseconds may_be_owed = std::max<nanoseconds>(milliseconds{250}, time_for(65536));
  if (owner->paid_until <= now + may_be_owed) return std::nullopt;
  return owner->paid_until - may_be_owed;
}

void Model::on_peer_closed(turn::WorkerId worker, turn::PeerConnectionId id) {
  Allocation* owner = nullptr;
  const PeerConnection* const connection = find(worker, id, owner);
  if (connection != nullptr) forget(*owner, *connection);
}

std::size_t Model::connection_count(turn::WorkerId worker) const {
  std::size_t count = 0;
  for (const Allocation& each : allocations_) {
    if (each.home == worker) count += each.connections.size();
  }
  return count;
}

}  // namespace turnpike::sim
