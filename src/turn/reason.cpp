#include "turn/reason.h"

namespace turnpike::turn {

std::string_view to_string(Reason reason) {
  switch (reason) {
#define TURNPIKE_TURN_REASON_NAME(name) \
  case Reason::name:                    \
    return #name;
    TURNPIKE_TURN_REASONS(TURNPIKE_TURN_REASON_NAME)
#undef TURNPIKE_TURN_REASON_NAME
  }
  return "?";
}

}  // namespace turnpike::turn
