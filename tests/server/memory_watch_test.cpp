// Control groups and a process as the kernel shows them, written by hand.
#include "server/memory_watch.h"

#include <sys/resource.h>
#include <unistd.h>

#include "catch.h"
#include "server/scratch_directory.h"

namespace turnpike::server::test {
namespace {

using turnpike::test::ScratchDirectory;

/// A process in a group with a limit of 1000 bytes.
class Host {
 public:
  /// Of version 2 unless `is_old`; the group's files are in `folder`.
  explicit Host(const std::string& membership, const std::string& folder, bool is_old = false)
      : folder_(folder), is_old_(is_old) {
    std::filesystem::create_directories(files_.path() + "/" + folder);
    files_.write("cgroup", membership);
    set_limit("1000\n");
    set_in_use(500);
    set_file_pages(0, 0);
  }

  void set_limit(const std::string& text) {
    write(is_old_ ? "memory.limit_in_bytes" : "memory.max", text);
  }
  void set_in_use(int bytes) {
    write(is_old_ ? "memory.usage_in_bytes" : "memory.current", std::to_string(bytes) + "\n");
  }
  void set_file_pages(int active, int inactive) {
    const std::string prefix = is_old_ ? "total_" : "";
    write("memory.stat", "anon 5\n" + prefix + "inactive_file " + std::to_string(inactive) + "\n" +
                             prefix + "active_file " + std::to_string(active) + "\npgfault 7\n");
  }
  [[nodiscard]] MemoryWatch watch() const { return MemoryWatch{files_.path(), files_.path()}; }

 private:
  void write(const std::string& name, const std::string& text) {
    files_.write(folder_ + "/" + name, text);
  }

  ScratchDirectory files_;
  std::string folder_;
  bool is_old_;
};

/// A limit of this process's address space, while it lives. More than this process will ever have.
class AddressSpaceLimit {
 public:
  explicit AddressSpaceLimit(std::uint64_t bytes) {
    REQUIRE(::getrlimit(RLIMIT_AS, &before_) == 0);
    const rlimit limit{bytes, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_AS, &limit) == 0);
  }
  ~AddressSpaceLimit() { ::setrlimit(RLIMIT_AS, &before_); }
  AddressSpaceLimit(const AddressSpaceLimit&) = delete;
  AddressSpaceLimit& operator=(const AddressSpaceLimit&) = delete;

 private:
  rlimit before_{};
};

const std::string service = "0::/system.slice/turnpike.service\n";
const std::string service_folder = "system.slice/turnpike.service";

}  // namespace

TEST_CASE("memory is short from 85 percent of the limit on, until it is less than 80",
          "[server][X13]") {
  Host host{service, service_folder};
  MemoryWatch watch = host.watch();
  CHECK_FALSE(watch.is_short());
  host.set_in_use(849);
  CHECK_FALSE(watch.is_short());
  host.set_in_use(850);
  CHECK(watch.is_short());
  host.set_in_use(800);
  CHECK(watch.is_short());
  host.set_in_use(799);
  CHECK_FALSE(watch.is_short());
  host.set_in_use(840);
  CHECK_FALSE(watch.is_short());
}

TEST_CASE("the pages of files do not count", "[server][X13]") {
  Host host{service, service_folder};
  MemoryWatch watch = host.watch();
  host.set_in_use(1000);
  host.set_file_pages(100, 51);
  CHECK_FALSE(watch.is_short());
  host.set_file_pages(100, 50);
  CHECK(watch.is_short());
}

TEST_CASE("a limit that changes, or goes, is the new one", "[server][X13]") {
  Host host{service, service_folder};
  MemoryWatch watch = host.watch();
  host.set_limit("500\n");
  CHECK(watch.is_short());
  host.set_limit("max\n");
  CHECK_FALSE(watch.is_short());
}

TEST_CASE("groups are found in version 1, and at the top in a container", "[server][X13]") {
  SECTION("version 1, beside an empty version 2") {
    Host host{"9:name=systemd:/\n4:memory:/docker/1234\n0::/\n", "memory/docker/1234", true};
    MemoryWatch watch = host.watch();
    host.set_in_use(1000);
    CHECK(watch.is_short());
    host.set_file_pages(100, 100);
    host.set_in_use(999);
    CHECK_FALSE(watch.is_short());
  }
  SECTION("a path outside of the container") {
    Host host{"0::/docker/1234\n", "."};
    host.set_in_use(1000);
    CHECK(host.watch().is_short());
  }
}

TEST_CASE("without a limit, or without control groups, memory is never short", "[server][X13]") {
  const ScratchDirectory nothing;
  MemoryWatch watch{nothing.path(), nothing.path()};
  CHECK_FALSE(watch.is_short());
}

TEST_CASE("an address space that is nearly used up is short memory, too", "[server][X13]") {
  constexpr std::uint64_t limit = std::uint64_t{1000} << 40;
  const auto statm = [](std::uint64_t percent) {
    const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return std::to_string(limit / 100 * percent / page_bytes) + " 7 6 5 0 4 0\n";
  };
  ScratchDirectory process;
  process.write("statm", statm(99));
  MemoryWatch watch{process.path(), process.path()};
  CHECK_FALSE(watch.is_short());
  const AddressSpaceLimit far_beyond_what_there_is{limit};
  CHECK(watch.is_short());
  process.write("statm", statm(81));
  CHECK(watch.is_short());
  process.write("statm", statm(79));
  CHECK_FALSE(watch.is_short());
  process.write("statm", statm(84));
  CHECK_FALSE(watch.is_short());
}

}  // namespace turnpike::server::test
