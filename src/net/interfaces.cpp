#include "net/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include "net/socket_address.h"

namespace turnpike::net {
namespace {

struct FreeInterfaces {
  void operator()(ifaddrs* list) const { freeifaddrs(list); }
};
struct FreeResults {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

/// Appends the address in `native` unless it is of another family, link-local IPv6, or there
/// already. The lists are short, so that searching them is fine.
void append_address(const sockaddr* native, std::vector<IpAddress>& addresses) {
  if (native == nullptr) return;
  if (native->sa_family != AF_INET && native->sa_family != AF_INET6) return;
  const IpAddress address = to_endpoint(native).address;
  if (address.needs_scope()) return;
  if (std::find(addresses.begin(), addresses.end(), address) != addresses.end()) return;
  addresses.push_back(address);
}

Failure<std::string> cannot_resolve(const std::string& host, const char* reason) {
  return Failure<std::string>{"cannot resolve \"" + host + "\": " + reason};
}

}  // namespace

std::vector<IpAddress> interface_addresses() {
  std::vector<IpAddress> addresses;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return addresses;
  const std::unique_ptr<ifaddrs, FreeInterfaces> list{first};
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if ((entry->ifa_flags & static_cast<unsigned>(IFF_UP)) == 0) continue;
    append_address(entry->ifa_addr, addresses);
  }
  return addresses;
}

std::optional<std::string> interface_with(const IpAddress& address) {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return std::nullopt;
  const std::unique_ptr<ifaddrs, FreeInterfaces> list{first};
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    std::vector<IpAddress> one;
    append_address(entry->ifa_addr, one);
    if (!one.empty() && one.front() == address) return entry->ifa_name;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> interface_index(const std::string& name) {
  if (const unsigned index = if_nametoindex(name.c_str()); index != 0) return index;
  std::uint32_t index = 0;
  const char* const end_of_name = name.data() + name.size();
  const auto [end, error] = std::from_chars(name.data(), end_of_name, index);
  if (error != std::errc{} || end != end_of_name) return std::nullopt;
  std::array<char, IF_NAMESIZE> known_as{};
  if (if_indextoname(index, known_as.data()) == nullptr) return std::nullopt;
  return index;
}

Result<std::vector<IpAddress>, std::string> resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;  // otherwise each address comes once per socket type
  addrinfo* first = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &first);
  if (error != 0) return cannot_resolve(host, gai_strerror(error));
  const std::unique_ptr<addrinfo, FreeResults> list{first};

  std::vector<IpAddress> addresses;
  for (const addrinfo* entry = first; entry != nullptr; entry = entry->ai_next) {
    append_address(entry->ai_addr, addresses);
  }
  if (addresses.empty()) return cannot_resolve(host, "it has no usable address");
  return addresses;
}

}  // namespace turnpike::net
