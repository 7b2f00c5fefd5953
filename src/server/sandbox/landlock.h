// Landlock: takes away the right to files, and to TCP ports, that a plan does not name. No library
// has wrappers for it; this follows the kernel's include/uapi/linux/landlock.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/sandbox/plan.h"

namespace turnpike::server {

/// What one path and all below it is good for: bits of LANDLOCK_ACCESS_FS_*.
struct LandlockPath {
  std::string path;
  std::uint64_t access = 0;

  friend bool operator==(const LandlockPath&, const LandlockPath&) = default;
};

/// As the kernel takes it.
struct LandlockRules {
  std::uint64_t handled_files = 0;  ///< what is refused unless a path allows it
  std::uint64_t handled_ports = 0;  ///< bits of LANDLOCK_ACCESS_NET_*
  std::uint64_t scoped = 0;         ///< bits of LANDLOCK_SCOPE_*
  std::vector<LandlockPath> paths;
  std::vector<std::uint16_t> connects_to;
};

/// Linux's names (uapi/linux/landlock.h), for those of them that the tests use too.
namespace landlock {
inline constexpr std::uint64_t execute = 1U << 0;
inline constexpr std::uint64_t write_file = 1U << 1;
inline constexpr std::uint64_t read_file = 1U << 2;
inline constexpr std::uint64_t read_dir = 1U << 3;
inline constexpr std::uint64_t remove_file = 1U << 5;
inline constexpr std::uint64_t make_reg = 1U << 8;
inline constexpr std::uint64_t truncate = 1U << 14;
inline constexpr std::uint64_t ioctl_dev = 1U << 15;
inline constexpr std::uint64_t bind_tcp = 1U << 0;
inline constexpr std::uint64_t connect_tcp = 1U << 1;
inline constexpr std::uint64_t scope_abstract_unix_socket = 1U << 0;
inline constexpr std::uint64_t scope_signal = 1U << 1;
}  // namespace landlock

/// `plan` for a kernel that knows version `abi` of the interface, 1 or more. Paths are as they are
/// named; those of `readable_files` must have gone through directories_of_file().
[[nodiscard]] LandlockRules landlock_rules(const SandboxPlan& plan, int abi);

/// Where `path` is, and where the links lead that it is: what a file of that name may be replaced
/// in. Reads links; what is not there ends it.
[[nodiscard]] std::vector<std::string> directories_of_file(const std::string& path);

/// The kernel's version of the interface; 0 or less: there is none, and errno says why.
[[nodiscard]] int landlock_abi();

/// Confines this thread, and those that it starts from now on, for good. Empty, or what went wrong.
/// Paths that are not there are left out: they are not to be reached then either.
[[nodiscard]] std::string apply_landlock(const LandlockRules& rules);

}  // namespace turnpike::server
