// What carries out effects: sockets that open late or not at all, a key source that may not answer,
// letters between workers.
#include <algorithm>

#include "sim/wanted.h"

namespace turnpike::sim {

using turn::WorkerId;

namespace {

Verdict::Ended end_of(const turn::AllocationRecord& record, turn::CloseReason reason) {
  const turn::Traffic& traffic = record.traffic;
  return {record.client, reason, Moved{traffic.bytes_to_peer, traffic.bytes_to_client}};
}

}  // namespace

Simulation::Wanted Simulation::take(turn::Effects& effects) {
  Wanted wanted;
  for (const turn::Effect& effect : effects.list()) {
    if (const auto* send = std::get_if<turn::SendToClient>(&effect)) {
      const ByteView bytes = effects.bytes_of(*send);
      wanted.sent.emplace_back(send->flow, Bytes(bytes.begin(), bytes.end()));
    } else if (const auto* open = std::get_if<turn::OpenRelay>(&effect)) {
      wanted.opens.push_back(*open);
    } else if (const auto* close = std::get_if<turn::CloseRelay>(&effect)) {
      wanted.closes.push_back(close->relay);
    } else if (const auto* release = std::get_if<turn::ReleaseGuest>(&effect)) {
      wanted.released.push_back(release->flow);
    } else if (const auto* gone = std::get_if<turn::ReportGone>(&effect)) {
      wanted.gone.push_back(*gone);
    } else if (const auto* ended = std::get_if<turn::AllocationClosed>(&effect)) {
      wanted.ended.push_back(end_of(effects.record_of(*ended), ended->reason));
    } else if (std::holds_alternative<turn::AllocationOpened>(effect)) {
      ++wanted.opened;
    } else if (const auto* ask = std::get_if<turn::AskForUser>(&effect)) {
      const ByteView request = effects.request_of(*ask);
      wanted.asked.push_back({ask->flow, Bytes(request.begin(), request.end()),
                              std::string{effects.username_of(*ask)}});
    } else if (const auto* connect = std::get_if<turn::ConnectToPeer>(&effect)) {
      wanted.connects.push_back(*connect);
    } else if (const auto* end = std::get_if<turn::ClosePeerConnection>(&effect)) {
      wanted.closed_connections.push_back(end->connection);
    } else if (const auto* bind = std::get_if<turn::BindStreams>(&effect)) {
      wanted.binds.push_back(*bind);
    }
  }
  effects.clear();
  return wanted;
}

void Simulation::carry_out(WorkerId worker, const Wanted& wanted, const Verdict& verdict) {
  for (const auto& [flow, bytes] : wanted.sent) {
    if (!reaches(worker, flow)) continue;
    liveness_.on_answer(bytes);
    check_service(flow, bytes);
    reach_client(flow, bytes);
  }
  for (const turn::RelayId& relay : wanted.closes) close_socket(worker, relay);
  for (const turn::OpenRelay& open : wanted.opens) open_later(worker, open);
  for (const turn::PeerConnectionId id : wanted.closed_connections) close_connection(worker, id);
  for (const turn::ConnectToPeer& connect : wanted.connects) connect_to_peer(worker, connect);
  for (const turn::BindStreams& bind : wanted.binds) bind_streams(bind);
  for (const Wanted::Asked& asked : wanted.asked) {
    ask(worker, asked.flow, asked.request, asked.username);
  }
  for (const turn::ClientFlow& flow : wanted.released) {
    server(flow.worker).on_guest_over(flow.tuple, worker, now_);
    model_.on_guest_over(flow.worker, flow.tuple, worker);
  }
  for (const turn::ReportGone& gone : wanted.gone) {
    require(gone.home == *verdict.reported_to, "told to another home");
    const Verdict there = model_.on_client_gone(gone.home, gone.tuple);
    server(gone.home).on_client_gone(FiveTuple{gone.tuple}, now(), effects_);
    settle(gone.home, there, nullptr, {});
  }
}

/// Through another worker only while the client is a guest there, or on the way out.
bool Simulation::reaches(WorkerId worker, const turn::ClientFlow& flow) {
  if (flow.worker == worker) return true;
  const bool is_known = server(flow.worker).flow_of_guest(flow.tuple, worker) != nullptr;
  require(is_known || !model_.leads_to(worker, flow), "a guest cannot be reached");
  return is_known;
}

// --- sockets -------------------------------------------------------------------------------------

void Simulation::open_later(WorkerId worker, const turn::OpenRelay& open) {
  const FiveTuple client = model_.client_of(worker, open.relay);
  SeededRandom& luck = luck_of(client.client.address);
  if (!happens(luck, settings_.late_opens)) {
    return later(seconds{0}, [=, this] { report_opened(worker, open, client); });
  }
  // What it sends meanwhile is dropped for that, and excused.
  liveness_.excuse_client(client);
  later(milliseconds{luck.below(700'000)}, [=, this] { report_opened(worker, open, client); });
}

void Simulation::report_opened(WorkerId worker, const turn::OpenRelay& open,
                               const FiveTuple& client) {
  SeededRandom& luck = luck_of(client.client.address);
  std::optional<turn::RelayOpenError> error;
  const bool is_taken = std::any_of(sockets_.begin(), sockets_.end(),
                                    [&](const Socket& socket) { return socket.bind == open.bind; });
  if (happens(luck, settings_.port_in_use) || is_taken) {
    error = turn::RelayOpenError::port_in_use;
  } else if (happens(luck, settings_.no_resources)) {
    error = turn::RelayOpenError::no_resources;
  }
  say("socket " + open.bind.to_string() + (error ? " refused" : " open"));
  if (!error) sockets_.push_back({worker, open.relay, open.bind, open.transport});
  const Verdict verdict = model_.on_relay_opened(worker, open.relay, error, now());
  server(worker).on_relay_opened(open.relay, error, now(), effects_);
  settle(worker, verdict, nullptr, {});
}

void Simulation::close_socket(WorkerId worker, turn::RelayId relay) {
  const auto found = std::find_if(sockets_.begin(), sockets_.end(), [&](const Socket& socket) {
    return socket.worker == worker && socket.relay == relay;
  });
  require(found != sockets_.end(), "a socket is closed that is not open");
  closed_ = *found;
  sockets_.erase(found);
}

const Simulation::Socket* Simulation::socket_at(const Endpoint& relayed,
                                                turn::PeerTransport transport) const {
  const auto found = std::find_if(sockets_.begin(), sockets_.end(), [&](const Socket& socket) {
    return socket.transport == transport && advertised(socket.bind) == relayed;
  });
  return found == sockets_.end() ? nullptr : &*found;
}

Endpoint Simulation::advertised(const Endpoint& bind) const {
  for (const turn::RelayAddress& relay : settings_.relays) {
    if (relay.bind == bind.address) return {relay.advertised, bind.port};
  }
  return bind;
}

// --- users ---------------------------------------------------------------------------------------

void Simulation::ask(WorkerId worker, const turn::ClientFlow& flow, const Bytes& request,
                     const std::string& username) {
  constexpr seconds patience{10};
  parked_.push_back({worker, flow, request, username, ++last_parked_});
  SeededRandom& luck = luck_of(username);
  if (happens(luck, settings_.silent_key_source)) {
    liveness_.excuse(request);
    return later(patience, [this, number = last_parked_] { give_up(number); });
  }
  const auto slowest = static_cast<std::uint64_t>(settings_.slow_key_source.count());
  later(milliseconds{luck.below(slowest + 1)},
        [this, worker, username] { answer_about(worker, username); });
}

void Simulation::give_up(std::uint64_t number) {
  const auto found = std::find_if(parked_.begin(), parked_.end(),
                                  [&](const Parked& each) { return each.number == number; });
  if (found == parked_.end()) return;
  const Parked parked = *found;
  parked_.erase(found);
  say("nobody knows " + parked.username);
  const Verdict verdict = model_.on_user_unanswered(parked.worker, parked.flow);
  server(parked.worker).on_user_unanswered(parked.flow, effects_);
  settle(parked.worker, verdict, nullptr, {});
}

void Simulation::answer_about(WorkerId worker, const std::string& username) {
  const auto password = asked_password(username);
  const Instant until = now_ + seconds{1 + luck_of(username).below(60)};
  auth::UserAnswer answer{{}, asked_limits(username), until};
  if (password) {
    answer.keys.emplace();
    for (const auto algorithm : {stun::PasswordAlgorithm::md5, stun::PasswordAlgorithm::sha256}) {
      const auto key = auth::long_term_key(algorithm, username, realm, *password);
      answer.keys->set(algorithm, stun::IntegrityKey{key});
    }
  }
  say("known: " + username + (password ? "" : ", nobody"));
  server(worker).on_user_known(username, answer);
  model_.on_user_known(worker, username, password.has_value(), until);
  for (const Parked& parked : std::exchange(parked_, {})) {
    if (parked.worker != worker || parked.username != username) {
      parked_.push_back(parked);
      continue;
    }
    at_worker(worker, parked.flow, parked.request);
  }
}

// --- peers ---------------------------------------------------------------------------------------

/// What a peer does with a datagram: nothing, or it answers, or its host has nobody there.
void Simulation::meet_peer(WorkerId worker, const turn::Forward& forward) {
  const auto* const route = forward.peer_route();
  const auto socket = std::find_if(sockets_.begin(), sockets_.end(), [&](const Socket& each) {
    return each.worker == worker && each.relay == route->via;
  });
  require(socket != sockets_.end(), "payload out of a socket that is not open");
  require(socket->bind.family() == route->to.family(), "payload out of a socket of another family");
  const Endpoint relayed = advertised(socket->bind);
  const Endpoint peer = route->to;
  const IpAddress client = model_.client_of(worker, route->via).client.address;
  if (settings_.is_apart) diaries_.relayed(client, peer, forward.payload(), now_);
  SeededRandom& luck = luck_of(client);
  const milliseconds delay{luck.below(500)};
  switch (luck.below(4)) {
    case 0: {
      constexpr std::size_t most = 65507;  // that a datagram of UDP can hold over IPv4
      const Bytes payload = luck.bytes(luck.below(50) == 0 ? most : luck.below(40));
      return later(delay, [=, this] { from_peer(peer, relayed, payload); });
    }
    case 1: {
      const stun::Icmp icmp{static_cast<std::uint8_t>(luck.below(13)),
                            static_cast<std::uint8_t>(luck.below(6)), 1280};
      return later(delay, [=, this] { icmp_from(peer, relayed, icmp); });
    }
    default:
      return;
  }
}

void Simulation::from_peer(const Endpoint& peer, const Endpoint& relayed, const Bytes& payload) {
  if (const Socket* const socket = socket_at(relayed, turn::PeerTransport::udp)) {
    return at_relay(socket->worker, socket->relay, peer, payload);
  }
  // It may have been read before the socket was closed.
  const bool was_here = closed_ && closed_->transport == turn::PeerTransport::udp &&
                        advertised(closed_->bind) == relayed;
  if (was_here) {
    at_relay(closed_->worker, closed_->relay, peer, payload);
  }
}

void Simulation::at_relay(WorkerId worker, turn::RelayId relay, const Endpoint& peer,
                          const Bytes& payload) {
  ++coverage_.inputs;
  const Bytes exact = payload;
  say("peer " + peer.to_string() + " sends " + std::to_string(payload.size()) + " bytes");
  const Verdict verdict = model_.on_peer(worker, relay, peer, exact, now_);
  turn::Handled handled = server(worker).on_peer_datagram(relay, peer, exact, now_);
  settle(worker, verdict, &handled, exact);
  const bool has_followers = payload.size() % 4 == 0 && !payload.empty();
  if (!has_followers) return;
  // In the same train, of which only the last may be smaller.
  for (const Bytes& next : {payload, Bytes(payload.begin(), payload.end() - 1)}) {
    const Verdict next_verdict = model_.on_peer(worker, relay, peer, next, now_);
    follow(worker, next_verdict, handled, next,
           [&] { return server(worker).on_peer_datagram(relay, peer, next, now_); });
  }
}

void Simulation::icmp_from(const Endpoint& peer, const Endpoint& relayed, const stun::Icmp& icmp) {
  const Socket* const socket = socket_at(relayed, turn::PeerTransport::udp);
  if (socket == nullptr) return;
  ++coverage_.inputs;
  const WorkerId worker = socket->worker;
  const Verdict verdict = model_.on_icmp(worker, socket->relay, peer, icmp.type, now_);
  const turn::Handled handled =
      server(worker).on_peer_icmp(socket->relay, peer, icmp, now(), effects_);
  settle(worker, verdict, &handled, {});
}

}  // namespace turnpike::sim
