#include "server/log.h"

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "net/clock.h"
#include "server/log_budget.h"

namespace turnpike::server {
namespace {

constexpr std::size_t max_queued_lines = 8192;
constexpr std::size_t max_value_bytes = 256;
constexpr const char* logger_name = "turnpike";

// --- Escaping ------------------------------------------------------------------------------------

/// One character at the start of a text.
struct CodePoint {
  std::size_t bytes = 1;
  bool is_printable = false;
};

/// True for characters that move the cursor, turn the writing direction or cannot be seen.
bool is_treacherous(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0xad ||
         (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
         (code >= 0xd800 && code <= 0xdfff) || (code >= 0xe0000 && code <= 0xe007f) ||
         code > 0x10ffff;
}

/// How many bytes a UTF-8 sequence has that starts with `lead`; 0: none starts so.
std::size_t sequence_bytes(std::uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

CodePoint first_code_point(std::string_view text) {
  static constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  const auto lead = static_cast<std::uint8_t>(text.front());
  const std::size_t bytes = sequence_bytes(lead);
  if (bytes == 0 || bytes > text.size()) return {};
  std::uint32_t code = bytes == 1 ? lead : lead & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if ((byte & 0xc0U) != 0x80) return {};
    code = (code << 6) | (byte & 0x3fU);
  }
  if (code < smallest[bytes] || is_treacherous(code)) return {};
  return {bytes, true};
}

/// `text`, or its beginning when it is long.
std::string cut(std::string_view text) {
  if (text.size() <= max_value_bytes) return std::string{text};
  return std::string{text.substr(0, max_value_bytes)} + "…";
}

/// `text` made harmless.
std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const CodePoint next = first_code_point(text);
    if (!next.is_printable) {
      out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(text.front()));
    } else if (text.front() == '"' || text.front() == '\\') {
      out += '\\';
      out += text.front();
    } else {
      out += text.substr(0, next.bytes);
    }
    text.remove_prefix(next.bytes);
  }
  return out;
}

/// True when `value` can stand without quotation marks.
bool is_plain_word(std::string_view value) {
  return !value.empty() && std::none_of(value.begin(), value.end(), [](char c) {
    return c == ' ' || c == '=' || c == '"' || c == '\\';
  });
}

/// The value as far as it may be seen: a mistake in a call must not put a password into the log.
std::string_view visible_value(const LogField& field) {
  static constexpr std::array<std::string_view, 5> secrets{"password", "secret", "credential",
                                                           "token", "key"};
  const bool is_secret = std::any_of(secrets.begin(), secrets.end(),
                                     [&](std::string_view name) { return field.key == name; });
  return is_secret && !field.is_literal ? std::string_view{"(hidden)"}
                                        : std::string_view{field.value};
}

// --- spdlog --------------------------------------------------------------------------------------

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

/// %* in a pattern: syslog's number for the level (sd-daemon(3)).
class JournalPriority final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const char priority = message.level >= spdlog::level::err    ? '3'
                          : message.level == spdlog::level::warn ? '4'
                          : message.level == spdlog::level::info ? '6'
                                                                 : '7';
    out.push_back('<');
    out.push_back(priority);
    out.push_back('>');
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JournalPriority>();
  }
};

std::unique_ptr<spdlog::formatter> formatter_for(LogStyle style) {
  const auto utc = spdlog::pattern_time_type::utc;
  switch (style) {
    case LogStyle::terminal:
      return std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %^%-7l%$ %v", utc);
    case LogStyle::plain:
      return std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %-7l %v", utc);
    case LogStyle::json:
      return std::make_unique<spdlog::pattern_formatter>(
          R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})", utc);
    case LogStyle::journal:
      break;
  }
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<JournalPriority>('*').set_pattern("%*%v");
  return formatter;
}

spdlog::sink_ptr sink_for(LogStyle style) {
  if (style == LogStyle::terminal) {
    return std::make_shared<spdlog::sinks::stderr_color_sink_mt>(spdlog::color_mode::always);
  }
  return std::make_shared<spdlog::sinks::stderr_sink_mt>();
}

/// What log_event() writes to; set and cleared by Log, while there is only one thread.
struct OpenLog {
  std::shared_ptr<spdlog::logger> logger;
  bool is_json = false;
};

OpenLog& open_log() {
  static OpenLog log;
  return log;
}

void write(LogLevel level, std::string_view event, LogFields fields) {
  const OpenLog& log = open_log();
  const std::string line =
      log.is_json ? log_line_json(event, fields) : log_line_text(event, fields);
  // As an argument: braces in the line are not spdlog's to read.
  log.logger->log(spdlog_level(level), spdlog::string_view_t{line.data(), line.size()});
}

