// What is said on a session: packets, and what rules make of events.

#include <algorithm>
#include <utility>

#include "signaling/json.h"
#include "signaling/socketio_door.h"

namespace turnpike::signaling {
namespace {

constexpr std::string_view protocol = "socketio";

/// The name of a room as an argument gives it: text, or a number as it is spelled.
std::optional<std::string> room_name(std::string_view json) {
  const auto value = parse_json(json, 1);
  std::string name;
  if (value && value->is_string()) {
    name = value->get<std::string>();
  } else if (value && value->is_number()) {
    name = json;
  }
  if (name.empty() || name.size() > bounds::room_bytes) return std::nullopt;
  return name;
}

/// Rooms of other namespaces than "/" are other rooms.
std::string room_id(std::string_view nsp, const std::string& room) {
  return nsp == "/" ? room : std::string{nsp} + "," + room;
}

std::string event_text(std::string_view name) { return ArrayWriter{}.text(name).finish(); }

std::string error_json(ErrorCode code) {
  return ObjectWriter{}.text("error", to_string(code)).finish();
}

/// The text field of a CONNECT's auth object; empty when it is not there or too long.
std::string auth_field(std::string_view json, const char* key, std::size_t max_bytes) {
  const auto auth = parse_json(json, bounds::json_depth);
  if (!auth || !auth->is_object()) return {};
  const auto found = auth->find(key);
  if (found == auth->end() || !found->is_string()) return {};
  auto text = found->get<std::string>();
  return text.size() <= max_bytes ? text : std::string{};
}

}  // namespace

bool SocketIoDoor::on_message(Session& session, const EngineIoMessage& message, Now now) {
  if (session.is_echo) {
    message.is_binary ? session.engine.send_binary(message.body)
                      : session.engine.send_text(message.body);
    return true;
  }
  const auto packet = message.is_binary ? session.reader.push_binary(message.body)
                                        : session.reader.push_text(message.body);
  if (!packet) return false;
  return !*packet || on_packet(session, **packet, now);
}

bool SocketIoDoor::on_packet(Session& session, const SocketIoPacket& packet, Now now) {
  const auto verdict = session.packets.take(settings_.packet_rate, now.instant);
  if (verdict == RateMeter::Verdict::flood) return false;
  const auto found = session.sockets.find(packet.nsp);
  const bool is_connected = found != session.sockets.end();
  if (packet.type == SocketIoType::connect && !is_connected) {
    connect(session, packet);
    return true;
  }
  if (!is_connected || packet.type == SocketIoType::connect ||
      packet.type == SocketIoType::connect_error) {
    return false;
  }
  Socket& socket = found->second;
  if (packet.type == SocketIoType::disconnect) {
    leave_all(socket);
    session.sockets.erase(found);
  } else if (packet.type == SocketIoType::event) {
    const Event event = read_event(session, socket, packet, now);
    const bool must_wait = socket.joining.has_value();
    const bool is_full = must_wait && socket.waiting.size() == settings_.max_waiting_events;
    if (verdict == RateMeter::Verdict::over || is_full) {
      report(event, ErrorCode::rate_limited);
    } else if (must_wait) {
      socket.waiting.push_back(packet);
    } else {
      on_event(event);
    }
  }
  return true;  // an ack is to nothing: none is ever asked for
}

void SocketIoDoor::connect(Session& session, const SocketIoPacket& packet) {
  SocketIoPacket reply;
  reply.nsp = packet.nsp;
  if (!serves(settings_.profiles, packet.nsp)) {
    reply.type = SocketIoType::connect_error;
    reply.json = ObjectWriter{}.text("message", "Invalid namespace").finish();
    return send(session, reply);
  }
  session.has_connected = true;
  Socket& socket = session.sockets[packet.nsp];
  socket.nsp = packet.nsp;
  socket.sid = new_id();
  socket.token = auth_field(packet.json, "token", bounds::token_bytes);
  reply.type = SocketIoType::connect;
  reply.json = ObjectWriter{}.text("sid", socket.sid).finish();
  send(session, reply);
  if (const Rule* const greeting = find_greeting(settings_.profiles, packet.nsp)) {
    const std::string_view auth = packet.json.empty() ? std::string_view{"{}"} : packet.json;
    emit(session, socket, ArrayWriter{}.text(greeting->notify).raw(auth).finish());
  }
}

void SocketIoDoor::leave_all(Socket& socket) {
  if (socket.joining) socket.places.push_back({socket.joining->room, socket.joining->member});
  for (const Place& place : socket.places) {
    doors_.rooms().leave(place.member);
    forget(place.member);
  }
  socket.places.clear();
  socket.joining.reset();
  socket.waiting.clear();
}

void SocketIoDoor::forget(ConnectionId member) {
  doors_.forget_member(member);
  members_.erase(member);
}

SocketIoDoor::Event SocketIoDoor::read_event(Session& session, Socket& socket,
                                             const SocketIoPacket& packet, Now now) {
  Event event{session, socket, packet, {}, json_elements(packet.json), now};
  const auto name = parse_json(event.elements[0], 1);
  event.name =
      name && name->is_string() ? name->get<std::string>() : std::string{event.elements[0]};
  return event;
}

void SocketIoDoor::on_event(const Event& event) {
  const Rule* const rule = find_rule(settings_.profiles, event.socket.nsp, event.name);
  if (rule != nullptr) return act(*rule, event);
  acknowledge(event, R"([{"error":"unknown_event"}])");
}

void SocketIoDoor::act(const Rule& rule, const Event& event) {
  const auto& elements = event.elements;
  switch (rule.action) {
    case RuleAction::join:
    case RuleAction::codelab_join:
      return join(rule, event);
    case RuleAction::relay:
      return relay(rule, event);
    case RuleAction::echo:
    case RuleAction::answer: {
      ArrayWriter array;
      const bool is_echo = rule.action == RuleAction::echo;
      if (is_echo) array.text(rule.notify);
      for (std::size_t i = 1; i < elements.size(); ++i) array.raw(elements[i]);
      if (!is_echo) return acknowledge(event, array.finish(), event.packet.attachments);
      SocketIoPacket reply;
      reply.nsp = event.socket.nsp;
      reply.json = array.finish();
      reply.attachments = event.packet.attachments;
      return send(event.session, reply);
    }
    case RuleAction::greet:
      return;
  }
}

void SocketIoDoor::join(const Rule& rule, const Event& event) {
  const auto room = event.elements.size() > 1 ? room_name(event.elements[1]) : std::nullopt;
  if (!room) return report(event, ErrorCode::bad_message);
  if (const auto entered = enter(rule, event, *room)) tell_joined(rule, event, *room, *entered);
}

void SocketIoDoor::tell_joined(const Rule& rule, const Event& event, const std::string& room,
                               const Entered& entered) {
  if (rule.action == RuleAction::codelab_join) {
    return tell_codelab_joined(rule, event, room, entered);
  }
  if (!entered.member) return report(event, entered.member.error());
  if (!rule.notify.empty()) tell_others(*entered.member, event_text(rule.notify));
  acknowledge(event, "[]");
}

void SocketIoDoor::tell_codelab_joined(const Rule& rule, const Event& event,
                                       const std::string& room, const Entered& entered) {
  const std::string room_json = to_text(Json(room));
  const std::string sid_json = to_text(Json(event.socket.sid));
  const std::uint32_t max = rule.max.value_or(max_peers_cap);
  const auto& member = entered.member;
  log(event, "Received request to create or join room " + room);
  if (!member && member.error() != ErrorCode::room_full) return report(event, member.error());

  // As the codelab counts: those who are there already, the asker among them when it asks again.
  const std::size_t others = member ? doors_.rooms().others(*member).size() : max;
  const std::size_t clients = others + (entered.is_again ? 1 : 0);
  log(event, "Room " + room + " now has " + std::to_string(clients) + " client(s)");
  const auto tell = [&](std::string_view name, const std::vector<std::string_view>& arguments) {
    ArrayWriter array;
    array.text(name);
    for (const std::string_view argument : arguments) array.raw(argument);
    emit(event.session, event.socket, array.finish());
  };
  if (clients == 0) {
    log(event, "Client ID " + event.socket.sid + " created room " + room);
    tell("created", {room_json, sid_json});
  } else if (member && clients < max) {
    log(event, "Client ID " + event.socket.sid + " joined room " + room);
    tell_others(*member, ArrayWriter{}.text("join").raw(room_json).finish());
    tell("joined", {room_json, sid_json});
    tell_others(*member, event_text("ready"));
    tell("ready", {});
  } else {
    tell("full", {room_json});
  }
  acknowledge(event, member ? "[]" : R"([{"error":"room_full"}])");
}

void SocketIoDoor::relay(const Rule& rule, const Event& event) {
  std::vector<std::string_view> elements = event.elements;
  std::vector<ConnectionId> from;
  if (rule.room == RoomArgument::last) {
    const auto room = elements.size() > 1 ? room_name(elements.back()) : std::nullopt;
    if (!room) return report(event, ErrorCode::bad_message);
    elements.pop_back();
    for (const Place& place : event.socket.places) {
      if (place.room == *room) from.push_back(place.member);
    }
  } else {
    for (const Place& place : event.socket.places) from.push_back(place.member);
  }
  if (!rule.log.empty()) {
    ArrayWriter line;
    line.text("Message from server:").text(rule.log);
    if (elements.size() > 1) line.raw(elements[1]);
    SocketIoPacket told;
    told.nsp = event.socket.nsp;
    told.json = ArrayWriter{}.text("log").raw(line.finish()).finish();
    told.attachments = event.packet.attachments;
    send(event.session, told);
  }
  if (from.empty()) return report(event, ErrorCode::not_joined);

  ArrayWriter array;
  for (const std::string_view element : elements) array.raw(element);
  const Frame frame = pack_event(array.finish(), event.packet.attachments);
  for (const ConnectionId member : from) {
    const auto sent = doors_.rooms().forward(member, frame, Rooms::FrameKind::binary, event.now,
                                             doors_.effects());
    if (!sent) return report(event, sent.error());
  }
  acknowledge(event, "[]");
}

std::optional<SocketIoDoor::Entered> SocketIoDoor::enter(const Rule& rule, const Event& event,
                                                         const std::string& room) {
  Socket& socket = event.socket;
  const auto known = std::find_if(socket.places.begin(), socket.places.end(),
                                  [&room](const Place& place) { return place.room == room; });
  if (known != socket.places.end()) return Entered{known->member, true};
  if (socket.places.size() >= settings_.max_rooms_per_socket) {
    return Entered{Failure{ErrorCode::rate_limited}};
  }
  const ConnectionId member = doors_.new_member(*this);
  const auto max =
      rule.action == RuleAction::codelab_join ? rule.max.value_or(max_peers_cap) : rule.max;
  const Rooms::Entry entry{room_id(socket.nsp, room), socket.token, "", max, std::string{protocol}};
  const auto entered =
      doors_.rooms().enter(member, event.session.client, entry, event.now, doors_.effects());
  if (!entered) {
    doors_.forget_member(member);
    return Entered{Failure{entered.error()}};
  }
  members_.emplace(member, Owner{&event.session, socket.nsp});
  if (entered->empty()) {
    socket.joining.emplace(Joining{&rule, event.packet, room, member});
    return std::nullopt;
  }
  socket.places.push_back({room, member});
  return Entered{member};
}

/// The join goes on where it was left, and then what came after it.
void SocketIoDoor::on_answer(Session& session, Socket& socket, const EntryAnswer& answer, Now now) {
  const Joining joining = std::move(*std::exchange(socket.joining, std::nullopt));
  Entered entered{joining.member};
  if (answer.refusal) {
    forget(joining.member);
    entered.member = Failure{*answer.refusal};
  } else {
    socket.places.push_back({joining.room, joining.member});
  }
  const Event event = read_event(session, socket, joining.packet, now);
  tell_joined(*joining.rule, event, joining.room, entered);
  while (!socket.joining && !socket.waiting.empty()) {
    const SocketIoPacket packet = std::move(socket.waiting.front());
    socket.waiting.pop_front();
    on_event(read_event(session, socket, packet, now));
  }
}

// --- What is said
// ----------------------------------------------------------------------------------

void SocketIoDoor::perform(ConnectionId member, const Effect& effect, Now now) {
  const auto owner = members_.find(member);
  if (owner == members_.end()) return;
  Session& session = *owner->second.session;
  Socket& socket = session.sockets.at(owner->second.nsp);
  EngineIoOutput out;
  if (const auto* const frame = std::get_if<SendBinary>(&effect)) {
    // The same frame again comes by another room that both are in.
    const auto& last = socket.last_frame;
    if (!last.owner_before(frame->frame) && !frame->frame.owner_before(last)) return;
    socket.last_frame = frame->frame;
    auto packet = unpack_event(*frame->frame);
    if (!packet) return;
    packet->nsp = socket.nsp;
    send(session, *packet);
  } else if (const auto* const answer = std::get_if<EntryAnswer>(&effect)) {
    on_answer(session, socket, *answer, now);
  } else if (const auto* const closing = std::get_if<Close>(&effect)) {
    // Rooms has forgotten this place. The others go with it: the socket was told to leave.
    if (closing->code == close_codes::service_restart) {
      session.engine.close(out);  // the client comes back by itself, elsewhere
    } else {
      SocketIoPacket packet;
      packet.type = SocketIoType::disconnect;
      packet.nsp = socket.nsp;
      send(session, packet);
      leave_all(socket);
      session.sockets.erase(packet.nsp);
    }
  }
  settle(session, out, now);
}

void SocketIoDoor::tell_others(ConnectionId member, std::string_view json) {
  const Frame frame = pack_event(json, {});
  for (const ConnectionId other : doors_.rooms().others(member)) {
    doors_.effects().binary(other, frame);
  }
}

void SocketIoDoor::emit(Session& session, const Socket& socket, std::string json) {
  SocketIoPacket packet;
  packet.nsp = socket.nsp;
  packet.json = std::move(json);
  send(session, packet);
}

void SocketIoDoor::log(const Event& event, const std::string& line) {
  const std::string lines = ArrayWriter{}.text("Message from server:").text(line).finish();
  emit(event.session, event.socket, ArrayWriter{}.text("log").raw(lines).finish());
}

void SocketIoDoor::acknowledge(const Event& event, std::string json,
                               std::vector<std::string> attachments) {
  if (!event.packet.id) return;
  SocketIoPacket ack;
  ack.type = SocketIoType::ack;
  ack.nsp = event.socket.nsp;
  ack.id = event.packet.id;
  ack.json = std::move(json);
  ack.attachments = std::move(attachments);
  send(event.session, ack);
}

void SocketIoDoor::report(const Event& event, ErrorCode code) {
  if (event.packet.id) return acknowledge(event, ArrayWriter{}.raw(error_json(code)).finish());
  const std::string what =
      ObjectWriter{}.text("event", event.name).text("code", to_string(code)).finish();
  emit(event.session, event.socket, ArrayWriter{}.text("error").raw(what).finish());
}

void SocketIoDoor::send(Session& session, const SocketIoPacket& packet) {
  session.engine.send_text(socketio_text(packet));
  for (const std::string& attachment : packet.attachments) session.engine.send_binary(attachment);
}

}  // namespace turnpike::signaling
