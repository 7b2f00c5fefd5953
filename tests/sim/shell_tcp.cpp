// Connections of TCP relays (RFC 6062): peers that can be connected to or not, peers that connect,
// and streams that are joined. What they carry never comes to a server.
#include <algorithm>

#include "sim/wanted.h"

namespace turnpike::sim {

using turn::ConnectOutcome;
using turn::PeerConnectionId;
using turn::PeerTransport;
using turn::WorkerId;

Simulation::Connection* Simulation::connection(WorkerId worker, PeerConnectionId id) {
  const auto found = std::find_if(connections_.begin(), connections_.end(), [&](const auto& each) {
    return each.worker == worker && each.id == id;
  });
  return found == connections_.end() ? nullptr : &*found;
}

void Simulation::drop_connection(WorkerId worker, PeerConnectionId id) {
  std::erase_if(connections_,
                [&](const auto& each) { return each.worker == worker && each.id == id; });
}

/// The peer answers, or refuses, or nobody is there: then the server has to lose patience.
void Simulation::connect_to_peer(WorkerId worker, const turn::ConnectToPeer& connect) {
  const FiveTuple control = model_.client_of(worker, connect.relay);
  const PeerConnectionId id = connect.connection;
  connections_.push_back({worker, id, control, true});
  const auto local = std::find_if(sockets_.begin(), sockets_.end(), [&](const Socket& socket) {
    return socket.worker == worker && socket.relay == connect.relay;
  });
  require(local != sockets_.end() && local->transport == PeerTransport::tcp,
          "a connection from a socket that is not open");
  const Endpoint from = advertised(local->bind);
  const Endpoint peer = connect.peer.endpoint();
  SeededRandom& luck = luck_of(control.client.address);
  const milliseconds delay{luck.below(3000)};
  const auto outcome = luck.below(4) == 0 ? ConnectOutcome::failed : ConnectOutcome::connected;
  if (luck.below(5) == 0) {
    // And where timers are late, it loses it later than its client.
    if (settings_.late_timers > 0) liveness_.excuse_client(control);
    return;
  }
  later(delay, [=, this] {
    if (connection(worker, id) == nullptr) return;
    const Socket* const neighbour = socket_at(peer, PeerTransport::tcp);
    const bool is_refused =
        neighbour != nullptr && !accept(neighbour->worker, neighbour->relay, from);
    report_connected(worker, id, is_refused ? ConnectOutcome::failed : outcome);
  });
}

void Simulation::report_connected(WorkerId worker, PeerConnectionId id, ConnectOutcome outcome) {
  Connection* const mine = connection(worker, id);
  if (mine == nullptr) return;
  ++coverage_.inputs;
  const bool is_connected = outcome == ConnectOutcome::connected;
  say(is_connected ? "a peer is connected" : "a peer cannot be connected to");
  mine->is_connecting = false;
  const FiveTuple control = mine->control;
  if (!is_connected) drop_connection(worker, id);
  const Verdict verdict = model_.on_peer_connected(worker, id, outcome, now_);
  const turn::Handled handled = server(worker).on_peer_connected(id, outcome, now(), effects_);
  settle(worker, verdict, &handled, {});
  if (!is_connected) return;
  const milliseconds delay{luck_of(control.client.address).below(120'000)};
  later(delay, [=, this] { close_by_peer(worker, id); });
}

void Simulation::connect_from(const Endpoint& peer, const Endpoint& relayed) {
  const Socket* const socket = socket_at(relayed, PeerTransport::tcp);
  if (socket == nullptr || peer.family() != relayed.family()) return;
  static_cast<void>(accept(socket->worker, socket->relay, peer));
}

/// False: it is closed at once.
bool Simulation::accept(WorkerId worker, turn::RelayId relay, const Endpoint& peer) {
  ++coverage_.inputs;
  say("peer " + peer.to_string() + " connects");
  const FiveTuple control = model_.client_of(worker, relay);
  const Verdict verdict = model_.on_peer_accepted(worker, relay, peer, now_);
  const turn::PeerAccepted accepted = server(worker).on_peer_accepted(relay, peer, now(), effects_);
  require(accepted.connection.has_value() == verdict.attempt.has_value(),
          "a peer that connects is taken, or is not");
  if (accepted.connection) {
    require(model_.adopt(worker, *accepted.connection), "a connection's name twice");
    connections_.push_back({worker, *accepted.connection, control});
  }
  const turn::Handled handled{accepted.reason};
  settle(worker, verdict, &handled, {});
  return accepted.connection.has_value();
}

/// A letter to the worker that has the allocation, if that is another one.
void Simulation::bind_streams(const turn::BindStreams& bind) {
  const milliseconds delay{bind.owner == bind.client.worker ? 0 : 20};
  later(delay, [=, this] {
    const bool is_wanted = model_.on_streams_bound(bind.owner, bind.connection);
    require(server(bind.owner).on_streams_bound(bind.connection) == is_wanted,
            "streams are joined, or are not");
    say(is_wanted ? "joined" : "not joined");
    if (!is_wanted) return;
    connection(bind.owner, bind.connection)->client = bind.client.tuple;
    move_bytes(bind.owner, bind.connection);
  });
}

// --- what they carry -----------------------------------------------------------------------------

/// Apart from all else that is drawn for a client.
SeededRandom& Simulation::luck_of_streams(const IpAddress& client) {
  const std::uint64_t seed = hash_and(hash_of(client, HashSeed{settings_.seed}), 1);
  return luck_.try_emplace(seed, seed).first->second;
}

/// Now and then something comes from either side, until the connection ends.
void Simulation::move_bytes(WorkerId worker, PeerConnectionId id) {
  const Connection* const mine = connection(worker, id);
  if (mine == nullptr) return;
  ++coverage_.inputs;
  SeededRandom& luck = luck_of_streams(mine->control.client.address);
  const std::uint64_t most = luck.below(4) == 0 ? 65536 : 1500;
  const Moved moved{luck.below(most), luck.below(most)};
  ++moves_;
  if (waits_after(*mine, moved)) return;
  later(milliseconds{luck.below(10'000)}, [=, this] { move_bytes(worker, id); });
}

/// True: it has no bandwidth left, and is not read until it has some again.
bool Simulation::waits_after(const Connection& mine, const Moved& moved) {
  const WorkerId worker = mine.worker;
  const PeerConnectionId id = mine.id;
  const auto expected = model_.on_streams_moved(worker, id, moved, now_);
  const auto until = server(worker).on_streams_moved(id, moved.to_peer, moved.to_client, now_);
  require(until == expected, "a stream waits for other bandwidth than it has used");
  const nanoseconds pause = until ? *until - now_ : nanoseconds{0};
  say("streams have moved " + std::to_string(moved.to_peer) + " and " +
      std::to_string(moved.to_client) + " bytes, and wait " + std::to_string(pause.count()) +
      " ns");
  if (settings_.is_apart) {
    const IpAddress& client = mine.control.client.address;
    diaries_.moved(client, moved.to_peer + moved.to_client, pause, now_);
  }
  if (!until) return false;
  require(pause > nanoseconds{0}, "a stream waits for the past");
  later(pause, [=, this, before = moves_] { read_again(worker, id, before); });
  return true;
}

/// It has waited for as long as it was told to. That is enough, unless others have used the
/// bandwidth up meanwhile (I-20).
void Simulation::read_again(WorkerId worker, PeerConnectionId id, std::uint64_t moves_before) {
  const Connection* const mine = connection(worker, id);
  if (mine == nullptr) return;
  if (!waits_after(*mine, {})) return move_bytes(worker, id);
  require(moves_ != moves_before, "a stream has waited in vain");
}

/// By the server.
void Simulation::close_connection(WorkerId worker, PeerConnectionId id) {
  const Connection* const mine = connection(worker, id);
  require(mine != nullptr, "a connection is closed that is not open");
  // A Connect under way is not answered when its allocation ends.
  if (mine->is_connecting) liveness_.excuse_client(mine->control);
  drop_connection(worker, id);
}

void Simulation::close_by_peer(WorkerId worker, PeerConnectionId id) {
  if (connection(worker, id) == nullptr) return;
  say("a connection ends");
  drop_connection(worker, id);
  model_.on_peer_closed(worker, id);
  server(worker).on_peer_closed(id);
  check_balance();
}

void Simulation::close_data(const turn::ClientFlow& flow) {
  const auto found = std::find_if(connections_.begin(), connections_.end(), [&](const auto& each) {
    return each.client && *each.client == flow.tuple;
  });
  if (found == connections_.end()) return lose_client(flow);
  close_by_peer(found->worker, found->id);
}

}  // namespace turnpike::sim
