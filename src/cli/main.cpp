// The executable: hands the real world to cli::run().
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>

#include "cli/app.h"
#include "cli/exit_code.h"
#include "server/config_load.h"

extern char** environ;  // POSIX; no header declares it everywhere

namespace {

std::map<std::string, std::string> whole_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text{*entry};
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is a failed write, as on a full disk
    std::signal(SIGPIPE, SIG_IGN);  // `turnpike … | head` ends by a failed write, not by a signal
    const turnpike::cli::Io io{
        .in = std::cin,
        .out = std::cout,
        .err = std::cerr,
        .environment = whole_environment(),
        .now = std::chrono::floor<turnpike::seconds>(std::chrono::system_clock::now()),
        .is_root = ::geteuid() == 0,
        .err_is_terminal = ::isatty(STDERR_FILENO) == 1,
        .default_config_path = std::string{turnpike::server::default_config_path},
    };
    const int code = turnpike::cli::run({argv + (argc > 0 ? 1 : 0), argv + argc}, io);
    std::cout.flush();
    return code;
  } catch (...) {  // out of memory before run() could start
    std::fputs("turnpike: internal error\n", stderr);
    return static_cast<int>(turnpike::cli::ExitCode::internal);
  }
}
