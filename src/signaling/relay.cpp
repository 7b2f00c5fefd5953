// What passes between members: descriptions and candidates, messages, metadata, reports.

#include <algorithm>
#include <utility>

#include "signaling/rooms.h"

namespace turnpike::signaling {
namespace {

std::string no_such_peer(std::string_view peer) {
  return "no peer " + std::string{peer} + " in this room";
}

}  // namespace

bool Rooms::deliver(Member& to, std::uint64_t seq, const Frame& frame, Effects& effects) {
  to.replay.push(seq, frame);
  if (to.connection == nullptr) return false;
  send(*to.connection, frame, effects);
  return true;
}

void Rooms::on_signal(const Request& request, const Signal& signal) {
  Member* const member = member_with(request, Right::signal);
  if (member == nullptr) return;
  Room& room = *member->room;
  Member* const to = find_peer(room, signal.to);
  if (to == nullptr || to == member) {
    return refuse(request, {ErrorCode::peer_not_found, no_such_peer(signal.to)});
  }
  const std::uint64_t seq = ++room.last_seq;
  const Frame frame = make_frame(signal_text(member->peer, seq, signal.data_json));
  ack(request, deliver(*to, seq, frame, request.effects) ? 1 : 0);
}

void Rooms::on_message(const Request& request, const Message& message) {
  Member* const member = member_with(request, Right::message);
  if (member == nullptr) return;
  Room& room = *member->room;
  MessageView view{member->peer, message.event, message.data_json, 0, request.now.wall, false};
  if (!message.to) {
    return ack(request, deliver_to_room(room, member, view, request.effects));
  }
  // All or nothing: who reads the error knows that nobody got it.
  std::vector<Member*> receivers;
  for (const std::string& peer : *message.to) {
    Member* const to = find_peer(room, peer);
    if (to == nullptr || to == member) {
      return refuse(request, {ErrorCode::peer_not_found, no_such_peer(peer)});
    }
    if (std::find(receivers.begin(), receivers.end(), to) == receivers.end()) {
      receivers.push_back(to);
    }
  }
  view.seq = ++room.last_seq;
  view.is_private = true;
  const Frame frame = make_frame(message_text(view));
  std::size_t delivered = 0;
  for (Member* const to : receivers) {
    if (deliver(*to, view.seq, frame, request.effects)) ++delivered;
  }
  ack(request, delivered);
}

std::size_t Rooms::deliver_to_room(Room& room, const Member* except, const MessageView& message,
                                   Effects& effects) {
  MessageView numbered = message;
  numbered.seq = ++room.last_seq;
  const Frame frame = make_frame(message_text(numbered));
  std::size_t delivered = 0;
  for (Member* const to : room.members) {
    if (to != except && deliver(*to, numbered.seq, frame, effects)) ++delivered;
  }
  return delivered;
}

void Rooms::on_update(const Request& request, Update& update) {
  Member* const member = member_with(request, Right::update);
  if (member == nullptr) return;
  member->meta_json = std::move(update.meta_json);
  tell_others(*member->room, member, peer_updated_text(member->peer, member->meta_json),
              request.effects);
  ack(request);
}

void Rooms::on_want_ice(const Request& request) {
  Member* const member = member_with(request, std::nullopt);
  if (member == nullptr) return;
  const IceServers ice = fresh_ice(*member, request.now);
  send(request.from, make_frame(ice_text(request.id_json, ice)), request.effects);
}

void Rooms::on_path(const Request& request, const Path& path) {
  Member* const member = member_with(request, std::nullopt);
  if (member == nullptr) return;
  const Member* const other = find_peer(*member->room, path.peer);
  if (other == nullptr || other == member) {
    return refuse(request, {ErrorCode::peer_not_found, no_such_peer(path.peer)});
  }
  const auto taken = read_path({path.local, path.remote, path.relay_protocol});
  if (!taken) {
    return refuse(request, {ErrorCode::bad_message, "local, remote or relayProtocol unknown"});
  }
  // A path counts once as long as it stays the same, whatever is reported how often.
  auto& known = member->paths;
  const auto at = std::find_if(known.begin(), known.end(),
                               [other](const auto& each) { return each.first == other->n; });
  const bool is_new = at == known.end() || at->second != *taken;
  if (at != known.end()) {
    at->second = *taken;
  } else {
    if (known.size() == max_peers_cap) known.erase(known.begin());
    known.emplace_back(other->n, *taken);
  }
  if (is_new) ++counters_.paths[index_of(*taken)];
  ack(request);
}

}  // namespace turnpike::signaling
