// find_frame over a stream that arrives in chunks: the same messages however it is cut, each inside
// the input, and the same as a reader finds who has all bytes and takes his time.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "stun/registry.h"
#include "turn/framing.h"

namespace {

using namespace turnpike;
using namespace turnpike::turn;
using Bytes = std::vector<std::uint8_t>;

/// What a stream turned out to be: its messages without padding, and whether it broke after them.
struct Story {
  std::vector<Bytes> messages;
  std::size_t read = 0;  ///< bytes of messages and padding
  bool is_broken = false;

  friend bool operator==(const Story&, const Story&) = default;
};

/// RFC 8489 §6.2.2 and RFC 8656 §12.5 once more, byte by byte. Every look past the end is "not
/// yet".
Story read_naively(const Bytes& stream) {
  Story story;
  for (;;) {
    const std::size_t at = story.read;
    const std::size_t left = stream.size() - at;
    const auto byte = [&](std::size_t index) -> std::size_t { return stream.at(at + index); };
    if (left == 0) return story;
    const bool is_stun = byte(0) <= 0x03;
    const bool is_channel = byte(0) >= 0x40 && byte(0) <= 0x7f;
    story.is_broken = !is_stun && !is_channel;
    if (left >= 4 && is_stun && byte(3) % 4 != 0) story.is_broken = true;
    if (left >= 8 && is_stun) {
      const bool has_cookie =
          byte(4) == 0x21 && byte(5) == 0x12 && byte(6) == 0xa4 && byte(7) == 0x42;
      if (!has_cookie) story.is_broken = true;
    }
    if (story.is_broken || left < 4) return story;
    std::size_t size = byte(2) * 256 + byte(3) + (is_stun ? 20 : 4);
    std::size_t padded = size;
    while (padded % 4 != 0) ++padded;
    if (left < padded) return story;
    story.messages.emplace_back();
    for (std::size_t i = 0; i < size; ++i)
      story.messages.back().push_back(static_cast<std::uint8_t>(byte(i)));
    story.read += padded;
  }
}

/// As a session does, with chunks of the given sizes, again and again from the first.
Story read_in_chunks(const Bytes& stream, const Bytes& chunk_sizes) {
  Story story;
  Bytes input;
  std::size_t arrived = 0;
  for (std::size_t turn = 0; arrived < stream.size() && !story.is_broken; ++turn) {
    const std::size_t wanted = chunk_sizes[turn % chunk_sizes.size()] + std::size_t{1};
    const std::size_t count = std::min(wanted, stream.size() - arrived);
    for (std::size_t i = 0; i < count; ++i) input.push_back(stream[arrived + i]);
    arrived += count;
    for (;;) {
      const Bytes exact{input.begin(), input.end()};  // so that ASan sees a read past the end
      StreamFrame frame{};
      const StreamState state = find_frame(exact, frame);
      story.is_broken = state == StreamState::broken;
      if (state != StreamState::complete) break;
      TURNPIKE_ASSERT(frame.message_bytes >= channel_data_header_bytes);
      TURNPIKE_ASSERT(frame.message_bytes <= frame.total_bytes);
      TURNPIKE_ASSERT(frame.total_bytes - frame.message_bytes <= 3 && frame.total_bytes % 4 == 0);
      TURNPIKE_ASSERT(frame.total_bytes <= exact.size());
      const auto end = exact.begin() + static_cast<std::ptrdiff_t>(frame.message_bytes);
      story.messages.emplace_back(exact.begin(), end);
      input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(frame.total_bytes));
      story.read += frame.total_bytes;
    }
  }
  return story;
}

void check(const Bytes& stream, const Bytes& chunk_sizes) {
  const Story expected = read_naively(stream);
  TURNPIKE_ASSERT(read_in_chunks(stream, chunk_sizes) == expected);
}

}  // namespace

/// The first four bytes say how the rest is cut; then come the bytes of the stream.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  constexpr std::size_t chunks = 4;
  if (size < chunks || size > 5000) return 0;  // each byte may be looked at once for each chunk
  const Bytes chunk_sizes{bytes, bytes + chunks};
  Bytes stream{bytes + chunks, bytes + size};
  check(stream, chunk_sizes);
  check(stream, {0});
  if (size <= 1000) {
    for (std::size_t at = 0; at + 8 <= stream.size(); at += 16) {
      // Whole STUN messages are rare by chance: here is one more cookie, and a length within reach.
      stream[at] &= 0x43;
      stream[at + 2] = 0;
      if (stream[at] <= 3) store_be32(MutableByteView{stream}.subspan(at + 4), stun::magic_cookie);
    }
    check(stream, chunk_sizes);
  }
  return 0;
}
