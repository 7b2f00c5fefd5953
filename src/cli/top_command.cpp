// `turnpike top`: what relays most, live in a terminal.
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cerrno>
#include <csignal>
#include <memory>
#include <ostream>

#include "cli/allocation_table.h"
#include "cli/commands.h"
#include "cli/control_client.h"

namespace turnpike::cli {
namespace {

using Json = nlohmann::json;

constexpr int refresh_ms = 1000;
constexpr std::size_t lines_around = 5;  // what stands above the rows, and the last line

struct Options {
  ControlOptions control;
  bool once = false;
  Output output = Output::table;
};

struct Size {
  std::size_t lines = 24;
  std::size_t columns = 80;
};

Size terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return {};
  return {size.ws_row, size.ws_col};
}

/// Signals only end the wait: what they ask for is looked at there.
volatile std::sig_atomic_t ending_signal = 0;
void note_signal(int signal) {
  if (signal != SIGWINCH) ending_signal = signal;
}

/// The terminal as a screen of its own, keys as they come; as it was before, however this ends.
class Screen {
 public:
  Screen() {
    has_terminal_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    if (has_terminal_) {
      termios raw = before_;
      raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
      ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    struct sigaction action {};
    action.sa_handler = &note_signal;  // without SA_RESTART: poll() is to be interrupted
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) {
      ::sigaction(signal, &action, nullptr);
    }
    put("\x1b[?1049h\x1b[?25l");
  }
  ~Screen() {
    put("\x1b[?25h\x1b[?1049l");
    if (has_terminal_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  static void show(const std::string& frame) {
    std::string lines;
    for (const char c : frame) lines += c == '\n' ? std::string{"\x1b[K\n"} : std::string{c};
    put("\x1b[H" + lines + "\x1b[J");
  }
  /// Waits for a key or the next picture. False when it is to end.
  [[nodiscard]] static bool wait() {
    pollfd keyboard{STDIN_FILENO, POLLIN, 0};
    const int ready = ::poll(&keyboard, 1, refresh_ms);
    if (ending_signal != 0) return false;
    if (ready <= 0) return ready == 0 || errno == EINTR;
    char key = 0;
    if (::read(STDIN_FILENO, &key, 1) != 1) return false;
    constexpr char control_c = 3;
    return key != 'q' && key != 'Q' && key != control_c;
  }

 private:
  static void put(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::write(STDOUT_FILENO, text.data(), text.size());
      if (count < 0 && errno != EINTR && errno != EAGAIN) return;
      if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  termios before_{};
  bool has_terminal_ = false;
};

Json most_active(const ControlClient& server, std::size_t rows) {
  return server.ask("GET", "/v1/allocations?sort=bitrate&limit=" + std::to_string(rows));
}

std::string picture(const ControlClient& server, const Size& size) {
  const std::size_t rows = size.lines > lines_around ? size.lines - lines_around : 1;
  const Json list = most_active(server, std::min<std::size_t>(rows, 1000));
  return top_frame(server.ask("GET", "/v1/status"), list, size.lines - 1, size.columns) + "q: quit";
}

int show_once(const ControlClient& server, const Options& options, const Io& io) {
  constexpr std::size_t rows = 50;
  if (options.output == Output::json) {
    io.out << most_active(server, rows).dump() << '\n';
  } else {
    io.out << top_frame(server.ask("GET", "/v1/status"), most_active(server, rows),
                        rows + lines_around, 1000);
  }
  return 0;
}

int top(const Options& options, const Io& io) {
  const ControlClient server{options.control, io};
  const bool is_live = !options.once && options.output == Output::table &&
                       ::isatty(STDOUT_FILENO) == 1 && ::isatty(STDIN_FILENO) == 1;
  if (!is_live) return show_once(server, options, io);
  // What fails before there is a screen is said on the ordinary one.
  std::string frame = picture(server, terminal_size());
  const Screen screen;
  do {
    Screen::show(frame);
    if (!Screen::wait()) return 0;
    frame = picture(server, terminal_size());
  } while (true);
}

}  // namespace

void add_top(CLI::App& app, Context& context) {
  auto* const command =
      app.add_subcommand("top", "The allocations that relay most, live in the terminal; q quits");
  const auto options = std::make_shared<Options>();
  command->add_flag("--once", options->once, "Print one picture, as without a terminal");
  add_control_options(*command, options->control);
  add_output_option(*command, options->output);
  command->callback([options, &context] { context.exit_code = top(*options, context.io); });
}

}  // namespace turnpike::cli
