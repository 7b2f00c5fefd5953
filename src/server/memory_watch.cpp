#include "server/memory_watch.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace turnpike::server {
namespace {

constexpr std::uint64_t short_percent = 85;
constexpr std::uint64_t enough_percent = 80;

/// From the beginning, as the file is now.
void rewind(std::ifstream& file) {
  file.clear();
  file.seekg(0);
}

/// The number that `file` begins with; nothing for "max", or when there is no such file.
std::optional<std::uint64_t> number_in(std::ifstream& file) {
  rewind(file);
  std::uint64_t number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

/// So many percent of `whole`, or more.
bool is_share(std::uint64_t part, std::uint64_t whole, std::uint64_t percent) {
  return part / percent >= whole / 100;
}

}  // namespace

/// The files of a control group.
struct MemoryWatch::Group {
  std::filesystem::path folder;
  const char* limit;
  const char* in_use;
};

MemoryWatch::MemoryWatch(const std::filesystem::path& process, const std::filesystem::path& groups)
    : MemoryWatch(process, group_of(process, groups)) {}

MemoryWatch::MemoryWatch(const std::filesystem::path& process, const Group& group)
    : pages_(process / "statm"),
      limit_(group.folder / group.limit),
      in_use_(group.folder / group.in_use),
      statistics_(group.folder / "memory.stat") {}

/// Lines are "N:memory:PATH" (version 1, which comes first where there are both) and "0::PATH". In
/// a container the path may be one outside of it: then the group is at the top.
MemoryWatch::Group MemoryWatch::group_of(const std::filesystem::path& process,
                                         const std::filesystem::path& groups) {
  constexpr std::string_view version_1 = ":memory:";
  constexpr std::string_view version_2 = "0::";
  const auto at = [](const std::filesystem::path& top, std::string_view path) {
    const std::filesystem::path own = top / std::filesystem::path{path}.relative_path();
    std::error_code ignored;
    return std::filesystem::is_directory(own, ignored) ? own : top;
  };
  std::ifstream lines{process / "cgroup"};
  for (std::string text; std::getline(lines, text);) {
    const std::string_view line{text};
    const std::string_view rest = line.substr(std::min(line.find(':'), line.size()));
    if (rest.starts_with(version_1)) {
      return {at(groups / "memory", rest.substr(version_1.size())), "memory.limit_in_bytes",
              "memory.usage_in_bytes"};
    }
    if (line.starts_with(version_2)) {
      return {at(groups, line.substr(version_2.size())), "memory.max", "memory.current"};
    }
  }
  return {groups, "memory.max", "memory.current"};
}

bool MemoryWatch::is_short() {
  const std::uint64_t percent = is_short_ ? enough_percent : short_percent;
  is_short_ = group_has_used(percent) || address_space_has_used(percent);
  return is_short_;
}

bool MemoryWatch::group_has_used(std::uint64_t percent) {
  const auto limit = number_in(limit_);
  const auto in_use = number_in(in_use_);
  if (!limit || !in_use) return false;
  const std::uint64_t files = reclaimable();
  const std::uint64_t held = *in_use > files ? *in_use - files : 0;
  return is_share(held, *limit, percent);
}

/// The limit may be another one each time (prlimit).
bool MemoryWatch::address_space_has_used(std::uint64_t percent) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return false;
  const auto pages = number_in(pages_);
  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return pages && is_share(*pages * page_bytes, limit.rlim_cur, percent);
}

std::uint64_t MemoryWatch::reclaimable() {
  rewind(statistics_);
  std::uint64_t bytes = 0;
  std::uint64_t bytes_below = 0;  // with the groups below; version 1 has both
  std::string name;
  for (std::uint64_t number = 0; statistics_ >> name >> number;) {
    if (name == "inactive_file" || name == "active_file") bytes += number;
    if (name == "total_inactive_file" || name == "total_active_file") bytes_below += number;
  }
  return bytes_below > 0 ? bytes_below : bytes;
}

}  // namespace turnpike::server