/// What the log has left out, of all threads.
struct Warnings {
  std::mutex mutex;
  LogBudget budget;
};

Warnings& warnings() {
  static Warnings all;
  return all;
}

/// The name is in "of": a line's own is in "event".
void write_suppressed(const std::vector<LogBudget::Suppressed>& left_out) {
  for (const auto& [event, count] : left_out) {
    write(LogLevel::warn, "log_suppressed", {{"of", event}, {"count", count}});
  }
}

/// True when stderr is the stream that systemd connected to the journal. The variable alone does
/// not say so: programs started with a redirected stderr inherit it.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return stream == fmt::format("{}:{}", status.st_dev, status.st_ino);
}

/// Nothing is logged from now on.
void close_log() {
  if (is_logged(LogLevel::warn))
    write_suppressed(warnings().budget.take_suppressed(Instant::max()));
  open_log() = {};
}

}  // namespace

LogStyle log_style(LogFormat format, bool is_terminal, bool is_journal) {
  if (format == LogFormat::json) return LogStyle::json;
  if (is_journal && !is_terminal) return LogStyle::journal;
  if (is_terminal) return LogStyle::terminal;
  return format == LogFormat::text ? LogStyle::plain : LogStyle::json;
}

Log::Log(const Config::Log& config) {
  const LogStyle style =
      log_style(config.format, ::isatty(STDERR_FILENO) == 1, stderr_is_journal());
  auto logger = std::make_shared<spdlog::logger>(logger_name, sink_for(style));
  logger->set_level(spdlog_level(config.level));
  logger->set_formatter(formatter_for(style));
  logger->flush_on(
      spdlog::level::trace);  // a crash must not take lines with it that were written already
  open_log() = {std::move(logger), style == LogStyle::json};
}

Log::~Log() {
  if (!is_open_) return;
  close_log();
  spdlog::shutdown();  // waits until the queue is written
}

bool Log::finish(milliseconds patience) {
  is_open_ = false;
  close_log();
  std::promise<void> promise;
  const std::future<void> written = promise.get_future();
  std::thread{[promise = std::move(promise)]() mutable {
    spdlog::shutdown();
    promise.set_value();
  }}.detach();
  return written.wait_for(patience) == std::future_status::ready;
}

void Log::queue_lines() {
  spdlog::init_thread_pool(max_queued_lines, 1);
  const spdlog::logger& before = *open_log().logger;
  auto logger = std::make_shared<spdlog::async_logger>(
      logger_name, before.sinks().begin(), before.sinks().end(), spdlog::thread_pool(),
      spdlog::async_overflow_policy::overrun_oldest);
  logger->set_level(before.level());
  logger->flush_on(before.flush_level());
  open_log().logger = std::move(logger);
}

void set_log_level(LogLevel level) {
  const auto& logger = open_log().logger;
  if (logger != nullptr) logger->set_level(spdlog_level(level));
}

bool is_logged(LogLevel level) {
  const auto& logger = open_log().logger;
  return logger != nullptr && logger->should_log(spdlog_level(level));
}

void log_event(LogLevel level, std::string_view event, LogFields fields) {
  if (!is_logged(level)) return;
  log_suppressed();
  if (level == LogLevel::warn) {
    Warnings& all = warnings();
    const std::lock_guard lock{all.mutex};
    if (!all.budget.may_write(event, net::read_clock().instant)) return;
  }
  write(level, event, fields);
}

void log_suppressed() {
  if (!is_logged(LogLevel::warn)) return;
  Warnings& all = warnings();
  std::vector<LogBudget::Suppressed> left_out;
  {
    const std::lock_guard lock{all.mutex};
    left_out = all.budget.take_suppressed(net::read_clock().instant);
  }
  write_suppressed(left_out);
}

std::string log_line_text(std::string_view event, LogFields fields) {
  std::string line{event};
  for (const LogField& field : fields) {
    const std::string value = escaped(cut(visible_value(field)));
    line += is_plain_word(value) ? fmt::format(" {}={}", field.key, value)
                                 : fmt::format(" {}=\"{}\"", field.key, value);
  }
  return line;
}

std::string log_line_json(std::string_view event, LogFields fields) {
  using Json = nlohmann::ordered_json;
  // ASCII only, so that nothing in a line can steer a terminal; what is not UTF-8 becomes U+FFFD.
  const auto text = [](std::string_view value) {
    return Json(std::string{value}).dump(-1, ' ', true, Json::error_handler_t::replace);
  };
  std::string line = "\"event\":" + text(event);
  for (const LogField& field : fields) {
    const std::string value = cut(visible_value(field));
    line += "," + text(field.key) + ":" + (field.is_literal ? value : text(value));
  }
  return line;
}

}  // namespace turnpike::server
