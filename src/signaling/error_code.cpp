#include "signaling/error_code.h"

namespace turnpike::signaling {
namespace {

struct Row {
  std::string_view name;
  std::uint16_t close_code;
};

constexpr std::array<Row, error_codes> table{{
    {"bad_message", 4400},
    {"unauthorized", 4401},
    {"token_expired", 4401},
    {"forbidden", 4403},
    {"room_not_found", 4404},
    {"join_timeout", 4408},
    {"replaced", 4409},
    {"room_ended", 4410},
    {"too_large", 4413},
    {"room_full", 4423},
    {"room_locked", 4423},
    {"rate_limited", 4429},
    {"server_busy", 4503},
    {"peer_not_found", 0},
    {"not_joined", 0},
    {"already_joined", 0},
    {"resume_failed", 0},
}};

const Row& row_of(ErrorCode code) { return table[static_cast<std::size_t>(code)]; }

}  // namespace

std::string_view to_string(ErrorCode code) { return row_of(code).name; }

std::uint16_t close_code_of(ErrorCode code) { return row_of(code).close_code; }

}  // namespace turnpike::signaling
