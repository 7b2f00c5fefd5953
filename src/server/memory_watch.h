// Whether the memory that this process may have is running out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>

namespace turnpike::server {

/// Looks at the control group that a process is in, and at the group's limit: MemoryMax of a
/// systemd service, the limit of a container. Limits of groups above it are not looked at.
///
/// The files that the kernel keeps pages of do not count: it takes those back before it kills.
class MemoryWatch {
 public:
  /// Opens what is read later, for the sandbox lets nothing of it be opened. The arguments are
  /// where the kernel shows the process and the groups.
  explicit MemoryWatch(const std::filesystem::path& process = "/proc/self",
                       const std::filesystem::path& groups = "/sys/fs/cgroup");

  /// Looks again. True from 85 % of the limit on, until it is less than 80 %. False where there is
  /// no limit.
  [[nodiscard]] bool is_short();

 private:
  struct Group;

  explicit MemoryWatch(const Group& group);
  [[nodiscard]] static Group group_of(const std::filesystem::path& process,
                                      const std::filesystem::path& groups);
  /// Pages of files.
  [[nodiscard]] std::uint64_t reclaimable();

  std::ifstream limit_;
  std::ifstream in_use_;
  std::ifstream statistics_;
  bool is_short_ = false;
};

}  // namespace turnpike::server
