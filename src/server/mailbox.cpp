#include "server/mailbox.h"

#include "base/assert.h"

namespace turnpike::server {
namespace {

constexpr std::size_t kept_bytes = 64 * 1024;  // of an empty mail; more is given back

}  // namespace

void Mail::add_datagram(turn::RelayId relay, const Endpoint& from, ByteView payload) {
  letters_.emplace_back(PeerLetter{relay, from, bytes_.size(), payload.size()});
  bytes_.insert(bytes_.end(), payload.begin(), payload.end());
}

void Mail::append(Mail& other) {
  for (Letter& letter : other.letters_) {
    if (auto* const datagram = std::get_if<PeerLetter>(&letter)) datagram->offset += bytes_.size();
    letters_.push_back(std::move(letter));
  }
  bytes_.insert(bytes_.end(), other.bytes_.begin(), other.bytes_.end());
  other.clear();
}

void Mail::clear() {
  letters_.clear();
  bytes_.clear();
  if (bytes_.capacity() <= kept_bytes) return;
  letters_.shrink_to_fit();
  bytes_.shrink_to_fit();
}

bool Mailbox::deliver(Mail& mail) {
  {
    const std::lock_guard lock{mutex_};
    const bool was_empty = waiting_.empty();
    if (!was_empty && waiting_.byte_count() + mail.byte_count() > max_bytes) {
      mail.clear();
      return false;
    }
    if (was_empty) {
      std::swap(waiting_, mail);
    } else {
      waiting_.append(mail);
    }
    if (!was_empty) return true;  // whoever was first has woken the reader
  }
  TURNPIKE_ASSERT(reader_ != nullptr);
  reader_->wake();
  return true;
}

void Mailbox::collect(Mail& empty_mail) {
  const std::lock_guard lock{mutex_};
  std::swap(waiting_, empty_mail);
}

}  // namespace turnpike::server
