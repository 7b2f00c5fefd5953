// The part of the worker that speaks to other workers.
#include "server/worker.h"

namespace turnpike::server {

void Worker::read_mail() {
  shared_.mailboxes.of(id_).collect(inbox_);
  for (Letter& letter : inbox_.letters()) {
    std::visit([this](auto& each) { read(each); }, letter);
  }
  queue_.flush();  // the payloads are in the inbox
  inbox_.clear();
}

void Worker::read(const PeerLetter& letter) {
  const ByteView payload = inbox_.bytes_of(letter);
  handle(server_.on_peer_datagram(letter.relay, letter.from, payload, now_.instant));
}

void Worker::read(const GuestLetter& letter) {
  handle(server_.on_client_datagram(letter.flow, inbox_.bytes_of(letter), now_, effects_));
  apply_effects();
}

void Worker::read(const ClientLetter& letter) {
  const turn::ClientFlow* const flow = server_.flow_of_guest(letter.client, letter.home);
  if (flow == nullptr) return;  // it has gone, as home will read or has said itself
  forward({*flow, inbox_.bytes_of(letter), 0});
}

void Worker::read(const GuestOverLetter& letter) {
  server_.on_guest_over(letter.client, letter.home, now_.instant);
}

void Worker::read(const ClientGoneLetter& letter) { lose_client(letter.client); }

void Worker::read(const UserLetter& letter) {
  if (!letter.answer) return give_up(parked_.take(letter.username));
  server_.on_user_known(letter.username, *letter.answer);
  for (const ParkedRequests::Request& request : parked_.take(letter.username)) {
    handle(server_.on_client_datagram(request.flow, request.bytes, now_, effects_));
    apply_effects();
    queue_.flush();  // what it forwards is in the request
  }
}

void Worker::read(const ForgetUsersLetter&) { server_.forget_users(); }

void Worker::read(const UserLimitsLetter& letter) {
  server_.on_user_limits(letter.username, letter.limits);
}

void Worker::read(const BookLetter& letter) {
  server_.use_book(*letter.book);
  shared_.book = letter.book;  // the old one may go now
  end_revoked_allocations();
}

void Worker::read(const RulesLetter& letter) {
  server_.set_limits(letter.limits);
  server_.use_policy(*letter.policy);
  policy_ = letter.policy;  // the old one may go now
  server_.recheck_peers(now_, effects_);
  apply_effects();
}

/// Calls under way end with the credential that they were allowed by.
void Worker::end_revoked_allocations() {
  std::vector<turn::AllocationName> revoked;
  std::optional<std::uint32_t> next = 0;
  while (next) {
    next = server_.for_each_allocation(*next, ~0U, [&](const turn::AllocationView& view) {
      if (shared_.book->is_revoked(view.username, view.account, now_.wall)) {
        revoked.push_back(view.name);
      }
    });
  }
  for (const turn::AllocationName& name : revoked) {
    static_cast<void>(server_.end(name, turn::CloseReason::revoked, now_, effects_));
    apply_effects();
  }
}

void Worker::apply(const turn::AskForUser& effect) {
  const std::string_view username = effects_.username_of(effect);
  switch (parked_.park(username, effect.flow, effects_.request_of(effect), now_.instant)) {
    case ParkedRequests::Outcome::parked_first:
      return shared_.who_is(id_, std::string{username});
    case ParkedRequests::Outcome::no_room:
      return count(turn::Reason::dropped_parking_full);
    case ParkedRequests::Outcome::parked:
      break;
  }
}

void Worker::give_up_parked() { give_up(parked_.take_overdue(now_.instant)); }

void Worker::give_up(const std::vector<ParkedRequests::Request>& requests) {
  for (const ParkedRequests::Request& request : requests) {
    count(turn::Reason::dropped_user_unanswered);
    server_.on_user_unanswered(request.flow, effects_);
    apply_effects();
  }
}

void Worker::apply(const turn::ReleaseGuest& effect) {
  outbox(effect.flow.worker).add_guest_over(effect.flow.tuple, id_);
}

void Worker::apply(const turn::ReportGone& effect) {
  outbox(effect.home).add_client_gone(effect.tuple);
}

/// To a client that comes in at another worker.
void Worker::send_abroad(const turn::ClientFlow& flow, ByteView header, ByteView payload,
                         std::size_t padding_bytes) {
  outbox(flow.worker).add_to_client(flow.tuple, id_, header, payload, padding_bytes);
}

Mail& Worker::outbox(turn::WorkerId worker) {
  return outboxes_.at(static_cast<std::size_t>(worker));
}

void Worker::deliver_mail() {
  for (std::size_t worker = 0; worker < outboxes_.size(); ++worker) {
    Mail& mail = outboxes_[worker];
    if (mail.empty()) continue;
    const std::size_t letters = mail.letters().size();
    const auto to = turn::WorkerId{static_cast<std::uint8_t>(worker)};
    if (!shared_.mailboxes.of(to).deliver(mail)) lost_mail_ += letters;
  }
}

}  // namespace turnpike::server
