// Runs a part of a test in a child process, which may do to itself what cannot be undone.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <exception>

namespace turnpike::test {

/// How the child ended.
struct ChildEnd {
  int exit_code = -1;  ///< what `part` returned, 0 to 255
  int signal = 0;      ///< that ended it
};

/// Calls `part`, which returns an exit code and must not use Catch2, in a child.
template <class Part>
ChildEnd in_child(Part part) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 250;
    try {
      code = part();
    } catch (const std::exception&) {
    }
    ::_exit(code);
  }
  int status = 0;
  ChildEnd end;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return end;
  if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  return end;
}

/// For the child: the number of the first of its checks that does not hold, 0 when all do.
class Checks {
 public:
  void operator()(bool holds) {
    ++count_;
    if (!holds && first_failed_ == 0) first_failed_ = count_;
  }
  [[nodiscard]] int first_failed() const { return first_failed_; }

 private:
  int count_ = 0;
  int first_failed_ = 0;
};

}  // namespace turnpike::test
