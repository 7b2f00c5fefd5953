#include "server/sandbox/landlock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "catch.h"
#include "server/sandbox/in_child.h"
#include "server/sandbox/sandbox.h"
#include "server/scratch_directory.h"

using namespace turnpike::server;
using turnpike::test::Checks;
using turnpike::test::in_child;
using turnpike::test::ScratchDirectory;

namespace {

SandboxPlan small_plan() {
  SandboxPlan plan;
  plan.readable = {"/proc"};
  plan.writable = {"/var/lib/turnpike"};
  plan.removable = {"/run/turnpike"};
  plan.connects_to = {443};
  return plan;
}

std::uint64_t access_of(const LandlockRules& rules, const std::string& path) {
  const auto found = std::find_if(rules.paths.begin(), rules.paths.end(),
                                  [&](const LandlockPath& rule) { return rule.path == path; });
  return found == rules.paths.end() ? 0 : found->access;
}

/// 0, or the error number of opening `path`.
int open_error(const std::string& path, int flags) {
  return ::open(path.c_str(), flags | O_CLOEXEC, 0600) >= 0 ? 0 : errno;
}

/// 0, or the error number of connecting to a port of this host.
int connect_error(std::uint16_t port) {
  const int stream = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int result = ::connect(stream, reinterpret_cast<sockaddr*>(&address), sizeof address);
  return result == 0 ? 0 : errno;
}

TEST_CASE("a path is good for what the plan says", "[server][sandbox]") {
  using namespace landlock;
  const LandlockRules rules = landlock_rules(small_plan(), 7);
  CHECK(access_of(rules, "/proc") == (read_file | read_dir));
  CHECK(access_of(rules, "/var/lib/turnpike") ==
        (read_file | read_dir | write_file | landlock::truncate | make_reg | remove_file));
  CHECK(access_of(rules, "/run/turnpike") == remove_file);
  CHECK((rules.handled_files & execute) != 0);  // and no path allows it
}

TEST_CASE("a kernel is asked for no more than it knows", "[server][sandbox]") {
  using namespace landlock;
  const auto [abi, files, ports, scoped] =
      GENERATE(table<int, std::uint64_t, std::uint64_t, std::uint64_t>({
          {1, 0x1fff, 0, 0},
          {2, 0x3fff, 0, 0},
          {3, 0x7fff, 0, 0},
          {4, 0x7fff, 3, 0},
          {5, 0xffff, 3, 0},
          {6, 0xffff, 3, 3},
          {99, 0xffff, 3, 3},
      }));
  CAPTURE(abi);
  const LandlockRules rules = landlock_rules(small_plan(), abi);
  CHECK(rules.handled_files == files);
  CHECK(rules.handled_ports == ports);
  CHECK(rules.scoped == scoped);
  for (const LandlockPath& path : rules.paths) CHECK((path.access & ~files) == 0);
}

TEST_CASE("TCP ports are left alone when clients have peers connected to", "[server][sandbox]") {
  SandboxPlan plan = small_plan();
  plan.connects_to.reset();
  CHECK(landlock_rules(plan, 7).handled_ports == 0);
  plan.abstract_sockets = true;
  CHECK(landlock_rules(plan, 7).scoped == landlock::scope_signal);
}

TEST_CASE("a file may be replaced where it is and where its links lead", "[server][sandbox]") {
  const ScratchDirectory directory;
  namespace fs = std::filesystem;
  const std::string& top = directory.path();
  fs::create_directories(top + "/live");
  fs::create_directories(top + "/archive");
  fs::create_symlink("../archive/chain1.pem", top + "/live/chain.pem");
  fs::create_symlink(top + "/archive/chain2.pem", top + "/archive/chain1.pem");
  CHECK(directories_of_file(top + "/live/chain.pem") ==
        std::vector<std::string>{top + "/live", top + "/live/../archive", top + "/archive"});
  CHECK(directories_of_file("turnpike.toml") == std::vector<std::string>{"."});
  fs::create_symlink("loop", top + "/loop");
  CHECK(directories_of_file(top + "/loop").size() == 16);
}

TEST_CASE("Landlock keeps a process to its files and ports", "[server][sandbox]") {
  const int abi = landlock_abi();
  if (abi < 1) {
    WARN("this kernel has no Landlock");
    return;
  }
  const ScratchDirectory state;
  const ScratchDirectory settings;
  const ScratchDirectory other;
  const std::string readable = settings.write("turnpike.toml", "x");
  const std::string secret = other.write("secret", "x");
  const auto end = in_child([&] {
    SandboxPlan plan;
    plan.readable_files = {settings.path()};
    plan.writable = {state.path()};
    plan.devices = {"/dev/null"};
    plan.connects_to.emplace();
    Checks check;
    check(apply_landlock(landlock_rules(plan, abi)).empty());
    check(open_error(readable, O_RDONLY) == 0);
    check(open_error(readable, O_RDWR) == EACCES);
    check(open_error(settings.path() + "/new", O_WRONLY | O_CREAT) == EACCES);
    check(open_error(secret, O_RDONLY) == EACCES);
    check(open_error("/etc/passwd", O_RDONLY) == EACCES);
    check(open_error("/etc/passwd", O_RDWR) == EACCES);
    check(open_error(state.path() + "/turnpike.db", O_RDWR | O_CREAT) == 0);
    check(::unlink((state.path() + "/turnpike.db").c_str()) == 0);
    check(open_error("/dev/null", O_RDWR) == 0);
    check(abi < 4 || connect_error(6379) == EACCES);
    return check.first_failed();
  });
  CHECK(end.exit_code == 0);
}

TEST_CASE("what was put in the place of a readable file is read", "[server][sandbox]") {
  const int abi = landlock_abi();
  if (abi < 1) {
    WARN("this kernel has no Landlock");
    return;
  }
  const ScratchDirectory directory;
  const std::string file = directory.write("key.pem", "old");
  int confined[2];
  int renewed[2];
  REQUIRE(::pipe(confined) == 0);
  REQUIRE(::pipe(renewed) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    SandboxPlan plan;
    plan.readable_files = directories_of_file(file);
    char go = 0;
    const bool ready = apply_landlock(landlock_rules(plan, abi)).empty() &&
                       ::write(confined[1], "x", 1) == 1 && ::read(renewed[0], &go, 1) == 1;
    ::_exit(ready && open_error(file, O_RDONLY) == 0 ? 0 : 1);
  }
  char is_confined = 0;
  REQUIRE(::read(confined[0], &is_confined, 1) == 1);
  std::filesystem::rename(directory.write("key.new", "new"), file);
  REQUIRE(::write(renewed[1], "x", 1) == 1);
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  for (const int end : {confined[0], confined[1], renewed[0], renewed[1]}) ::close(end);
}

TEST_CASE("a kernel without Landlock is reported, and the rest is confined", "[server][sandbox]") {
  const auto end = in_child([] {
    constexpr int create_ruleset = 444;
    const scmp_filter_ctx old_kernel = seccomp_init(SCMP_ACT_ALLOW);
    seccomp_rule_add(old_kernel, SCMP_ACT_ERRNO(ENOSYS), create_ruleset, 0);
    Checks check;
    check(seccomp_load(old_kernel) == 0);
    const SandboxReport report = confine({});
    check(report.files == "not confined: this kernel has no Landlock");
    check(report.system_calls == "seccomp");
    check(::chdir("/") == -1);
    return check.first_failed();
  });
  CHECK(end.exit_code == 0);
}

}  // namespace
