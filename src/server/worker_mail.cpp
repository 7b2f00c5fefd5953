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
