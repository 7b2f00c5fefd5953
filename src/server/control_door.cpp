#include "server/control_door.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "server/control_reply.h"
#include "server/log.h"
#include "signaling/fields.h"
#include "signaling/http_target.h"
#include "signaling/json.h"
#include "signaling/rest_reply.h"

namespace turnpike::server {

using signaling::ArrayWriter;
using signaling::error_response;
using signaling::json_response;
using signaling::Method;
using signaling::ObjectWriter;
using signaling::query_value;
using signaling::Response;

namespace {

constexpr seconds tick_time{1};
constexpr std::string_view ready_path = "/readyz";

/// Refusals that tell of wrong or stolen credentials.
constexpr std::array<turn::Reason, 4> failures{
    turn::Reason::refused_unknown_user, turn::Reason::refused_expired_user,
    turn::Reason::refused_wrong_password, turn::Reason::refused_bad_credentials};

Response bad_request(std::string_view sentence) { return error_response(400, sentence); }

Response no_such_allocation() { return error_response(404, "There is no such allocation."); }

Response too_busy() { return error_response(503, "A worker is too busy to answer."); }

std::string text_of(const std::optional<std::string>& text) { return text.value_or(std::string{}); }

/// What the query says of the allocations that are meant. Error: the sentence to answer.
Result<AllocationFilter, std::string> read_filter(const std::string& query) {
  AllocationFilter filter;
  filter.user = text_of(query_value(query, "user"));
  if (const auto client = query_value(query, "client")) {
    filter.client = IpAddress::parse(*client);
    if (!filter.client) return Failure{std::string{"client must be an IP address."}};
  }
  if (const auto transport = query_value(query, "transport")) {
    if (*transport != "udp" && *transport != "tcp") {
      return Failure{std::string{"transport, of the relay, must be udp or tcp."}};
    }
    filter.peer_transport =
        *transport == "udp" ? turn::PeerTransport::udp : turn::PeerTransport::tcp;
  }
  return filter;
}

std::optional<AllocationOrder> read_order(const std::string& query) {
  const std::string name = query_value(query, "sort").value_or("id");
  if (name == "id") return AllocationOrder::name;
  if (name == "bytes") return AllocationOrder::bytes;
  if (name == "bitrate") return AllocationOrder::bitrate;
  return std::nullopt;
}

void add(turn::Traffic& sum, const turn::Traffic& more) {
  sum.packets_to_peer += more.packets_to_peer;
  sum.bytes_to_peer += more.bytes_to_peer;
  sum.packets_to_client += more.packets_to_client;
  sum.bytes_to_client += more.bytes_to_client;
}

std::string texts_json(const std::vector<std::string>& texts) {
  ArrayWriter out;
  for (const std::string& text : texts) out.text(text);
  return out.finish();
}

}  // namespace

// --- Which request is answered by what -----------------------------------------------------------

struct ControlDoor::Row {
  Method method;
  std::string_view path;
  Reply (ControlDoor::*answer)(const Call&);
};

std::span<const ControlDoor::Row> ControlDoor::table() {
  static constexpr std::array<Row, 26> rows{{
      {Method::get, "/v1/status", &ControlDoor::get_status},
      {Method::get, "/v1/allocations", &ControlDoor::list_allocations},
      {Method::del, "/v1/allocations", &ControlDoor::end_allocations},
      {Method::get, "/v1/allocations/{id}", &ControlDoor::get_allocation},
      {Method::del, "/v1/allocations/{id}", &ControlDoor::end_allocation},
      {Method::post, "/v1/drain", &ControlDoor::begin_drain},
      {Method::del, "/v1/drain", &ControlDoor::end_drain},
      {Method::post, "/v1/reload", &ControlDoor::reload},
      {Method::get, "/v1/events", &ControlDoor::stream_events},
      {Method::get, "/v1/usage", &ControlDoor::list_usage},
      {Method::get, "/v1/users", &ControlDoor::list_users},
      {Method::post, "/v1/users", &ControlDoor::create_user},
      {Method::get, "/v1/users/{name}", &ControlDoor::get_user},
      {Method::patch, "/v1/users/{name}", &ControlDoor::change_user},
      {Method::del, "/v1/users/{name}", &ControlDoor::remove_user},
      {Method::post, "/v1/users/{name}/revoke", &ControlDoor::revoke_user},
      {Method::del, "/v1/users/{name}/revoke", &ControlDoor::restore_user},
      {Method::get, "/v1/revocations", &ControlDoor::list_revocations},
      {Method::get, "/v1/secrets", &ControlDoor::list_secrets},
      {Method::post, "/v1/secrets", &ControlDoor::rotate_secret},
      {Method::del, "/v1/secrets/{id}", &ControlDoor::remove_secret},
      {Method::get, "/v1/keys", &ControlDoor::list_keys},
      {Method::post, "/v1/keys", &ControlDoor::create_key},
      {Method::del, "/v1/keys/{id}", &ControlDoor::revoke_key},
      {Method::get, "/v1/audit", &ControlDoor::list_changes},
      {Method::post, "/v1/store/changed", &ControlDoor::note_store_change},
  }};
  return rows;
}

ControlDoor::ControlDoor(Settings settings, Hooks hooks, signaling::RestGate& gate,
                         signaling::Doors& doors, Mailboxes& workers, ControlInbox& inbox,
                         StoreThread* store)
    : settings_(std::move(settings)),
      hooks_(std::move(hooks)),
      gate_(gate),
      doors_(doors),
      workers_(workers),
      inbox_(inbox),
      store_(store),
      is_told_(workers.size(), true),
      tick_at_(settings_.started.instant + tick_time),
      usage_at_(settings_.started.instant + settings_.usage_period) {
  want_news();
}

/// Of allocations: usage goes into the store, and who listens hears of them.
void ControlDoor::want_news() { inbox_.want_allocations(store_ != nullptr || !events_.empty()); }

std::vector<signaling::RestOperation> ControlDoor::operations() {
  std::vector<signaling::RestOperation> all;
  for (const Row& row : table()) all.push_back({row.method, row.path});
  return all;
}

std::vector<signaling::Route> ControlDoor::routes() const {
  std::vector<signaling::Route> all = signaling::routes_of(operations());
  signaling::Route ready{std::string{ready_path}, signaling::RouteKind::application, {Method::get}};
  ready.is_for_operators = true;
  all.push_back(std::move(ready));
  return all;
}

void ControlDoor::on_asked(signaling::ConnectionId id, const signaling::Asked& asked, Now now) {
  if (auto response = answer(id, asked.request, now)) respond(id, std::move(*response), now);
}

void ControlDoor::respond(signaling::ConnectionId id, Response response, Now now) {
  doors_.respond(id, std::move(response), now);
}

std::optional<Response> ControlDoor::answer(signaling::ConnectionId id,
                                            const signaling::Request& request, Now now) {
  if (request.path == ready_path) return readiness();
  const auto key = gate_.admit(id, request, now);
  if (!key) return key.error();
  auto match = signaling::match_operation(operations(), request);
  if (!match) return match.error();
  Call call{id,
            request,
            *key == nullptr ? std::string{"control socket"} : "key " + (*key)->id,
            std::move(match->parameters),
            signaling::Json::object(),
            now};
  if (request.method == Method::post || request.method == Method::patch) {
    auto body = signaling::read_json_body(request);
    if (!body) return body.error();
    call.body = *std::move(body);
  }
  return (this->*table()[match->operation].answer)(call);
}

void ControlDoor::on_withdrawn(signaling::ConnectionId id, Now) {
  events_.forget(id);
  want_news();
  std::erase_if(questions_, [id](const auto& each) { return each.second.client == id; });
  std::erase_if(store_questions_, [id](const auto& each) {
    return each.second.client == id && each.second.revoked_user.empty();
  });
}

// --- The server ----------------------------------------------------------------------------------

Response ControlDoor::readiness() const {
  const bool usage_is_written = store_ == nullptr || !store_->counters().is_failing;
  const Readiness found =
      readiness_of({is_draining_, hooks_.capacity(), hooks_.sources(), usage_is_written});
  return signaling::text_response(found.is_ready() ? 200 : 503, found.text());
}

std::string ControlDoor::store_json() const {
  if (store_ == nullptr) return "null";
  const StoreThread::Counters counters = store_->counters();
  ObjectWriter out;
  out.boolean("failing", counters.is_failing).number("usageWritten", counters.written);
  return out.number("usageWaiting", counters.waiting)
      .number("usageLost", counters.lost + inbox_.lost())
      .number("usageNoted", counters.noted)
      .finish();
}

ControlDoor::Reply ControlDoor::get_status(const Call& call) {
  const auto uptime = std::chrono::floor<seconds>(call.now.instant - settings_.started.instant);
  const Capacity capacity = hooks_.capacity();
  ObjectWriter out;
  out.text("version", settings_.version).boolean("draining", is_draining_);
  out.text("startedAt", signaling::rfc3339(settings_.started.wall));
  out.number("uptimeSeconds", static_cast<std::uint64_t>(std::max(uptime, seconds{0}).count()));
  out.number("workers", workers_.size()).raw("listeners", texts_json(settings_.listeners));
  out.number("allocations", capacity.allocations);
  out.number("maxAllocations", capacity.max_allocations);
  out.number("relayPorts", capacity.ports).number("freeRelayPorts", capacity.free_ports);
  out.number("rooms", doors_.rooms().room_count()).number("peers", doors_.rooms().member_count());
  out.number("connections", doors_.connection_count());
  return json_response(200, out.raw("store", store_json()).finish());
}

ControlDoor::Reply ControlDoor::begin_drain(const Call& call) {
  set_draining(true, call.now);
  return get_status(call);
}

ControlDoor::Reply ControlDoor::end_drain(const Call& call) {
  set_draining(false, call.now);
  return get_status(call);
}

void ControlDoor::set_draining(bool is_draining, Now now) {
  if (is_draining_ == is_draining) return;
  is_draining_ = is_draining;
  is_told_.assign(is_told_.size(), false);
  tell_workers_to_drain();
  if (is_draining) {
    doors_.rooms().drain("", now, doors_.effects());
  } else {
    doors_.rooms().end_drain();
  }
  if (is_draining) {
    log_event(LogLevel::info, "draining");
  } else {
    log_event(LogLevel::info, "drain_ended");
  }
  ObjectWriter out;
  events_.publish(is_draining ? "drain.begun" : "drain.ended",
                  out.text("at", signaling::rfc3339(now.wall)).finish(), now);
}

/// Tried again at the next tick where a worker had no room for the letter.
void ControlDoor::tell_workers_to_drain() {
  for (std::size_t i = 0; i < is_told_.size(); ++i) {
    const auto worker = turn::WorkerId{static_cast<std::uint8_t>(i)};
    if (!is_told_[i]) is_told_[i] = send(worker, 0, DrainOrder{is_draining_});
  }
}

ControlDoor::Reply ControlDoor::reload(const Call& call) {
  if (!hooks_.reload) return error_response(404, "This server cannot reload.");
  const ReloadReport report = hooks_.reload();
  ObjectWriter out;
  out.boolean("reloaded", report.succeeded()).raw("errors", texts_json(report.errors));
  out.raw("changed", texts_json(report.changed));
  std::string json = out.raw("needsRestart", texts_json(report.needs_restart)).finish();
  events_.publish("reload", json, call.now);
  return json_response(report.succeeded() ? 200 : 422, std::move(json));
}

ControlDoor::Reply ControlDoor::stream_events(const Call& call) {
  if (call.request.method == Method::head) return Response{200};
  if (events_.empty()) last_reasons_ = hooks_.reasons();
  if (!events_.open(call.id, call.now)) {
    return error_response(503, "Too many are listening to events already.");
  }
  want_news();
  return std::nullopt;
}

ControlDoor::Reply ControlDoor::note_store_change(const Call&) {
  if (hooks_.store_changed) hooks_.store_changed();
  return Response{204};
}

// --- Allocations ---------------------------------------------------------------------------------

ControlDoor::Reply ControlDoor::list_allocations(const Call& call) {
  const std::string& query = call.request.query;
  auto filter = read_filter(query);
  if (!filter) return bad_request(filter.error());
  const auto limit = signaling::page_size(call.request);
  if (!limit) return limit.error();
  const auto order = read_order(query);
  if (!order) return bad_request("sort must be id, bytes or bitrate.");
  ListOrder list{*std::move(filter), *order, std::nullopt, *limit + 1, 0};
  if (const auto after = query_value(query, "after")) {
    list.after = turn::parse_allocation_name(*after);
    if (!list.after) return bad_request("after must be the id of an allocation.");
    if (*order != AllocationOrder::name) return bad_request("after goes with sort=id alone.");
  }
  return ask_workers({call.id, std::move(list)}, call.now);
}

ControlDoor::Reply ControlDoor::get_allocation(const Call& call) {
  const auto name = turn::parse_allocation_name(call.parameters[0]);
  if (!name) return no_such_allocation();
  return ask_worker(name->worker, {call.id, ShowOrder{*name}}, call.now);
}

ControlDoor::Reply ControlDoor::end_allocation(const Call& call) {
  const auto name = turn::parse_allocation_name(call.parameters[0]);
  if (!name) return no_such_allocation();
  record(call, "allocation.end", call.parameters[0]);
  return ask_worker(name->worker, {call.id, EndOrder{*name}}, call.now);
}

ControlDoor::Reply ControlDoor::end_allocations(const Call& call) {
  std::string user = text_of(query_value(call.request.query, "user"));
  if (user.empty()) return bad_request("user must say whose allocations are to end.");
  record(call, "allocation.end", user);
  return ask_workers({call.id, EndAllOrder{std::move(user), turn::CloseReason::killed}}, call.now);
}

// --- Questions to workers ------------------------------------------------------------------------

ControlDoor::Reply ControlDoor::ask_workers(Question question, Now now) {
  question.deadline = now.instant + settings_.patience;
  question.outstanding = workers_.size();
  const std::uint64_t number = ++last_question_;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const auto worker = turn::WorkerId{static_cast<std::uint8_t>(i)};
    if (!send(worker, number, question.order)) return too_busy();
  }
  questions_.emplace(number, std::move(question));
  return std::nullopt;
}

