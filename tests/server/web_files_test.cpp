#include "server/web_files.h"

#include <filesystem>
#include <fstream>

#include "catch.h"
#include "server/scratch_directory.h"

namespace turnpike::server::test {

namespace {

using signaling::Method;
using signaling::Request;
using signaling::Response;

std::optional<Response> get(const signaling::StaticFiles& files, std::string_view path) {
  return files.answer(Request{.method = Method::get, .path = std::string{path}, .host = "a"});
}

void write(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream{path} << text;
}

std::string policy_of(const Response& response) {
  for (const auto& header : response.headers) {
    if (header.name == "Content-Security-Policy") return header.value;
  }
  return {};
}

}  // namespace

TEST_CASE("the pages are part of the program, and can be switched off", "[server][web]") {
  Config config;
  const auto page = get(web_files(config), "/");
  REQUIRE(page);
  CHECK(page->body.starts_with("<!doctype html>"));
  CHECK(policy_of(*page).starts_with("default-src 'self';"));
  config.signaling.pages = false;
  CHECK_FALSE(get(web_files(config), "/"));
}

TEST_CASE("a directory of the operator's is served, and its files win", "[server][web]") {
  const turnpike::test::ScratchDirectory scratch;
  const std::filesystem::path root{scratch.path()};
  write(root / "index.html", "<p>mine");
  write(root / "a" / "b.js", "1");
  write(root / "a" / "index.html", "<p>a");
  write(root / ".git" / "config", "secret");
  write(root / "a" / ".hidden", "secret");
  std::filesystem::create_symlink("/etc/passwd", root / "passwd.txt");
  Config config;
  config.web.root = root.string();
  const auto files = web_files(config);
  const auto page = get(files, "/");
  REQUIRE(page);
  CHECK(page->body == "<p>mine");
  CHECK(policy_of(*page) == "frame-ancestors 'none'");  // its scripts are its own business
  CHECK(get(files, "/a/")->body == "<p>a");
  CHECK(get(files, "/a/b.js")->body == "1");
  CHECK_FALSE(get(files, "/.git/config"));
  CHECK_FALSE(get(files, "/a/.hidden"));
  CHECK_FALSE(get(files, "/passwd.txt"));
  CHECK_FALSE(get(files, "/a"));
}

}  // namespace turnpike::server::test
