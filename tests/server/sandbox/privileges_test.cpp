#include "server/sandbox/privileges.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "catch.h"
#include "server/sandbox/in_child.h"
#include "server/scratch_directory.h"
#include "server/start_error.h"

using namespace turnpike::server;
using turnpike::test::Checks;
using turnpike::test::in_child;
using turnpike::test::ScratchDirectory;

namespace {

bool is_root() { return ::geteuid() == 0; }

/// A line of /proc/self/status, without its name.
std::string status_line(const std::string& name) {
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  }
  return {};
}

const std::string no_capabilities = "0000000000000000";
const std::string bind_low_ports = "0000000000000400";  // CAP_NET_BIND_SERVICE

TEST_CASE("an account that is not there stops the start", "[server][sandbox]") {
  if (!is_root()) {
    WARN("not root: nobody is become");
    return;
  }
  Config::Server config;
  config.user = "no-such-user-here";
  try {
    static_cast<void>(account_to_become(config));
    FAIL("it was found");
  } catch (const StartError& error) {
    CHECK(error.exit_code == exit_configuration);
    CHECK(error.sentence.find("no-such-user-here") != std::string::npos);
  }
}

TEST_CASE("root may stay root, and only root becomes anybody", "[server][sandbox]") {
  Config::Server config;
  config.user = "root";
  CHECK_FALSE(account_to_become(config));
  config.user = "nobody";
  CHECK(account_to_become(config).has_value() == is_root());
}

TEST_CASE("a server that root started becomes its user for good", "[server][sandbox]") {
  if (!is_root()) {
    WARN("not root: nobody is become");
    return;
  }
  Config::Server config;
  config.user = "nobody";
  const auto account = account_to_become(config);
  REQUIRE(account);
  const auto end = in_child([&] {
    Checks check;
    become(*account);
    check(::getuid() == account->user && ::geteuid() == account->user);
    check(::getgid() == account->group);
    check(::setuid(0) == -1);
    check(status_line("CapEff") == bind_low_ports);
    check(status_line("CapPrm") == bind_low_ports);
    check(status_line("CapBnd") == no_capabilities);
    check(drop_capabilities(true) && status_line("CapEff") == bind_low_ports);
    check(drop_capabilities(false));
    check(status_line("CapEff") == no_capabilities);
    check(status_line("CapPrm") == no_capabilities);
    return check.first_failed();
  });
  CHECK(end.exit_code == 0);
}

TEST_CASE("whoever starts it, no capability is left", "[server][sandbox]") {
  const auto end = in_child([] {
    Checks check;
    check(drop_capabilities(false));
    for (const char* const set : {"CapEff", "CapPrm", "CapInh", "CapAmb"}) {
      check(status_line(set) == no_capabilities);
    }
    return check.first_failed();
  });
  CHECK(end.exit_code == 0);
}

TEST_CASE("nothing of the memory goes to a core dump", "[server][sandbox]") {
  const auto end = in_child([] {
    Checks check;
    forbid_core_dumps();
    rlimit limit{1, 1};
    check(::getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0);
    check(::prctl(PR_GET_DUMPABLE) == 0);
    return check.first_failed();
  });
  CHECK(end.exit_code == 0);
}

TEST_CASE("the quickstart's directory goes to the server's user, and what is root's in it",
          "[server][sandbox]") {
  if (!is_root()) {
    WARN("not root: nothing can be given away");
    return;
  }
  const ScratchDirectory directory;
  const std::string secret = directory.write("quickstart.secret", "x");
  const std::string foreign = directory.write("foreign", "x");
  REQUIRE(::chown(foreign.c_str(), 1234, 1234) == 0);
  hand_over(directory.path(), {"nobody", 4321, 4322});
  struct stat status {};
  for (const std::string& path : {directory.path(), secret}) {
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK(status.st_uid == 4321);
    CHECK(status.st_gid == 4322);
  }
  REQUIRE(::stat(foreign.c_str(), &status) == 0);
  CHECK(status.st_uid == 1234);
}

}  // namespace
