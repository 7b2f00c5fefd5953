// MessageView against a naive reader of the same rules; all decoders; integrity; writing again what
// was read. The input is taken as it is, and a second time with its checksums made right: a fuzzer
// does not find those by itself.

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "stun/attributes.h"
#include "stun/builder.h"
#include "stun/demux.h"
#include "stun/integrity.h"
#include "stun/message.h"

namespace {

using namespace turnpike;
using namespace turnpike::stun;
using Bytes = std::vector<std::uint8_t>;

const IntegrityKey& fixed_key() {
  static const IntegrityKey key{bytes_of("fixed")};
  return key;
}

Bytes copy_of(ByteView bytes) { return {bytes.begin(), bytes.end()}; }

bool same(ByteView a, ByteView b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

// --- The naive reader ----------------------------------------------------------------------------

struct NaiveAttribute {
  unsigned type;
  std::size_t at;  // of the header
  Bytes value;
};

struct NaiveMessage {
  std::vector<NaiveAttribute> visible;
  std::optional<NaiveAttribute> sha1;
  std::optional<NaiveAttribute> sha256;
  bool fingerprint = false;
};

unsigned u16(ByteView bytes, std::size_t at) { return bytes[at] * 256U + bytes[at + 1]; }

std::optional<std::vector<NaiveAttribute>> read_all_attributes(ByteView bytes) {
  std::vector<NaiveAttribute> all;
  for (std::size_t at = header_bytes; at < bytes.size();) {
    if (bytes.size() - at < 4) return std::nullopt;
    const std::size_t size = u16(bytes, at + 2);
    const std::size_t padding = (4 - size % 4) % 4;
    if (bytes.size() - at - 4 < size + padding) return std::nullopt;
    all.push_back({u16(bytes, at), at, copy_of(bytes.subspan(at + 4, size))});
    at += 4 + size + padding;
  }
  return all;
}

std::optional<NaiveMessage> read_naively(ByteView bytes) {
  if (bytes.size() < header_bytes || bytes[0] > 63) return std::nullopt;
  if (bytes.size() % 4 != 0 || u16(bytes, 2) != bytes.size() - header_bytes) return std::nullopt;
  if (!same(bytes.subspan(4, 4), Bytes{0x21, 0x12, 0xa4, 0x42})) return std::nullopt;
  const auto all = read_all_attributes(bytes);
  if (!all || all->size() > max_attributes) return std::nullopt;

  NaiveMessage message;
  for (const NaiveAttribute& each : *all) {
    const bool covered = message.sha1 || message.sha256;
    if (each.type == 0x8028) {
      if (&each != &all->back() || each.value.size() != 4) return std::nullopt;
      const std::uint32_t crc = crc32(bytes.first(each.at)) ^ 0x5354554e;
      if (load_be32(each.value) != crc) return std::nullopt;
      message.fingerprint = true;
    } else if (each.type == 0x0008) {
      if (!covered) message.sha1 = each;
    } else if (each.type == 0x001c) {
      if (!message.sha256) message.sha256 = each;
    } else if (!covered) {
      message.visible.push_back(each);
    }
  }
  return message;
}

// --- What must hold ------------------------------------------------------------------------------

void check_same(const MessageView& message, const NaiveMessage& naive) {
  auto expected = naive.visible.begin();
  for (const AttributeView each : message.attributes()) {
    TURNPIKE_ASSERT(expected != naive.visible.end());
    TURNPIKE_ASSERT(static_cast<unsigned>(each.type) == expected->type);
    TURNPIKE_ASSERT(same(each.value, expected->value));
    ++expected;
  }
  TURNPIKE_ASSERT(expected == naive.visible.end());
  for (const NaiveAttribute& each : naive.visible) {
    const auto found = message.find(static_cast<AttributeType>(each.type));
    TURNPIKE_ASSERT(found);
    for (const NaiveAttribute& first : naive.visible) {
      if (first.type != each.type) continue;
      TURNPIKE_ASSERT(same(*found, first.value));
      break;
    }
    if (&each - naive.visible.data() > 64) break;  // the square of many is slow
  }
  const auto sha1 = message.message_integrity();
  TURNPIKE_ASSERT(sha1.has_value() == naive.sha1.has_value());
  if (sha1) TURNPIKE_ASSERT(same(*sha1, naive.sha1->value));
  const auto sha256 = message.message_integrity_sha256();
  TURNPIKE_ASSERT(sha256.has_value() == naive.sha256.has_value());
  if (sha256) TURNPIKE_ASSERT(same(*sha256, naive.sha256->value));
  TURNPIKE_ASSERT(message.has_fingerprint() == naive.fingerprint);
}

/// What `decode` reads must be read again after `put` wrote it.
template <class Decoded, class Decode, class Put>
void check_round_trip(const std::optional<Decoded>& decoded, Decode decode, Put put,
                      const TransactionId& id) {
  if (!decoded) return;
  std::array<std::uint8_t, 64> buffer{};
  MessageBuilder builder{buffer, Class::request, Method::binding, id};
  put(builder, *decoded);
  const auto message = MessageView::parse(builder.bytes());
  TURNPIKE_ASSERT(message);
  TURNPIKE_ASSERT(decode((*message->attributes().begin()).value) == decoded);
}

void check_decoders(ByteView value, const TransactionId& id) {
  check_round_trip(
      decode_address(value), decode_address,
      [](MessageBuilder& b, const Endpoint& e) { b.put_address(AttributeType::mapped_address, e); },
      id);
  const auto decode_xor = [&](ByteView v) { return decode_xor_address(v, id); };
  check_round_trip(
      decode_xor(value), decode_xor,
      [](MessageBuilder& b, const Endpoint& e) {
        b.put_xor_address(AttributeType::xor_peer_address, e);
      },
      id);
  check_round_trip(
      decode_lifetime(value), decode_lifetime,
      [](MessageBuilder& b, seconds s) { b.put_lifetime(s); }, id);
  check_round_trip(
      decode_channel_number(value), decode_channel_number,
      [](MessageBuilder& b, ChannelNumber n) { b.put_channel_number(n); }, id);
  check_round_trip(
      decode_requested_transport(value), decode_requested_transport,
      [](MessageBuilder& b, std::uint8_t p) { b.put_requested_transport(p); }, id);
  check_round_trip(
      decode_even_port(value), decode_even_port,
      [](MessageBuilder& b, bool r) { b.put_even_port(r); }, id);
  check_round_trip(
      decode_reservation_token(value), decode_reservation_token,
      [](MessageBuilder& b, std::uint64_t t) { b.put_u64(AttributeType::reservation_token, t); },
      id);
  check_round_trip(
      decode_icmp(value), decode_icmp, [](MessageBuilder& b, const Icmp& i) { b.put_icmp(i); }, id);
  const auto error_number = [](ByteView v) {
    const auto error = decode_error_code(v);
    return error ? std::optional{error->code} : std::nullopt;
  };
  check_round_trip(
      error_number(value), error_number,
      [](MessageBuilder& b, std::uint16_t code) { b.put_error_code(ErrorCode{code}); }, id);
  const auto address_error = [](ByteView v) {
    const auto error = decode_address_error_code(v);
    return error ? std::optional{std::pair{error->family, error->code}} : std::nullopt;
  };
  check_round_trip(
      address_error(value), address_error,
      [](MessageBuilder& b, std::pair<Family, std::uint16_t> e) {
        b.put_address_error_code(e.first, ErrorCode{e.second});
      },
      id);
  check_round_trip(
      decode_password_algorithm(value), decode_password_algorithm,
      [](MessageBuilder& b, std::uint16_t n) { b.put_password_algorithm(PasswordAlgorithm{n}); },
      id);
  const auto family = decode_address_family(value);
  TURNPIKE_ASSERT(family.has_value() == (value.size() == 4));
}

/// Writes what is visible in `message` anew, signs it, and reads it back.
void check_written_again(const MessageView& message) {
  constexpr std::size_t signatures_bytes = 24 + 36 + 8;
  Bytes buffer(message.bytes().size() + signatures_bytes, 0xcc);
  MessageBuilder builder{buffer, message.message_class(), message.method(),
                         message.transaction_id()};
  for (const AttributeView each : message.attributes()) builder.put(each.type, each.value);
  const bool has_room = builder.bytes().size() + signatures_bytes <= header_bytes + 65535;
  if (has_room) {
    builder.put_message_integrity(fixed_key().sha1);
    builder.put_message_integrity_sha256(fixed_key().sha256);
    builder.put_fingerprint();
  }
  const auto again = MessageView::parse(builder.bytes());
  TURNPIKE_ASSERT(again);
  TURNPIKE_ASSERT(again->message_class() == message.message_class());
  TURNPIKE_ASSERT(again->method() == message.method());
  TURNPIKE_ASSERT(again->transaction_id() == message.transaction_id());
  auto theirs = message.attributes().begin();
  for (const AttributeView each : again->attributes()) {
    TURNPIKE_ASSERT(!(theirs == message.attributes().end()));
    TURNPIKE_ASSERT(each.type == (*theirs).type && same(each.value, (*theirs).value));
    ++theirs;
  }
  TURNPIKE_ASSERT(theirs == message.attributes().end());
  if (!has_room) return;
  TURNPIKE_ASSERT(again->has_fingerprint());
  TURNPIKE_ASSERT(verify_message_integrity(*again, fixed_key().sha1));
  TURNPIKE_ASSERT(verify_message_integrity_sha256(*again, fixed_key().sha256));
}

void check(ByteView bytes) {
  const auto naive = read_naively(bytes);
  const auto message = MessageView::parse(bytes);
  TURNPIKE_ASSERT(message.has_value() == naive.has_value());
  if (!message) return;
  TURNPIKE_ASSERT(classify(bytes) == Protocol::stun || bytes[0] > 3);
  check_same(*message, *naive);
  for (const AttributeView each : message->attributes())
    check_decoders(each.value, message->transaction_id());
  (void)verify_message_integrity(*message, fixed_key().sha1);
  (void)verify_message_integrity_sha256(*message, fixed_key().sha256);
  check_written_again(*message);

  Bytes shifted(1, 0);  // the same one byte further (HOSTILE S17)
  shifted.insert(shifted.end(), bytes.begin(), bytes.end());
  const auto there = MessageView::parse(ByteView{shifted}.subspan(1));
  TURNPIKE_ASSERT(there);
  check_same(*there, *naive);
}

// --- The second look -----------------------------------------------------------------------------

/// Makes header, MACs and CRC of `bytes` right, as far as there is room for them.
void repair(Bytes& bytes) {
  const MutableByteView view{bytes};
  bytes[0] &= 0x3f;
  store_be16(view.subspan(2), static_cast<std::uint16_t>(bytes.size() - header_bytes));
  store_be32(view.subspan(4), magic_cookie);
  const auto all = read_all_attributes(bytes);
  if (!all) return;
  for (const NaiveAttribute& each : *all) {
    const MutableByteView value = view.subspan(each.at + 4, each.value.size());
    Bytes covered = copy_of(ByteView{bytes}.first(each.at));
    if (each.type == 0x0008 && value.size() == 20) {
      store_be16(MutableByteView{covered}.subspan(2),
                 static_cast<std::uint16_t>(each.at + 24 - header_bytes));
      copy_bytes(fixed_key().sha1.mac({covered}), value);
    } else if (each.type == 0x001c && value.size() == 32) {
      store_be16(MutableByteView{covered}.subspan(2),
                 static_cast<std::uint16_t>(each.at + 36 - header_bytes));
      copy_bytes(fixed_key().sha256.mac({covered}), value);
    } else if (each.type == 0x8028 && value.size() == 4) {
      store_be32(value, crc32(covered) ^ fingerprint_xor);
    }
    if (&each - all->data() > 64) break;  // each MAC reads all before it
  }
}

void check_repaired(ByteView input) {
  if (input.size() < header_bytes) return;
  Bytes bytes = copy_of(
      input.first(std::min<std::size_t>(input.size(), header_bytes + 65532) & ~std::size_t{3}));
  repair(bytes);
  check(bytes);
  const auto message = MessageView::parse(bytes);
  const auto naive = read_naively(bytes);
  if (!message || naive->visible.size() > 60) return;
  // A right MAC verifies wherever it stands first, whatever follows it.
  const auto sha1 = message->message_integrity();
  if (sha1)
    TURNPIKE_ASSERT(verify_message_integrity(*message, fixed_key().sha1) == (sha1->size() == 20));
  const auto sha256 = message->message_integrity_sha256();
  if (sha256 && !sha1) {
    TURNPIKE_ASSERT(verify_message_integrity_sha256(*message, fixed_key().sha256) ==
                    (sha256->size() == 32));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  check(ByteView{bytes, size});
  check_repaired(ByteView{bytes, size});
  return 0;
}
