#include "cli/private_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "catch.h"
#include "cli/exit_code.h"
#include "server/scratch_directory.h"

namespace turnpike::cli {

namespace {

using test::ScratchDirectory;

std::string text_in(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream{path}.rdbuf();
  return text.str();
}

unsigned mode_of(const std::string& path) {
  struct stat found {};
  REQUIRE(::lstat(path.c_str(), &found) == 0);
  REQUIRE(S_ISREG(found.st_mode));
  return found.st_mode & 07777U;
}

std::size_t files_in(const ScratchDirectory& directory) {
  const std::filesystem::directory_iterator all{directory.path()};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace

TEST_CASE("what a command writes is for its caller alone, whatever the umask", "[cli][I06]") {
  const ScratchDirectory directory;
  const std::string path = directory.path() + "/out";
  const mode_t before = ::umask(0);
  CHECK(write_private_file(path, "secret", Existing::keep));
  ::umask(before);
  CHECK(text_in(path) == "secret");
  CHECK(mode_of(path) == 0600);
  struct stat found {};
  REQUIRE(::stat(path.c_str(), &found) == 0);
  CHECK(found.st_uid == ::geteuid());
  CHECK(files_in(directory) == 1);
}

TEST_CASE("a file that is there is kept, or replaced by a private one", "[cli][I06]") {
  const ScratchDirectory directory;
  const std::string path = directory.write("out", "old", 0644);
  CHECK_FALSE(write_private_file(path, "new", Existing::keep));
  CHECK(text_in(path) == "old");
  CHECK(write_private_file(path, "new", Existing::replace));
  CHECK(text_in(path) == "new");
  CHECK(mode_of(path) == 0600);
  CHECK(files_in(directory) == 1);
}

TEST_CASE("a command writes through no link that somebody has put there", "[cli][I06]") {
  const ScratchDirectory directory;
  const std::string target = directory.path() + "/target";
  const bool is_dangling = GENERATE(false, true);
  if (!is_dangling) directory.write("target", "precious", 0644);
  const std::string link = directory.path() + "/out";
  REQUIRE(::symlink(target.c_str(), link.c_str()) == 0);

  CHECK_FALSE(write_private_file(link, "secret", Existing::keep));
  CHECK(std::filesystem::is_symlink(link));
  CHECK(write_private_file(link, "secret", Existing::replace));
  CHECK(mode_of(link) == 0600);  // a file now, no link
  CHECK(text_in(link) == "secret");
  CHECK(text_in(target) == (is_dangling ? "" : "precious"));
  CHECK(std::filesystem::exists(target) == !is_dangling);
}

TEST_CASE("a file that cannot be written is told, and nothing is left of it", "[cli][I06]") {
  const ScratchDirectory directory;
  directory.write("file", "");
  const std::string path = directory.path() + "/file/out";
  CHECK_THROWS_AS(write_private_file(path, "secret", Existing::replace), CommandFailure);
  CHECK(files_in(directory) == 1);
}

}  // namespace turnpike::cli
