#include "net/udp_port.h"

#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "net/last_error.h"
#include "net/proxied_group.h"
#include "net/send_queue.h"
#include "net/socket_address.h"

namespace turnpike::net {
namespace {

std::error_code set_option(int descriptor, int level, int name, int value) {
  if (setsockopt(descriptor, level, name, &value, sizeof value) != 0) return last_error();
  return {};
}

/// Reads a control message's contents into a `Native`; they need not be aligned for it.
template <class Native>
Native contents_of(const cmsghdr& message) {
  Native native;
  std::memcpy(&native, CMSG_DATA(&message), sizeof native);
  return native;
}

/// The first control message of `level` and `type`, or null.
const cmsghdr* find_control(msghdr& header, int level, int type) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level == level && c->cmsg_type == type) return c;
  }
  return nullptr;
}

/// The address that the datagram of `header` came to, with its scope and no port; nothing when the
/// kernel did not say.
std::optional<Endpoint> destination_of(msghdr& header, Family family) {
  if (family == Family::ipv4) {
    const cmsghdr* found = find_control(header, IPPROTO_IP, IP_PKTINFO);
    if (found == nullptr) return std::nullopt;
    return Endpoint{to_address(contents_of<in_pktinfo>(*found).ipi_addr), 0};
  }
  const cmsghdr* found = find_control(header, IPPROTO_IPV6, IPV6_PKTINFO);
  if (found == nullptr) return std::nullopt;
  const auto contents = contents_of<in6_pktinfo>(*found);
  const IpAddress address = to_address(contents.ipi6_addr);
  return Endpoint{address, 0, address.needs_scope() ? contents.ipi6_ifindex : 0};
}

/// DF=0 on what leaves. For IPv4, OMIT rather than DONT: with DONT the kernel drops "fragmentation
/// needed" messages, also those about datagrams that SendQueue sent with DF=1 just before; and OMIT
/// does not let forged ones make us send small fragments. IPv6 routers do not fragment, so there we
/// have to follow the path's MTU, which DONT does.
std::error_code allow_fragments(int descriptor, Family family) {
  if (family == Family::ipv4) {
    return set_option(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
  }
  return set_option(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
}

/// `failure` as ICMP would have told it, or nothing when it is none of RFC 8656 §11.5's business.
std::optional<IcmpError> to_icmp(const sock_extended_err& failure, const Endpoint& destination) {
  const bool is_v4 = destination.family() == Family::ipv4;
  IcmpError error{destination, failure.ee_type, failure.ee_code, 0};
  if (failure.ee_origin == SO_EE_ORIGIN_LOCAL && failure.ee_errno == EMSGSIZE) {
    error.type = is_v4 ? ICMP_DEST_UNREACH : ICMP6_PACKET_TOO_BIG;
    error.code = is_v4 ? ICMP_FRAG_NEEDED : 0;
  } else if (failure.ee_origin != SO_EE_ORIGIN_ICMP && failure.ee_origin != SO_EE_ORIGIN_ICMP6) {
    return std::nullopt;
  }
  const bool too_big = is_v4 ? error.type == ICMP_DEST_UNREACH && error.code == ICMP_FRAG_NEEDED
                             : error.type == ICMP6_PACKET_TOO_BIG;
  if (too_big) error.mtu = failure.ee_info;
  return error;
}

/// The size of all datagrams of a train but the last, which may be smaller; nothing: no train.
std::optional<std::size_t> train_size(msghdr& header) {
  const cmsghdr* found = find_control(header, IPPROTO_UDP, UDP_GRO);
  if (found == nullptr) return std::nullopt;
  const int size = contents_of<int>(*found);
  if (size <= 0) return std::nullopt;
  return static_cast<std::size_t>(size);
}

constexpr std::size_t control_bytes = CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int));
static_assert(sizeof(in_pktinfo) <= sizeof(in6_pktinfo));

struct alignas(cmsghdr) ReceiveControl {
  std::array<std::uint8_t, control_bytes> bytes;
};

}  // namespace

