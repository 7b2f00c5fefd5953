#include "signaling/protocol.h"

#include <array>
#include <utility>

#include "signaling/fields.h"
#include "signaling/json.h"

namespace turnpike::signaling {
namespace {

constexpr std::size_t max_targets = max_peers_cap;

/// A message under reading: its fields, and whether a part was too large rather than wrong.
struct Reading {
  FieldReader& fields;
  bool too_large = false;

  std::string meta() {
    const Json* const meta = fields.object("meta");
    std::string text = meta == nullptr ? "{}" : to_text(*meta);
    if (text.size() > bounds::meta_bytes) {
      fields.fail("meta", "must not exceed " + std::to_string(bounds::meta_bytes) + " bytes");
      too_large = true;
    }
    return text;
  }
};

Join read_join(Reading& in) {
  Join join;
  join.room = in.fields.required_text("room", bounds::room_bytes);
  join.token = in.fields.text("token", bounds::token_bytes).value_or(std::string{});
  join.name = in.fields.text("name", bounds::name_bytes).value_or(std::string{});
  (void)in.fields.text("client", bounds::client_bytes);  // for people who read traffic
  join.meta_json = in.meta();
  join.resume = in.fields.text("resume", bounds::ticket_bytes);
  join.last_seq = in.fields.number("lastSeq").value_or(0);
  return join;
}

Signal read_signal(Reading& in) {
  Signal signal;
  signal.to = in.fields.required_text("to", bounds::peer_bytes);
  if (const Json* const data = in.fields.object("data")) {
    signal.data_json = to_text(*data);
  } else {
    in.fields.fail("data", "is missing");
  }
  return signal;
}

Message read_message(Reading& in) {
  Message message;
  message.to = in.fields.texts("to", max_targets, bounds::peer_bytes);
  if (message.to && message.to->empty()) in.fields.fail("to", "must name a peer");
  message.event = in.fields.required_text("event", bounds::event_bytes);
  const Json* const data = in.fields.find("data");
  message.data_json = data == nullptr ? "null" : to_text(*data);
  return message;
}

Update read_update(Reading& in) {
  if (in.fields.find("meta") == nullptr) in.fields.fail("meta", "is missing");
  return Update{in.meta()};
}

Lock read_lock(Reading& in) {
  const auto locked = in.fields.boolean("locked");
  if (!locked) in.fields.fail("locked", "is missing");
  return Lock{locked.value_or(false)};
}

Path read_path(Reading& in) {
  Path path;
  path.peer = in.fields.required_text("peer", bounds::peer_bytes);
  path.local = in.fields.required_text("local", bounds::event_bytes);
  path.remote = in.fields.required_text("remote", bounds::event_bytes);
  path.relay_protocol =
      in.fields.text("relayProtocol", bounds::event_bytes).value_or(std::string{});
  return path;
}

using Read = ClientBody (*)(Reading&);
struct TypeRow {
  std::string_view name;
  Read read;
};

// In the order of ClientBody.
constexpr std::array<TypeRow, client_types> types{{
    {"join", [](Reading& in) -> ClientBody { return read_join(in); }},
    {"signal", [](Reading& in) -> ClientBody { return read_signal(in); }},
    {"message", [](Reading& in) -> ClientBody { return read_message(in); }},
    {"update", [](Reading& in) -> ClientBody { return read_update(in); }},
    {"ice", [](Reading&) -> ClientBody { return WantIce{}; }},
    {"leave", [](Reading&) -> ClientBody { return Leave{}; }},
    {"end", [](Reading&) -> ClientBody { return End{}; }},
    {"kick",
     [](Reading& in) -> ClientBody {
       return Kick{in.fields.required_text("peer", bounds::peer_bytes)};
     }},
    {"lock", [](Reading& in) -> ClientBody { return read_lock(in); }},
    {"path", [](Reading& in) -> ClientBody { return read_path(in); }},
    {"pong", [](Reading& in) -> ClientBody { return Pong{in.fields.number("ts").value_or(0)}; }},
}};

/// The `id` as JSON: a whole number or a short text. Empty when there is none.
std::string read_request_id(FieldReader& fields) {
  const Json* const id = fields.find("id");
  if (id == nullptr) return {};
  if (id->is_number_integer()) return to_text(*id);
  if (const auto text = fields.text("id", bounds::request_id_bytes)) return to_text(Json(*text));
  return {};
}

std::string peer_json(const PeerView& peer) {
  ObjectWriter out;
  out.text("peer", peer.peer).number("n", peer.n).text("name", peer.name);
  out.raw("meta", peer.meta_json).boolean("polite", peer.polite).boolean("offer", peer.offer);
  if (peer.away) out.boolean("away", true);
  return out.finish();
}

ObjectWriter message_of_type(std::string_view type, std::string_view id_json = {}) {
  ObjectWriter out;
  out.text("type", type);
  if (!id_json.empty()) out.raw("id", id_json);
  return out;
}

std::uint64_t count_of(milliseconds time) { return static_cast<std::uint64_t>(time.count()); }

}  // namespace

std::string_view client_type_name(std::size_t index) { return types[index].name; }

Result<ClientMessage, MessageError> parse_client_message(std::string_view text) {
  const auto json = parse_json(text, bounds::json_depth);
  if (!json || !json->is_object()) {
    return Failure{MessageError{ErrorCode::bad_message, {}, "not a JSON object", true}};
  }
  FieldReader fields{*json};
  std::string id_json = read_request_id(fields);
  const std::string type = fields.required_text("type", bounds::event_bytes);
  for (const TypeRow& row : types) {
    if (row.name != type) continue;
    Reading reading{fields};
    ClientBody body = row.read(reading);
    if (fields.ok()) return ClientMessage{std::move(id_json), std::move(body)};
    const ErrorCode code = reading.too_large ? ErrorCode::too_large : ErrorCode::bad_message;
    return Failure{MessageError{code, std::move(id_json), fields.problem(), false}};
  }
  return Failure{MessageError{ErrorCode::bad_message, std::move(id_json),
                              fields.ok() ? "unknown type " + type : fields.problem(), false}};
}

std::string_view to_string(LeaveReason reason) {
  constexpr std::array<std::string_view, 4> names{"left", "timeout", "kicked", "replaced"};
  return names[static_cast<std::size_t>(reason)];
}

std::uint64_t wire_time(WallTime time) {
  return static_cast<std::uint64_t>(milliseconds{time.time_since_epoch()}.count());
}

std::string joined_text(const JoinedView& joined) {
  ObjectWriter self;
  self.text("peer", joined.peer).number("n", joined.n).text("name", joined.name);
  self.text("role", to_string(joined.role));
  ObjectWriter room;
  room.text("id", joined.room).number("max", joined.max).boolean("locked", joined.locked);
  room.raw("meta", joined.room_meta_json);
  ArrayWriter peers;
  for (const PeerView& peer : joined.peers) peers.raw(peer_json(peer));
  ObjectWriter resume;
  resume.text("ticket", joined.ticket).number("windowMs", count_of(joined.resume_window));
  ObjectWriter ping;
  ping.number("intervalMs", count_of(joined.ping_interval));
  ping.number("timeoutMs", count_of(joined.ping_timeout));
  ObjectWriter limits;
  limits.number("maxMessage", joined.max_message_bytes);
  limits.number("perSecond", joined.messages_per_second);
  ObjectWriter server;
  server.text("version", joined.version).text("node", joined.node).text("region", joined.region);

  ObjectWriter out = message_of_type("joined", joined.id_json);
  if (joined.resumed) out.boolean("resumed", true);
  out.raw("self", self.finish()).raw("room", room.finish()).raw("peers", peers.finish());
  out.raw("iceServers", ice_servers_json(*joined.ice));
  out.number("iceExpiresAt", wire_time(joined.ice->expires_at));
  out.text("iceTransportPolicy", joined.relay_only ? "relay" : "all");
  out.raw("resume", resume.finish()).raw("ping", ping.finish()).raw("limits", limits.finish());
  return out.raw("server", server.finish()).finish();
}

std::string peer_joined_text(const PeerView& peer) {
  return message_of_type("peer-joined").raw("peer", peer_json(peer)).finish();
}

std::string signal_text(std::string_view from, std::uint64_t seq, std::string_view data_json) {
  ObjectWriter out = message_of_type("signal");
  return out.text("from", from).number("seq", seq).raw("data", data_json).finish();
}

std::string message_text(const MessageView& message) {
  ObjectWriter out = message_of_type("message");
  out.text("from", message.from).text("event", message.event).raw("data", message.data_json);
  out.number("seq", message.seq).number("ts", wire_time(message.at));
  if (message.is_private) out.boolean("private", true);
  return out.finish();
}

std::string ack_text(std::string_view id_json, std::optional<std::size_t> delivered) {
  ObjectWriter out = message_of_type("ack", id_json);
  if (delivered) out.number("delivered", *delivered);
  return out.finish();
}

std::string peer_updated_text(std::string_view peer, std::string_view meta_json) {
  return message_of_type("peer-updated").text("peer", peer).raw("meta", meta_json).finish();
}

std::string peer_away_text(std::string_view peer) {
  return message_of_type("peer-away").text("peer", peer).finish();
}

std::string peer_back_text(std::string_view peer) {
  return message_of_type("peer-back").text("peer", peer).finish();
}

std::string peer_left_text(std::string_view peer, LeaveReason reason) {
  return message_of_type("peer-left").text("peer", peer).text("reason", to_string(reason)).finish();
}

std::string ice_servers_json(const IceServers& ice) {
  ArrayWriter out;
  for (const IceServer& server : ice.servers) {
    ArrayWriter urls;
    for (const std::string& url : server.urls) urls.text(url);
    ObjectWriter entry;
    entry.raw("urls", urls.finish());
    if (!server.username.empty()) {
      entry.text("username", server.username).text("credential", server.credential);
    }
    out.raw(entry.finish());
  }
  return out.finish();
}

std::string ice_text(std::string_view id_json, const IceServers& ice) {
  ObjectWriter out = message_of_type("ice", id_json);
  out.raw("iceServers", ice_servers_json(ice));
  return out.number("iceExpiresAt", wire_time(ice.expires_at)).finish();
}

std::string closed_text(std::string_view code) {
  return message_of_type("closed").text("code", code).finish();
}

std::string goaway_text(milliseconds reconnect_after, std::string_view url) {
  ObjectWriter out = message_of_type("goaway");
  out.text("reason", "drain").number("reconnectAfterMs", count_of(reconnect_after));
  if (!url.empty()) out.text("url", url);
  return out.finish();
}

std::string ping_text(std::uint64_t ts) {
  return message_of_type("ping").number("ts", ts).finish();
}

std::string error_text(const ErrorView& error) {
  ObjectWriter out = message_of_type("error", error.id_json);
  out.text("code", to_string(error.code)).text("message", error.text);
  if (error.retry_after) {
    out.number("retryAfterMs", count_of(*error.retry_after));
  } else {
    out.raw("retryAfterMs", "null");
  }
  return out.boolean("fatal", error.fatal).finish();
}

}  // namespace turnpike::signaling
