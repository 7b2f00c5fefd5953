#include "server/sandbox/system_calls.h"

#include <asm/ioctls.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <system_error>
#include <type_traits>

#include "server/sandbox/refused_calls.h"

namespace turnpike::server {
namespace {

// Whatever their arguments are. Names that the architecture does not have are passed over.
constexpr std::array allowed{
    // files: the store, certificates, configuration, what resolvers read
    "access", "close", "close_range", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fallocate",
    "fchmod", "fchown", "fcntl", "fdatasync", "flock", "fstat", "fstatfs", "fsync", "ftruncate",
    "getcwd", "getdents", "getdents64", "lseek", "lstat", "newfstatat", "open", "openat", "pipe",
    "pipe2", "pread64", "preadv", "pwrite64", "pwritev", "read", "readlink", "readlinkat", "readv",
    "stat", "statfs", "statx", "unlink", "unlinkat", "write", "writev",
    // sockets
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
    "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
    "socketpair",
    // waiting
    "clock_getres", "clock_gettime", "clock_nanosleep", "epoll_create1", "epoll_ctl", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "eventfd2", "gettimeofday", "nanosleep", "poll", "ppoll",
    "pselect6", "restart_syscall", "select", "time", "timerfd_create", "timerfd_settime",
    // memory
    "brk", "madvise", "mlock", "mlock2", "mremap", "msync", "munlock", "munmap",
    // threads and signals
    "exit", "exit_group", "futex", "get_robust_list", "gettid", "membarrier", "rseq",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sched_getaffinity",
    "sched_yield", "set_robust_list", "sigaltstack",
    // what about itself and the system is asked
    "capget", "getcpu", "getegid", "geteuid", "getgid", "getpid", "getppid", "getrandom",
    "getresgid", "getresuid", "getrlimit", "getrusage", "getuid", "sysinfo", "uname"};

// Nothing in the server makes these, by mistake or otherwise. A process that does is not ours any
// more: it ends, and where there is an audit log it is in it.
constexpr std::array fatal{"execve",
                           "execveat",
                           "fork",
                           "vfork",
                           "ptrace",
                           "process_vm_readv",
                           "process_vm_writev",
                           "process_madvise",
                           "pidfd_getfd",
                           "init_module",
                           "finit_module",
                           "delete_module",
                           "kexec_load",
                           "kexec_file_load",
                           "bpf",
                           "mount",
                           "umount2",
                           "move_mount",
                           "open_tree",
                           "fsopen",
                           "pivot_root",
                           "chroot",
                           "unshare",
                           "setns",
                           "add_key",
                           "keyctl",
                           "request_key",
                           "perf_event_open",
                           "userfaultfd",
                           "io_uring_setup",
                           "open_by_handle_at",
                           "personality",
                           "reboot",
                           "swapon",
                           "setuid",
                           "setgid",
                           "setreuid",
                           "setregid",
                           "setresuid",
                           "setresgid",
                           "setgroups",
                           "capset"};

// Newer than libraries that still know another way, and take it when the kernel has none of these.
// clone3 keeps its flags where no filter sees them.
constexpr std::array unknown{"clone3", "openat2", "mseal"};

using Context = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, decltype(&seccomp_release)>;

/// Adds rules until the first that fails.
class Rules {
 public:
  explicit Rules(scmp_filter_ctx context) : context_(context) {}

  /// 0, or the first error number.
  [[nodiscard]] int error() const { return error_; }

  void add(std::uint32_t action, const char* name,
           std::initializer_list<scmp_arg_cmp> arguments = {}) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR || error_ != 0) return;
    error_ = -seccomp_rule_add_array(context_, action, number,
                                     static_cast<unsigned>(arguments.size()), arguments.begin());
    if (error_ == EDOM) error_ = 0;  // not on this architecture
  }
  void allow(const char* name, std::initializer_list<scmp_arg_cmp> arguments = {}) {
    add(SCMP_ACT_ALLOW, name, arguments);
  }
  void set(scmp_filter_attr attribute, std::uint32_t value) {
    if (error_ == 0) error_ = -seccomp_attr_set(context_, attribute, value);
  }

 private:
  scmp_filter_ctx context_;
  int error_ = 0;
};

