// Kills a process while it writes, and looks at what it has left.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <thread>

#include "base/seeded_random.h"
#include "catch.h"
#include "store/store_files.h"

namespace turnpike::test {

using namespace store;

namespace {

std::string name_of(std::uint32_t number) { return "user-" + std::to_string(number); }

/// Adds users from `first` on, and says so on `report` after each. Never returns.
[[noreturn]] void write_until_the_end(const Location& location, std::uint32_t first, int report) {
  auto opened = open_sqlite(location, IfAbsent::create, Check::quick);
  if (!opened) _exit(1);
  for (std::uint32_t number = first;; ++number) {
    const auto added = (*opened)->add_user(user_named(name_of(number)), mina);
    if (!added || !*added) _exit(2);
    if (::write(report, &number, sizeof number) != sizeof number) _exit(3);
  }
}

/// A child that writes, and what it has reported.
class Writer {
 public:
  Writer(const Location& location, std::uint32_t first) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) throw std::runtime_error("pipe");
    // Catch2 has a handler of its own, in which a child that is interrupted before it has put that
    // away would report a failed test.
    sigset_t interrupt;
    ::sigemptyset(&interrupt);
    ::sigaddset(&interrupt, SIGINT);
    ::sigprocmask(SIG_BLOCK, &interrupt, nullptr);
    child_ = ::fork();
    if (child_ == 0) ::signal(SIGINT, SIG_DFL);
    ::sigprocmask(SIG_UNBLOCK, &interrupt, nullptr);
    if (child_ < 0) throw std::runtime_error("fork");
    if (child_ == 0) write_until_the_end(location, first, ends[1]);
    ::close(ends[1]);
    reports_ = ends[0];
  }
  ~Writer() {
    kill();
    ::close(reports_);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// The next number that was reported; nothing when the child has ended.
  std::optional<std::uint32_t> next() {
    std::uint32_t number = 0;
    if (::read(reports_, &number, sizeof number) != sizeof number) return std::nullopt;
    return number;
  }
  void kill(int signal = SIGKILL) {
    if (child_ <= 0) return;
    ::kill(child_, signal);
    ::waitpid(child_, &status_, 0);
    child_ = -1;
  }
  [[nodiscard]] bool was_killed() const { return WIFSIGNALED(status_); }

 private:
  pid_t child_ = -1;
  int reports_ = -1;
  int status_ = 0;
};

/// Kills a writer `rounds` times, each time at a moment that `seed` decides.
void kill_writers(int rounds, std::uint64_t seed) {
  const StoreFiles files;
  SeededRandom random{seed};
  std::uint32_t acknowledged = 0;  // users 0 to this, without it
  for (int round = 0; round < rounds; ++round) {
    Writer writer{files.location(), acknowledged};
    const std::uint64_t reports = random.next_u64() % 6;  // 0: perhaps while it is being opened
    for (std::uint64_t i = 0; i < reports; ++i) {
      const auto number = writer.next();
      REQUIRE(number);
      acknowledged = *number + 1;
    }
    std::this_thread::sleep_for(std::chrono::microseconds{random.next_u64() % 3000});
    writer.kill(round % 2 == 0 ? SIGKILL : SIGINT);  // Ctrl-C is no other death
    CHECK(writer.was_killed());
    while (const auto number = writer.next()) acknowledged = *number + 1;

    const auto store = files.open();  // reads every page
    const std::uint64_t count = sure(store->user_count());
    CHECK((count == acknowledged || count == acknowledged + 1U));  // one may lack its report
    CHECK(sure(store->change_counter()) == count);
    for (std::uint32_t number = 0; number < count; ++number) {
      REQUIRE(sure(store->find_user(name_of(number))));
    }
    acknowledged = static_cast<std::uint32_t>(count);
  }
  CHECK(acknowledged > 0);
}

}  // namespace

TEST_CASE("whatever was acknowledged survives kill -9 and Ctrl-C at any moment (G12)",
          "[store][I04][X04]") {
  kill_writers(25, 20'261'128);
}

// script/test --long
TEST_CASE("whatever was acknowledged survives a thousand kills (G12)", "[.][store-kills][X04]") {
  kill_writers(1000, 20'261'129);
}

TEST_CASE("a write that does not fit fails as a whole, and what was acknowledged stays",
          "[store][X01]") {
  const StoreFiles files;
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{200'000, 200'000};  // of any file that this process writes
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(1);
    write_until_the_end(files.location(), 0, ends[1]);
  }
  ::close(ends[1]);
  std::uint32_t acknowledged = 0;
  std::uint32_t number = 0;
  while (::read(ends[0], &number, sizeof number) == sizeof number) acknowledged = number + 1;
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 2);  // the store said so

  const auto store = files.open();
  CHECK(acknowledged > 0);
  CHECK(sure(store->user_count()) == acknowledged);
  CHECK(sure(store->add_user(user_named("one more"), mina)));
}

}  // namespace turnpike::test
