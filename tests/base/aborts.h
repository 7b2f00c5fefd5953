// Runs a piece of code that is expected to break an assertion, in a child process.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <string>

namespace turnpike::test {

/// How a child process ended and what it wrote to stderr.
struct ChildEnd {
  bool aborted = false;  ///< by SIGABRT; false when the code came to its end
  std::string stderr_text;
};

template <class Code>
ChildEnd run_in_child(Code code) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) throw std::runtime_error("pipe");
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork");
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);  // Catch2 would report the signal as its own failure
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    code();
    _exit(0);
  }
  close(ends[1]);
  ChildEnd end;
  std::array<char, 512> chunk{};
  for (;;) {
    const ssize_t got = read(ends[0], chunk.data(), chunk.size());
    if (got <= 0) break;
    end.stderr_text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  close(ends[0]);
  int status = 0;
  if (waitpid(child, &status, 0) != child) throw std::runtime_error("waitpid");
  end.aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  return end;
}

template <class Code>
bool aborts(Code code) {
  return run_in_child(code).aborted;
}

}  // namespace turnpike::test
