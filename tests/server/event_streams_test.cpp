// Server-sent events to clients that read, and to one that does not.
#include "server/event_streams.h"

#include "catch.h"
#include "signaling/house.h"

namespace turnpike::server::test {
namespace {

using signaling::ConnectionId;
using signaling::test::has;
using signaling::test::House;
using namespace std::chrono_literals;

/// GET /events, and nothing else.
class EventDoor final : public signaling::Door {
 public:
  explicit EventDoor(signaling::Doors& doors) : streams(doors) {}

  [[nodiscard]] std::vector<signaling::Route> routes() const override {
    return {{"/events", signaling::RouteKind::application, {signaling::Method::get}}};
  }
  void on_asked(ConnectionId id, const signaling::Asked&, Now now) override {
    is_open = streams.open(id, now);
  }
  void on_withdrawn(ConnectionId id, Now) override { streams.forget(id); }
  void on_ended(ConnectionId, std::uint16_t, Now) override {}
  void perform(ConnectionId, const signaling::Effect&, Now) override {}

  EventStreams streams;
  bool is_open = false;
};

/// A house with clients that listen.
struct Hall : House {
  Hall() { doors.add(door); }

  std::uint64_t listen() {
    const std::uint64_t client = connect();
    receive(client, "GET /events HTTP/1.1\r\nHost: turn.example\r\n\r\n");
    return client;
  }
  void publish(std::string_view json) { door.streams.publish("news", json, now()); }
  /// A second goes by.
  void tick() {
    advance(1s);
    door.streams.tick(now());
  }

  EventDoor door{doors};
};

/// A JSON string of so many bytes.
std::string text_of_size(std::size_t bytes) { return '"' + std::string(bytes - 2, 'x') + '"'; }

}  // namespace

TEST_CASE("who listens is told of each event, numbered, on one line", "[server]") {
  Hall hall;
  hall.publish("0");  // nobody is there yet
  const auto client = hall.listen();
  const std::string head = hall.read(client);
  CHECK(head.starts_with("HTTP/1.1 200"));
  CHECK(has(head, "Content-Type: text/event-stream"));
  hall.publish(R"({"a":1})");
  hall.publish(R"({"a":2})");
  CHECK(hall.read(client) ==
        "id: 2\nevent: news\ndata: {\"a\":1}\n\nid: 3\nevent: news\ndata: {\"a\":2}\n\n");
}

TEST_CASE("a quiet stream gives signs of life", "[server]") {
  Hall hall;
  const auto client = hall.listen();
  static_cast<void>(hall.read(client));
  for (int i = 0; i < 14; ++i) hall.tick();
  CHECK(hall.read(client).empty());
  hall.tick();
  CHECK(hall.read(client) == ":\n\n");
}

TEST_CASE("a client that does not read is cut off and told, and the others hear everything",
          "[server]") {
  Hall hall;
  hall.limits.max_queued_bytes = 10'000;
  const auto slow = hall.listen();
  const auto quick = hall.listen();
  static_cast<void>(hall.read(quick));
  std::size_t heard = 0;
  for (int i = 0; i < 100; ++i) {
    hall.publish(text_of_size(1000));
    heard += hall.read(quick).size();
    CHECK(hall.at(slow).output().size() <= 10'000);  // whatever comes
  }
  CHECK(heard > 100'000);

  hall.publish("7");  // there is room for it, but not for what came before
  hall.tick();
  hall.publish("8");  // nothing comes after the last word
  const std::string all = hall.read(slow);
  std::size_t sent = 0;
  for (std::size_t at = all.find("event: news"); at != std::string::npos;
       at = all.find("event: news", at + 1)) {
    ++sent;
  }
  CHECK(sent > 5);
  CHECK_FALSE(has(all, "data: 7"));
  CHECK(all.ends_with("event: lost\ndata: {\"events\":" + std::to_string(101 - sent) + "}\n\n"));
  CHECK(hall.at(slow).wants_close());

  hall.publish("2");
  CHECK(has(hall.read(quick), "data: 2"));
  CHECK_FALSE(hall.at(quick).wants_close());
}

TEST_CASE("there are only so many streams, and a client that goes makes room", "[server]") {
  Hall hall;
  std::vector<std::uint64_t> clients;
  for (std::size_t i = 0; i < EventStreams::max_streams; ++i) clients.push_back(hall.listen());
  CHECK(hall.door.is_open);
  static_cast<void>(hall.listen());
  CHECK_FALSE(hall.door.is_open);
  hall.lose(clients.front());
  static_cast<void>(hall.listen());
  CHECK(hall.door.is_open);
}

}  // namespace turnpike::server::test