ControlDoor::Reply ControlDoor::ask_worker(turn::WorkerId worker, Question question, Now now) {
  if (static_cast<std::size_t>(worker) >= workers_.size()) return no_such_allocation();
  question.deadline = now.instant + settings_.patience;
  question.outstanding = 1;
  const std::uint64_t number = ++last_question_;
  if (!send(worker, number, question.order)) return too_busy();
  questions_.emplace(number, std::move(question));
  return std::nullopt;
}

bool ControlDoor::send(turn::WorkerId worker, std::uint64_t question, const Order& order) {
  Mail mail;
  mail.add(OrderLetter{question, order});
  return workers_.of(worker).deliver(mail);
}

void ControlDoor::on_news(std::vector<ControlNews> news, Now now) {
  for (ControlNews& each : news) {
    std::visit([this, now](auto& one) { on(one, now); }, each);
  }
}

void ControlDoor::on(WorkerAnswer& answer, Now now) {
  const auto found = questions_.find(answer.question);
  if (found == questions_.end()) return;  // nobody waits any more
  Question& question = found->second;
  WorkerAnswer& sum = question.sum;
  sum.count += answer.count;
  add(sum.traffic, answer.traffic);
  std::move(answer.rows.begin(), answer.rows.end(), std::back_inserter(sum.rows));
  if (auto* const list = std::get_if<ListOrder>(&question.order)) {
    keep_first(sum.rows, list->order, list->limit);
    if (answer.next_slot) {
      list->first_slot = *answer.next_slot;
      if (send(answer.worker, answer.question, *list)) return;
    }
  }
  if (--question.outstanding > 0) return;
  respond(question.client, finish(question, now), now);
  questions_.erase(answer.question);
}

