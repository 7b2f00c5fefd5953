// The log: one line per event, with a name that stays the same between versions and fields that can
// be searched. To stderr. Nothing else in the server includes spdlog.
#pragma once

#include <concepts>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/config.h"

namespace turnpike::server {

/// One `key=value` of an event.
struct LogField {
  LogField(std::string_view field_key, std::string_view text) : key(field_key), value(text) {}
  LogField(std::string_view field_key, const char* text) : key(field_key), value(text) {}
  LogField(std::string_view field_key, const std::string& text) : key(field_key), value(text) {}
  template <std::integral Integer>
  LogField(std::string_view field_key, Integer number)
      : key(field_key), value(std::to_string(number)), is_literal(true) {}
  LogField(std::string_view field_key, bool yes)
      : key(field_key), value(yes ? "true" : "false"), is_literal(true) {}

  std::string_view key;     ///< a literal of the caller
  std::string value;        ///< may come from the network: it is escaped where it is written
  bool is_literal = false;  ///< a number or true/false, which JSON writes without quotation marks
};

/// The fields of one event, borrowed for the call.
class LogFields {
 public:
  LogFields() = default;
  LogFields(std::initializer_list<LogField> fields) : fields_(fields.begin(), fields.size()) {}
  LogFields(const std::vector<LogField>& fields) : fields_(fields) {}

  [[nodiscard]] auto begin() const { return fields_.begin(); }
  [[nodiscard]] auto end() const { return fields_.end(); }

 private:
  std::span<const LogField> fields_;
};

/// How lines look. `LogFormat::automatic` is resolved to one of these when the log is opened.
enum class LogStyle : std::uint8_t {
  terminal,  ///< time, level in colour, text
  plain,     ///< the same without colour
  journal,   ///< `<N>` prefix for journald, no time
  json,      ///< one object per line
};

/// The style `format` stands for: colour on a terminal, prefixes on the journal, JSON on anything
/// else.
[[nodiscard]] LogStyle log_style(LogFormat format, bool is_terminal, bool is_journal);

/// Starts the log, and ends it again when all lines are written. One at a time, made by main()
/// before there are threads. Without one, log_event() does nothing.
///
/// At first lines are written at once, for there are no threads yet, as the sandbox wants it.
class Log {
 public:
  explicit Log(const Config::Log& config);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// From now on lines are queued and written by a thread of their own: a reader of stderr that has
  /// stopped must not stop the relay. When the queue is full the oldest lines are lost. Call it
  /// before there are other threads.
  void queue_lines();
  /// Ends the log. False when lines are left after `patience`, for nobody reads them: the thread
  /// that writes them cannot be ended then, and the process must, without destroying anything.
  [[nodiscard]] bool finish(milliseconds patience);

 private:
  bool is_open_ = true;
};

/// Events below `level` are not written from now on. Any thread.
void set_log_level(LogLevel level);

/// Writes one event. Any thread. `event` is snake_case and, once released, never renamed.
/// Never give credentials: fields that are called after one are written as "(hidden)".
///
/// Warnings are what strangers can cause, so each name is written ten times a second at most
/// (LogBudget); `log_suppressed` then says how many were left out. Other levels are not limited:
/// info keeps the record of allocations, and every error wants somebody to act.
void log_event(LogLevel level, std::string_view event, LogFields fields = {});

/// Says what was left out in seconds that are over. Every event does so too; call it each second,
/// for warnings after which there is silence. Any thread.
void log_suppressed();

/// True when events of `level` are written at all; saves the making of fields.
[[nodiscard]] bool is_logged(LogLevel level);

/// `event key=value key="two words"`. Values longer than 256 bytes are cut; control characters,
/// invisible and direction-changing characters, and what is not UTF-8 become \xNN.
[[nodiscard]] std::string log_line_text(std::string_view event, LogFields fields);
/// `"event":"…","key":"value"`, the inside of an object, all ASCII.
[[nodiscard]] std::string log_line_json(std::string_view event, LogFields fields);

}  // namespace turnpike::server
