#include "net/local_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "catch.h"
#include "net/loopback.h"
#include "server/scratch_directory.h"

namespace turnpike::net {
namespace {

using turnpike::test::ScratchDirectory;

bool can_connect(const std::string& path) {
  const TcpSocket socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  return ::connect(socket.descriptor(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof address) == 0;
}

bool is_there(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0;
}

}  // namespace

TEST_CASE("a local listener is its owner's alone, and goes with it", "[net]") {
  const ScratchDirectory directory;
  const std::string path = directory.path() + "/a.sock";
  {
    auto listener = LocalListener::open(path);
    REQUIRE(listener);
    struct stat made {};
    REQUIRE(::stat(path.c_str(), &made) == 0);
    CHECK((made.st_mode & 0777) == 0600);
    CHECK(listener->accept().error() == std::errc::operation_would_block);
    CHECK(can_connect(path));
    const auto accepted = listener->accept();
    REQUIRE(accepted);
    CHECK(accepted->peer.user == ::geteuid());
    CHECK(accepted->peer.process == ::getpid());
  }
  CHECK_FALSE(is_there(path));
}

TEST_CASE("a live listener is not replaced, a dead one is, and a file never", "[net][C09]") {
  const ScratchDirectory directory;
  const std::string path = directory.path() + "/a.sock";
  auto first = LocalListener::open(path);
  REQUIRE(first);
  CHECK(LocalListener::open(path).error() == std::errc::address_in_use);
  CHECK(can_connect(path));

  // As a killed server leaves it: the file is there, nobody listens.
  const std::string moved = path + ".dead";
  REQUIRE(::rename(path.c_str(), moved.c_str()) == 0);
  first = LocalListener::open(path);
  REQUIRE(first);
  CHECK_FALSE(can_connect(moved));
  CHECK(LocalListener::open(moved));

  const std::string file = directory.write("file", "precious");
  CHECK(LocalListener::open(file).error() == std::errc::file_exists);
  CHECK(is_there(file));
  CHECK(LocalListener::open(directory.path() + "/none/a.sock").error() ==
        std::errc::no_such_file_or_directory);
  CHECK(LocalListener::open(std::string(200, 'a')).error() == std::errc::filename_too_long);
}

}  // namespace turnpike::net
