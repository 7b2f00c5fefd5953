#include "signaling/socketio_packet.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/bytes.h"
#include "signaling/json.h"

namespace turnpike::signaling {
namespace {

constexpr std::string_view digits = "0123456789";
constexpr std::string_view payload_starts = "[{\"";
constexpr char binary_event = '5';
constexpr char binary_ack = '6';
/// The largest whole number that every JavaScript client tells from its neighbours.
constexpr std::uint64_t max_ack_id = (std::uint64_t{1} << 53) - 1;

/// Names that mean something to the libraries themselves.
constexpr std::array<std::string_view, 6> reserved_events{
    "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"};

/// Takes the digits at the start of `text`; nothing when there are none, or too many.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  const std::size_t size = std::min(text.find_first_not_of(digits), text.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + size, number);
  if (size == 0 || error != std::errc{} || end != text.data() + size) return std::nullopt;
  text.remove_prefix(size);
  return number;
}

/// True when every placeholder in `value` stands for one of the attachments.
bool has_valid_placeholders(const Json& value, std::size_t attachments) {
  if (value.is_object()) {
    const auto mark = value.find("_placeholder");
    if (mark != value.end() && mark->is_boolean() && mark->get<bool>()) {
      const auto number = value.find("num");
      return number != value.end() && number->is_number_unsigned() &&
             number->get<std::uint64_t>() < attachments;
    }
  }
  if (!value.is_structured()) return true;
  return std::all_of(value.begin(), value.end(), [attachments](const Json& inner) {
    return has_valid_placeholders(inner, attachments);
  });
}

bool is_event_name(const Json& name) {
  if (name.is_number()) return true;
  const auto* const text = name.get_ptr<const std::string*>();
  return text != nullptr &&
         std::find(reserved_events.begin(), reserved_events.end(), *text) == reserved_events.end();
}

/// What a payload may be, by type. Nothing: there is none.
bool is_payload_of(SocketIoType type, const std::optional<Json>& payload) {
  switch (type) {
    case SocketIoType::connect:
      return !payload || payload->is_object();
    case SocketIoType::disconnect:
      return !payload;
    case SocketIoType::event:
      return payload && payload->is_array() && !payload->empty() && is_event_name((*payload)[0]);
    case SocketIoType::ack:
      return payload && payload->is_array();
    case SocketIoType::connect_error:
      return payload && (payload->is_object() || payload->is_string());
  }
  return false;
}

std::string_view trim_blanks(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

void append_sized(std::string& out, std::string_view part) {
  std::array<std::uint8_t, 4> size{};
  store_be32(size, static_cast<std::uint32_t>(part.size()));
  out.append(text_of(size)).append(part);
}

std::optional<std::string_view> take_sized(std::string_view& in) {
  if (in.size() < 4) return std::nullopt;
  const std::size_t size = load_be32(bytes_of(in));
  in.remove_prefix(4);
  if (in.size() < size) return std::nullopt;
  const std::string_view part = in.substr(0, size);
  in.remove_prefix(size);
  return part;
}

}  // namespace

Result<SocketIoPacket, SocketIoError> SocketIoReader::read(std::string_view text) {
  if (text.size() > limits_.max_bytes) return Failure{SocketIoError::too_large};
  if (text.empty() || text[0] < '0' || text[0] > binary_ack) {
    return Failure{SocketIoError::malformed};
  }
  SocketIoPacket packet;
  const bool is_binary = text[0] >= binary_event;
  const int type = text[0] - '0' - (is_binary ? 3 : 0);
  packet.type = static_cast<SocketIoType>(type);
  text.remove_prefix(1);

  due_ = 0;
  if (is_binary) {
    const auto count = take_number(text);
    if (!count || *count == 0 || !text.starts_with('-')) return Failure{SocketIoError::malformed};
    if (*count > limits_.max_attachments) return Failure{SocketIoError::too_large};
    due_ = static_cast<std::size_t>(*count);
    text.remove_prefix(1);
  }
  if (text.starts_with('/')) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (end > limits_.max_nsp_bytes) return Failure{SocketIoError::malformed};
    packet.nsp = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (!text.empty() && digits.find(text[0]) != std::string_view::npos) {
    packet.id = take_number(text);
    if (!packet.id || *packet.id > max_ack_id) return Failure{SocketIoError::malformed};
  }

  std::optional<Json> payload;
  if (!text.empty()) {
    // Our reader skips a byte order mark and blanks; what goes on must begin with its value.
    const bool is_bare = payload_starts.find(text[0]) != std::string_view::npos &&
                         trim_blanks(text).size() == text.size();
    if (is_bare) payload = parse_json(text, limits_.max_json_depth);
    if (!payload) return Failure{SocketIoError::malformed};
  }
  if (!is_payload_of(packet.type, payload)) return Failure{SocketIoError::malformed};
  if (is_binary && !has_valid_placeholders(*payload, due_)) {
    return Failure{SocketIoError::malformed};
  }
  packet.json = text;
  return packet;
}

Result<std::optional<SocketIoPacket>, SocketIoError> SocketIoReader::push_text(
    std::string_view text) {
  if (unfinished_) return Failure{SocketIoError::out_of_order};
  auto packet = read(text);
  if (!packet) return Failure{packet.error()};
  if (due_ == 0) return std::optional{std::move(*packet)};
  bytes_ = text.size();
  unfinished_ = std::move(*packet);
  return std::optional<SocketIoPacket>{};
}

Result<std::optional<SocketIoPacket>, SocketIoError> SocketIoReader::push_binary(
    std::string_view bytes) {
  if (!unfinished_) return Failure{SocketIoError::out_of_order};
  bytes_ += bytes.size();
  if (bytes_ > limits_.max_bytes) return Failure{SocketIoError::too_large};
  unfinished_->attachments.emplace_back(bytes);
  if (unfinished_->attachments.size() < due_) return std::optional<SocketIoPacket>{};
  return std::exchange(unfinished_, std::nullopt);
}

std::string socketio_text(const SocketIoPacket& packet) {
  const int type = static_cast<int>(packet.type) + (packet.attachments.empty() ? 0 : 3);
  std::string text(1, static_cast<char>('0' + type));
  if (!packet.attachments.empty()) text += std::to_string(packet.attachments.size()) + "-";
  if (packet.nsp != "/") text.append(packet.nsp).append(",");
  if (packet.id) text += std::to_string(*packet.id);
  return text.append(packet.json);
}

std::vector<std::string_view> json_elements(std::string_view array) {
  std::vector<std::string_view> elements;
  const std::string_view inside = trim_blanks(array.substr(1, array.size() - 2));
  if (inside.empty()) return elements;
  std::size_t start = 0;
  std::size_t depth = 0;
  bool is_in_string = false;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    const char c = inside[i];
    if (is_in_string) {
      if (c == '\\') ++i;  // what is escaped ends no string
      if (c == '"') is_in_string = false;
    } else if (c == '"') {
      is_in_string = true;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == ',' && depth == 0) {
      elements.push_back(trim_blanks(inside.substr(start, i - start)));
      start = i + 1;
    }
  }
  elements.push_back(trim_blanks(inside.substr(start)));
  return elements;
}

Frame pack_event(std::string_view json, const std::vector<std::string>& attachments) {
  std::string packed;
  append_sized(packed, json);
  for (const std::string& attachment : attachments) append_sized(packed, attachment);
  return make_frame(std::move(packed));
}

std::optional<SocketIoPacket> unpack_event(std::string_view frame) {
  const auto json = take_sized(frame);
  if (!json) return std::nullopt;
  SocketIoPacket packet;
  packet.json = *json;
  while (!frame.empty()) {
    const auto attachment = take_sized(frame);
    if (!attachment) return std::nullopt;
    packet.attachments.emplace_back(*attachment);
  }
  return packet;
}

}  // namespace turnpike::signaling
