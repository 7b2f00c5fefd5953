#include "server/sandbox/landlock.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace turnpike::server {
namespace {

// Headers of distributions are older than kernels that run them: these are the kernel's own.
// Numbers of system calls are those of every architecture (scripts/syscall.tbl).
constexpr long create_ruleset_call = 444;
constexpr long add_rule_call = 445;
constexpr long restrict_self_call = 446;
constexpr unsigned create_ruleset_version = 1U << 0;
constexpr int rule_path_beneath = 1;
constexpr int rule_net_port = 2;

struct RulesetAttributes {
  std::uint64_t handled_access_fs;
  std::uint64_t handled_access_net;  // ABI 4
  std::uint64_t scoped;              // ABI 6
};
struct [[gnu::packed]] PathBeneath {
  std::uint64_t allowed_access;
  std::int32_t parent_fd;
};
struct NetPort {
  std::uint64_t allowed_access;
  std::uint64_t port;
};

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

/// All rights to files that version `abi` knows.
std::uint64_t known_files(int abi) {
  constexpr int of_first = 13;  // execute … make_sym
  int count = of_first;
  if (abi >= 2) count = 14;  // refer
  if (abi >= 3) count = 15;  // truncate
  if (abi >= 5) count = 16;  // ioctl_dev
  return (std::uint64_t{1} << count) - 1;
}

std::string what_failed(const char* what) {
  return std::string{what} + ": " + std::generic_category().message(errno);
}

/// What may be allowed of a file that is no directory; the kernel refuses the rest.
constexpr std::uint64_t of_single_files = landlock::execute | landlock::write_file |
                                          landlock::read_file | landlock::truncate |
                                          landlock::ioctl_dev;

std::string add_path(const Descriptor& ruleset, const LandlockPath& rule) {
  const Descriptor path{::open(rule.path.c_str(), O_PATH | O_CLOEXEC)};
  if (path.number() < 0) return {};
  struct stat status {};
  if (::fstat(path.number(), &status) != 0) return what_failed("fstat");
  std::uint64_t access = rule.access;
  if (!S_ISDIR(status.st_mode)) access &= of_single_files;
  const PathBeneath native{access, path.number()};
  const bool added = syscall(add_rule_call, ruleset.number(), rule_path_beneath, &native, 0U) == 0;
  return added ? std::string{} : what_failed("landlock_add_rule");
}

}  // namespace

LandlockRules landlock_rules(const SandboxPlan& plan, int abi) {
  using namespace landlock;
  constexpr std::uint64_t reading = read_file | read_dir;
  LandlockRules rules;
  rules.handled_files = known_files(abi);
  const auto allow = [&](const std::string& path, std::uint64_t access) {
    rules.paths.push_back({path, access & rules.handled_files});
  };
  for (const std::string& path : plan.readable) allow(path, reading);
  for (const std::string& path : plan.readable_files) allow(path, reading);
  for (const std::string& path : plan.writable) {
    allow(path, reading | write_file | truncate | make_reg | remove_file);
  }
  for (const std::string& path : plan.removable) allow(path, remove_file);
  for (const std::string& path : plan.devices) allow(path, read_file | write_file);
  if (abi >= 4 && plan.connects_to) {
    rules.handled_ports = bind_tcp | connect_tcp;  // listeners are bound by now
    rules.connects_to = *plan.connects_to;
  }
  if (abi >= 6) rules.scoped = scope_signal;
  if (abi >= 6 && !plan.abstract_sockets) rules.scoped |= scope_abstract_unix_socket;
  return rules;
}

std::vector<std::string> directories_of_file(const std::string& path) {
  namespace fs = std::filesystem;
  constexpr int max_links = 16;
  std::vector<std::string> directories;
  fs::path here{path};
  for (int i = 0; i < max_links; ++i) {
    const fs::path directory = here.parent_path().empty() ? fs::path{"."} : here.parent_path();
    directories.push_back(directory.string());
    std::error_code error;
    const fs::path target = fs::read_symlink(here, error);
    if (error) break;
    here = directory / target;  // an absolute target replaces it
  }
  return directories;
}

int landlock_abi() {
  return static_cast<int>(
      syscall(create_ruleset_call, nullptr, std::size_t{0}, create_ruleset_version));
}

std::string apply_landlock(const LandlockRules& rules) {
  // A kernel that knows fewer fields takes the longer structure as long as those it does not know
  // are zero, and landlock_rules() has left them so.
  const RulesetAttributes attributes{rules.handled_files, rules.handled_ports, rules.scoped};
  const Descriptor ruleset{
      static_cast<int>(syscall(create_ruleset_call, &attributes, sizeof attributes, 0U))};
  if (ruleset.number() < 0) return what_failed("landlock_create_ruleset");
  for (const LandlockPath& path : rules.paths) {
    if (std::string problem = add_path(ruleset, path); !problem.empty()) return problem;
  }
  for (const std::uint16_t port : rules.connects_to) {
    const NetPort native{landlock::connect_tcp, port};
    if (syscall(add_rule_call, ruleset.number(), rule_net_port, &native, 0U) != 0) {
      return what_failed("landlock_add_rule");
    }
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) != 0) return what_failed("no_new_privs");
  const bool confined = syscall(restrict_self_call, ruleset.number(), 0U) == 0;
  return confined ? std::string{} : what_failed("landlock_restrict_self");
}

}  // namespace turnpike::server
