// coturn's turnserver.conf: every line has its remark, no remark holds a secret, and what comes out
// is TOML whose every value this server takes, and in which nothing is opened that a key would have
// to name.

#include <algorithm>
#include <string>

#include "cli/coturn_config.h"
#include "input.h"
#include "server/config_load.h"

namespace {

using namespace turnpike;
using namespace turnpike::cli;
using namespace turnpike::cli::coturn;

constexpr std::string_view fresh = "made-for-this-import-0123456789-abcdefg";

bool is_one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f;
  });
}

void check_options(std::string_view text, const std::vector<Option>& options) {
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  PROMISE(options.size() <= lines);
  for (const Option& option : options) {
    PROMISE(option.line >= 1 && option.line <= lines);
    PROMISE(!option.name.starts_with('#') && option.name.find('\n') == std::string::npos);
  }
}

void check_remarks(const Source& source, const Import& import) {
  for (const Option& option : source.options) {
    const bool has_remark =
        std::any_of(import.remarks.begin(), import.remarks.end(), [&](const Remark& remark) {
          return remark.line == option.line && remark.option == option.name;
        });
    if (!has_remark) std::fprintf(stderr, "%u: %s\n", option.line, option.name.c_str());
    PROMISE(has_remark);
  }
  for (const Remark& remark : import.remarks) {
    PROMISE(is_one_line(remark.text));
    PROMISE(remark.text.find(fresh) == std::string::npos);
  }
}

/// Keys that go together may still not: that is said by `config check`. But it is TOML, all keys
/// are known, and every value is one that its key takes.
void check_settings(const Import& import) {
  server::ConfigSources sources;
  sources.file = server::ConfigFile{"turnpike.toml", to_toml(import.settings, "turnserver.conf")};
  const auto loaded = server::load_config(sources);
  if (loaded) return;
  for (const auto& error : loaded.error()) {
    const bool is_about_one_value = error.problem.find("no TOML") != std::string::npos ||
                                    error.problem.find("knows no such") != std::string::npos;
    if (is_about_one_value) std::fprintf(stderr, "%s\n", error.to_string().c_str());
    PROMISE(!is_about_one_value);
  }
}

void check_policy(const Import& import) {
  for (const Setting& setting : import.settings) {
    PROMISE(setting.key.find("insecure") == std::string::npos);
    PROMISE(std::count_if(import.settings.begin(), import.settings.end(),
                          [&](const Setting& s) { return s.key == setting.key; }) == 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size > 4000) return 0;
  const std::string_view text = text_of({bytes, size});
  Source source;
  source.options = parse_options(text);
  check_options(text, source.options);
  source.directory = "/nonexistent";
  source.fresh_secret = fresh;
  if (size % 2 == 1) source.store = "/nonexistent/turnpike.db";
  const Import import = convert(source);
  check_remarks(source, import);
  check_settings(import);
  check_policy(import);
  return 0;
}
