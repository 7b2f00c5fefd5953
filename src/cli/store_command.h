// How the commands that work on the store are added to the tree.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <string>
#include <utility>

#include "cli/commands.h"
#include "cli/store_access.h"

namespace turnpike::cli {

/// Adds the command `name`, which runs `code`. `Options` has members `store` and `output`, for
/// which there are options then; the rest is to be added to what is returned.
template <class Options>
std::pair<CLI::App*, std::shared_ptr<Options>> add_store_command(
    CLI::App& parent, const std::string& name, const std::string& meaning,
    int (*code)(const Options&, const Io&), Context& context) {
  CLI::App* const command = parent.add_subcommand(name, meaning);
  const auto options = std::make_shared<Options>();
  add_store_options(*command, options->store);
  add_output_option(*command, options->output);
  command->callback([options, code, &context] { context.exit_code = code(*options, context.io); });
  return {command, options};
}

}  // namespace turnpike::cli
