#include "turn/snapshot_bytes.h"

#include <bit>
#include <string_view>
#include <type_traits>

#include "base/crypto.h"
#include "turn/snapshot_fields.h"
#include "turn/snapshot_sound.h"

namespace turnpike::turn {
namespace {

constexpr std::string_view magic = "turnpike";
constexpr std::size_t version_at = magic.size();
constexpr std::size_t length_at = version_at + 4;
constexpr std::size_t checksum_at = length_at + 8;
constexpr std::size_t head_bytes = checksum_at + 4;

std::uint32_t checksum_of(ByteView snapshot) {
  return crc32c({snapshot.first(checksum_at), snapshot.subspan(head_bytes)});
}

/// Appends values to bytes.
class Writer {
 public:
  explicit Writer(std::vector<std::uint8_t>& out) : out_(out) {}

  template <class T>
  requires std::is_unsigned_v<T>
  void write(T number) {
    for (std::size_t byte = sizeof(T); byte-- > 0;) {
      out_.push_back(static_cast<std::uint8_t>(std::uint64_t{number} >> (8 * byte)));
    }
  }
  void write(bool yes) { write(std::uint8_t{yes}); }
  void write(double number) { write(std::bit_cast<std::uint64_t>(number)); }
  template <class T>
  requires std::is_enum_v<T>
  void write(T value) { write(static_cast<std::underlying_type_t<T>>(value)); }
  void write(Instant instant) {
    write(static_cast<std::uint64_t>(instant.time_since_epoch().count()));
  }
  void write(const IpAddress& address) {
    write(address.family());
    write_raw(address.bytes());
  }
  void write(const std::string& text) {
    write(static_cast<std::uint32_t>(text.size()));
    write_raw(bytes_of(text));
  }
  template <std::size_t Size>
  void write(const std::array<std::uint8_t, Size>& bytes) {
    write_raw(bytes);
  }
  template <class T, std::size_t Size>
  void write(const std::array<T, Size>& values) {
    for (const T& each : values) write(each);
  }
  template <class T>
  void write(const std::optional<T>& value) {
    write(value.has_value());
    if (value) write(*value);
  }
  template <class T>
  void write(const std::vector<T>& values) {
    write(static_cast<std::uint32_t>(values.size()));
    for (const T& each : values) write(each);
  }
  template <has_fields T>
  void write(const T& whole) {
    std::apply([&](auto... member) { (write(whole.*member), ...); }, fields_of<T>);
  }

 private:
  void write_raw(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

  std::vector<std::uint8_t>& out_;
};

template <class T>
inline constexpr T last_of = T{};  // of an enumeration whose values are named
template <>
inline constexpr auto last_of<Transport> = Transport::dtls;
template <>
inline constexpr auto last_of<PeerTransport> = PeerTransport::tcp;

/// Takes values out of bytes. Once something is wrong, all that follows is too.
class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}

  /// All has been read, and nothing was wrong.
  [[nodiscard]] bool is_done() const { return is_fine_ && rest_.empty(); }

  template <class T>
  requires std::is_unsigned_v<T>
  void read(T& number) {
    number = 0;
    for (const std::uint8_t byte : take(sizeof(T))) {
      number = static_cast<T>(std::uint64_t{number} << 8 | byte);
    }
  }
  void read(bool& yes) {
    std::uint8_t number = 0;
    read(number);
    expect(number <= 1);
    yes = number == 1;
  }
  void read(double& number) {
    std::uint64_t bits = 0;
    read(bits);
    number = std::bit_cast<double>(bits);
  }
  void read(ListenerId& id) { read_number(id); }
  void read(WorkerId& id) { read_number(id); }
  void read(NetworkId& id) { read_number(id); }
  template <class T>
  requires std::is_enum_v<T>
  void read(T& value) {
    read_number(value);
    expect(value <= last_of<T>);
  }
  /// Between the clock's beginning and 146 years later, so that two have a distance.
  void read(Instant& instant) {
    std::uint64_t count = 0;
    read(count);
    expect(count < std::uint64_t{1} << 62);
    instant = Instant{nanoseconds{is_fine_ ? static_cast<std::int64_t>(count) : 0}};
  }
  void read(IpAddress& address) {
    std::uint8_t family = 0;
    read(family);
    expect(family == static_cast<std::uint8_t>(Family::ipv4) ||
           family == static_cast<std::uint8_t>(Family::ipv6));
    if (!is_fine_) return;
    const ByteView bytes = take(address_bytes(Family{family}));
    if (is_fine_) address = IpAddress::from_bytes(Family{family}, bytes);
  }
  void read(std::string& text) {
    std::uint32_t size = 0;
    read(size);
    text = text_of(take(size));
  }
  template <std::size_t Size>
  void read(std::array<std::uint8_t, Size>& bytes) {
    copy_bytes(take(Size), bytes);
  }
  template <class T, std::size_t Size>
  void read(std::array<T, Size>& values) {
    for (T& each : values) read(each);
  }
  template <class T>
  void read(std::optional<T>& value) {
    bool is_there = false;
    read(is_there);
    if (is_there && is_fine_) read(value.emplace());
  }
  template <class T>
  void read(std::vector<T>& values) {
    std::uint32_t count = 0;
    read(count);
    // One by one: what a count claims is believed as far as there are bytes for it.
    for (std::uint32_t i = 0; i < count && is_fine_; ++i) read(values.emplace_back());
  }
  template <has_fields T>
  void read(T& whole) {
    std::apply([&](auto... member) { (read(whole.*member), ...); }, fields_of<T>);
  }

 private:
  template <class T>
  void read_number(T& value) {
    std::underlying_type_t<T> number = 0;
    read(number);
    value = T{number};
  }
  void expect(bool condition) { is_fine_ = is_fine_ && condition; }
  /// The next bytes; none when there are not so many.
  ByteView take(std::size_t size) {
    expect(size <= rest_.size());
    if (!is_fine_) return {};
    const ByteView taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  ByteView rest_;
  bool is_fine_ = true;
};

}  // namespace

std::vector<std::uint8_t> encode_snapshot(const SavedState& state) {
  std::vector<std::uint8_t> snapshot(head_bytes);
  Writer{snapshot}.write(state);
  const MutableByteView head{snapshot};
  copy_bytes(bytes_of(magic), head);
  store_be32(head.subspan(version_at), snapshot_version);
  store_be64(head.subspan(length_at), snapshot.size() - head_bytes);
  store_be32(head.subspan(checksum_at), checksum_of(snapshot));
  return snapshot;
}

Result<SavedState, SnapshotError> decode_snapshot(ByteView bytes) {
  if (bytes.size() < head_bytes || text_of(bytes.first(magic.size())) != magic) {
    return Failure{SnapshotError::not_a_snapshot};
  }
  if (load_be32(bytes.subspan(version_at)) != snapshot_version) {
    return Failure{SnapshotError::other_version};
  }
  if (load_be64(bytes.subspan(length_at)) != bytes.size() - head_bytes) {
    return Failure{SnapshotError::wrong_size};
  }
  if (load_be32(bytes.subspan(checksum_at)) != checksum_of(bytes)) {
    return Failure{SnapshotError::damaged};
  }
  Reader content{bytes.subspan(head_bytes)};
  SavedState state;
  content.read(state);
  if (!content.is_done() || !is_sound(state)) return Failure{SnapshotError::malformed};
  return state;
}

}  // namespace turnpike::turn
