#include "cli/password.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <fstream>
#include <ostream>

#include "cli/exit_code.h"
#include "server/config_value.h"

namespace turnpike::cli {
namespace {

CommandFailure usage(const std::string& sentence) { return {ExitCode::usage, sentence}; }

std::string first_line(std::istream& stream, const std::string& where) {
  std::string line;
  std::getline(stream, line);
  if (line.ends_with('\r')) line.pop_back();
  if (line.empty()) throw usage(fmt::format("the password in {} is empty", where));
  return line;
}

/// Hides what is typed, if somebody types at all.
class WithoutEcho {
 public:
  WithoutEcho() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    is_terminal_ = true;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
  }
  ~WithoutEcho() {
    if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  WithoutEcho(const WithoutEcho&) = delete;
  WithoutEcho& operator=(const WithoutEcho&) = delete;

 private:
  termios before_{};
  bool is_terminal_ = false;
};

std::string ask(const std::string& name, const Io& io) {
  if (io.err_is_terminal) io.err << name << ": " << std::flush;
  std::string password;
  {
    const WithoutEcho hidden;
    password = first_line(io.in, "standard input");
  }
  if (io.err_is_terminal) io.err << '\n';
  return password;
}

}  // namespace

std::string read_password(const std::string& option, const std::string& name, const Io& io) {
  if (option.empty()) return ask(name, io);
  if (option == "-") return first_line(io.in, "standard input");
  if (!option.starts_with('@')) {
    throw usage(
        fmt::format("{} takes @FILE or - (standard input), never the password itself: `ps` "
                    "and the shell's history would show it",
                    name));
  }
  const std::string path = option.substr(1);
  std::ifstream stream{path, std::ios::binary};
  if (!stream) {
    throw usage(fmt::format("the password file {} cannot be read; check its name and mode",
                            server::in_quotes(path)));
  }
  return first_line(stream, path);
}

std::string read_new_password(const std::string& option, const std::string& name, const Io& io) {
  std::string password = read_password(option, name, io);
  const bool is_typed = option.empty() && io.err_is_terminal;
  if (is_typed && ask(name + " again", io) != password) {
    throw usage("the two passwords differ; nothing was changed");
  }
  return password;
}

}  // namespace turnpike::cli
