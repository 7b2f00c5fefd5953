#include "server/web_files.h"

#include <algorithm>
#include <array>
#include <deque>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "server/log.h"

namespace turnpike::server {
namespace {

namespace fs = std::filesystem;

/// Of our own pages: nothing but what this server itself serves, no forms to elsewhere.
constexpr std::string_view own_policy =
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'";

constexpr std::size_t max_root_bytes = 64 << 20;  // of all files together
constexpr std::size_t max_root_files = 10'000;

/// Paths under which pages are found without the slash that a directory ends with.
constexpr std::array<std::pair<std::string_view, std::string_view>, 1> aliases{
    {{"/nat", "/nat/index.html"}}};

bool is_page(std::string_view path) {
  constexpr std::array<std::string_view, 6> places{"/index.html", "/call/", "/nat/",
                                                   "/assets/",    "/ui/",   "/i18n/"};
  return std::any_of(places.begin(), places.end(),
                     [&](std::string_view place) { return path.starts_with(place); });
}

std::string_view type_of(const fs::path& path) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 19> types{{
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".json", "application/json; charset=utf-8"},
      {".map", "application/json; charset=utf-8"},
      {".webmanifest", "application/manifest+json; charset=utf-8"},
      {".txt", "text/plain; charset=utf-8"},
      {".svg", "image/svg+xml; charset=utf-8"},
      {".png", "image/png"},
      {".jpg", "image/jpeg"},
      {".jpeg", "image/jpeg"},
      {".gif", "image/gif"},
      {".webp", "image/webp"},
      {".ico", "image/x-icon"},
      {".woff2", "font/woff2"},
      {".wasm", "application/wasm"},
      {".mp4", "video/mp4"},
      {".webm", "video/webm"},
  }};
  if (path.native().ends_with(".d.ts")) return "text/plain; charset=utf-8";  // not a video
  const std::string extension = path.extension().string();
  const auto found = std::find_if(types.begin(), types.end(),
                                  [&](const auto& type) { return type.first == extension; });
  return found == types.end() ? "application/octet-stream" : found->second;
}

/// A file of the operator's, for as long as the process lives.
struct OwnFile {
  std::string path;
  std::string content;
};

std::deque<OwnFile>& own_files() {
  static std::deque<OwnFile> files;
  return files;
}

void leave_out(const fs::path& path, std::string_view reason) {
  log_event(LogLevel::warn, "web_file_left_out", {{"file", path.string()}, {"reason", reason}});
}

void read_root(const std::string& root, std::vector<signaling::Asset>& assets) {
  std::size_t total = 0;
  std::size_t count = 0;
  for (auto entry = fs::recursive_directory_iterator{root}; entry != fs::end(entry); ++entry) {
    const fs::path& path = entry->path();
    if (path.filename().string().starts_with('.')) {
      if (entry->is_directory()) entry.disable_recursion_pending();
      continue;
    }
    if (entry->is_symlink() || !entry->is_regular_file()) continue;
    const std::uintmax_t size = entry->file_size();
    if (++count > max_root_files || size > max_root_bytes - total) {
      leave_out(path, "web.root holds more than is kept in memory");
      continue;
    }
    std::ifstream stream{path, std::ios::binary};
    std::string content(size, '\0');
    if (!stream.read(content.data(), static_cast<std::streamsize>(size))) {
      leave_out(path, "it cannot be read");
      continue;
    }
    total += content.size();
    own_files().push_back({"/" + fs::relative(path, root).generic_string(), std::move(content)});
    const OwnFile& file = own_files().back();
    assets.push_back({file.path, type_of(path), bytes_of(file.content)});
  }
}

}  // namespace

signaling::StaticFiles web_files(const Config& config) {
  std::vector<signaling::Asset> own;
  if (!config.web.root.empty()) read_root(config.web.root, own);
  std::vector<signaling::Asset> assets = own;
  const auto is_own = [&](std::string_view path) {
    return std::any_of(own.begin(), own.end(),
                       [&](const auto& asset) { return asset.path == path; });
  };
  std::vector<signaling::Asset> embedded = embedded_assets();
  for (signaling::Asset& asset : embedded) {
    asset.type = type_of(asset.path);
    asset.policy = own_policy;
    if (is_own(asset.path) || (is_page(asset.path) && !config.signaling.pages)) continue;
    assets.push_back(asset);
    for (const auto& [alias, path] : aliases) {
      if (asset.path != path || is_own(alias)) continue;
      assets.push_back(asset);
      assets.back().path = alias;
    }
  }
  return signaling::StaticFiles{assets};
}

}  // namespace turnpike::server
