#include "server/sandbox/system_calls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "catch.h"
#include "server/sandbox/in_child.h"
#include "server/sandbox/refused_calls.h"
#include "server/scratch_directory.h"

using namespace turnpike::server;
using turnpike::test::Checks;
using turnpike::test::in_child;
using turnpike::test::ScratchDirectory;

namespace {

constexpr int no_filter = 200;

/// `part` in a child that has the filter.
template <class Part>
turnpike::test::ChildEnd filtered(Part part) {
  return in_child([&] { return apply_system_call_filter().empty() ? part() : no_filter; });
}

/// True when a call has been refused as the filter refuses.
bool is_refused(long result) { return result == -1 && errno == EPERM; }

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

TEST_CASE("the filter lets the server do what it does", "[server][sandbox]") {
  const ScratchDirectory directory;
  const std::string file = directory.path() + "/file";
  const auto end = filtered([&] {
    Checks check;
    const int written = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    check(written >= 0 && ::write(written, "x", 1) == 1 && ::fsync(written) == 0);
    check(::ftruncate(written, 0) == 0 && ::close(written) == 0 && ::unlink(file.c_str()) == 0);

    const int udp = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
    sockaddr_in address = loopback(0);
    auto* const native = reinterpret_cast<sockaddr*>(&address);
    check(udp >= 0 && ::bind(udp, native, sizeof address) == 0);
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof address;
    check(::bind(listener, native, size) == 0 || errno == EINVAL);
    check(::listen(listener, 1) == 0 && ::getsockname(listener, native, &size) == 0);
    const int stream = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(::connect(stream, native, size) == 0);

    ifaddrs* interfaces = nullptr;
    check(::getifaddrs(&interfaces) == 0);
    ::freeifaddrs(interfaces);

    int answer = 0;
    std::thread{[&answer] {
      answer = static_cast<int>(std::vector<char>(1 << 20).size() >> 20);
    }}.join();
    check(answer == 1);
    rlimit limit{};
    check(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    check(::kill(::getpid(), 0) == 0);
    return check.first_failed();
  });
  CHECK(end.exit_code == 0);
  CHECK(end.signal == 0);
}

TEST_CASE("the filter refuses what the server has no use for", "[server][sandbox]") {
  const ScratchDirectory directory;
  const std::string path = directory.path() + "/new";
  const auto end = filtered([&] {
    Checks check;
    check(is_refused(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr)));
    check(is_refused(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP)));
    check(is_refused(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
    check(is_refused(::kill(::getppid(), 0)));
    check(is_refused(::mkdir(path.c_str(), 0700)));
    check(is_refused(::symlink("/etc/passwd", path.c_str())));
    check(is_refused(::rename(path.c_str(), path.c_str())));
    check(is_refused(::chmod(directory.path().c_str(), 0777)));
    const rlimit limit{1, 1};
    check(is_refused(::setrlimit(RLIMIT_NOFILE, &limit)));
    return check.first_failed();
  });
  CHECK(end.exit_code == 0);
}

TEST_CASE("a refused call is told of once, by its name", "[server][sandbox]") {
  if (!can_answer_refused_calls()) {
    WARN("only the kernel tells of them here");
    return;
  }
  using Names = std::vector<std::string>;
  const auto end = filtered([] {
    Checks check;
    check(newly_refused_calls().empty());
    errno = ENOENT;
    check(::syscall(100'000) == -1 && errno == EPERM);  // there is no such call
    check(newly_refused_calls() == Names{"1023"});
    check(is_refused(::chdir("/")) && is_refused(::chdir("/")));
    std::thread{[&check] { check(is_refused(::mkdir("/tmp", 0700))); }}.join();
    Names names = newly_refused_calls();
    std::sort(names.begin(), names.end());
    check(names.size() == 2 && names.front() == "chdir" && names.back().starts_with("mkdir"));
    check(is_refused(::chdir("/")));
    check(newly_refused_calls().empty());
    return check.first_failed();
  });
  CHECK(end.exit_code == 0);
  CHECK(end.signal == 0);
}

TEST_CASE("SIGSYS that somebody sends is not taken for a refused call", "[server][sandbox]") {
  const auto end = filtered([] {
    Checks check;
    check(::raise(SIGSYS) == 0);
    check(newly_refused_calls().empty());
    return check.first_failed();
  });
  CHECK(end.exit_code == 0);
}

TEST_CASE("memory is never both written and executed", "[server][sandbox]") {
  const auto end = filtered([] {
    Checks check;
    constexpr std::size_t bytes = 4096;
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    constexpr int all = PROT_READ | PROT_WRITE | PROT_EXEC;
    check(::mmap(nullptr, bytes, all, flags, -1, 0) == MAP_FAILED && errno == EPERM);
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    check(memory != MAP_FAILED);
    check(::mprotect(memory, bytes, PROT_READ) == 0);
    check(is_refused(::mprotect(memory, bytes, PROT_READ | PROT_EXEC)));
    return check.first_failed();
  });
  CHECK(end.exit_code == 0);
}

TEST_CASE("what only an intruder does ends the process", "[server][sandbox]") {
  CHECK(filtered([] {
          char program[] = "/bin/true";
          char* arguments[]{program, nullptr};
          return ::execve(program, arguments, nullptr);
        }).signal == SIGSYS);
  CHECK(filtered([] {
          return static_cast<int>(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
        }).signal == SIGSYS);
  CHECK(filtered([] { return ::setresuid(0, 0, 0); }).signal == SIGSYS);
}

TEST_CASE("the filter holds for threads that are there already", "[server][sandbox]") {
  const auto end = in_child([] {
    Checks check;
    int ready[2];
    check(::pipe(ready) == 0);
    bool refused = false;
    std::thread other{[&] {
      char go = 0;
      if (::read(ready[0], &go, 1) == 1) refused = is_refused(::chdir("/"));
    }};
    check(apply_system_call_filter().empty());
    check(::write(ready[1], "x", 1) == 1);
    other.join();
    check(refused);
    return check.first_failed();
  });
  CHECK(end.exit_code == 0);
}

}  // namespace
