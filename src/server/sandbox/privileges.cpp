#include "server/sandbox/privileges.h"

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include "server/start_error.h"

namespace turnpike::server {
namespace {

constexpr const char* default_account = "turnpike";

std::optional<Account> find_account(const std::string& name) {
  const passwd* const entry = ::getpwnam(name.c_str());
  if (entry == nullptr) return std::nullopt;
  return Account{name, entry->pw_uid, entry->pw_gid};
}

/// Sets what this thread may do now, and may come to do, to `mask` (bits of CAP_*).
bool set_capabilities(std::uint64_t mask) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const auto half = static_cast<std::uint32_t>(mask >> (32 * i));
    sets[i] = {half, half, 0};
  }
  return ::syscall(SYS_capset, &header, sets.data()) == 0;
}

std::uint64_t permitted_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return 0;
  return sets[0].permitted | (std::uint64_t{sets[1].permitted} << 32);
}

constexpr std::uint64_t bind_low_ports = std::uint64_t{1} << CAP_NET_BIND_SERVICE;

/// What no program that this process might run could ever have. Without CAP_SETPCAP nothing
/// changes, and there is little in it to take away.
void empty_bounding_set() {
  constexpr unsigned long highest = 63;
  for (unsigned long capability = 0; capability <= highest; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0UL, 0UL, 0UL) != 0 && errno == EINVAL) return;
  }
}

[[noreturn]] void cannot_become(const Account& account) {
  throw StartError{
      fmt::format("cannot become user {}: {}; start the server as that user, or change "
                  "server.user",
                  account.name, std::generic_category().message(errno))};
}

}  // namespace

std::optional<Account> account_to_become(const Config::Server& config) {
  if (::geteuid() != 0 || config.user == "root") return std::nullopt;
  auto account = find_account(config.user.empty() ? default_account : config.user);
  if (!account && !config.user.empty()) {
    throw StartError{fmt::format("server.user: this host has no user \"{}\"; make one, for example "
                                 "with `useradd --system {}`, or change server.user",
                                 config.user, config.user),
                     exit_configuration};
  }
  return account;
}

void become(const Account& account) {
  empty_bounding_set();
  const bool done = ::prctl(PR_SET_KEEPCAPS, 1UL, 0UL, 0UL, 0UL) == 0 &&
                    ::initgroups(account.name.c_str(), account.group) == 0 &&
                    ::setresgid(account.group, account.group, account.group) == 0 &&
                    ::setresuid(account.user, account.user, account.user) == 0;
  if (!done) cannot_become(account);
  if (!set_capabilities(permitted_capabilities() & bind_low_ports)) cannot_become(account);
}

void hand_over(const std::string& directory, const Account& account) {
  namespace fs = std::filesystem;
  const auto give = [&](const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || status.st_uid != 0) return;
    if (::lchown(path.c_str(), account.user, account.group) != 0) return;  // said when it is opened
  };
  std::error_code error;
  for (const auto& entry : fs::directory_iterator{directory, error}) give(entry.path().string());
  give(directory);
}

void forbid_core_dumps() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL);  // holds where dumps go to a pipe, too
}

bool drop_capabilities(bool low_ports) {
  empty_bounding_set();
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL);
  const std::uint64_t kept = low_ports ? permitted_capabilities() & bind_low_ports : 0;
  return set_capabilities(kept);
}

}  // namespace turnpike::server
