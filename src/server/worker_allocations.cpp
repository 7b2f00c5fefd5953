// The part of the worker that tells of allocations that come and go.
#include <string>

#include "server/log.h"
#include "server/worker.h"

namespace turnpike::server {
namespace {

/// "192.0.2.1:50000,[2001:db8::1]:50002"
std::string relayed_text(const turn::AllocationRecord& allocation) {
  std::string text;
  for (const auto& relayed : allocation.relayed) {
    if (!relayed) continue;
    if (!text.empty()) text += ',';
    text += relayed->to_string();
  }
  return text;
}

std::vector<LogField> log_fields(const turn::AllocationRecord& allocation) {
  const bool is_udp = allocation.transport == turn::PeerTransport::udp;
  return {{"allocation", to_string(allocation.name)},
          {"user", allocation.username},
          {"client", allocation.client.client.to_string()},
          {"transport", to_string(allocation.client.transport)},
          {"relayed", relayed_text(allocation)},
          {"relay_transport", is_udp ? "udp" : "tcp"}};
}

void log_opened(const turn::AllocationRecord& allocation) {
  if (is_logged(LogLevel::info)) {
    log_event(LogLevel::info, "allocation_opened", log_fields(allocation));
  }
}

void log_closed(const turn::AllocationRecord& allocation, turn::CloseReason reason) {
  if (!is_logged(LogLevel::info)) return;
  auto fields = log_fields(allocation);
  const turn::Traffic& traffic = allocation.traffic;
  fields.emplace_back("duration", std::chrono::round<seconds>(allocation.duration).count());
  fields.emplace_back("bytes_to_peer", traffic.bytes_to_peer);
  fields.emplace_back("packets_to_peer", traffic.packets_to_peer);
  fields.emplace_back("bytes_to_client", traffic.bytes_to_client);
  fields.emplace_back("packets_to_client", traffic.packets_to_client);
  fields.emplace_back("reason", to_string(reason));
  log_event(LogLevel::info, "allocation_closed", fields);
}

}  // namespace

void Worker::apply(const turn::AllocationOpened& effect) {
  const turn::AllocationRecord& allocation = effects_.record_of(effect);
  log_opened(allocation);
  if (shared_.allocations != nullptr) shared_.allocations->on_opened(allocation, now_);
}

void Worker::apply(const turn::AllocationClosed& effect) {
  const turn::AllocationRecord& allocation = effects_.record_of(effect);
  samples_.forget(allocation.name.serial);
  log_closed(allocation, effect.reason);
  if (shared_.allocations != nullptr) {
    shared_.allocations->on_closed(allocation, effect.reason, now_);
  }
}

}  // namespace turnpike::server