/// The answer to a question that all have answered.
Response ControlDoor::finish(Question& question, Now now) {
  WorkerAnswer& sum = question.sum;
  if (const auto* const list = std::get_if<ListOrder>(&question.order)) {
    const bool is_last = sum.rows.size() < list->limit;
    if (!is_last) sum.rows.pop_back();
    ArrayWriter rows;
    for (const AllocationRow& row : sum.rows) rows.raw(allocation_json(row, now.wall));
    ObjectWriter out;
    out.raw("allocations", rows.finish()).number("total", sum.count);
    out.raw("traffic", traffic_json(sum.traffic));
    const bool has_next = !is_last && list->order == AllocationOrder::name;
    if (has_next) out.text("next", to_string(sum.rows.back().name));
    return json_response(200, out.finish());
  }
  if (std::holds_alternative<ShowOrder>(question.order)) {
    if (sum.rows.empty()) return no_such_allocation();
    return json_response(200, allocation_json(sum.rows.front(), now.wall));
  }
  if (std::holds_alternative<EndOrder>(question.order)) {
    return sum.count == 0 ? no_such_allocation() : Response{204};
  }
  ObjectWriter out;
  if (question.is_revoked) out.boolean("revoked", *question.is_revoked);
  return json_response(200, out.number("ended", sum.count).finish());
}

