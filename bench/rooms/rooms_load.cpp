// Load for the rooms of a server on loopback: many rooms in which everybody speaks at a steady
// rate, and beside them, one after the other, a member that stops reading and one that floods.
// Prints what was measured as JSON; script/bench rooms makes a table of it.

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <deque>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "rooms/attendance.h"
#include "rooms/websocket_client.h"

namespace turnpike::bench {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;
using Instant = Clock::time_point;

constexpr std::size_t fellows = 3;       // in the room of the slow reader, and of the flooder
constexpr std::size_t chat_bytes = 100;  // of text in an ordinary message
// Of text in the messages that the slow reader leaves unread: some 3 MB a second of them.
constexpr std::size_t large_bytes = 48 * 1024;
constexpr std::string_view data_key = R"("data":")";
constexpr double fellow_rate = 20;   // messages a second
constexpr double flood_rate = 2000;  // messages a second
constexpr std::size_t max_flooders = 50;
constexpr seconds warm_up_time{2};
constexpr seconds patience{10};  // for joins, and for what is still on its way at the end

struct Options {
  std::uint16_t port = 0;
  std::size_t rooms = 200;
  std::size_t members = 4;
  double rate = 20;
  int seconds = 10;
  int server_pid = 0;
};

enum class Phase : std::uint8_t { warm_up, calm, slow_reader, flooder, drain };
constexpr std::array measured_phases{Phase::calm, Phase::slow_reader, Phase::flooder};
constexpr std::array<const char*, 5> phase_names{"warm-up", "calm", "slow reader", "flooder",
                                                 "drain"};

enum class Kind : std::uint8_t {
  steady,  // in one of the many rooms
  fellow,  // in the room of one that misbehaves
  slow,
  flooder,
};

struct Member {
  Member(std::uint16_t port, Kind its_kind, std::size_t its_room, std::size_t its_index)
      : socket(port), kind(its_kind), room(its_room), index(its_index) {}

  WebSocketClient socket;
  Kind kind;
  std::size_t room;
  std::size_t index;  // in its room
  std::string peer;   // as the server named it; empty until it has joined
  std::uint64_t sent = 0;
  std::vector<Attendance> heard;  // by the index of the sender
  std::uint64_t refused = 0;      // rate_limited
  bool is_reading = true;
  bool has_seen_away = false;  // that another one of its room is away
};

/// What happened in one phase. Times in microseconds.
struct Tally {
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;
  std::vector<std::uint32_t> latencies;  // of the steady members
  std::vector<std::uint32_t> lags;       // behind the time at which a message was to be sent
  double server_cpu_s = 0;
  double own_cpu_s = 0;
  double wall_s = 0;
};

std::uint32_t microseconds_of(nanoseconds time) {
  return static_cast<std::uint32_t>(std::max<std::int64_t>(time.count(), 0) / 1000);
}

/// The number at the beginning of `text`, and the blank after it, which it is shortened by.
std::uint64_t take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) throw std::runtime_error{"a message is not as it was sent"};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return number;
}

