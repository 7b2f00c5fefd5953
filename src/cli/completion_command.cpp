// `turnpike completion`: scripts for shells, made from the tree of commands itself.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace turnpike::cli {
namespace {

/// What may follow an option, or stand as an argument.
struct Values {
  bool any = false;   ///< something that the shell cannot know
  bool file = false;  ///< a path
  std::vector<std::string> choices{};
};

struct Option {
  std::vector<std::string> names;  ///< "-c", "--config"
  std::string description;
  bool takes_value = false;
  Values values{};
};

/// One command: the names on the way to it, and what may come next.
struct Node {
  std::string place;  ///< "", "room", "room token"
  std::string description;
  std::vector<Node> commands{};
  std::vector<Option> options{};
  Values argument{};
};

/// Type names are written for help texts: "FILE", "@FILE|-", "table|json", "DURATION".
Values values_of(const std::string& type_name) {
  Values values;
  if (type_name.find("FILE") != std::string::npos || type_name == "DIR") {
    values.file = true;
  } else if (type_name.find('|') != std::string::npos && type_name.find('@') == std::string::npos) {
    std::size_t start = 0;
    while (start <= type_name.size()) {
      const std::size_t end = std::min(type_name.find('|', start), type_name.size());
      values.choices.push_back(type_name.substr(start, end - start));
      start = end + 1;
    }
  } else {
    values.any = true;
  }
  return values;
}

/// The first sentence, as one line.
std::string brief(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  const std::size_t end = std::min(text.find(". "), text.find("; "));
  return end == std::string::npos ? text : text.substr(0, end);
}

Option option_of(const CLI::Option& option) {
  Option out;
  for (const std::string& name : option.get_snames()) out.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) out.names.push_back("--" + name);
  out.description = brief(option.get_description());
  out.takes_value = option.get_expected_max() > 0 && option.get_type_size_max() > 0;
  out.values = values_of(option.get_type_name());
  return out;
}

Node node_of(const CLI::App& app, const std::string& place) {  // NOLINT(misc-no-recursion): a tree
  Node node{place, brief(app.get_description())};
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    if (command->get_name().empty()) continue;
    node.commands.push_back(
        node_of(*command, place.empty() ? command->get_name() : place + " " + command->get_name()));
  }
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      node.argument = values_of(option->get_type_name());
    } else {
      node.options.push_back(option_of(*option));
    }
  }
  return node;
}

std::string last_word(const std::string& place) {
  const std::size_t space = place.rfind(' ');
  return space == std::string::npos ? place : place.substr(space + 1);
}

void flatten(const Node& node,
             std::vector<const Node*>& out) {  // NOLINT(misc-no-recursion): a tree
  out.push_back(&node);
  for (const Node& command : node.commands) flatten(command, out);
}

std::vector<const Node*> all_nodes(const Node& root) {
  std::vector<const Node*> nodes;
  flatten(root, nodes);
  return nodes;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

/// In single quotes, as every one of these shells reads them; fish alone knows \' in there, so a
/// typographic apostrophe stands for it.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string{"’"} : std::string{c};
  return out + "'";
}

/// The patterns of a `case` for `option` at `place`: 'room token --key'|'room token -k'.
std::string patterns(const Node& node, const Option& option) {
  std::string out;
  for (const std::string& name : option.names) {
    out += fmt::format("{}{}", out.empty() ? "" : "|", quoted(node.place + " " + name));
  }
  return out;
}

/// The lines of a `case` that walk down the tree: each pattern is a place and its next word.
std::string steps(const std::vector<const Node*>& nodes, std::string_view variable) {
  std::string out;
  for (const Node* node : nodes) {
    for (const Node& command : node->commands) {
      out +=
          fmt::format("      {}) {}={} ;;\n", quoted(node->place + " " + last_word(command.place)),
                      variable, quoted(command.place));
    }
  }
  return out;
}

// --- bash ----------------------------------------------------------------------------------------

std::string bash_values(const Values& values) {
  if (values.file)
    return "compopt -o filenames 2> /dev/null; COMPREPLY=($(compgen -f -- \"$current\"))";
  if (values.choices.empty()) return "COMPREPLY=()";
  return fmt::format("COMPREPLY=($(compgen -W {} -- \"$current\"))",
                     quoted(joined(values.choices)));
}

std::string bash(const Node& root) {
  const auto nodes = all_nodes(root);
  std::string values;
  std::string words;
  for (const Node* node : nodes) {
    std::vector<std::string> next;
    for (const Node& command : node->commands) next.push_back(last_word(command.place));
    next.insert(next.end(), node->argument.choices.begin(), node->argument.choices.end());
    for (const Option& option : node->options) {
      next.insert(next.end(), option.names.begin(), option.names.end());
      if (!option.takes_value) continue;
      values += fmt::format("    {}) {}; return ;;\n", patterns(*node, option),
                            bash_values(option.values));
    }
    words += fmt::format("    {}) words={}{} ;;\n", quoted(node->place), quoted(joined(next)),
                         node->argument.file ? " files=yes" : "");
  }
  return fmt::format(
      "# bash completion for turnpike; made by `turnpike completion bash`\n"
      "_turnpike() {{\n"
      "  local current=\"${{COMP_WORDS[COMP_CWORD]}}\" previous=\"${{COMP_WORDS[COMP_CWORD - "
      "1]}}\"\n"
      "  local place='' words='' files='' i\n"
      "  COMPREPLY=()\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"$place ${{COMP_WORDS[i]}}\" in\n"
      "{}"
      "    esac\n"
      "  done\n"
      "  case \"$place $previous\" in\n"
      "{}"
      "  esac\n"
      "  case \"$place\" in\n"
      "{}"
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "  if [ -n \"$files\" ] && [ ${{#COMPREPLY[@]}} -eq 0 ]; then\n"
      "    compopt -o filenames 2> /dev/null\n"
      "    COMPREPLY=($(compgen -f -- \"$current\"))\n"
      "  fi\n"
      "}}\n"
      "complete -F _turnpike turnpike\n",
      steps(nodes, "place"), values, words);
}

