// Mobility (RFC 8016 §3.2.2, docs/adr/0016), in the model's words.
#include <algorithm>

#include "sim/model.h"

namespace turnpike::sim {
namespace {

constexpr unsigned attribute_mobility_ticket = 0x8030;
constexpr seconds previous_ticket_lifetime{40};

}  // namespace

void Model::release(const turn::ClientFlow& flow, turn::WorkerId home, Verdict& verdict) const {
  if (flow.worker != home) verdict.released.push_back(flow);
}

void Model::note_data_from(const FiveTuple& tuple, Allocation& allocation, Verdict& verdict) {
  if (!allocation.next || !(allocation.next->tuple == tuple)) return;
  if (allocation.has_client) release(allocation.flow, allocation.home, verdict);
  allocation.flow = *std::exchange(allocation.next, std::nullopt);
  allocation.has_client = true;
}

void Model::on_guest_over(turn::WorkerId worker, const FiveTuple& tuple, turn::WorkerId home) {
  const auto guest = guests_.find({worker, tuple});
  if (guest != guests_.end() && guest->second.home == home) guests_.erase(guest);
}

/// The ticket, then the five-tuple it belongs to, then who shows it; but what is missing, stale or
/// over comes first.
void Model::on_move(const Request& original, Verdict& verdict) {
  Request request = original;
  const turn::WorkerId worker = request.worker;
  const Bytes& ticket = *request.message.find(attribute_mobility_ticket);
  Allocation* const own = find(worker, request.flow.tuple);
  Allocation* claimed = nullptr;
  std::optional<turn::WorkerId> abroad;
  bool is_repeated = false;
  int error = 0;
  const auto known = tickets_.find(ticket);
  if (known == tickets_.end()) {
    error = 400;
  } else if (known->second.home != worker) {
    const bool is_free = own == nullptr && request.flow.worker == worker;
    if (is_free) abroad = known->second.home;
    if (!is_free) error = 437;
  } else {
    for (Allocation& each : allocations_) {
      if (each.serial == known->second.serial) claimed = &each;
    }
    if (claimed == nullptr) {
      error = 437;
    } else if (known->second.number == claimed->ticket_number) {
      if (own == claimed) error = 400;
      if (own != claimed && own != nullptr) error = 437;
    } else {
      const bool is_previous = known->second.number + 1 == claimed->ticket_number &&
                               request.now.instant < claimed->previous_until;
      const FiveTuple& latest = (claimed->next ? *claimed->next : claimed->flow).tuple;
      is_repeated = is_previous && own == claimed && request.flow.tuple == latest;
      if (!is_repeated) error = 400;
    }
  }
  request.who = identify(request, true, "");
  if (request.who.kind == Identity::Kind::silenced) return;
  if (request.who.kind == Identity::Kind::asked) {
    verdict.parked = request.who.username;
    return;
  }
  if (request.who.kind == Identity::Kind::no_such_login) {
    Identity stranger;
    stranger.code = error == 0 ? 441 : error;
    return deny(request, stranger, verdict);
  }
  if (request.who.kind == Identity::Kind::denied) return deny(request, request.who, verdict);
  const auto unknown = unknown_in(request.message);
  if (!unknown.empty()) {
    Response& response = answer(request, 420, verdict);
    response.unknown.assign(
        unknown.begin(),
        unknown.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(unknown.size(), 8)));
  } else if (error != 0) {
    answer(request, error, verdict);
  } else if (abroad) {
    guests_[{worker, request.flow.tuple}] = {*abroad, request.now.instant + limits_.max_lifetime};
    verdict.to_home = *abroad;
  } else {
    move_here(request, *claimed, is_repeated, verdict);
  }
}

void Model::move_here(const Request& request, Allocation& allocation, bool is_repeated,
                      Verdict& verdict) {
  if (allocation.username != request.who.username) {
    answer(request, 441, verdict);
    return;
  }
  const RefreshWish wish = refresh_wish(request, allocation);
  if (wish.error != 0) {
    answer(request, wish.error, verdict);
    return;
  }
  const bool is_dual = allocation.has(Family::ipv4) && allocation.has(Family::ipv6);
  if (wish.lifetime == seconds{0} && (!wish.only || !is_dual)) {
    carry_out(wish, request, allocation, verdict);
    return;
  }
  if (!is_repeated) {
    ++allocation.ticket_number;
    allocation.ticket.clear();  // a new one comes
    allocation.previous_until = request.now.instant + previous_ticket_lifetime;
    if (!allocation.has_client) {
      allocation.flow = request.flow;
      allocation.has_client = true;
    } else {
      if (allocation.next) release(*allocation.next, allocation.home, verdict);
      allocation.next = request.flow;
    }
  }
  const Bytes ticket = allocation.ticket;
  Response& response = carry_out(wish, request, allocation, verdict);
  response.has_new_ticket = !is_repeated;
  if (is_repeated) response.ticket = ticket;
}

}  // namespace turnpike::sim
