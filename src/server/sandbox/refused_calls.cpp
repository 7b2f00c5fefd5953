#include "server/sandbox/refused_calls.h"

#include <seccomp.h>
#include <ucontext.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace turnpike::server {
namespace {

enum class Seen : std::uint8_t { never, untold, told };

// Numbers of system calls; those beyond, of other ways to call, share the last.
constexpr std::size_t numbers = 1024;
std::array<std::atomic<Seen>, numbers> seen{};
static_assert(std::atomic<Seen>::is_always_lock_free);  // a signal handler writes it

/// What the call that `context` is at returns when the handler does. False: nobody knows how.
bool set_result([[maybe_unused]] ucontext_t& context, [[maybe_unused]] int result) {
#if defined(__x86_64__)
  context.uc_mcontext.gregs[REG_RAX] = result;
  return true;
#elif defined(__aarch64__)
  context.uc_mcontext.regs[0] = static_cast<std::uint64_t>(std::int64_t{result});
  return true;
#else
  return false;
#endif
}

/// Makes no system call itself, and leaves errno alone.
void on_refused_call(int /*signal*/, siginfo_t* what, void* where) {
  constexpr int by_seccomp = 1;  // SYS_SECCOMP
  if (what->si_code != by_seccomp) return;
  const auto number = static_cast<unsigned>(what->si_syscall);
  Seen before = Seen::never;
  seen[number < numbers ? number : numbers - 1].compare_exchange_strong(before, Seen::untold);
  set_result(*static_cast<ucontext_t*>(where), -EPERM);
}

std::string name_of(std::size_t number) {
  const std::unique_ptr<char, decltype(&std::free)> name{
      seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(number)), std::free};
  return name ? name.get() : std::to_string(number);
}

}  // namespace

bool can_answer_refused_calls() {
  ucontext_t context{};
  return set_result(context, 0);
}

void answer_refused_calls() {
  struct sigaction action {};
  action.sa_sigaction = on_refused_call;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGSYS, &action, nullptr);
}

std::vector<std::string> newly_refused_calls() {
  std::vector<std::string> names;
  for (std::size_t number = 0; number < numbers; ++number) {
    Seen before = Seen::untold;
    if (seen[number].compare_exchange_strong(before, Seen::told)) names.push_back(name_of(number));
  }
  return names;
}

}  // namespace turnpike::server