// --- zsh -----------------------------------------------------------------------------------------

std::string zsh_values(const Values& values) {
  if (values.file) return "_files";
  if (values.choices.empty()) return "_message value";
  return "compadd -- " + joined(values.choices);
}

/// "word:description" for _describe, in which colons of the word are escaped.
std::string zsh_pair(const std::string& word, const std::string& description) {
  return quoted(fmt::format("{}:{}", word, description));
}

std::string zsh(const Node& root) {
  const auto nodes = all_nodes(root);
  std::string values;
  std::string words;
  for (const Node* node : nodes) {
    std::string pairs;
    for (const Node& command : node->commands) {
      pairs += " " + zsh_pair(last_word(command.place), command.description);
    }
    for (const std::string& choice : node->argument.choices) pairs += " " + zsh_pair(choice, "");
    for (const Option& option : node->options) {
      for (const std::string& name : option.names) {
        pairs += " " + zsh_pair(name, option.description);
      }
      if (!option.takes_value) continue;
      values += fmt::format("    {}) {}; return ;;\n", patterns(*node, option),
                            zsh_values(option.values));
    }
    words += fmt::format("    {}) next=({} ){} ;;\n", quoted(node->place), pairs,
                         node->argument.file ? "; _files" : "");
  }
  return fmt::format(
      "#compdef turnpike\n"
      "# zsh completion for turnpike; made by `turnpike completion zsh`\n"
      "_turnpike() {{\n"
      "  local place='' i\n"
      "  local -a next\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n"
      "    case \"$place ${{words[i]}}\" in\n"
      "{}"
      "    esac\n"
      "  done\n"
      "  case \"$place ${{words[CURRENT - 1]}}\" in\n"
      "{}"
      "  esac\n"
      "  case \"$place\" in\n"
      "{}"
      "  esac\n"
      "  _describe turnpike next\n"
      "}}\n"
      "if [[ \"$funcstack[1]\" == _turnpike ]]; then\n"
      "  _turnpike \"$@\"\n"
      "else\n"
      "  compdef _turnpike turnpike\n"
      "fi\n",
      steps(nodes, "place"), values, words);
}

// --- fish ----------------------------------------------------------------------------------------

std::string fish_option(const Node& node, const Option& option) {
  std::string out = fmt::format("complete -c turnpike -n \"__turnpike_at {}\"", quoted(node.place));
  for (const std::string& name : option.names) {
    out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (option.takes_value) out += option.values.file ? " -r -F" : " -x";
  if (!option.values.choices.empty() && option.takes_value) {
    out += " -a " + quoted(joined(option.values.choices));
  }
  return out + " -d " + quoted(option.description) + "\n";
}

std::string fish(const Node& root) {
  const auto nodes = all_nodes(root);
  std::string places;
  std::string lines;
  for (const Node* node : nodes) {
    for (const Node& command : node->commands) {
      places +=
          fmt::format("      case {}\n        set place {}\n",
                      quoted(node->place + " " + last_word(command.place)), quoted(command.place));
      lines +=
          fmt::format("complete -c turnpike -n \"__turnpike_at {}\" -a {} -d {}\n",
                      quoted(node->place), last_word(command.place), quoted(command.description));
    }
    for (const std::string& choice : node->argument.choices) {
      lines += fmt::format("complete -c turnpike -n \"__turnpike_at {}\" -a {}\n",
                           quoted(node->place), choice);
    }
    if (node->argument.file) {
      lines +=
          fmt::format("complete -c turnpike -n \"__turnpike_at {}\" -F\n", quoted(node->place));
    }
    for (const Option& option : node->options) lines += fish_option(*node, option);
  }
  return fmt::format(
      "# fish completion for turnpike; made by `turnpike completion fish`\n"
      "function __turnpike_at\n"
      "  set -l place ''\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    switch \"$place $word\"\n"
      "{}"
      "    end\n"
      "  end\n"
      "  test \"$place\" = \"$argv[1]\"\n"
      "end\n"
      "complete -c turnpike -f\n"
      "{}",
      places, lines);
}

}  // namespace

void add_completion(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("completion", "Print a completion script for a shell");
  const auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "Which shell")
      ->type_name("bash|zsh|fish")
      ->required()
      ->check([](const std::string& name) {
        const bool is_known = name == "bash" || name == "zsh" || name == "fish";
        return is_known ? std::string{} : name + " is not known; use bash, zsh or fish";
      });
  command->footer(R"(Packages install all three. Examples, for a binary of your own:
  source <(turnpike completion bash)
  turnpike completion zsh > ~/.zfunc/_turnpike
  turnpike completion fish > ~/.config/fish/completions/turnpike.fish)");
  command->callback([shell, &app, &context] {
    const Node root = node_of(app, "");
    context.io.out << (*shell == "bash" ? bash(root) : *shell == "zsh" ? zsh(root) : fish(root));
  });
}

}  // namespace turnpike::cli