double seconds_of(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

/// User and system time of a process so far: fields 14 and 15 of proc(5)'s stat, in clock ticks.
double cpu_seconds(int pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  std::string text{std::istreambuf_iterator<char>{file}, {}};
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) throw std::runtime_error{"the server is gone"};
  std::istringstream fields{text.substr(name_end + 1)};
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

class Load {
 public:
  explicit Load(const Options& options);
  ~Load() { ::close(epoll_); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  json run();

 private:
  Member& admit(Kind kind, std::size_t room, std::size_t index);
  void open_rooms();
  void await_joins();
  void run_phase(Phase phase, nanoseconds duration);
  void send_what_is_due(Instant now);
  void disturb(Instant now);
  void flood(Instant now);
  void drain();
  [[nodiscard]] bool is_complete() const;

  void take_events(nanoseconds patience_left);
  void read(Member& member);
  void on_text(Member& member, std::string_view text, Instant now);
  void on_room_message(Member& member, std::string_view text, std::string_view data, Instant now);
  void speak(Member& member, std::string_view text, Instant now);

  [[nodiscard]] Faults faults(Kind kind) const;
  [[nodiscard]] json report_phase(Phase phase);
  [[nodiscard]] json report_slow_reader() const;
  [[nodiscard]] json report_flooders() const;
  Tally& tally() { return tallies_[static_cast<std::size_t>(phase_)]; }

  const Options options_;
  int epoll_;
  std::deque<Member> members_;  // they do not move
  std::vector<std::vector<Member*>> rooms_;
  std::vector<Member*> steady_;
  std::vector<Member*> flooders_;
  std::size_t slow_room_ = 0;
  std::size_t flooded_room_ = 0;

  Phase phase_ = Phase::warm_up;
  Instant phase_began_;
  Instant began_;
  std::uint64_t turns_ = 0;         // steady messages sent, all phases
  std::uint64_t fellow_turns_ = 0;  // those of fellows, in this phase
  std::uint64_t flood_turns_ = 0;   // in this phase
  std::array<Tally, phase_names.size()> tallies_;
  const std::string chat_ = std::string(chat_bytes, 'x');
  const std::string large_ = std::string(large_bytes, 'x');
};

Load::Load(const Options& options) : options_(options), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error{errno, std::generic_category(), "epoll"};
  prctl(PR_SET_TIMERSLACK, 1UL);  // the default, 50 µs, is most of the time between two messages
}

json Load::run() {
  open_rooms();
  await_joins();
  began_ = Clock::now();
  run_phase(Phase::warm_up, warm_up_time);
  for (const Phase phase : measured_phases) run_phase(phase, seconds{options_.seconds});
  drain();

  json report;
  report["phases"] = json::array();
  for (const Phase phase : measured_phases) report["phases"].push_back(report_phase(phase));
  for (const auto& [name, kind] :
       {std::pair{"faults", Kind::steady}, {"fellowFaults", Kind::fellow}}) {
    const Faults found = faults(kind);
    report[name] = {
        {"lost", found.lost}, {"doubled", found.doubled}, {"disordered", found.disordered}};
  }
  report["slowReader"] = report_slow_reader();
  report["flooders"] = report_flooders();
  return report;
}

/// Connects and asks to join. Edge-triggered, so that who does not read is not told all the time.
Member& Load::admit(Kind kind, std::size_t room, std::size_t index) {
  Member& member = members_.emplace_back(options_.port, kind, room, index);
  epoll_event interest{};
  interest.events = EPOLLIN | EPOLLOUT | EPOLLET;
  interest.data.ptr = &member;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, member.socket.descriptor(), &interest) != 0) {
    throw std::system_error{errno, std::generic_category(), "epoll"};
  }
  if (rooms_.size() <= room) rooms_.resize(room + 1);
  rooms_[room].push_back(&member);
  member.socket.send_text(json{{"type", "join"}, {"room", "r" + std::to_string(room)}}.dump());
  return member;
}

/// Flooders join before anything is measured, for a connection takes longer than a message.
void Load::open_rooms() {
  // Room by room within a turn: two members of one room never speak at the same moment.
  for (std::size_t index = 0; index < options_.members; ++index) {
    for (std::size_t room = 0; room < options_.rooms; ++room) {
      steady_.push_back(&admit(Kind::steady, room, index));
    }
  }
  slow_room_ = options_.rooms;
  flooded_room_ = options_.rooms + 1;
  for (const std::size_t room : {slow_room_, flooded_room_}) {
    for (std::size_t index = 0; index < fellows; ++index) admit(Kind::fellow, room, index);
  }
  admit(Kind::slow, slow_room_, fellows);
  const std::size_t flooders = std::min(static_cast<std::size_t>(options_.seconds), max_flooders);
  for (std::size_t i = 0; i < flooders; ++i) {
    flooders_.push_back(&admit(Kind::flooder, flooded_room_, fellows + i));
  }
  for (Member& member : members_) member.heard.resize(rooms_[member.room].size());
}

void Load::await_joins() {
  const Instant deadline = Clock::now() + patience;
  const auto has_joined = [](const Member& member) { return !member.peer.empty(); };
  while (!std::all_of(members_.begin(), members_.end(), has_joined)) {
    if (Clock::now() > deadline) throw std::runtime_error{"not everybody could join"};
    take_events(std::chrono::milliseconds{10});
  }
}

void Load::run_phase(Phase phase, nanoseconds duration) {
  phase_ = phase;
  phase_began_ = Clock::now();
  fellow_turns_ = flood_turns_ = 0;
  const double server_before = cpu_seconds(options_.server_pid);
  const double own_before = own_cpu_seconds();
  const nanoseconds interval{
      static_cast<std::int64_t>(1e9 / options_.rate / static_cast<double>(steady_.size()))};
  for (Instant now = phase_began_; now - phase_began_ < duration; now = Clock::now()) {
    send_what_is_due(now);
    disturb(now);
    const Instant next = began_ + interval * static_cast<std::int64_t>(turns_);
    take_events(std::max<nanoseconds>(next - Clock::now(), nanoseconds{0}));
  }
  tally().wall_s = seconds_of(Clock::now() - phase_began_);
  tally().server_cpu_s = cpu_seconds(options_.server_pid) - server_before;
  tally().own_cpu_s = own_cpu_seconds() - own_before;
}

