// What happened in a simulation: folded into one number, and in words for who wants to read it.
#pragma once

#include <array>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>

#include "base/bytes.h"
#include "base/time.h"
#include "turn/reason.h"

namespace turnpike::sim {

/// The server has done what the model does not allow.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// How often each way out was taken, over many seeds.
struct Coverage {
  std::array<std::uint64_t, turn::reason_count> reasons{};
  std::map<int, std::uint64_t> codes{};
  std::uint64_t inputs = 0;
  std::uint64_t followers = 0;  // that were relayed like the datagram before them in the train

  void add(const Coverage& other) {
    for (std::size_t i = 0; i < reasons.size(); ++i) reasons.at(i) += other.reasons.at(i);
    for (const auto& [code, count] : other.codes) codes[code] += count;
    inputs += other.inputs;
    followers += other.followers;
  }
};

/// Hashes events (FNV-1a, byte by byte, so that all compilers agree) and prints them if asked to.
class Trace {
 public:
  explicit Trace(bool is_verbose) : is_verbose_(is_verbose) {}

  void note(Instant now, const std::string& text) {
    add(static_cast<std::uint64_t>(now.time_since_epoch().count()));
    for (const char character : text) add_byte(static_cast<std::uint8_t>(character));
    if (!is_verbose_) return;
    const auto since = now.time_since_epoch() - seconds{1'000'000};
    std::printf("%12.6f  %s\n", std::chrono::duration<double>(since).count(), text.c_str());
  }
  void note(ByteView bytes) {
    for (const std::uint8_t byte : bytes) add_byte(byte);
  }
  [[nodiscard]] bool is_verbose() const { return is_verbose_; }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }

 private:
  void add(std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8)
      add_byte(static_cast<std::uint8_t>(number >> shift));
  }
  void add_byte(std::uint8_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3; }

  bool is_verbose_;
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace turnpike::sim