/// Argument `index`, of which the kernel takes 32 bits, is `value`.
scmp_arg_cmp is(unsigned index, std::uint64_t value) {
  constexpr std::uint64_t low_half = 0xffff'ffff;
  return {index, SCMP_CMP_MASKED_EQ, low_half, value & low_half};
}
/// Of the bits `mask` of argument `index` just those in `value` are set.
scmp_arg_cmp has(unsigned index, std::uint64_t mask, std::uint64_t value) {
  return {index, SCMP_CMP_MASKED_EQ, mask, value};
}

void allow_sockets(Rules& rules) {
  for (const int family : {AF_INET, AF_INET6, AF_UNIX}) {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
      constexpr std::uint64_t flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
      rules.allow("socket", {is(0, static_cast<std::uint64_t>(family)),
                             has(1, 0xffff'ffff & ~flags, static_cast<std::uint64_t>(type))});
    }
  }
  // getifaddrs() and the resolver ask for the addresses of this host.
  rules.allow("socket", {is(0, AF_NETLINK), is(2, NETLINK_ROUTE)});
}

/// Never memory that is written and executed, nor what was written made executable. Libraries that
/// the resolver loads are mapped readable and executable.
void allow_memory(Rules& rules) {
  constexpr std::uint64_t both = PROT_WRITE | PROT_EXEC;
  for (const std::uint64_t one : {std::uint64_t{0}, std::uint64_t{PROT_WRITE}}) {
    rules.allow("mmap", {has(2, both, one)});
    rules.allow("mprotect", {has(2, both, one)});
  }
  rules.allow("mmap", {has(2, both, PROT_EXEC)});
}

/// Threads, and no processes.
void allow_threads(Rules& rules) {
#if defined(__s390x__)
  constexpr unsigned flags = 1;
#else
  constexpr unsigned flags = 0;
#endif
  rules.allow("clone", {has(flags, CLONE_THREAD, CLONE_THREAD)});
}

/// To itself alone: a reload that is asked for over HTTP, and abort().
void allow_signals(Rules& rules) {
  const auto self = static_cast<std::uint64_t>(::getpid());
  rules.allow("kill", {is(0, self)});
  rules.allow("tgkill", {is(0, self)});
}

void allow_questions(Rules& rules) {
  constexpr std::uint64_t set_vma = 0x53564d41;  // PR_SET_VMA: malloc names its memory
  for (const std::uint64_t option : {std::uint64_t{PR_SET_NAME}, std::uint64_t{PR_GET_NAME},
                                     std::uint64_t{PR_SET_TIMERSLACK}, set_vma}) {
    rules.allow("prctl", {is(0, option)});
  }
  for (const unsigned long request : {0UL + FIONREAD, 0UL + FIONBIO, 0UL + TCGETS, 0UL + TIOCGWINSZ,
                                      0UL + SIOCGIFINDEX, 0UL + SIOCGIFNAME, 0UL + SIOCOUTQ}) {
    rules.allow("ioctl", {is(1, request)});
  }
  rules.allow("prlimit64", {has(2, ~std::uint64_t{0}, 0)});  // no new limit: a question
}

}  // namespace

std::string apply_system_call_filter() {
  if constexpr (sizeof(void*) < sizeof(std::uint64_t)) return "not written for 32 bits";
  const bool is_told = can_answer_refused_calls();
  if (is_told) answer_refused_calls();
  const Context context{seccomp_init(is_told ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(EPERM)),
                        seccomp_release};
  if (!context) return "seccomp_init failed";
  Rules rules{context.get()};
  rules.set(SCMP_FLTATR_CTL_TSYNC, 1);
  rules.set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  // No code of others runs in here that would have to be kept from speculating (a JIT's).
  rules.set(SCMP_FLTATR_CTL_SSB, 1);
  rules.set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // found by bisection
  for (const char* const name : allowed) rules.allow(name);
  for (const char* const name : fatal) rules.add(SCMP_ACT_KILL_PROCESS, name);
  for (const char* const name : unknown) rules.add(SCMP_ACT_ERRNO(ENOSYS), name);
  allow_sockets(rules);
  allow_memory(rules);
  allow_threads(rules);
  allow_signals(rules);
  allow_questions(rules);
  int error = rules.error();
  if (error == 0) error = -seccomp_load(context.get());
  return error == 0 ? std::string{} : std::generic_category().message(error);
}

}  // namespace turnpike::server