/// Message n of all is due n intervals after the beginning, whatever happened before: a server that
/// falls behind is not given time to recover. At most a hundred at once, so that reading goes on.
void Load::send_what_is_due(Instant now) {
  const double per_second = options_.rate * static_cast<double>(steady_.size());
  for (int i = 0; i < 100; ++i) {
    const nanoseconds offset{
        static_cast<std::int64_t>(static_cast<double>(turns_) * 1e9 / per_second)};
    if (began_ + offset > now) return;
    const Instant sending = Clock::now();
    speak(*steady_[turns_ % steady_.size()], chat_, sending);
    ++turns_;
    ++tally().sent;
    tally().lags.push_back(microseconds_of(sending - began_ - offset));
  }
}

/// What goes on beside the many rooms in this phase.
void Load::disturb(Instant now) {
  if (phase_ != Phase::slow_reader && phase_ != Phase::flooder) return;
  const bool is_slow = phase_ == Phase::slow_reader;
  const std::vector<Member*>& room = rooms_[is_slow ? slow_room_ : flooded_room_];
  const bool are_large = is_slow && !room.front()->has_seen_away;
  if (are_large) room[fellows]->is_reading = false;
  const double elapsed = seconds_of(now - phase_began_);
  if (static_cast<double>(fellow_turns_) < elapsed * fellow_rate * fellows) {
    speak(*room[fellow_turns_ % fellows], are_large ? large_ : chat_, now);
    ++fellow_turns_;
  }
  if (!is_slow) flood(now);
}

/// A flooder a second; each one until it is closed.
void Load::flood(Instant now) {
  const double elapsed = seconds_of(now - phase_began_);
  const auto second = static_cast<std::size_t>(elapsed);
  if (second >= flooders_.size()) return;
  for (int i = 0; i < 20 && static_cast<double>(flood_turns_) < elapsed * flood_rate; ++i) {
    ++flood_turns_;
    if (!flooders_[second]->socket.is_over()) speak(*flooders_[second], chat_, now);
  }
}

/// What was sent is given time to arrive.
void Load::drain() {
  phase_ = Phase::drain;
  const Instant deadline = Clock::now() + patience;
  while (!is_complete() && Clock::now() < deadline) take_events(std::chrono::milliseconds{10});
}

bool Load::is_complete() const {
  return std::all_of(members_.begin(), members_.end(), [this](const Member& member) {
    if (member.kind != Kind::steady && member.kind != Kind::fellow) return true;
    const std::vector<Member*>& room = rooms_[member.room];
    return std::all_of(room.begin(), room.end(), [&](const Member* other) {
      return other == &member || other->kind != member.kind ||
             member.heard[other->index].is_complete(other->sent);
    });
  });
}

void Load::take_events(nanoseconds patience_left) {
  std::array<epoll_event, 256> events;
  const timespec timeout{std::chrono::duration_cast<seconds>(patience_left).count(),
                         (patience_left % seconds{1}).count()};
  const int count =
      epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    Member& member = *static_cast<Member*>(events[static_cast<std::size_t>(i)].data.ptr);
    if (member.is_reading) read(member);
  }
  // The slow reader reads on once the others have seen it go, to learn how it was closed.
  Member& slow = *rooms_[slow_room_][fellows];
  if (!slow.is_reading && rooms_[slow_room_].front()->has_seen_away) {
    slow.is_reading = true;
    read(slow);
  }
}

void Load::read(Member& member) {
  const Instant now = Clock::now();
  member.socket.receive([&](std::string_view text) { on_text(member, text, now); });
  if (member.socket.is_over() && (member.kind == Kind::steady || member.kind == Kind::fellow)) {
    throw std::runtime_error{"the server closed a member that does nothing wrong, code " +
                             std::to_string(member.socket.close_code())};
  }
}

void Load::on_text(Member& member, std::string_view text, Instant now) {
  if (const std::size_t at = text.find(data_key); at != std::string_view::npos) {
    return on_room_message(member, text, text.substr(at + data_key.size()), now);
  }
  const json message = json::parse(text);
  const std::string& type = message.at("type").get_ref<const std::string&>();
  if (type == "joined") {
    member.peer = message.at("self").at("peer");
  } else if (type == "ping") {
    member.socket.send_text(json{{"type", "pong"}, {"ts", message.at("ts")}}.dump());
  } else if (type == "peer-away") {
    member.has_seen_away = true;
  } else if (type == "error") {
    if (member.kind != Kind::flooder) throw std::runtime_error{"refused: " + std::string{text}};
    ++member.refused;
  }
}

