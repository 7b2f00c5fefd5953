// Headers that most files include and that never change: parsed once for all of them where
// TURNPIKE_PRECOMPILE is on. Each file still includes what it uses; the presets `release` and `clang`
// do without this and so notice when one does not.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <tl/expected.hpp>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>
