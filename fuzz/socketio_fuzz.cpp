// The Socket.IO door with its rooms: each line of the input is one thing that a client does, its
// first character says what. Everything that is sent must be a packet that the reader of packets
// takes, and when the clients are gone nothing may be left. With the first line "?" a webhook is
// asked about joins, which "+" and "-" answer.

#include <cstdint>
#include <set>
#include <string>

#include "base/assert.h"
#include "signaling/engineio_packet.h"
#include "signaling/socketio_bench.h"

namespace {

using namespace turnpike;
using namespace turnpike::signaling;
using namespace turnpike::signaling::test;

SocketIoDoor::Settings settings() {
  SocketIoDoor::Settings all;
  all.profiles = {zoom_profile(), codelab_profile(), echo_profile()};
  all.engine.max_queued_bytes = 4096;
  all.max_sessions = 16;
  all.max_rooms_per_socket = 3;
  return all;
}

/// The frames of a server, checked: a packet each, and whole packets of Socket.IO in them.
class FrameChecker {
 public:
  void push(std::string_view bytes) {
    if (bytes.starts_with("HTTP/")) {
      TURNPIKE_ASSERT(has(bytes, "\r\n\r\n"));
      const bool is_socket = bytes.starts_with("HTTP/1.1 101");
      bytes.remove_prefix(bytes.find("\r\n\r\n") + 4);
      if (!is_socket) return;
    }
    while (!bytes.empty()) take_frame(bytes);
  }

 private:
  void take_frame(std::string_view& bytes) {
    TURNPIKE_ASSERT(bytes.size() >= 2);
    const int code = bytes[0] & 0x0f;
    std::size_t size = static_cast<std::uint8_t>(bytes[1]);
    const std::size_t length_bytes = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (length_bytes > 0) size = 0;
    for (std::size_t i = 0; i < length_bytes; ++i) {
      size = size << 8 | static_cast<std::uint8_t>(bytes[2 + i]);
    }
    bytes.remove_prefix(2 + length_bytes);
    TURNPIKE_ASSERT(bytes.size() >= size);
    const std::string_view payload = bytes.substr(0, size);
    bytes.remove_prefix(size);
    if (code == opcode::text) check_text(payload);
    if (code == opcode::binary) TURNPIKE_ASSERT(reader_.push_binary(payload));
  }
  void check_text(std::string_view text) {
    const auto packet = parse_engineio_packet(text);
    TURNPIKE_ASSERT(packet && !packet->is_binary);
    if (packet->type == EngineIoType::message) TURNPIKE_ASSERT(reader_.push_text(packet->body));
  }

  // What comes in is bounded; what goes out has a name and a placeholder more.
  SocketIoReader reader_{{10, 2'000'000, 256, 40}};
};

class Run {
 public:
  explicit Run(JoinAuth auth) : bench_{settings(), auth} {}

  void line(char what, std::string_view rest) {
    switch (what) {
      case 's':
        sockets_[turn_ % 2] = open("");
        break;
      case 'u':
        sockets_[turn_ % 2] = open(sid_);
        break;
      case 'o':
        sid_ = bench_.open_polling();
        break;
      case 'g':
        add(bench_.get(sid_));
        break;
      case 'p': {
        std::string body{rest};
        for (char& c : body) c = c == '|' ? '\x1e' : c;
        (void)bench_.post(sid_, body);
        break;
      }
      case 'w':
        with_socket([&](std::uint64_t client) { bench_.house.say(client, rest); });
        break;
      case 'b':
        with_socket([&](std::uint64_t client) { bench_.bytes(client, rest); });
        break;
      case 'd':
        with_socket([&](std::uint64_t client) { lose(client); });
        break;
      case 'n':
        ++turn_;
        break;
      case '+':
      case '-':
        if (!bench_.house.asked().empty())
          bench_.house.answer(WebhookAnswer{what == '+', "", Role::member, {}, {}});
        break;
      default:
        bench_.house.advance(seconds{what & 0x1f});
    }
    listen();
  }
  void finish() {
    while (!clients_.empty()) lose(*clients_.begin());
    bench_.house.advance(seconds{25});
    bench_.house.advance(seconds{45});
    TURNPIKE_ASSERT(bench_.door.session_count() == 0);
    TURNPIKE_ASSERT(bench_.house.rooms.member_count() == 0);
    TURNPIKE_ASSERT(bench_.house.rooms.room_count() == 0);
    TURNPIKE_ASSERT(!bench_.house.doors.next_deadline());
  }

 private:
  std::uint64_t open(std::string_view sid) { return add(bench_.open_socket(sid)); }
  std::uint64_t add(std::uint64_t client) {
    clients_.insert(client);
    return client;
  }
  template <class Action>
  void with_socket(Action action) {
    const std::uint64_t client = sockets_[turn_ % 2];
    if (clients_.contains(client)) action(client);
  }
  void lose(std::uint64_t client) {
    listen();
    clients_.erase(client);
    bench_.house.lose(client);
  }
  void listen() {
    for (const std::uint64_t client : clients_) checkers_[client].push(bench_.house.read(client));
  }

  SocketIoBench bench_;
  std::string sid_;
  std::uint64_t sockets_[2]{};
  std::size_t turn_ = 0;
  std::set<std::uint64_t> clients_;
  std::map<std::uint64_t, FrameChecker> checkers_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::string_view input = text_of({bytes, size});
  Run run{input.starts_with("?\n") ? JoinAuth::webhook : JoinAuth::open};
  while (!input.empty()) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    if (!line.empty()) run.line(line[0], line.substr(1));
  }
  run.finish();
  return 0;
}
