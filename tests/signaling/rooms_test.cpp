#include "signaling/rooms.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "catch.h"
#include "signaling/world.h"

namespace turnpike::signaling::test {

TEST_CASE("what is no JSON object ends the connection, and the peer may come back",
          "[signaling][H20]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  const auto text =
      GENERATE(as<std::string>{}, "", "hello", "[]", "42", "{", R"({"type":"leave"}x)",
               R"({"type":"leave","type":"end"})", "{\"type\":\"\xff\"}");
  CAPTURE(text);
  mina.say_text(text);
  const Json error = mina.hear("error");
  CHECK(error["code"] == "bad_message");
  CHECK(error["fatal"] == true);
  CHECK(mina.closed()->code == 4400);
  CHECK(jun.hear("peer-away")["peer"] == mina.peer);
  CHECK(mina.resume()["resumed"] == true);
}

TEST_CASE("a message that makes no sense is refused and nothing else happens", "[signaling]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  const auto text = GENERATE(as<std::string>{}, R"({"id":3})", R"({"id":3,"type":"dance"})",
                             R"({"id":3,"type":7})", R"({"id":3,"type":"signal"})",
                             R"({"id":3,"type":"lock","locked":"yes"})");
  CAPTURE(text);
  mina.say_text(text);
  const Json error = mina.hear("error");
  CHECK(error["code"] == "bad_message");
  CHECK(error["id"] == 3);
  CHECK(error["fatal"] == false);
  CHECK(mina.is_connected());
  CHECK(jun.hears_nothing());
}