void Load::on_room_message(Member& member, std::string_view text, std::string_view data,
                           Instant now) {
  const std::uint64_t room = take_number(data);
  const std::uint64_t index = take_number(data);
  const std::uint64_t number = take_number(data);
  const Instant sent{nanoseconds{static_cast<std::int64_t>(take_number(data))}};
  Member& sender = *rooms_[member.room].at(index);
  if (room != member.room || text.find('"' + sender.peer + '"') == std::string_view::npos) {
    throw std::runtime_error{"a message in the wrong room, or from the wrong peer"};
  }
  member.heard[index].hear(number);
  if (member.kind != Kind::steady) return;
  ++tally().delivered;
  tally().latencies.push_back(microseconds_of(now - sent));
}

/// Numbers in a string, because the load has to be cheaper than the server: it reads 48,000
/// messages a second and parses none of them as JSON.
void Load::speak(Member& member, std::string_view text, Instant now) {
  std::string message = R"({"type":"message","event":"chat",)";
  message += data_key;
  for (const std::uint64_t number :
       {std::uint64_t{member.room}, std::uint64_t{member.index}, ++member.sent,
        static_cast<std::uint64_t>(now.time_since_epoch().count())}) {
    message += std::to_string(number);
    message += ' ';
  }
  message += text;
  message += "\"}";
  member.socket.send_text(message);
}

/// Between members of this kind: what a flooder says is refused in part, and what a slow reader is
/// told may be lost.
Faults Load::faults(Kind kind) const {
  Faults sum;
  for (const Member& member : members_) {
    if (member.kind != kind) continue;
    for (const Member* const other : rooms_[member.room]) {
      if (other == &member || other->kind != kind) continue;
      sum += member.heard[other->index].faults(other->sent);
    }
  }
  return sum;
}

json Load::report_phase(Phase phase) {
  Tally& counted = tallies_[static_cast<std::size_t>(phase)];
  json report{{"name", phase_names[static_cast<std::size_t>(phase)]},
              {"seconds", counted.wall_s},
              {"sent", counted.sent},
              {"delivered", counted.delivered},
              {"serverCpuSeconds", counted.server_cpu_s},
              {"ownCpuSeconds", counted.own_cpu_s}};
  const auto distribution = [](std::vector<std::uint32_t>& values) {
    return json{{"p50", percentile(values, 0.5)},
                {"p99", percentile(values, 0.99)},
                {"p999", percentile(values, 0.999)},
                {"max", percentile(values, 1)}};
  };
  report["latencyUs"] = distribution(counted.latencies);
  report["lagUs"] = distribution(counted.lags);
  return report;
}

json Load::report_slow_reader() const {
  const Member& slow = *rooms_[slow_room_].back();
  return {{"closeCode", slow.socket.close_code()}};
}

json Load::report_flooders() const {
  std::uint64_t sent = 0;
  std::uint64_t refused = 0;
  std::size_t closed = 0;
  for (const Member* const flooder : flooders_) {
    sent += flooder->sent;
    refused += flooder->refused;
    if (flooder->socket.close_code() == 4429) ++closed;
  }
  return {
      {"count", flooders_.size()}, {"sent", sent}, {"refused", refused}, {"closed4429", closed}};
}

int main_of(int argc, char** argv) {
  Options options;
  CLI::App app{"Load for the rooms of a turnpike server on 127.0.0.1; prints JSON."};
  app.add_option("--port", options.port, "of the server, for HTTP")->required();
  app.add_option("--server-pid", options.server_pid, "whose CPU time is read")->required();
  app.add_option("--rooms", options.rooms, "how many")->check(CLI::Range(1, 5000));
  app.add_option("--members", options.members, "in each")->check(CLI::Range(2, 64));
  app.add_option("--rate", options.rate, "messages a second of each member")
      ->check(CLI::Range(0.1, 50.0));
  app.add_option("--seconds", options.seconds, "of each phase")->check(CLI::Range(1, 3600));
  CLI11_PARSE(app, argc, argv);
  std::cout << Load{options}.run().dump() << '\n';
  return 0;
}

}  // namespace
}  // namespace turnpike::bench

int main(int argc, char** argv) {
  try {
    return turnpike::bench::main_of(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "rooms_load: " << error.what() << '\n';
    return 1;
  }
}
