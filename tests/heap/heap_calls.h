// Counts what this thread takes from the heap, whoever asks for it: the C++ runtime, libcrypto and
// everything else that is linked in call malloc() and its relatives of heap_calls.cpp.
#pragma once

#include <cstdint>

namespace turnpike::test {

/// Calls of malloc, calloc, realloc and the aligned ones by this thread, up to now.
[[nodiscard]] std::uint64_t heap_calls();

}  // namespace turnpike::test
