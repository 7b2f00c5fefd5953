#include "cli/secret_option.h"

#include <fmt/format.h>

#include <fstream>
#include <istream>

#include "cli/exit_code.h"
#include "server/config_value.h"

namespace turnpike::cli {
namespace {

CommandFailure usage(const std::string& sentence) { return {ExitCode::usage, sentence}; }

std::string read_secret(std::istream& stream, const std::string& name) {
  constexpr std::size_t max_bytes = 65'536;
  std::string text(max_bytes, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  if (text.empty()) throw usage(fmt::format("the secret in {} is empty", name));
  return text;
}

}  // namespace

std::string read_secret_at(const std::string& path) {
  std::ifstream stream{path, std::ios::binary};
  if (!stream)
    throw usage(fmt::format("the secret file {} cannot be read; check its name and mode",
                            server::in_quotes(path)));
  return read_secret(stream, path);
}

std::string secret_from_option(const std::string& option, const std::string& name, const Io& io) {
  if (option == "-") return read_secret(io.in, "standard input");
  if (option.starts_with('@')) return read_secret_at(option.substr(1));
  throw usage(fmt::format(
      "{} takes @FILE or - (standard input), never the secret itself: `ps` and the shell's history "
      "would show it",
      name));
}

}  // namespace turnpike::cli
