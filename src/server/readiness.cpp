#include "server/readiness.h"

namespace turnpike::server {

std::string Readiness::text() const {
  std::string text = is_ready() ? "ready" : "";
  for (const auto* const lines : {&reasons, &notes}) {
    for (const std::string& line : *lines) {
      if (!text.empty()) text += '\n';
      text += line;
    }
  }
  return text;
}

Readiness readiness_of(const Condition& condition) {
  Readiness found;
  if (condition.is_draining) found.reasons.emplace_back("draining");
  if (condition.capacity.is_full()) found.reasons.emplace_back("full");
  if (condition.capacity.is_short_of_memory) {
    found.reasons.emplace_back("memory: nearly all that this process may have is in use");
  }

  const SourceHealth& sources = condition.sources;
  if (!sources.store_answers && sources.store_is_needed) {
    found.reasons.emplace_back("store: cannot be read, and users are asked for there");
  } else if (!sources.store_answers) {
    found.notes.emplace_back("store: cannot be read");
  }
  if (!condition.usage_is_written) {
    found.notes.emplace_back("store: takes no usage records; they wait");
  }
  if (!sources.hook_answers && !sources.hook_may_be_stood_in_for) {
    found.reasons.emplace_back("hook: does not answer, and nothing that it has said is remembered");
  } else if (!sources.hook_answers) {
    found.notes.emplace_back(
        "hook: does not answer; only users whom it has named before are let in");
  }
  return found;
}

}  // namespace turnpike::server
