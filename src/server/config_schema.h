// The one table of configuration keys. Reading the file, the environment and --set, finding unknown
// keys, and showing the configuration are all driven by it: a key exists by being a row of it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/config.h"
#include "server/config_parsers.h"
#include "server/config_value.h"

namespace turnpike::server {

/// One refusal, in the four parts of its sentence.
struct ConfigError {
  std::string where;    ///< "turnpike.toml:3:9", "environment variable TURNPIKE__REALM"
  std::string key;      ///< "relay.ports"; empty when it is about the whole file
  std::string problem;  ///< "\"65535-49152\" is reversed"
  std::string remedy;   ///< "write \"49152-65535\""

  /// `where: key: problem; remedy`, one line.
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const ConfigError&, const ConfigError&) = default;
};

/// Collects what is wrong with the values of one key.
class KeyProblems {
 public:
  /// `errors` is added to and must outlive this.
  KeyProblems(std::string_view key, std::string_view example, std::vector<ConfigError>& errors)
      : key_(key), example_(example), errors_(errors) {}

  /// A value the key takes, as TOML writes it.
  [[nodiscard]] std::string_view example() const { return example_; }

  void add(const Place& place, Complaint complaint) {
    errors_.push_back(
        {place.to_string(), key_, std::move(complaint.problem), std::move(complaint.remedy)});
  }

 private:
  std::string key_;
  std::string_view example_;
  std::vector<ConfigError>& errors_;
};

/// The type a key takes; it decides how the text of an environment variable is understood.
enum class ConfigType : std::uint8_t {
  text,
  integer,
  boolean,
  integer_list,  ///< from the environment: separated by commas
  text_list,     ///< from the environment: separated by commas
  text_or_list,  ///< "auto", or a list
  table_list,    ///< from the environment: TOML, as it would stand in the file
};

/// One key.
struct ConfigKey {
  std::string_view path;  ///< "relay.ports"
  ConfigType type;
  std::string_view example;  ///< a value as TOML writes it, for remedies
  std::string_view meaning;  ///< one sentence, for help
  bool is_secret = false;    ///< may come from a …_FILE variable, never from the command line
  /// Puts a value into the configuration, or reports why not. The configuration may be left with
  /// the old value: with an error it is not used.
  void (*apply)(Config&, const ConfigValue&, KeyProblems&) = nullptr;
  /// The value as it would be written. Secrets read "(hidden)" here already, so that no caller can
  /// forget to hide them.
  ConfigValue (*show)(const Config&) = nullptr;
};

/// All keys, in the order in which they are shown.
[[nodiscard]] std::span<const ConfigKey> config_keys();
/// The key at `path`, or null.
[[nodiscard]] const ConfigKey* find_config_key(std::string_view path);
/// True when `path` is a section: "relay".
[[nodiscard]] bool is_config_section(std::string_view path);

/// The known key or section nearest to what was typed, by edit distance; empty when none is near.
[[nodiscard]] std::string nearest_config_path(std::string_view typed);
/// The nearest of `candidates` to `typed`; empty when none is near.
[[nodiscard]] std::string nearest_of(std::string_view typed,
                                     std::span<const std::string_view> candidates);

/// `file` as written in the configuration at `place`: relative to the configuration file.
[[nodiscard]] std::string resolved_path(const std::string& file, const Place& place);

/// Reads a shared secret or the like from a file: at most 64 KiB, line breaks at the end taken off,
/// and nobody but owner and group may read it, nobody but the owner write it (HOSTILE C03).
[[nodiscard]] Parsed<std::string> read_secret_file(const std::string& path);

/// Whether everybody may read a file, as a certificate, or only owner and group, as its key.
enum class FileSecrecy : std::uint8_t { open, secret };

/// What is wrong with a file that is to be opened later on: it is not there, is no plain file, may
/// not be read, or is secret and not kept so. Nothing when it will do.
[[nodiscard]] std::optional<Complaint> check_file(const std::string& path, FileSecrecy secrecy);

}  // namespace turnpike::server
