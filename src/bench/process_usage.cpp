#include "bench/process_usage.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace turnpike::bench {
namespace {

namespace fs = std::filesystem;

std::string text_at(const fs::path& path) {
  std::ifstream file{path};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The first field of schedstat: time on the processor, in ns.
nanoseconds scheduled_time(const fs::path& process) {
  nanoseconds sum{0};
  std::error_code error;
  for (const auto& thread : fs::directory_iterator{process / "task", error}) {
    std::istringstream fields{text_at(thread.path() / "schedstat")};
    std::int64_t on_processor_ns = 0;
    if (fields >> on_processor_ns) sum += nanoseconds{on_processor_ns};
  }
  return sum;
}

nanoseconds from_ticks(std::int64_t ticks) {
  return nanoseconds{ticks * (1'000'000'000 / ::sysconf(_SC_CLK_TCK))};
}

/// Fields 14 and 15 of stat (proc(5)). The name, field 2, may hold anything but ends with the last
/// parenthesis.
bool read_times(const std::string& stat, ProcessUsage& usage) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return false;
  std::istringstream fields{stat.substr(name_end + 1)};
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  std::int64_t user = 0;
  std::int64_t system = 0;
  if (!(fields >> user >> system)) return false;
  usage.user = from_ticks(user);
  usage.system = from_ticks(system);
  return true;
}

std::uint64_t resident_bytes(const fs::path& process) {
  std::istringstream fields{text_at(process / "statm")};
  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  fields >> total_pages >> resident_pages;
  return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

ProcessUsage ProcessUsage::since(const ProcessUsage& earlier) const {
  ProcessUsage difference = *this;
  difference.cpu -= earlier.cpu;
  difference.user -= earlier.user;
  difference.system -= earlier.system;
  return difference;
}

std::optional<ProcessUsage> usage_of(pid_t process) {
  const fs::path directory = fs::path{"/proc"} / std::to_string(process);
  ProcessUsage usage;
  if (!read_times(text_at(directory / "stat"), usage)) return std::nullopt;
  usage.cpu = scheduled_time(directory);
  usage.resident_bytes = resident_bytes(directory);
  return usage;
}

nanoseconds own_cpu_time() {
  timespec spent{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return seconds{spent.tv_sec} + nanoseconds{spent.tv_nsec};
}

bool pin_to_core(unsigned core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  return ::sched_setaffinity(0, sizeof cores, &cores) == 0;
}

unsigned allowed_cores() {
  cpu_set_t cores;
  if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
  return static_cast<unsigned>(std::max(CPU_COUNT(&cores), 1));
}

}  // namespace turnpike::bench
