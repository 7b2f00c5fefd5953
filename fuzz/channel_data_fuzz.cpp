// ChannelData framing: what is read lies inside the input and reads the same when written again.

#include <cstdint>
#include <vector>

#include "stun/demux.h"
#include "turn/framing.h"

namespace {

using namespace turnpike;
using namespace turnpike::turn;
using Bytes = std::vector<std::uint8_t>;

/// The rules of RFC 8656 §12.4 once more, without views.
bool is_channel_data(const Bytes& bytes) {
  if (bytes.size() < 4 || bytes[0] < 0x40 || bytes[0] > 0x4f) return false;
  return bytes.size() - 4 >= bytes[2] * 256U + bytes[3];
}

void check(const Bytes& bytes) {
  const auto message = parse_channel_data(bytes);
  TURNPIKE_ASSERT(message.has_value() == is_channel_data(bytes));
  if (!message) return;
  TURNPIKE_ASSERT(stun::classify(bytes) == stun::Protocol::channel_data);
  TURNPIKE_ASSERT(message->channel.is_allowed());
  TURNPIKE_ASSERT(message->payload.data() == bytes.data() + channel_data_header_bytes);
  TURNPIKE_ASSERT(message->payload.size() <= bytes.size() - channel_data_header_bytes);

  Bytes written(channel_data_header_bytes);
  put_channel_data_header(written, message->channel, message->payload.size());
  written.insert(written.end(), message->payload.begin(), message->payload.end());
  TURNPIKE_ASSERT(std::equal(written.begin(), written.end(), bytes.begin()));
  const auto again = parse_channel_data(written);
  TURNPIKE_ASSERT(again && again->channel == message->channel);
  TURNPIKE_ASSERT(again->payload.size() == message->payload.size());

  // One byte less than the length says is refused, up to three more are padding (§12.5).
  const Bytes cut{written.begin(), written.end() - 1};
  TURNPIKE_ASSERT(!parse_channel_data(cut));
  written.resize(padded_to_4(written.size()), 0xff);
  const auto padded = parse_channel_data(written);
  TURNPIKE_ASSERT(padded && padded->payload.size() == message->payload.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  Bytes input{bytes, bytes + size};
  check(input);
  // A second time with a number and a length that are allowed more often than not.
  if (input.size() >= 4) {
    input[0] = static_cast<std::uint8_t>(0x40 | (input[0] & 0x0f));
    if (input.size() < 260) input[2] = 0;
    check(input);
  }
  return 0;
}