/// What recvmmsg fills in.
struct ReceiveBatch::Slots {
  std::uint8_t* memory = nullptr;
  std::array<mmsghdr, capacity> headers{};
  std::array<iovec, capacity> buffers{};
  std::array<SocketAddress, capacity> sources{};
  std::array<ReceiveControl, capacity> controls{};
  std::vector<Received> received;  // bounded by what the kernel puts into one train
  std::size_t used = 0;            // headers that the latest receive wrote to
  std::size_t truncated_count = 0;

  void prepare(std::size_t index) {
    msghdr& header = headers[index].msg_hdr;
    header = {};
    header.msg_name = sources[index].pointer();
    header.msg_namelen = sources[index].size;
    header.msg_iov = &buffers[index];
    header.msg_iovlen = 1;
    header.msg_control = controls[index].bytes.data();
    header.msg_controllen = control_bytes;
  }

  /// Readies what the kernel changed.
  void reset() {
    for (std::size_t i = 0; i < used; ++i) prepare(i);
    received.clear();
    used = truncated_count = 0;
  }

  /// What came into slot `index`. `to`: where, if the kernel was not asked or does not say.
  void take(std::size_t index, Endpoint to, bool asked_for_destination) {
    msghdr& header = headers[index].msg_hdr;
    Received datagram;
    datagram.from = to_endpoint(sources[index]);
    if (asked_for_destination) to = destination_of(header, to.family()).value_or(to);
    datagram.to_address = to.address;
    datagram.to_scope = to.scope;
    ByteView bytes{memory + index * slot_bytes, headers[index].msg_len};
    // A train has a control message, and nothing else has one unless it was asked for.
    const auto size = header.msg_controllen == 0 ? std::nullopt : train_size(header);
    while (size && bytes.size() > *size) {
      datagram.bytes = bytes.first(*size);
      received.push_back(datagram);
      datagram.follows = true;
      bytes = bytes.subspan(*size);
    }
    datagram.bytes = bytes;
    received.push_back(datagram);
  }
};

