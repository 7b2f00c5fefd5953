// The command line: commands that only print, with the input's lines as their arguments. Whatever
// is typed, the exit code is one that the manual lists, and it never is "internal error".

#include <array>
#include <sstream>
#include <string>

#include "cli/app.h"
#include "cli/exit_code.h"
#include "input.h"

namespace {

using namespace turnpike;
using Words = std::vector<std::string>;

/// They open no socket and write no file, whatever follows.
const std::array<Words, 8> commands{Words{"config", "check"},
                                    Words{"config", "show"},
                                    Words{"config", "schema"},
                                    Words{"completion"},
                                    Words{"version"},
                                    Words{"credential", "mint", "--secret", "-"},
                                    Words{"room", "token", "--key", "-"},
                                    Words{"nonsense"}};

/// Devices and FIFOs would have the fuzzer wait, or read without end.
bool is_harmless(std::string_view argument) {
  return argument.find('/') == std::string_view::npos &&
         argument.find('@') == std::string_view::npos &&
         argument.find('\0') == std::string_view::npos;
}

Words arguments_of(fuzz::Input& input) {
  Words words = commands.at(input.below(commands.size()));
  std::string_view rest = input.rest();
  while (!rest.empty() && words.size() < 40) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    if (is_harmless(rest.substr(0, end))) words.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return words;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size > 2000) return 0;
  fuzz::Input input{ByteView{bytes, size}};
  const Words arguments = arguments_of(input);
  std::istringstream in{"north-of-the-river-32-bytes-long-secret"};
  std::ostringstream out;
  std::ostringstream err;
  const cli::Io io{in, out, err, {}, WallTime{seconds{1'800'000'000}}, false, false, ""};
  const int code = cli::run(arguments, io);
  if (code == static_cast<int>(cli::ExitCode::internal)) {
    std::fprintf(stderr, "%s\n", err.str().c_str());
  }
  PROMISE(code != static_cast<int>(cli::ExitCode::internal));
  PROMISE(code == 0 || code == 1 || code == 2 || code == 4 || code == 69 || code == 78);
  PROMISE(code == 0 || !err.str().empty() || !out.str().empty());
  PROMISE(code != 0 || !out.str().empty());
  return 0;
}
