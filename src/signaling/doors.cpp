#include "signaling/doors.h"

#include <algorithm>

#include "base/assert.h"
#include "signaling/error_code.h"
#include "signaling/http_text.h"

namespace turnpike::signaling {
namespace {

/// The client that the nearest proxy has seen: the last address of the list. What stands before it
/// was written by whoever the proxy spoke to.
std::optional<IpAddress> forwarded_for(const Request& request) {
  std::string list = request.list_header("X-Forwarded-For");
  return IpAddress::parse(trimmed(std::string_view{list}.substr(list.rfind(',') + 1)));
}

}  // namespace

void Doors::add(Door& door) {
  doors_.push_back(&door);
  const std::size_t first = routes_.size();
  for (Route& route : door.routes()) {
    routes_.push_back(std::move(route));
    route_owners_.push_back({&door, first});
  }
}

ConnectionId Doors::on_connected(HttpConnection& connection, const IpAddress& address, Peer peer) {
  const ConnectionId id{++last_id_};
  connections_.emplace(id, Record{&connection, address, peer});
  return id;
}

void Doors::on_events(ConnectionId id, std::vector<ConnectionEvent>& events, Now now) {
  add_events(id, events);
  settle(now);
}

void Doors::on_gone(ConnectionId id, Now now) {
  Record* const record = find(id);
  if (record == nullptr) return;
  std::vector<ConnectionEvent> events;
  record->connection->lost(events);
  on_events(id, events, now);
  connections_.erase(id);
}

void Doors::on_webhook_answer(ConnectionId member, const std::optional<WebhookAnswer>& answer,
                              Now now) {
  rooms_.on_webhook_answer(member, answer, now, effects_);
  settle(now);
}

void Doors::on_deadline(Now now) {
  rooms_.on_deadline(now, effects_);
  for (Door* const door : doors_) door->on_deadline(now);
  settle(now);
}

std::optional<Instant> Doors::next_deadline() const {
  std::optional<Instant> next = rooms_.next_deadline();
  for (const Door* const door : doors_) next = earliest_of(next, door->next_deadline());
  return next;
}

std::vector<ConnectionId> Doors::take_touched() {
  std::vector<ConnectionId> touched = std::exchange(touched_, {});
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  return touched;
}

const IpAddress& Doors::address_of(ConnectionId id) const { return connections_.at(id).address; }

bool Doors::is_operator(ConnectionId id) const {
  const auto found = connections_.find(id);
  return found != connections_.end() && found->second.peer == Peer::operator_of_host;
}

void Doors::respond(ConnectionId id, Response response, Now now) {
  Record* const record = find(id);
  if (record == nullptr || record->asked == nullptr) return;
  record->asked = nullptr;
  add_cors_headers(response, record->verdict, record->question);
  std::vector<ConnectionEvent> events;
  record->connection->respond(response, now, events);
  touched_.push_back(id);
  add_events(id, events);
}

void Doors::begin_stream(ConnectionId id, Response head, Now now) {
  Record* const record = find(id);
  if (record == nullptr || record->asked == nullptr) return;
  add_cors_headers(head, record->verdict, record->question);
  std::vector<ConnectionEvent> events;
  record->connection->begin_stream(head, now, events);
  touched_.push_back(id);
  add_events(id, events);
}

bool Doors::send_part(ConnectionId id, std::string_view text, Now now) {
  Record* const record = find(id);
  if (record == nullptr || record->asked == nullptr) return true;
  touched_.push_back(id);
  return record->connection->send_part(text, now.instant);
}

void Doors::end_stream(ConnectionId id, Now now) {
  Record* const record = find(id);
  if (record == nullptr || std::exchange(record->asked, nullptr) == nullptr) return;
  touched_.push_back(id);
  record->connection->end_stream(now.instant);
}

void Doors::open(ConnectionId id, Now now) {
  Record* const record = find(id);
  if (record == nullptr || record->asked == nullptr) return;
  record->asked = nullptr;
  std::vector<ConnectionEvent> events;
  record->connection->open(now, events);
  touched_.push_back(id);
  add_events(id, events);
}

void Doors::send_text(ConnectionId id, std::string_view text, Now now) {
  HttpConnection* const socket = open_socket(id);
  if (socket != nullptr && !socket->send_text(text, now.instant)) end_slow_reader(id);
}

void Doors::send_binary(ConnectionId id, std::string_view bytes, Now now) {
  HttpConnection* const socket = open_socket(id);
  if (socket != nullptr && !socket->send_binary(bytes, now.instant)) end_slow_reader(id);
}

void Doors::close(ConnectionId id, std::uint16_t code, std::string_view reason, Now now) {
  HttpConnection* const socket = open_socket(id);
  if (socket == nullptr) return;
  socket->close(code, reason, now.instant);
  owners_.erase(id);
}

void Doors::carry_out(ConnectionId id, const Effect& effect, Now now) {
  if (const auto* const text = std::get_if<SendText>(&effect)) {
    send_text(id, *text->frame, now);
  } else if (const auto* const binary = std::get_if<SendBinary>(&effect)) {
    send_binary(id, *binary->frame, now);
  } else if (const auto* const closing = std::get_if<Close>(&effect)) {
    close(id, closing->code, closing->reason, now);
  }
}

ConnectionId Doors::new_member(Door& door) {
  const ConnectionId id{++last_id_};
  owners_.emplace(id, &door);
  return id;
}

/// What doors do in answer to events makes further ones, and so do effects: until all is quiet.
void Doors::settle(Now now) {
  while (!pending_.empty() || !effects_.list().empty()) {
    carry_out_effects(now);
    if (pending_.empty()) continue;
    const Occurrence occurrence = std::move(pending_.front());
    pending_.pop_front();
    dispatch(occurrence, now);
  }
}

void Doors::dispatch(const Occurrence& occurrence, Now now) {
  const auto& [id, event] = occurrence;
  if (const auto* const asked = std::get_if<Asked>(&event)) return dispatch_asked(id, *asked, now);
  if (const auto* const opened = std::get_if<Opened>(&event)) {
    return dispatch_opened(id, *opened, now);
  }
  if (std::holds_alternative<Withdrawn>(event)) {
    Record* const record = find(id);
    Door* const door = record == nullptr ? nullptr : std::exchange(record->asked, nullptr);
    if (door != nullptr) door->on_withdrawn(id, now);
    return;
  }
  Door* const door = owner_of(id);
  if (door == nullptr) return;  // closed from here, with events still under way
  if (const auto* const text = std::get_if<WebSocketText>(&event)) {
    door->on_text(id, text->text, now);
  } else if (const auto* const binary = std::get_if<WebSocketBinary>(&event)) {
    door->on_binary(id, binary->bytes, now);
  } else {
    owners_.erase(id);
    door->on_ended(id, std::get<Ended>(event).code, now);
  }
}

void Doors::dispatch_asked(ConnectionId id, Asked asked, Now now) {
  Record* const record = find(id);
  if (record == nullptr) return;
  learn_address(*record, asked.request);
  const RouteOwner& owner = route_owners_.at(asked.route);
  record->asked = owner.door;
  record->verdict = asked.verdict;
  record->question = {};
  if (const auto origin = asked.request.header("Origin")) {
    record->question.headers.push_back({"Origin", std::string{*origin}});
  }
  asked.route -= owner.first_route;
  owner.door->on_asked(id, asked, now);
}

void Doors::dispatch_opened(ConnectionId id, Opened opened, Now now) {
  if (Record* const record = find(id)) learn_address(*record, opened.request);
  const RouteOwner& owner = route_owners_.at(opened.route);
  owners_[id] = owner.door;
  opened.route -= owner.first_route;
  owner.door->on_opened(id, opened, now);
}

void Doors::learn_address(Record& record, const Request& request) {
  if (record.peer != Peer::reverse_proxy) return;
  if (const auto client = forwarded_for(request)) record.address = *client;
}

void Doors::carry_out_effects(Now now) {
  // By index, and copied: carrying one out may add further ones.
  for (std::size_t i = 0; i < effects_.list().size(); ++i) {
    const Effect effect = effects_.list()[i];
    if (const auto* const question = std::get_if<AskWebhook>(&effect)) {
      questions_.push_back(*question);
      continue;
    }
    const ConnectionId member = member_of(effect);
    if (Door* const door = owner_of(member)) door->perform(member, effect, now);
  }
  effects_.clear();
}

void Doors::add_events(ConnectionId id, std::vector<ConnectionEvent>& events) {
  for (ConnectionEvent& event : events) pending_.push_back({id, std::move(event)});
  events.clear();
}

Doors::Record* Doors::find(ConnectionId id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : &found->second;
}

Door* Doors::owner_of(ConnectionId member) const {
  const auto found = owners_.find(member);
  return found == owners_.end() ? nullptr : found->second;
}

HttpConnection* Doors::open_socket(ConnectionId id) {
  Record* const record = find(id);
  if (record == nullptr || !owners_.contains(id)) return nullptr;
  touched_.push_back(id);
  return record->connection;
}

/// Its close frame is written, and HttpConnection will report nothing: the door hears it from here.
void Doors::end_slow_reader(ConnectionId id) {
  pending_.push_back({id, Ended{close_codes::abnormal}});
}

}  // namespace turnpike::signaling
