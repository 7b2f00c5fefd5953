#include "base/secret_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/crypto.h"

namespace turnpike {
namespace {

std::size_t whole_pages(std::size_t bytes) {
  static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  if (bytes > std::numeric_limits<std::size_t>::max() - page) throw std::bad_alloc{};
  return (bytes + page - 1) / page * page;
}

}  // namespace

void* allocate_secret_memory(std::size_t bytes) {
  const std::size_t mapped = whole_pages(bytes);
  void* const memory =
      mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc{};
  // Each is one defence more, and neither is worth refusing to serve for.
  [[maybe_unused]] const int unlocked = mlock(memory, mapped);
  madvise(memory, mapped, MADV_DONTDUMP);
  return memory;
}

void free_secret_memory(void* memory, std::size_t bytes) noexcept {
  wipe({static_cast<std::uint8_t*>(memory), bytes});
  munmap(memory, whole_pages(bytes));
}

}  // namespace turnpike
