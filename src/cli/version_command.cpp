// `turnpike version`
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands.h"
#include "version.h"

namespace turnpike::cli {

void add_version(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("version", "Print the version");
  const auto output = std::make_shared<Output>(Output::table);
  add_output_option(*command, *output);
  command->callback([output, &context] {
    if (*output == Output::json) {
      context.io.out
          << nlohmann::ordered_json{{"name", "turnpike"}, {"version", TURNPIKE_VERSION}}.dump()
          << '\n';
    } else {
      context.io.out << "turnpike " << TURNPIKE_VERSION << '\n';
    }
  });
}

}  // namespace turnpike::cli
