// Requests, sessions and their ends. What is said on them is in socketio_events.cpp.

#include "signaling/socketio_door.h"

#include <algorithm>
#include <array>

#include "signaling/base64url.h"

namespace turnpike::signaling {
namespace {

constexpr std::size_t id_bytes = 15;
/// Of routes().
constexpr std::size_t engineio_route = 1;

}  // namespace

SocketIoDoor::SocketIoDoor(Doors& doors, Random& random, Settings settings)
    : doors_(doors), random_(random), settings_(std::move(settings)) {}

std::vector<Route> SocketIoDoor::routes() const {
  // More methods than it serves: the others are refused as the reference server does it, by 400.
  const std::vector<Method> methods{Method::get, Method::post, Method::put, Method::patch,
                                    Method::del};
  const std::size_t max_message = settings_.engine.max_payload_bytes;
  std::vector<Route> all{{"/socket.io/", RouteKind::either, methods, false, "", max_message}};
  if (settings_.engineio_echo) {
    all.push_back({"/engine.io/", RouteKind::either, methods, false, "", max_message});
  }
  return all;
}

// --- What arrives --------------------------------------------------------------------------------

void SocketIoDoor::on_asked(ConnectionId id, const Asked& asked, Now now) {
  const auto query = parse_engineio_query(asked.request, asked.may_open);
  if (!query) return refuse(id, query.error(), now);
  const bool is_echo = asked.route == engineio_route;
  EngineIoOutput out;
  if (query->sid.empty()) {
    if (!has_room_for(doors_.address_of(id))) return refuse(id, EngineIoError::forbidden, now);
    if (asked.may_open) return doors_.open(id, now);
    Session& session = add_session(id, asked.request, is_echo, now);
    session.engine.open_by_poll(id, out);
    return settle(session, out, now);
  }
  Session* const session = find(*query, is_echo);
  if (session == nullptr) return refuse(id, EngineIoError::unknown_sid, now);
  if (asked.may_open) {
    if (!session->engine.may_upgrade()) return refuse(id, EngineIoError::bad_request, now);
    return doors_.open(id, now);
  }
  if (!session->engine.is_polling()) return refuse(id, EngineIoError::bad_request, now);
  if (asked.request.method == Method::get) {
    attach(*session, id);
    session->engine.on_get(id, out);
  } else if (asked.request.method == Method::post) {
    session->engine.on_post(id, asked.request.body, now.instant, out);
  } else {
    return refuse(id, EngineIoError::bad_method, now);
  }
  settle(*session, out, now);
}

void SocketIoDoor::on_withdrawn(ConnectionId id, Now now) {
  Session* const session = session_on(id);
  if (session == nullptr) return;
  EngineIoOutput out;
  detach(id);
  session->engine.on_withdrawn(out);
  settle(*session, out, now);
}

void SocketIoDoor::on_opened(ConnectionId id, const Opened& opened, Now now) {
  const auto query = parse_engineio_query(opened.request, true);
  const bool is_echo = opened.route == engineio_route;
  EngineIoOutput out;
  if (query && query->sid.empty()) {
    Session& session = add_session(id, opened.request, is_echo, now);
    attach(session, id);
    session.engine.open_by_socket(id, out);
    return settle(session, out, now);
  }
  // Something may have come in between.
  Session* const session = query ? find(*query, is_echo) : nullptr;
  if (session == nullptr || !session->engine.may_upgrade()) {
    return doors_.close(id, close_codes::normal, "", now);
  }
  attach(*session, id);
  session->engine.begin_upgrade(id, now.instant);
  settle(*session, out, now);
}

void SocketIoDoor::on_text(ConnectionId id, std::string_view text, Now now) {
  Session* const session = session_on(id);
  if (session == nullptr) return;
  EngineIoOutput out;
  session->engine.on_text(id, text, now.instant, out);
  settle(*session, out, now);
}

void SocketIoDoor::on_binary(ConnectionId id, std::string_view bytes, Now now) {
  Session* const session = session_on(id);
  if (session == nullptr) return;
  EngineIoOutput out;
  session->engine.on_binary(id, bytes, out);
  settle(*session, out, now);
}

void SocketIoDoor::on_ended(ConnectionId id, std::uint16_t, Now now) {
  Session* const session = session_on(id);
  if (session == nullptr) return;
  EngineIoOutput out;
  detach(id);
  session->engine.on_socket_ended(id);
  settle(*session, out, now);
}

void SocketIoDoor::on_deadline(Now now) {
  while (const auto slot = deadlines_.pop_due(now.instant)) {
    Session& session = sessions_.at(*slot);
    EngineIoOutput out;
    session.engine.on_deadline(now.instant, out);
    if (!session.has_connected && session.connect_due <= now.instant) session.engine.close(out);
    settle(session, out, now);
  }
}

// --- Sessions ------------------------------------------------------------------------------------

void SocketIoDoor::refuse(ConnectionId id, EngineIoError error, Now now) {
  doors_.respond(id, engineio_refusal(error), now);
}

SocketIoDoor::Session* SocketIoDoor::find(const EngineIoQuery& query, bool is_echo) const {
  const auto found = by_sid_.find(query.sid);
  if (found == by_sid_.end() || found->second->is_echo != is_echo) return nullptr;
  return found->second;
}

SocketIoDoor::Session* SocketIoDoor::session_on(ConnectionId id) const {
  const auto found = by_connection_.find(id);
  return found == by_connection_.end() ? nullptr : found->second;
}

bool SocketIoDoor::has_room_for(const IpAddress& address) const {
  if (sessions_.size() >= settings_.max_sessions) return false;
  const auto known = sessions_of_.find(subscriber_of(address));
  return settings_.max_sessions_per_address == 0 || known == sessions_of_.end() ||
         known->second < settings_.max_sessions_per_address;
}

SocketIoDoor::Session& SocketIoDoor::add_session(ConnectionId id, const Request& request,
                                                 bool is_echo, Now now) {
  auto record = std::make_unique<Session>(new_id(), settings_, now.instant);
  record->is_echo = is_echo;
  record->has_connected = is_echo;  // nobody connects there
  const std::string_view origin = request.header("Origin").value_or("");
  record->client = {doors_.address_of(id), std::string{origin.substr(0, max_kept_origin_bytes)},
                    request.host};
  Session& session = sessions_.add(std::move(record));
  by_sid_.emplace(session.engine.sid(), &session);
  ++sessions_of_[subscriber_of(session.client.address)];
  return session;
}

void SocketIoDoor::attach(Session& session, ConnectionId id) {
  by_connection_.emplace(id, &session);
  session.connections.push_back(id);
}

void SocketIoDoor::detach(ConnectionId id) {
  const auto found = by_connection_.find(id);
  if (found == by_connection_.end()) return;
  std::erase(found->second->connections, id);
  by_connection_.erase(found);
}

void SocketIoDoor::settle(Session& session, EngineIoOutput& out, Now now) {
  for (const EngineIoMessage& message : out.messages) {
    const bool may_go_on = on_message(session, message, now);
    if (may_go_on) continue;
    session.engine.close(out);
    break;
  }
  session.engine.flush(out);
  for (const EngineIoAction& action : out.actions) carry_out(action, now);
  if (session.engine.is_closed()) return erase(session);
  const Instant next = session.engine.next_deadline();
  deadlines_.set(session.slot, session.has_connected ? next : std::min(next, session.connect_due));
}

void SocketIoDoor::carry_out(const EngineIoAction& action, Now now) {
  if (const auto* const respond = std::get_if<Respond>(&action)) {
    detach(respond->to);
    doors_.respond(respond->to, respond->response, now);
  } else if (const auto* const text = std::get_if<SendText>(&action)) {
    doors_.send_text(text->to, *text->frame, now);
  } else if (const auto* const binary = std::get_if<SendBinary>(&action)) {
    doors_.send_binary(binary->to, *binary->frame, now);
  } else if (const auto* const closing = std::get_if<Close>(&action)) {
    detach(closing->connection);
    doors_.close(closing->connection, closing->code, closing->reason, now);
  }
}

void SocketIoDoor::erase(Session& session) {
  for (auto& [nsp, socket] : session.sockets) leave_all(socket);
  for (const ConnectionId id : session.connections) by_connection_.erase(id);
  const auto count = sessions_of_.find(subscriber_of(session.client.address));
  if (--count->second == 0) sessions_of_.erase(count);
  by_sid_.erase(session.engine.sid());
  deadlines_.clear(session.slot);
  sessions_.remove(session.slot);
}

std::string SocketIoDoor::new_id() {
  std::array<std::uint8_t, id_bytes> bytes{};
  random_.fill(bytes);
  return base64url_encode(bytes);
}

}  // namespace turnpike::signaling
