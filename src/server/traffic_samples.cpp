#include "server/traffic_samples.h"

namespace turnpike::server {
namespace {

constexpr milliseconds shortest_time{950};  // between looks that come each second

std::uint64_t bits_a_second(std::uint64_t bytes, nanoseconds time) {
  if (time <= nanoseconds{0}) return 0;
  return static_cast<std::uint64_t>(static_cast<double>(bytes) * 8e9 /
                                    static_cast<double>(time.count()));
}

}  // namespace

std::uint64_t TrafficSamples::bitrate(std::uint64_t serial, std::uint64_t bytes, Instant started,
                                      Instant now) {
  const auto [found, is_first] = samples_.try_emplace(serial);
  Sample& sample = found->second;
  if (is_first) {
    sample = {now, bytes, bits_a_second(bytes, now - started)};
  } else if (now - sample.at >= shortest_time) {
    sample = {now, bytes, bits_a_second(bytes - sample.bytes, now - sample.at)};
  }
  return sample.bitrate;
}

}  // namespace turnpike::server
