#include "bench/process_usage.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
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

std::string without_line_break(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

/// From schedstat: time on the processor and time on a run queue, in ns. Nothing for a thread that
/// has just ended.
std::optional<ThreadUsage> thread_usage(const fs::path& thread) {
  std::istringstream fields{text_at(thread / "schedstat")};
  std::int64_t on_processor_ns = 0;
  std::int64_t waited_ns = 0;
  if (!(fields >> on_processor_ns >> waited_ns)) return std::nullopt;
  return ThreadUsage{without_line_break(text_at(thread / "comm")), nanoseconds{on_processor_ns},
                     nanoseconds{waited_ns}};
}

std::map<pid_t, ThreadUsage> threads_of(const fs::path& process) {
  std::map<pid_t, ThreadUsage> threads;
  std::error_code error;
  for (const auto& thread : fs::directory_iterator{process / "task", error}) {
    auto usage = thread_usage(thread.path());
    if (usage) threads[std::stoi(thread.path().filename())] = std::move(*usage);
  }
  return threads;
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
  difference.waited -= earlier.waited;
  difference.user -= earlier.user;
  difference.system -= earlier.system;
  for (auto& [id, thread] : difference.threads) {
    const auto before = earlier.threads.find(id);
    if (before == earlier.threads.end()) continue;
    thread.cpu -= before->second.cpu;
    thread.waited -= before->second.waited;
  }
  return difference;
}

std::optional<ProcessUsage> usage_of(pid_t process) {
  const fs::path directory = fs::path{"/proc"} / std::to_string(process);
  ProcessUsage usage;
  if (!read_times(text_at(directory / "stat"), usage)) return std::nullopt;
  usage.threads = threads_of(directory);
  for (const auto& [id, thread] : usage.threads) {
    usage.cpu += thread.cpu;
    usage.waited += thread.waited;
  }
  usage.resident_bytes = resident_bytes(directory);
  return usage;
}

ThreadUsage own_usage() { return thread_usage("/proc/thread-self").value_or(ThreadUsage{}); }

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