ReceiveBatch::ReceiveBatch() : slots_(std::make_unique<Slots>()) {
  void* const memory = mmap(nullptr, capacity * slot_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc{};
  // A huge page would make one small datagram cost 2 MiB.
  madvise(memory, capacity * slot_bytes, MADV_NOHUGEPAGE);
  slots_->memory = static_cast<std::uint8_t*>(memory);
  slots_->received.reserve(capacity);
  for (std::size_t i = 0; i < capacity; ++i) {
    slots_->buffers[i] = {slots_->memory + i * slot_bytes, slot_bytes};
    slots_->prepare(i);
  }
}

ReceiveBatch::~ReceiveBatch() { munmap(slots_->memory, capacity * slot_bytes); }

std::span<const Received> ReceiveBatch::datagrams() const { return slots_->received; }

std::size_t ReceiveBatch::truncated() const { return slots_->truncated_count; }

UdpPort::UdpPort(int descriptor, Family family) : descriptor_(descriptor) {
  local_.address = IpAddress::any(family);
}

Result<UdpPort, std::error_code> UdpPort::open(const UdpPortOptions& options) {
  const Family family = options.bind.family();
  const int descriptor =
      socket(native_family(family), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
  if (descriptor < 0) return Failure<std::error_code>{last_error()};
  UdpPort port{descriptor, family};
  if (const auto error = port.configure(options)) return Failure<std::error_code>{error};
  if (const auto error = port.bind_to(options.bind)) return Failure<std::error_code>{error};
  if (options.reuse_port && options.proxied_group > 1) {
    const auto error = spread_proxied_clients(port.descriptor_, options.proxied_group);
    if (error) return Failure<std::error_code>{error};
  }
  port.destination_address_ = options.destination_address;
  return port;
}

UdpPort::~UdpPort() { close(); }

UdpPort::UdpPort(UdpPort&& other) noexcept : descriptor_(-1) { take(other); }

UdpPort& UdpPort::operator=(UdpPort&& other) noexcept {
  if (this == &other) return *this;
  close();
  take(other);
  return *this;
}

void UdpPort::close() {
  if (waits_in_ != nullptr) waits_in_->forget(*this);
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void UdpPort::take(UdpPort& other) {
  TURNPIKE_ASSERT(other.waits_in_ == nullptr);  // the queue knows the port by its address
  descriptor_ = std::exchange(other.descriptor_, -1);
  local_ = other.local_;
  destination_address_ = other.destination_address_;
}

std::error_code UdpPort::configure(const UdpPortOptions& options) const {
  const bool is_v4 = options.bind.family() == Family::ipv4;
  const int level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
  std::error_code error = allow_fragments(descriptor_, options.bind.family());
  const auto set = [&](bool wanted, int at_level, int name, int value) {
    if (wanted && !error) error = set_option(descriptor_, at_level, name, value);
  };
  set(!is_v4, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  set(options.reuse_port, SOL_SOCKET, SO_REUSEPORT, 1);
  set(options.destination_address, level, is_v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, 1);
  set(options.report_icmp, level, is_v4 ? IP_RECVERR : IPV6_RECVERR, 1);
  set(options.receive_trains, IPPROTO_UDP, UDP_GRO, 1);
  set(options.receive_buffer_bytes > 0, SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes);
  set(options.send_buffer_bytes > 0, SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes);
  return error;
}

std::error_code UdpPort::bind_to(const Endpoint& endpoint) {
  SocketAddress address = to_socket_address(endpoint);
  if (::bind(descriptor_, address.pointer(), address.size) != 0) return last_error();
  local_ = endpoint;
  if (endpoint.port != 0) return {};
  if (getsockname(descriptor_, address.pointer(), &address.size) != 0) return last_error();
  local_ = to_endpoint(address);
  return {};
}

std::size_t UdpPort::receive(ReceiveBatch& batch) {
  ReceiveBatch::Slots& slots = *batch.slots_;
  slots.reset();
  // An ICMP error about an earlier send fails one call and is then gone. More can come in while we
  // retry; after as many as a batch has slots, the next turn goes on. A lack of memory is not gone.
  int count = -1;
  for (std::size_t attempt = 0; count < 0 && attempt < ReceiveBatch::capacity; ++attempt) {
    count = recvmmsg(descriptor_, slots.headers.data(), appetite_, 0, nullptr);
    if (count < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS)) return 0;
  }
  if (count < 0) return 0;
  slots.used = static_cast<std::size_t>(count);
  const bool may_be_more = slots.used == appetite_;
  appetite_ = static_cast<std::uint8_t>(
      may_be_more ? std::min(ReceiveBatch::capacity, slots.used * 2) : slots.used);
  for (std::size_t i = 0; i < slots.used; ++i) {
    if ((slots.headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
      ++slots.truncated_count;
      continue;
    }
    slots.take(i, local_, destination_address_);
  }
  return slots.received.size();
}

std::optional<IcmpError> UdpPort::next_icmp() {
  const bool is_v4 = local_.family() == Family::ipv4;
  for (;;) {
    SocketAddress destination;
    // The error, then the address of who sent it; the start of our datagram is not of interest.
    alignas(cmsghdr) std::array<std::uint8_t, 256> control{};
    msghdr header{};
    header.msg_name = destination.pointer();
    header.msg_namelen = destination.size;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    if (recvmsg(descriptor_, &header, MSG_ERRQUEUE) < 0) {
      if (errno == EINTR) continue;
      return std::nullopt;
    }
    const cmsghdr* found = is_v4 ? find_control(header, IPPROTO_IP, IP_RECVERR)
                                 : find_control(header, IPPROTO_IPV6, IPV6_RECVERR);
    if (found == nullptr) continue;
    const auto failure = contents_of<sock_extended_err>(*found);
    if (const auto error = to_icmp(failure, to_endpoint(destination))) return error;
  }
}

}  // namespace turnpike::net
