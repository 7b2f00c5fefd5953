// Whether the memory that this process may have is running out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>

namespace turnpike::server {

/// Looks at the control group that a process is in, and at the group's limit: MemoryMax of a
/// systemd service, the limit of a container. Limits of groups above it are not looked at. And at
/// the address space of the process, where that has a limit (RLIMIT_AS, `ulimit -v`): at its end
/// nothing more is given by malloc.
///
/// The files that the kernel keeps pages of do not count: it takes those back before it kills.
class MemoryWatch {
 public:
  /// Opens what is read later, for the sandbox lets nothing of it be opened. The arguments are
  /// where the kernel shows the process and the groups.
  explicit MemoryWatch(const std::filesystem::path& process = "/proc/self",
                       const std::filesystem::path& groups = "/sys/fs/cgroup");

  /// Looks again. True from 85 % of a limit on, until less than 80 % of each is in use. False where
  /// there is no limit.
  [[nodiscard]] bool is_short();

 private:
  struct Group;

  MemoryWatch(const std::filesystem::path& process, const Group& group);
  [[nodiscard]] static Group group_of(const std::filesystem::path& process,
                                      const std::filesystem::path& groups);
  [[nodiscard]] bool group_has_used(std::uint64_t percent);
  [[nodiscard]] bool address_space_has_used(std::uint64_t percent);
  /// Pages of files.
  [[nodiscard]] std::uint64_t reclaimable();

  std::ifstream pages_;  // of the address space
  std::ifstream limit_;
  std::ifstream in_use_;
  std::ifstream statistics_;
  bool is_short_ = false;
};

}  // namespace turnpike::server
