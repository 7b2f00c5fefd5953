#include "signaling/relay_door.h"

#include <algorithm>
#include <array>

#include "signaling/fields.h"
#include "signaling/http_target.h"
#include "signaling/json.h"
#include "signaling/limits.h"

namespace turnpike::signaling {
namespace {

constexpr std::string_view prefix = "/r/";
constexpr std::string_view files = "resources/upload_images/";
constexpr std::uint32_t counsel_parties = 2;

/// In the address, since such clients have no other place for it.
std::string token_of(const Request& request) {
  auto token = query_value(request.query, "token");
  if (!token) token = query_value(request.query, "key");
  return token.value_or("");
}

Response file_response(std::string_view name, const Blob& blob) {
  Response response{200};
  std::string disposition{blob.type.is_image ? "inline" : "attachment"};
  disposition.append("; filename=\"").append(name).append("\"");
  response.with("Content-Type", blob.type.content_type)
      .with("Content-Disposition", disposition)
      .with("Content-Security-Policy", "sandbox; default-src 'none'")
      .with("Cache-Control", "private, max-age=600");
  response.body = blob.bytes;
  return response;
}

Response no_such_thing() { return text_response(404, "There is nothing here."); }

}  // namespace

std::optional<RelayPath> parse_relay_path(std::string_view path) {
  if (!path.starts_with(prefix)) return std::nullopt;
  path.remove_prefix(prefix.size());
  RelayPath parsed{path.substr(0, path.find('/'))};
  if (parsed.room.empty() || !is_plain_text(parsed.room, bounds::room_bytes)) return std::nullopt;
  parsed.is_counsel = path.ends_with("/ertc");
  path.remove_prefix(std::min(parsed.room.size() + 1, path.size()));
  if (path.starts_with(files)) {
    parsed.file = path.substr(files.size());
    if (parsed.file.empty()) return std::nullopt;
  }
  return parsed;
}

std::vector<Route> RelayDoor::routes() const {
  Route route{std::string{prefix}, RouteKind::either, {Method::get}, true};
  route.max_message_bytes = settings_.max_message_bytes;
  return {std::move(route)};
}

void RelayDoor::on_asked(ConnectionId id, const Asked& asked, Now now) {
  const auto path = parse_relay_path(asked.request.path);
  if (!path || (asked.may_open && !path->file.empty())) {
    return doors_.respond(id, no_such_thing(), now);
  }
  if (!asked.may_open) return doors_.respond(id, answer_get(*path, now), now);
  const auto sockets = sockets_of_network_.find(subscriber_of(doors_.address_of(id)));
  if (sockets != sockets_of_network_.end() &&
      sockets->second >= settings_.max_sockets_per_address) {
    return doors_.respond(id, text_response(429, "There are too many from your address."), now);
  }
  doors_.open(id, now);
}

Response RelayDoor::answer_get(const RelayPath& path, Now now) const {
  if (path.file.empty()) {
    return text_response(426, "Rooms are for WebSockets.").with("Upgrade", "websocket");
  }
  const Blob* const blob = blobs_.find(path.room, path.file, now.instant);
  return blob == nullptr ? no_such_thing() : file_response(path.file, *blob);
}

void RelayDoor::on_opened(ConnectionId id, const Opened& opened, Now now) {
  if (const auto obstacle = enter(id, opened.request, now)) {
    doors_.close(id, close_code_of(*obstacle), to_string(*obstacle), now);
  }
}

std::optional<ErrorCode> RelayDoor::enter(ConnectionId id, const Request& request, Now now) {
  const auto path = parse_relay_path(request.path);
  if (!path || is_other_kind(path->room, path->is_counsel, 0)) return ErrorCode::forbidden;
  const IpAddress& address = doors_.address_of(id);
  Rooms::Entry entry{std::string{path->room}, token_of(request), "", std::nullopt, "relay"};
  if (path->is_counsel) entry.max = counsel_parties;
  const std::string origin{request.header("Origin").value_or("").substr(0, max_kept_origin_bytes)};
  const auto entered = doors_.rooms().enter(id, {address, origin}, entry, now, doors_.effects());
  if (!entered) return entered.error();
  Newcomer newcomer{std::move(entry.room), path->is_counsel, subscriber_of(address)};
  ++sockets_of_network_[newcomer.network];
  if (entered->empty()) {
    newcomers_.emplace(id, std::move(newcomer));
  } else {
    add_party(id, newcomer);
  }
  return std::nullopt;
}

void RelayDoor::add_party(ConnectionId id, const Newcomer& newcomer) {
  const auto room = rooms_
                        .try_emplace(newcomer.room, RelayRoom{newcomer.is_counsel,
                                                              OfferWindow{settings_.offer_window}})
                        .first;
  ++room->second.parties;
  parties_.emplace(id, Party{room, newcomer.network});
}

void RelayDoor::on_answer(ConnectionId id, const EntryAnswer& answer, Now now) {
  const auto found = newcomers_.find(id);
  if (found == newcomers_.end()) return;
  // Others may have come in since it was asked.
  const Newcomer& asked = found->second;
  const bool fits = answer.refusal || !is_other_kind(asked.room, asked.is_counsel, 1);
  const auto refusal = fits ? answer.refusal : ErrorCode::forbidden;
  if (refusal) return end(id, *refusal, now);
  const Newcomer newcomer = std::move(newcomers_.extract(found).mapped());
  add_party(id, newcomer);
  for (const auto& [is_text, message] : newcomer.said) {
    is_text ? on_text(id, message, now) : on_binary(id, message, now);
  }
}

bool RelayDoor::keep_if_new(ConnectionId id, bool is_text, std::string_view message, Now now) {
  const auto found = newcomers_.find(id);
  if (found == newcomers_.end()) return false;
  Newcomer& newcomer = found->second;
  newcomer.said_bytes += message.size();
  if (newcomer.said.size() == settings_.max_early_messages ||
      newcomer.said_bytes > settings_.max_early_bytes) {
    end(id, ErrorCode::rate_limited, now);
  } else {
    newcomer.said.push_back({is_text, std::string{message}});
  }
  return true;
}

bool RelayDoor::is_other_kind(std::string_view name, bool is_counsel, std::size_t newcomers) const {
  const auto room = rooms_.find(name);
  const std::size_t parties = room == rooms_.end() ? 0 : room->second.parties;
  if (parties > 0 && room->second.is_counsel != is_counsel) return true;
  // Some came in by another door?
  return doors_.rooms().peers(name).size() != parties + newcomers;
}

void RelayDoor::on_text(ConnectionId id, std::string_view text, Now now) {
  if (keep_if_new(id, true, text, now)) return;
  const auto party = parties_.find(id);
  if (party == parties_.end()) return;
  const Frame frame = make_frame(std::string{text});
  const auto room = party->second.room;
  std::vector<OfferWindow::Passed> passed;
  if (room->second.is_counsel && room->second.parties > 1) {
    room->second.window.on_text(id, frame, now.instant, passed);
    schedule(room);
  } else {
    passed.push_back({id, frame});
  }
  deliver(passed, now);
}

void RelayDoor::deliver(const std::vector<OfferWindow::Passed>& passed, Now now) {
  for (const auto& [from, frame] : passed) {
    const auto sent =
        doors_.rooms().forward(from, frame, Rooms::FrameKind::text, now, doors_.effects());
    if (!sent && sent.error() == ErrorCode::rate_limited) end(from, sent.error(), now);
  }
}

void RelayDoor::on_binary(ConnectionId id, std::string_view bytes, Now now) {
  if (keep_if_new(id, false, bytes, now)) return;
  const auto party = parties_.find(id);
  if (party == parties_.end()) return;
  if (party->second.binaries.take(settings_.binaries, now.instant) != RateMeter::Verdict::pass) {
    return end(id, ErrorCode::rate_limited, now);
  }
  if (!party->second.room->second.is_counsel) return doors_.send_binary(id, bytes, now);
  keep_file(id, party->second, bytes, now);
}

/// The clients have no word for a file that was not taken, so they hear none.
void RelayDoor::keep_file(ConnectionId id, const Party& party, std::string_view bytes, Now now) {
  const auto name = blobs_.put(party.room->first, party.network, bytes, now.instant);
  ++(name ? counters_.files : counters_.files_refused);
  if (!name) return;
  ObjectWriter message;
  message.text("type", "FILE2").text("msg", *name);
  const Frame frame = make_frame(message.finish());
  for (const ConnectionId other : doors_.rooms().others(id)) doors_.effects().text(other, frame);
  doors_.effects().text(id, frame);
}

void RelayDoor::on_ended(ConnectionId id, std::uint16_t, Now) {
  doors_.rooms().leave(id);
  forget(id);
}

void RelayDoor::perform(ConnectionId member, const Effect& effect, Now now) {
  if (const auto* const answer = std::get_if<EntryAnswer>(&effect)) {
    return on_answer(member, *answer, now);
  }
  doors_.carry_out(member, effect, now);
  if (std::holds_alternative<Close>(effect)) forget(member);
}

void RelayDoor::on_deadline(Now now) {
  blobs_.on_deadline(now.instant);
  while (!due_.empty() && due_.begin()->first <= now.instant) {
    const auto room = rooms_.find(due_.begin()->second);
    std::vector<OfferWindow::Passed> passed;
    room->second.window.on_deadline(now.instant, passed);
    schedule(room);
    deliver(passed, now);
  }
}

std::optional<Instant> RelayDoor::next_deadline() const {
  std::optional<Instant> first_due;
  if (!due_.empty()) first_due = due_.begin()->first;
  return earliest_of(blobs_.next_deadline(), first_due);
}

void RelayDoor::schedule(RoomTable::iterator room) {
  auto& [name, record] = *room;
  if (record.due) due_.erase({*record.due, name});
  record.due = record.window.next_deadline();
  if (record.due) due_.emplace(*record.due, name);
}

void RelayDoor::end(ConnectionId id, ErrorCode why, Now now) {
  doors_.close(id, close_code_of(why), to_string(why), now);
  doors_.rooms().leave(id);
  forget(id);
}

void RelayDoor::forget_socket_of(const IpAddress& network) {
  const auto sockets = sockets_of_network_.find(network);
  if (--sockets->second == 0) sockets_of_network_.erase(sockets);
}

void RelayDoor::forget(ConnectionId id) {
  if (const auto newcomer = newcomers_.extract(id))
    return forget_socket_of(newcomer.mapped().network);
  const auto party = parties_.find(id);
  if (party == parties_.end()) return;
  const auto room = party->second.room;
  forget_socket_of(party->second.network);
  parties_.erase(party);
  room->second.window.clear();
  schedule(room);
  if (--room->second.parties == 0) rooms_.erase(room);
}

}  // namespace turnpike::signaling
