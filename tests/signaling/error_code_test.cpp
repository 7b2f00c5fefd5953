#include "signaling/error_code.h"

#include <set>
#include <string>

#include "catch.h"

namespace turnpike::signaling::test {

TEST_CASE("codes have the names and close codes of the specification", "[signaling]") {
  struct Row {
    ErrorCode code;
    std::string_view name;
    std::uint16_t close_code;
  };
  for (const Row& row :
       {Row{ErrorCode::bad_message, "bad_message", 4400},
        Row{ErrorCode::unauthorized, "unauthorized", 4401},
        Row{ErrorCode::token_expired, "token_expired", 4401},
        Row{ErrorCode::forbidden, "forbidden", 4403},
        Row{ErrorCode::room_not_found, "room_not_found", 4404},
        Row{ErrorCode::join_timeout, "join_timeout", 4408},
        Row{ErrorCode::replaced, "replaced", 4409}, Row{ErrorCode::room_ended, "room_ended", 4410},
        Row{ErrorCode::too_large, "too_large", 4413}, Row{ErrorCode::room_full, "room_full", 4423},
        Row{ErrorCode::room_locked, "room_locked", 4423},
        Row{ErrorCode::rate_limited, "rate_limited", 4429},
        Row{ErrorCode::server_busy, "server_busy", 4503},
        Row{ErrorCode::peer_not_found, "peer_not_found", 0},
        Row{ErrorCode::not_joined, "not_joined", 0},
        Row{ErrorCode::already_joined, "already_joined", 0},
        Row{ErrorCode::resume_failed, "resume_failed", 0}}) {
    CHECK(to_string(row.code) == row.name);
    CHECK(close_code_of(row.code) == row.close_code);
  }
}

TEST_CASE("no two codes share a name", "[signaling]") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < error_codes; ++i) names.insert(to_string(static_cast<ErrorCode>(i)));
  CHECK(names.size() == error_codes);
}

}  // namespace turnpike::signaling::test