void ControlDoor::give_up_overdue(Now now) {
  for (auto each = questions_.begin(); each != questions_.end();) {
    if (each->second.deadline > now.instant) {
      ++each;
      continue;
    }
    respond(each->second.client, too_busy(), now);
    each = questions_.erase(each);
  }
}

// --- What happens --------------------------------------------------------------------------------

void ControlDoor::on(const OpenedNews& news, Now now) {
  if (!events_.empty()) events_.publish("allocation.opened", event_json(news), now);
}

void ControlDoor::on(const ClosedNews& news, Now now) {
  if (store_ != nullptr) store_->add_usage(usage_record(news));
  if (!events_.empty()) events_.publish("allocation.closed", event_json(news), now);
}

/// For the case that the server does not live to tell the ends (ADR 0043).
void ControlDoor::ask_for_live_usage(Now now) {
  usage_at_ = now.instant + settings_.usage_period;
  if (hooks_.capacity().allocations > 0) workers_.tell_all(LiveUsageLetter{});
}

void ControlDoor::on(const LiveUsage& usage, Now) {
  if (store_ == nullptr) return;
  std::vector<store::UsageRecord> records;
  records.reserve(usage.rows.size());
  for (const AllocationRow& row : usage.rows) records.push_back(usage_record(row, usage.at));
  if (!records.empty()) store_->note_live_usage(std::move(records));
  if (!usage.next_slot) return;
  Mail mail;
  mail.add(LiveUsageLetter{*usage.next_slot});
  static_cast<void>(workers_.of(usage.worker).deliver(mail));  // no room: the rest next time
}

