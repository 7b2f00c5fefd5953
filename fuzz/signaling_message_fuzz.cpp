// Messages of clients: each line of the input is said by one of three connections of a small room
// core, two of which have joined. Lines of one character do something else: lose a connection, let
// time pass. Everything that is sent must be JSON, to a connection that is there.

#include <cstdint>
#include <set>
#include <string>

#include "base/assert.h"
#include "base/seeded_random.h"
#include "signaling/json.h"
#include "signaling/rooms.h"

namespace {

using namespace turnpike;
using namespace turnpike::signaling;

class NoIce final : public IceSource {
 public:
  IceServers ice_servers(const IceRequest& request, WallTime now_wall) override {
    return {{{{"turn:t.example"}, std::string{request.peer}, "x"}}, now_wall + request.ttl};
  }
};

Rooms::Settings settings_with(JoinAuth auth) {
  Rooms::Settings settings;
  settings.auth = auth;
  settings.limits.replay_frames = 4;
  settings.limits.joins_per_minute = 0;  // its table would cost more than all the rest
  return settings;
}

class House {
 public:
  explicit House(JoinAuth auth) : rooms_(settings_with(auth), keys_, ice_, random_) {
    for (int i = 0; i < 3; ++i) connect();
    say(0, R"({"type":"join","room":"r"})");
    say(1, R"({"type":"join","room":"r"})");
  }

  void run(std::string_view input) {
    std::size_t speaker = 0;
    while (!input.empty()) {
      const std::size_t end = std::min(input.find('\n'), input.size());
      const std::string_view line = input.substr(0, end);
      input.remove_prefix(std::min(end + 1, input.size()));
      if (line.size() == 1) {
        act(line[0]);
      } else {
        say(speaker, line);
      }
      speaker = (speaker + 1) % 3;
    }
    finish();
  }

 private:
  Now now() const {
    return {Instant{seconds{1000}} + elapsed_,
            WallTime{seconds{1'800'000'000}} + std::chrono::floor<seconds>(elapsed_)};
  }

  void connect() {
    const ConnectionId id{++last_};
    connections_.insert(id);
    speakers_[last_ % 3] = id;
    rooms_.on_connected(id, {IpAddress::v4(0xc0000201), ""}, now(), effects_);
    carry_out();
  }

  void say(std::size_t speaker, std::string_view text) {
    rooms_.on_text(speakers_[speaker], text, now(), effects_);
    carry_out();
  }

  void act(char what) {
    const ConnectionId first = *speakers_;
    switch (what) {
      case 'd':
        connections_.erase(first);
        rooms_.on_closed(first, close_codes::abnormal, now(), effects_);
        break;
      case 'c':
        return connect();
      case 'g':
        rooms_.drain("", now(), effects_);
        break;
      default:
        elapsed_ += seconds{what & 0x3f};
        rooms_.on_deadline(now(), effects_);
    }
    carry_out();
  }

  void carry_out() {
    for (const Effect& effect : effects_.list()) {
      if (const auto* const text = std::get_if<SendText>(&effect)) {
        TURNPIKE_ASSERT(connections_.contains(text->to));
        TURNPIKE_ASSERT(parse_json(*text->frame, 34));
      } else if (const auto* const close = std::get_if<Close>(&effect)) {
        TURNPIKE_ASSERT(connections_.erase(close->connection) == 1);
        TURNPIKE_ASSERT(close->reason.size() <= 123);
      } else if (const auto* const ask = std::get_if<AskWebhook>(&effect)) {
        TURNPIKE_ASSERT(parse_json(ask->body, 34));
        waiting_ = ask->connection;
      }
    }
    effects_.clear();
    TURNPIKE_ASSERT(rooms_.connection_count() == connections_.size());
    if (!waiting_) return;
    WebhookAnswer yes;
    yes.allow = true;
    const ConnectionId id = *waiting_;
    waiting_.reset();
    rooms_.on_webhook_answer(id, yes, now(), effects_);
    carry_out();
  }

  /// Everyone goes; nothing may stay.
  void finish() {
    while (!connections_.empty()) {
      const ConnectionId id = *connections_.begin();
      connections_.erase(connections_.begin());
      rooms_.on_closed(id, close_codes::abnormal, now(), effects_);
      carry_out();
    }
    elapsed_ += seconds{60};
    rooms_.on_deadline(now(), effects_);
    carry_out();
    TURNPIKE_ASSERT(rooms_.member_count() == 0 && rooms_.room_count() == 0);
    TURNPIKE_ASSERT(rooms_.kept().bytes == 0 && !rooms_.next_deadline());
  }

  FixedTokenKeys keys_{{}};
  NoIce ice_;
  test::SeededRandom random_{7};
  Rooms rooms_;
  Effects effects_;
  nanoseconds elapsed_{0};
  std::uint64_t last_ = 0;
  ConnectionId speakers_[3]{};
  std::set<ConnectionId> connections_;
  std::optional<ConnectionId> waiting_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view input = text_of({bytes, size});
  House{JoinAuth::open}.run(input);
  House{JoinAuth::webhook}.run(input);
  return 0;
}
