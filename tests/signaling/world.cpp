#include "signaling/world.h"

#include <stdexcept>

#include "catch.h"

namespace turnpike::signaling::test {
namespace {

constexpr seconds first_instant{1'000'000};
constexpr seconds first_wall{1'800'000'000};

Rooms::Settings rooms_settings(const WorldSettings& world) {
  Rooms::Settings settings;
  settings.limits = world.limits;
  settings.auth = world.auth;
  settings.create_on_demand = world.create_on_demand;
  settings.reports_events = world.reports_events;
  settings.version = "1.0.0";
  settings.node = "n1";
  settings.region = "kr";
  settings.hash_seed = HashSeed{world.seed};
  return settings;
}

}  // namespace

Limits WorldSettings::default_limits() {
  Limits limits;
  limits.joins_per_minute = 0;
  return limits;
}

IceServers FakeIce::ice_servers(const IceRequest& request, WallTime now_wall) {
  ++made;
  const WallTime expires = now_wall + request.ttl;
  const std::string username = std::to_string(expires.time_since_epoch().count()) + ":" +
                               std::string{request.peer} + "@" + std::string{request.room};
  return {{{{"stun:t.example:3478"}, "", ""},
           {{"turn:t.example:3478?transport=udp", "turns:t.example:443?transport=tcp"},
            username,
            "credential-" + std::to_string(made)}},
          expires};
}

// --- Client --------------------------------------------------------------------------------------

Client::Client(World& world, std::string_view address)
    : world_(&world), address_(IpAddress::parse(address).value()) {}

void Client::connect() {
  if (connected_) world_->by_connection_.erase(id_);
  id_ = world_->next_connection();
  world_->by_connection_[id_] = this;
  connected_ = true;
  closed_.reset();
  world_->rooms_.on_connected(id_, {address_, "https://app.example"}, world_->now(),
                              world_->effects_);
  world_->carry_out();
}

void Client::drop(std::uint16_t code) {
  world_->by_connection_.erase(id_);
  connected_ = false;
  world_->rooms_.on_closed(id_, code, world_->now(), world_->effects_);
  world_->carry_out();
}

void Client::say_text(std::string_view text) {
  world_->rooms_.on_text(id_, text, world_->now(), world_->effects_);
  world_->carry_out();
}

void Client::say(const Json& message) { say_text(message.dump()); }

Json Client::ask(const Json& message) {
  ignore_all();
  say(message);
  return hear();
}

Json Client::join(std::string_view wanted, const Json& more) {
  if (!connected_) connect();
  room = wanted;
  Json message = {{"type", "join"}, {"room", wanted}, {"name", name}, {"meta", meta}};
  if (!token.empty()) message["token"] = token;
  message.update(more);
  ignore_all();
  say(message);
  return inbox_.empty() ? Json{} : hear();
}

Json Client::resume(const Json& more) {
  connect();
  Json with = {{"resume", ticket}, {"lastSeq", last_seq}};
  with.update(more);
  return join(room, with);
}

Json Client::hear() {
  if (inbox_.empty()) throw std::runtime_error(name + " hears nothing");
  Json message = inbox_.front();
  inbox_.pop_front();
  return message;
}

Json Client::hear(std::string_view type) {
  Json message = hear();
  if (message["type"] != type) {
    throw std::runtime_error(name + " expected " + std::string{type} + ", heard " + message.dump());
  }
  return message;
}

void Client::receive(const std::string& text) {
  if (!connected_) throw std::runtime_error("sent to a closed connection: " + text);
  const Json message = Json::parse(text);
  last_text = text;
  if (message["type"] == "ping") {
    if (answers_pings) {
      world_->rooms_.on_text(id_, Json{{"type", "pong"}, {"ts", message["ts"]}}.dump(),
                             world_->now(), world_->effects_);
    }
    return;
  }
  if (message["type"] == "joined") {
    peer = message["self"]["peer"];
    ticket = message["resume"]["ticket"];
    if (!message.contains("resumed")) last_seq = 0;
  }
  if (message.contains("seq")) last_seq = message["seq"];
  inbox_.push_back(message);
}

void Client::end(Closed closed) {
  if (!connected_) throw std::runtime_error("closed twice");
  connected_ = false;
  closed_ = std::move(closed);
}

// --- World ---------------------------------------------------------------------------------------

World::World(WorldSettings settings)
    : random_(settings.seed),
      keys_({TokenKey{"k1", HmacSha256Key{bytes_of(key_secret)}},
             TokenKey{"k2", HmacSha256Key{bytes_of("another secret of at least 32 bytes")}}}),
      rooms_(rooms_settings(settings), keys_, ice_, random_) {}

Client& World::client(std::string_view address) {
  return *clients_.emplace_back(std::make_unique<Client>(*this, address));
}

Client& World::member(std::string_view room, std::string_view name) {
  Client& client = this->client();
  client.name = name;
  const Json reply = client.join(room);
  if (reply["type"] != "joined") throw std::runtime_error("no join: " + reply.dump());
  for (const auto& other : clients_) {
    if (other->room == room && other->connected_) other->ignore_all();
  }
  return client;
}

Client& World::with_role(std::string_view room, Role role, std::string_view subject) {
  Claims with = claims(room);
  with.role = role;
  with.subject = subject;
  Client& client = this->client();
  client.token = mint(with);
  client.name = to_string(role);
  const Json reply = client.join(room);
  if (reply["type"] != "joined") throw std::runtime_error("no join: " + reply.dump());
  for (const auto& other : clients_) {
    if (other->room == room && other->connected_) other->ignore_all();
  }
  return client;
}

Claims World::claims(std::string_view room) const {
  Claims claims;
  claims.room = room;
  claims.expires = now().wall + 1h;
  return claims;
}

std::string World::mint(const Claims& claims) const {
  return mint_token(claims, "k1", HmacSha256Key{bytes_of(key_secret)});
}

Now World::now() const {
  return {Instant{first_instant} + elapsed_,
          WallTime{first_wall} + std::chrono::floor<seconds>(elapsed_)};
}

void World::advance(milliseconds duration) {
  const nanoseconds end = elapsed_ + duration;
  for (auto due = rooms_.next_deadline(); due && *due <= Instant{first_instant} + end;
       due = rooms_.next_deadline()) {
    elapsed_ = std::max(elapsed_, due->time_since_epoch() - nanoseconds{first_instant});
    rooms_.on_deadline(now(), effects_);
    carry_out();
  }
  elapsed_ = end;
}

void World::answer(const std::optional<WebhookAnswer>& answer) {
  if (questions_.empty()) throw std::runtime_error("the webhook was not asked");
  const AskWebhook question = questions_.front();
  questions_.pop_front();
  rooms_.on_webhook_answer(question.connection, answer, now(), effects_);
  carry_out();
}

void World::carry_out() {
  // By index and by value: answering a ping appends.
  for (std::size_t i = 0; i < effects_.list().size(); ++i) {
    const Effect effect = effects_.list()[i];
    if (const auto* const text = std::get_if<SendText>(&effect)) {
      const auto at = by_connection_.find(text->to);
      if (at != by_connection_.end()) {
        at->second->receive(*text->frame);
      } else {
        foreign_.push_back(std::to_string(static_cast<std::uint64_t>(text->to)) +
                           " t:" + *text->frame);
      }
    } else if (const auto* const binary = std::get_if<SendBinary>(&effect)) {
      foreign_.push_back(std::to_string(static_cast<std::uint64_t>(binary->to)) +
                         " b:" + *binary->frame);
    } else if (const auto* const close = std::get_if<Close>(&effect)) {
      const auto at = by_connection_.find(close->connection);
      if (at != by_connection_.end()) {
        Client* const client = at->second;
        by_connection_.erase(at);
        client->end({close->code, close->reason});
      } else {
        foreign_.push_back(std::to_string(static_cast<std::uint64_t>(close->connection)) +
                           " closed:" + std::to_string(close->code));
      }
    } else if (const auto* const answer = std::get_if<EntryAnswer>(&effect)) {
      const std::string what =
          answer->refusal ? std::string{to_string(*answer->refusal)} : "member";
      foreign_.push_back(std::to_string(static_cast<std::uint64_t>(answer->connection)) + " " +
                         what);
    } else {
      questions_.push_back(std::get<AskWebhook>(effect));
    }
  }
  effects_.clear();
}

}  // namespace turnpike::signaling::test