TEST_CASE("messages up to 64 KiB pass, longer ones end the connection", "[signaling][H14]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  const std::string start = R"({"type":"message","event":"e","data":")";
  const std::string end = "\"}";
  const std::string longest = start + std::string(65'536 - start.size() - end.size(), 'x') + end;
  mina.say_text(longest);
  CHECK(jun.hear("message")["data"].get<std::string>().size() > 65'000);
  mina.say_text(longest + " ");
  const Json error = mina.hear("error");
  CHECK(error["code"] == "too_large");
  CHECK(mina.closed()->code == 4413);
}

TEST_CASE("an array of a million elements is too large, one that fits is passed on unread",
          "[signaling][H20]") {
  World world;
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");
  const auto array_of = [](std::size_t count) {
    std::string array = "[0";
    for (std::size_t i = 1; i < count; ++i) array += ",0";
    return R"({"type":"message","event":"e","data":)" + array + "]}";
  };
  mina.say_text(array_of(32'000));
  CHECK(jun.hear("message")["data"].size() == 32'000);
  mina.say_text(array_of(1'000'000));
  CHECK(mina.hear("error")["code"] == "too_large");
  CHECK(mina.closed()->code == 4413);
}

TEST_CASE("metadata that is too large is refused, not fatally", "[signaling]") {
  World world;
  Client& mina = world.member("demo");
  const Json error =
      mina.ask({{"type", "update"}, {"id", 1}, {"meta", {{"x", std::string(4096, 'x')}}}});
  CHECK(error["code"] == "too_large");
  CHECK(error["fatal"] == false);
  CHECK(mina.is_connected());
}

TEST_CASE("too many messages are refused with the time to wait", "[signaling][H15]") {
  WorldSettings settings;
  settings.limits.message_burst = 50;
  World world{settings};
  Client& jun = world.member("demo");
  Client& mina = world.member("demo");  // its join was one
  for (int i = 0; i < 49; ++i) mina.chat("x");
  CHECK(mina.hears_nothing());
  CHECK(jun.unheard() == 49);
  const Json error = mina.ask({{"type", "message"}, {"id", 50}, {"event", "e"}});
  CHECK(error["code"] == "rate_limited");
  CHECK(error["id"] == 50);
  CHECK(error["retryAfterMs"] == 40);
  CHECK(error["fatal"] == false);
  CHECK(jun.unheard() == 49);
  world.advance(40ms);
  mina.chat("x");
  CHECK(mina.hears_nothing());
  CHECK(jun.unheard() == 50);
  for (int second = 0; second < 10; ++second) {
    world.advance(1s);
    for (int i = 0; i < 50; ++i) mina.chat("x");
  }
  CHECK(mina.hears_nothing());
}

TEST_CASE("who never listens to rate_limited is closed, and a resume is no way around",
          "[signaling][H15]") {
  World world;
  Client& mina = world.member("demo");
  int said = 1;
  while (mina.is_connected() && said < 1000) {
    mina.chat("x");
    ++said;
  }
  CHECK(said == 401);
  CHECK(mina.closed()->code == 4429);
  CHECK(mina.closed()->reason == "rate_limited");
  CHECK(world.rejected(ErrorCode::rate_limited) == 201);
  CHECK(mina.resume()["resumed"] == true);
  CHECK(mina.ask({{"type", "message"}, {"event", "e"}})["code"] == "rate_limited");
}

TEST_CASE("strangers are held to the rate as well", "[signaling][H15]") {
  World world;
  Client& mina = world.client();
  mina.connect();
  for (int i = 0; i < 401; ++i) mina.say({{"type", "ice"}});
  CHECK_FALSE(mina.is_connected());
}

TEST_CASE("connections that are not known are ignored", "[signaling]") {
  World world;
  const ConnectionId nobody{99};
  world.rooms().on_text(nobody, "{}", world.now(), world.effects());
  world.rooms().on_closed(nobody, close_codes::abnormal, world.now(), world.effects());
  world.rooms().on_webhook_answer(nobody, WebhookAnswer{}, world.now(), world.effects());
  world.rooms().leave(nobody);
  CHECK(world.effects().list().empty());
}

TEST_CASE("a stranger costs its connection and no more", "[signaling]") {
  WorldSettings settings;
  settings.auth = JoinAuth::token;
  World world{settings};
  for (int i = 0; i < 100; ++i) {
    Client& stranger = world.client();
    stranger.connect();
    stranger.say({{"type", "ice"}});
    stranger.say({{"type", "message"}, {"event", "e"}, {"data", std::string(1000, 'x')}});
    (void)stranger.join("demo", {{"resume", "rt_guess"}});
    stranger.ignore_all();
  }
  CHECK(world.rooms().connection_count() == 100);
  CHECK(world.rooms().room_count() == 0);
  CHECK(world.rooms().kept().bytes == 0);
  world.advance(10s);
  CHECK(world.rooms().connection_count() == 0);
  CHECK_FALSE(world.rooms().next_deadline());
}

TEST_CASE("what happened is counted", "[signaling]") {
  World world;
  (void)world.member("demo");
  Client& mina = world.member("demo");
  mina.chat("x");
  (void)mina.ask({{"type", "dance"}});
  const Rooms::Counters& counters = world.rooms().counters();
  CHECK(counters.received[0] == 2);
  CHECK(client_type_name(0) == "join");
  CHECK(counters.received[2] == 1);
  CHECK(client_type_name(2) == "message");
  CHECK(counters.rejected[static_cast<std::size_t>(ErrorCode::bad_message)] == 1);
  CHECK(counters.sent == 5);  // joined twice, peer-joined, message, error
}

// --- The model -----------------------------------------------------------------------------------

namespace {

/// What the model knows of one client: the room it is in, and the texts it must still get.
struct Expected {
  std::string room;  // empty: none
  std::string peer;
  bool away = false;
  std::vector<std::string> undelivered;  // said to it and not yet read
};

class Model {
 public:
  explicit Model(std::uint64_t seed) : world_(settings(seed)), choices_(seed) {
    for (int i = 0; i < 12; ++i) clients_.push_back(&world_.client());
    expected_.resize(clients_.size());
  }

  void step() {
    const std::size_t who = choices_.below(clients_.size());
    switch (choices_.below(10)) {
      case 0:
      case 1:
        return join_or_resume(who);
      case 2:
        return drop(who);
      case 3:
        return leave(who);
      case 4:
        return pass_time();
      case 5:
      case 6:
        return say_to_one(who);
      default:
        return say_to_room(who);
    }
  }

  void check() {
    std::size_t members = 0;
    std::set<std::string> rooms;
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      if (!expected_[i].room.empty()) {
        ++members;
        rooms.insert(expected_[i].room);
      }
      read(i);
    }
    REQUIRE(world_.rooms().member_count() == members);
    REQUIRE(world_.rooms().room_count() == rooms.size());
    for (const std::string& room : rooms) check_room(room);
  }

  void end() {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      if (clients_[i]->is_connected()) clients_[i]->drop();
    }
    world_.advance(30s);
    CHECK(world_.rooms().connection_count() == 0);
    CHECK(world_.rooms().member_count() == 0);
    CHECK(world_.rooms().room_count() == 0);
    CHECK(world_.rooms().kept().frames == 0);
    CHECK_FALSE(world_.rooms().next_deadline());
    CHECK(world_.foreign().empty());  // nothing was sent to a connection that was gone
  }

 private:
  static WorldSettings settings(std::uint64_t seed) {
    WorldSettings settings;
    settings.seed = seed;
    settings.limits.max_peers = 4;
    settings.limits.messages_per_second = 0;
    return settings;
  }

  std::size_t size_of(const std::string& room) const {
    return static_cast<std::size_t>(
        std::count_if(expected_.begin(), expected_.end(),
                      [&room](const Expected& each) { return each.room == room; }));
  }

  /// Reads everything client `i` has heard: texts must be those said to it, in order.
  void read(std::size_t i) {
    Expected& mine = expected_[i];
    while (!clients_[i]->hears_nothing()) {
      const Json heard = clients_[i]->hear();
      const std::string type = heard["type"];
      if (type != "message") {
        REQUIRE((type == "peer-joined" || type == "peer-left" || type == "peer-away" ||
                 type == "peer-back" || type == "ack"));
        continue;
      }
      REQUIRE_FALSE(mine.undelivered.empty());
      REQUIRE(heard["data"] == mine.undelivered.front());
      mine.undelivered.erase(mine.undelivered.begin());
    }
    if (!mine.away) REQUIRE(mine.undelivered.empty());
  }

  void check_room(const std::string& room) {
    std::set<std::uint32_t> numbers;
    std::set<std::string> peers;
    for (const auto& peer : world_.rooms().peers(room)) {
      REQUIRE(numbers.insert(peer.n).second);
      REQUIRE(peers.insert(peer.peer).second);
      REQUIRE(used_[room].count(peer.peer) == 1);
    }
    REQUIRE(peers.size() == size_of(room));
  }

  void join_or_resume(std::size_t i) {
    Expected& mine = expected_[i];
    Client& client = *clients_[i];
    if (mine.away) {
      const Json reply = client.resume();
      REQUIRE(reply.value("resumed", false));
      REQUIRE(reply["self"]["peer"] == mine.peer);
      mine.away = false;
      return read(i);
    }
    if (!mine.room.empty()) return;
    const std::string room(1, static_cast<char>('a' + choices_.below(4)));
    const bool is_full = size_of(room) >= 4;
    const Json reply = client.join(room);
    if (is_full) {
      REQUIRE(reply["code"] == "room_full");
      return;
    }
    REQUIRE(reply["type"] == "joined");
    REQUIRE(reply["peers"].size() == size_of(room));
    mine = {room, client.peer, false, {}};
    used_[room].insert(client.peer);
  }

  void drop(std::size_t i) {
    if (expected_[i].room.empty() || expected_[i].away) return;
    read(i);
    clients_[i]->drop();
    expected_[i].away = true;
    went_[i] = world_.now().instant;
  }

  void leave(std::size_t i) {
    if (expected_[i].room.empty() || expected_[i].away) return;
    read(i);
    clients_[i]->say({{"type", "leave"}});
    expected_[i] = {};
  }

  void pass_time() {
    world_.advance(milliseconds{static_cast<std::int64_t>(choices_.below(20'000))});
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      if (expected_[i].away && world_.now().instant - went_[i] >= 30s) expected_[i] = {};
    }
  }

  void say_to_room(std::size_t i) {
    if (expected_[i].room.empty() || expected_[i].away) return;
    const std::string text = std::to_string(++said_);
    std::size_t there = 0;
    for (std::size_t j = 0; j < clients_.size(); ++j) {
      if (j == i || expected_[j].room != expected_[i].room) continue;
      expected_[j].undelivered.push_back(text);
      if (!expected_[j].away) ++there;
    }
    const Json ack =
        clients_[i]->ask({{"type", "message"}, {"id", 1}, {"event", "e"}, {"data", text}});
    REQUIRE(ack["delivered"] == there);
  }

  void say_to_one(std::size_t i) {
    const std::size_t j = choices_.below(clients_.size());
    if (expected_[i].room.empty() || expected_[i].away || i == j) return;
    const bool is_there = expected_[j].room == expected_[i].room;
    const std::string to = expected_[j].peer.empty() ? "p_nobody" : expected_[j].peer;
    const std::string text = std::to_string(++said_);
    const Json reply = clients_[i]->ask(
        {{"type", "message"}, {"id", 1}, {"to", {to}}, {"event", "e"}, {"data", text}});
    if (!is_there) {
      REQUIRE(reply["code"] == "peer_not_found");
      return;
    }
    expected_[j].undelivered.push_back(text);
    REQUIRE(reply["delivered"] == (expected_[j].away ? 0 : 1));
  }

  World world_;
  SeededRandom choices_;
  std::vector<Client*> clients_;
  std::vector<Expected> expected_;
  std::map<std::string, std::set<std::string>> used_;
  std::map<std::size_t, Instant> went_;
  std::uint64_t said_ = 0;
};

}  // namespace

TEST_CASE("whatever peers do, each gets what was said to it, once and in order", "[signaling]") {
  const std::uint64_t first = seed_or(1);
  for (std::uint64_t seed = first; seed < first + 40; ++seed) {
    CAPTURE(seed);
    Model model{seed};
    for (int step = 0; step < 400; ++step) {
      model.step();
      model.check();
    }
    model.end();
  }
}

}  // namespace turnpike::signaling::test