void ControlDoor::on_room_event(const signaling::RoomEvent& event, Now now) {
  if (events_.empty()) return;
  const std::string json = signaling::to_json(event, now.wall);
  const auto parsed = signaling::parse_json(json, 8);
  const std::string type = parsed ? parsed->value("type", std::string{}) : std::string{};
  events_.publish(type, json, now);
}

/// Failed attempts come by the thousand: one event a second says how many.
void ControlDoor::summarise_failures(Now now) {
  const ReasonTotals totals = hooks_.reasons();
  ObjectWriter counts;
  std::uint64_t all = 0;
  for (const turn::Reason reason : failures) {
    const auto index = static_cast<std::size_t>(reason);
    const std::uint64_t since = totals.at(index) - last_reasons_.at(index);
    if (since > 0) counts.number(turn::to_string(reason), since);
    all += since;
  }
  last_reasons_ = totals;
  if (all == 0) return;
  ObjectWriter out;
  out.text("at", signaling::rfc3339(now.wall)).number("count", all);
  events_.publish("auth.failed", out.raw("reasons", counts.finish()).finish(), now);
}

std::optional<Instant> ControlDoor::next_deadline() const {
  const bool is_idle =
      events_.empty() && questions_.empty() &&
      std::all_of(is_told_.begin(), is_told_.end(), [](bool told) { return told; });
  if (store_ == nullptr) return is_idle ? std::nullopt : std::optional{tick_at_};
  return is_idle ? usage_at_ : std::min(tick_at_, usage_at_);
}

void ControlDoor::on_deadline(Now now) {
  if (store_ != nullptr && now.instant >= usage_at_) ask_for_live_usage(now);
  if (now.instant < tick_at_) return;
  tick_at_ = now.instant + tick_time;
  tell_workers_to_drain();
  give_up_overdue(now);
  if (events_.empty()) return;
  summarise_failures(now);
  events_.tick(now);
}

}  // namespace turnpike::server
