// The part of the worker that does what the operator asks.
#include "server/worker.h"

namespace turnpike::server {
namespace {

constexpr std::uint32_t slots_per_turn = 4096;        // a millisecond or so without packets
constexpr std::uint32_t usage_slots_per_turn = 1024;  // nobody waits for them

seconds until(Instant end, Instant now) {
  return std::chrono::ceil<seconds>(std::max(end - now, nanoseconds{0}));
}

bool comes_after(const turn::AllocationName& a, const turn::AllocationName& b) {
  return a.worker != b.worker ? a.worker > b.worker : a.serial > b.serial;
}

void add(turn::Traffic& sum, const turn::Traffic& more) {
  sum.packets_to_peer += more.packets_to_peer;
  sum.bytes_to_peer += more.bytes_to_peer;
  sum.packets_to_client += more.packets_to_client;
  sum.bytes_to_client += more.bytes_to_client;
}

}  // namespace

void Worker::read(const OrderLetter& letter) {
  WorkerAnswer answer{id_, letter.question, {}, {}, 0, {}};
  std::visit([&](const auto& order) { carry_out(order, answer); }, letter.order);
  apply_effects();
  if (shared_.control != nullptr) shared_.control->deliver(std::move(answer));
}

void Worker::carry_out(const ListOrder& order, WorkerAnswer& answer) {
  const auto show = [&](const turn::AllocationView& allocation) {
    if (!order.filter.fits(allocation)) return;
    ++answer.count;
    add(answer.traffic, allocation.traffic);
    if (order.after && !comes_after(allocation.name, *order.after)) return;
    answer.rows.push_back(look_at(allocation));
  };
  answer.next_slot = server_.for_each_allocation(order.first_slot, slots_per_turn, show);
  keep_first(answer.rows, order.order, order.limit);
}

void Worker::carry_out(const ShowOrder& order, WorkerAnswer& answer) {
  if (const auto allocation = server_.view(order.name)) answer.rows.push_back(look_at(*allocation));
}

void Worker::carry_out(const EndOrder& order, WorkerAnswer& answer) {
  const bool was_there = server_.end(order.name, turn::CloseReason::killed, now_, effects_);
  answer.count = was_there ? 1 : 0;
}

void Worker::carry_out(const EndAllOrder& order, WorkerAnswer& answer) {
  answer.count = server_.end_all_of(order.user, order.reason, now_, effects_);
}

void Worker::carry_out(const DrainOrder& order, WorkerAnswer&) {
  server_.set_draining(order.is_draining);
}

void Worker::read(const LiveUsageLetter& letter) {
  LiveUsage usage{id_, {}, {}, now_.wall};
  const auto note = [&](const turn::AllocationView& allocation) {
    usage.rows.push_back(row_of(allocation));
  };
  usage.next_slot = server_.for_each_allocation(letter.first_slot, usage_slots_per_turn, note);
  if (shared_.control != nullptr) shared_.control->deliver(std::move(usage));
}

AllocationRow Worker::row_of(const turn::AllocationView& allocation) const {
  AllocationRow row;
  row.name = allocation.name;
  row.username = allocation.username;
  row.account = allocation.account;
  row.client = allocation.client;
  row.peer_transport = allocation.transport;
  row.relayed = allocation.relayed;
  row.age = std::chrono::floor<seconds>(now_.instant - allocation.started);
  row.expires_in = until(allocation.expires, now_.instant);
  row.permissions = allocation.permissions;
  row.channels = allocation.channels;
  row.traffic = allocation.traffic;
  return row;
}

/// The bitrate is that since an operator has looked last.
AllocationRow Worker::look_at(const turn::AllocationView& allocation) {
  AllocationRow row = row_of(allocation);
  row.bitrate = samples_.bitrate(row.name.serial, row.bytes(), allocation.started, now_.instant);
  return row;
}

}  // namespace turnpike::server
