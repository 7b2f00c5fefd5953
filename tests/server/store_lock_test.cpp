#include "server/store_lock.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "catch.h"
#include "server/start_error.h"
#include "store/store_files.h"

using namespace turnpike;
using server::StartError;
using server::StoreLock;
using test::StoreFiles;
using test::sure;

namespace {

/// Why the store cannot be had, or nothing.
std::string obstacle(const StoreFiles& files) {
  try {
    const StoreLock lock{files.path()};
    return {};
  } catch (const StartError& error) {
    CHECK(error.exit_code == server::exit_unavailable);
    return error.sentence;
  }
}

}  // namespace

TEST_CASE("a store serves one server at a time", "[server][store][C09]") {
  const StoreFiles files;
  const auto store = files.open();
  std::optional<StoreLock> first{std::in_place, files.path()};
  const std::string sentence = obstacle(files);
  CHECK(sentence.find("another server runs with the store " + files.path()) == 0);
  CHECK(sentence.find("store.url") != std::string::npos);
  first.reset();
  CHECK(obstacle(files).empty());
}

TEST_CASE("the lock of a store is no obstacle for commands that write to it",
          "[server][store][C09]") {
  const StoreFiles files;
  const auto servers = files.open();
  const StoreLock lock{files.path()};
  const auto commands = files.open();
  CHECK(sure(commands->add_secret(test::secret_called("main", "a secret"), test::mina)));
  CHECK(sure(servers->secrets()).size() == 1);
}

TEST_CASE("the lock of a server that was killed holds nobody up", "[server][store][C09]") {
  const StoreFiles files;
  static_cast<void>(files.open());
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const StoreLock lock{files.path()};
    ::raise(SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(obstacle(files).empty());
}

TEST_CASE("a store that is not there cannot be locked", "[server][store][C09]") {
  const StoreFiles files;
  CHECK(obstacle(files).find("cannot be locked") != std::string::npos);
}
