#include "store/private_file.h"

#include <fstream>

#include "catch.h"
#include "server/scratch_directory.h"
#include "store/failure.h"

namespace turnpike::test {

using namespace store;

namespace {

std::function<void(const std::string&)> writing(const std::string& text) {
  return [text](const std::string& path) { std::ofstream{path} << text; };
}

std::string text_in(const std::string& path) {
  std::string text;
  std::getline(std::ifstream{path}, text);
  return text;
}

std::size_t files_in(const ScratchDirectory& directory) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator{directory.path()}) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("a private file is made once, and never over another", "[store][I06]") {
  const ScratchDirectory directory;
  const std::string path = directory.path() + "/file";
  CHECK(make_private_file(path, writing("first")) == Made::now);
  CHECK(make_private_file(path, writing("second")) == Made::before);
  CHECK(text_in(path) == "first");
  CHECK(files_in(directory) == 1);
}

TEST_CASE("a private file that could not be written leaves nothing", "[store]") {
  const ScratchDirectory directory;
  const auto fail = [](const std::string& path) {
    std::ofstream{path} << "half";
    throw StoreFailure{Fault::unavailable, "disk full"};
  };
  CHECK_THROWS_AS(make_private_file(directory.path() + "/file", fail), StoreFailure);
  CHECK(files_in(directory) == 0);
  CHECK_THROWS_AS(make_private_file(directory.path() + "/none/file", writing("")), StoreFailure);
}

TEST_CASE("missing directories are made, and those that are there left alone", "[store]") {
  const ScratchDirectory directory;
  make_directory_of(directory.path() + "/a/b/file");
  CHECK(std::filesystem::status(directory.path() + "/a/b").permissions() ==
        std::filesystem::perms::owner_all);
  std::filesystem::permissions(directory.path() + "/a/b", std::filesystem::perms::all);
  make_directory_of(directory.path() + "/a/b/file");
  CHECK(std::filesystem::status(directory.path() + "/a/b").permissions() ==
        std::filesystem::perms::all);
  make_directory_of("file");
}

}  // namespace turnpike::test
