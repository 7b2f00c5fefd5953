#include "net/proxied_group.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace turnpike::net {
namespace {

/// One instruction that has no jumps, or jumps over so many.
constexpr sock_filter instruction(unsigned code, std::uint32_t value = 0, std::uint8_t if_true = 0,
                                  std::uint8_t if_false = 0) {
  return {static_cast<std::uint16_t>(code), if_true, if_false, value};
}

constexpr unsigned load_word = BPF_LD | BPF_W | BPF_ABS;
constexpr unsigned load_half = BPF_LD | BPF_H | BPF_ABS;
constexpr unsigned load_byte = BPF_LD | BPF_B | BPF_ABS;
constexpr unsigned to_x = BPF_MISC | BPF_TAX;
constexpr unsigned xor_x = BPF_ALU | BPF_XOR | BPF_X;
constexpr unsigned jump_if_equal = BPF_JMP | BPF_JEQ | BPF_K;

}  // namespace

// The bytes that the program sees begin with the payload. A load beyond their end returns 0.
std::error_code spread_proxied_clients(int descriptor, unsigned size) {
  std::array program{instruction(load_byte, 12),
                     instruction(jump_if_equal, 0x21, 0, 24),  // version 2, PROXY
                     instruction(load_byte, 13),
                     instruction(jump_if_equal, 0x12, 0, 4),  // UDP over IPv4:
                     instruction(load_word, 16),
                     instruction(to_x),  // its source address
                     instruction(load_half, 24),
                     instruction(BPF_JMP | BPF_JA, 13),        // and port
                     instruction(jump_if_equal, 0x22, 0, 17),  // UDP over IPv6:
                     instruction(load_word, 16),
                     instruction(to_x),  // the same
                     instruction(load_word, 20),
                     instruction(xor_x),
                     instruction(to_x),  //
                     instruction(load_word, 24),
                     instruction(xor_x),
                     instruction(to_x),  //
                     instruction(load_word, 28),
                     instruction(xor_x),
                     instruction(to_x),           //
                     instruction(load_half, 48),  //
                     instruction(xor_x),
                     instruction(BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1),
                     instruction(BPF_ALU | BPF_RSH | BPF_K, 16),
                     instruction(BPF_ALU | BPF_MOD | BPF_K, size),
                     instruction(BPF_RET | BPF_A),
                     instruction(BPF_RET | BPF_K, 0)};
  const sock_fprog all{static_cast<std::uint16_t>(program.size()), program.data()};
  if (setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &all, sizeof all) == 0)
    return {};
  return {errno, std::system_category()};
}

}  // namespace turnpike::net
