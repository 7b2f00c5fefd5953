#include "net/send_queue.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "net/socket_address.h"

namespace turnpike::net {
namespace {

constexpr std::size_t parts_max = 3;  // header, payload, padding
constexpr std::size_t padding_max = 3;
constexpr std::array<std::uint8_t, padding_max> padding{};

constexpr std::size_t control_bytes = CMSG_SPACE(sizeof(in6_pktinfo));

struct alignas(cmsghdr) SendControl {
  std::array<std::uint8_t, control_bytes> bytes{};
};

/// Writes one control message to `control` and makes `header` carry it.
template <class Native>
void put_control(msghdr& header, SendControl& control, int level, int type,
                 const Native& contents) {
  static_assert(CMSG_SPACE(sizeof(Native)) <= control_bytes);
  header.msg_control = control.bytes.data();
  header.msg_controllen = CMSG_SPACE(sizeof(Native));
  cmsghdr* const message = CMSG_FIRSTHDR(&header);
  message->cmsg_level = level;
  message->cmsg_type = type;
  message->cmsg_len = CMSG_LEN(sizeof(Native));
  std::memcpy(CMSG_DATA(message), &contents, sizeof contents);
}

void put_source(msghdr& header, SendControl& control, const LocalAddress& source) {
  const ByteView bytes = source.address.bytes();
  if (source.address.family() == Family::ipv4) {
    in_pktinfo contents{};
    std::memcpy(&contents.ipi_spec_dst, bytes.data(), sizeof contents.ipi_spec_dst);
    put_control(header, control, IPPROTO_IP, IP_PKTINFO, contents);
  } else {
    in6_pktinfo contents{};
    std::memcpy(&contents.ipi6_addr, bytes.data(), sizeof contents.ipi6_addr);
    contents.ipi6_ifindex = source.scope;
    put_control(header, control, IPPROTO_IPV6, IPV6_PKTINFO, contents);
  }
}

/// The kernel's type lacks the const; sendmmsg only reads.
iovec to_iovec(ByteView bytes) { return {const_cast<std::uint8_t*>(bytes.data()), bytes.size()}; }

int get_option(int descriptor, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  getsockopt(descriptor, level, name, &value, &size);
  return value;
}

void set_option(int descriptor, int level, int name, int value) {
  // These cannot fail on a socket of the right family; if they did, DF would stay as it was.
  setsockopt(descriptor, level, name, &value, sizeof value);
}

/// Makes what a socket sends leave with DF=1 (IPv6: unfragmented) while it lives. PROBE rather than
/// DO: whether it fits the path is the client's to find out (RFC 8656 §18.9), not for a cache here.
class DontFragment {
 public:
  DontFragment(int descriptor, Family family)
      : descriptor_(descriptor),
        level_(family == Family::ipv4 ? IPPROTO_IP : IPPROTO_IPV6),
        discover_(family == Family::ipv4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER),
        before_(get_option(descriptor, level_, discover_)) {
    static_assert(IP_PMTUDISC_PROBE == IPV6_PMTUDISC_PROBE);
    set_option(descriptor_, level_, discover_, IP_PMTUDISC_PROBE);
    if (level_ == IPPROTO_IPV6) set_option(descriptor_, level_, IPV6_DONTFRAG, 1);
  }
  ~DontFragment() {
    set_option(descriptor_, level_, discover_, before_);
    if (level_ == IPPROTO_IPV6) set_option(descriptor_, level_, IPV6_DONTFRAG, 0);
  }
  DontFragment(const DontFragment&) = delete;
  DontFragment& operator=(const DontFragment&) = delete;

 private:
  int descriptor_;
  int level_;
  int discover_;
  int before_;
};

bool means_full(int error) { return error == EAGAIN || error == ENOBUFS || error == ENOMEM; }

}  // namespace

struct SendQueue::Entry {
  SocketAddress to;
  IpAddress from_address;
  std::uint32_t from_scope = 0;
  ByteView payload;
  SmallBytes<48> header;
  std::uint16_t next = 0;  // of the same port; meaningless in its last entry
  std::uint8_t padding_bytes = 0;
  bool set_from = false;
  bool dont_fragment = false;

  /// Describes this datagram to sendmmsg. `parts` has room for parts_max.
  void describe(msghdr& message, iovec* parts, SendControl& control) {
    message = {};
    message.msg_name = to.pointer();
    message.msg_namelen = to.size;
    message.msg_iov = parts;
    for (const ByteView part : {header.view(), payload, ByteView{padding}.first(padding_bytes)}) {
      if (!part.empty()) parts[message.msg_iovlen++] = to_iovec(part);
    }
    if (set_from) put_source(message, control, {from_address, from_scope});
  }
};

struct SendQueue::Messages {
  std::array<mmsghdr, capacity> headers{};
  std::array<std::array<iovec, parts_max>, capacity> parts{};
  std::array<SendControl, capacity> controls{};
  std::array<bool, capacity> dont_fragment{};
};

SendQueue::SendQueue()
    : entries_(std::make_unique<Entry[]>(capacity)),
      messages_(std::make_unique<Messages>()),
      // Not make_unique: that would touch all of it.
      arena_(new std::uint8_t[arena_bytes]) {}

SendQueue::~SendQueue() { drop_all(); }

void SendQueue::queue(UdpPort& port, const Outgoing& outgoing) {
  TURNPIKE_ASSERT(outgoing.padding_bytes <= padding_max);
  const Family family = port.local().family();
  if (outgoing.to.family() != family ||
      (outgoing.set_from && outgoing.from_address.family() != family)) {
    ++stats_.dropped_error;
    return;
  }
  if (entries_used_ == capacity) flush();
  const auto index = static_cast<std::uint16_t>(entries_used_++);
  Entry& entry = entries_[index];
  entry.to = to_socket_address(outgoing.to);
  entry.from_address = outgoing.from_address;
  entry.from_scope = outgoing.from_scope;
  entry.payload = outgoing.payload;
  entry.header = outgoing.header;
  entry.padding_bytes = outgoing.padding_bytes;
  entry.set_from = outgoing.set_from;
  entry.dont_fragment = outgoing.dont_fragment;
  append(port, index);
}

void SendQueue::queue_copy(UdpPort& port, const Endpoint& to,
                           const std::optional<LocalAddress>& from, ByteView bytes) {
  TURNPIKE_ASSERT(bytes.size() <= arena_bytes);
  if (bytes.size() > arena_bytes - arena_used_ || entries_used_ == capacity) flush();
  const MutableByteView copy{arena_.get() + arena_used_, bytes.size()};
  copy_bytes(bytes, copy);
  arena_used_ += bytes.size();
  Outgoing outgoing;
  outgoing.to = to;
  if (from) {
    outgoing.set_from = true;
    outgoing.from_address = from->address;
    outgoing.from_scope = from->scope;
  }
  outgoing.payload = copy;
  queue(port, outgoing);
}

void SendQueue::append(UdpPort& port, std::uint16_t index) {
  TURNPIKE_ASSERT(port.waits_in_ == nullptr || port.waits_in_ == this);
  if (port.waits_in_ == nullptr) {
    port.waits_in_ = this;
    port.first_entry_ = index;
    ports_[ports_used_++] = &port;
  } else {
    entries_[port.last_entry_].next = index;
  }
  port.last_entry_ = index;
}

void SendQueue::flush() {
  for (std::size_t i = 0; i < ports_used_; ++i) send_port(*ports_[i]);
  drop_all();
}

void SendQueue::forget(UdpPort& port) {
  if (port.waits_in_ != this) return;
  port.waits_in_ = nullptr;
  // Its entries stay unused until the next flush; the other ports keep their order.
  const auto end = ports_.begin() + static_cast<std::ptrdiff_t>(ports_used_);
  const auto found = std::find(ports_.begin(), end, &port);
  std::copy(found + 1, end, found);
  --ports_used_;
  if (ports_used_ == 0) drop_all();
}

void SendQueue::drop_all() {
  for (std::size_t i = 0; i < ports_used_; ++i) ports_[i]->waits_in_ = nullptr;
  ports_used_ = entries_used_ = arena_used_ = 0;
}

std::size_t SendQueue::describe_entries(const UdpPort& port) {
  Messages& all = *messages_;
  std::size_t count = 0;
  for (std::uint16_t index = port.first_entry_;; index = entries_[index].next) {
    Entry& entry = entries_[index];
    entry.describe(all.headers[count].msg_hdr, all.parts[count].data(), all.controls[count]);
    all.dont_fragment[count] = entry.dont_fragment;
    ++count;
    if (index == port.last_entry_) return count;
  }
}

void SendQueue::send_port(const UdpPort& port) {
  const std::size_t count = describe_entries(port);
  const auto& dont_fragment = messages_->dont_fragment;
  std::size_t next = 0;
  while (next < count) {
    std::size_t run_end = next + 1;
    while (run_end < count && dont_fragment[run_end] == dont_fragment[next]) ++run_end;
    std::optional<DontFragment> guard;
    if (dont_fragment[next]) guard.emplace(port.descriptor_, port.local_.family());
    next = send_run(port.descriptor_, next, run_end);
    if (next == run_end) continue;
    stats_.dropped_full += count - next;
    return;
  }
}

std::size_t SendQueue::send_run(int descriptor, std::size_t next, std::size_t end) {
  // Each failed attempt to send a big datagram with DF=1 makes the kernel queue one "too big" for
  // UdpPort::next_icmp. Sent one by one and without a second attempt, each makes just one.
  const bool singly = messages_->dont_fragment[next];
  bool failed_before = false;  // the datagram at `next`
  while (next < end) {
    const std::size_t wanted = singly ? 1 : end - next;
    const int result =
        sendmmsg(descriptor, &messages_->headers[next], static_cast<unsigned>(wanted), 0);
    if (result > 0) {
      const auto sent = static_cast<std::size_t>(result);
      next += sent;
      stats_.sent += sent;
      failed_before = sent < wanted;  // sendmmsg stops at a failure and does not tell which
      continue;
    }
    const int error = errno;
    if (means_full(error)) return next;
    const bool is_too_big = singly && error == EMSGSIZE;
    if (!failed_before && !is_too_big) {
      failed_before = true;  // perhaps an ICMP error about an earlier datagram, now taken
      continue;
    }
    ++stats_.dropped_error;
    ++next;
    failed_before = false;
  }
  return end;
}

}  // namespace turnpike::net
