// What the server may still reach once it serves: worked out of its configuration, before the
// kernel is asked to see to it (sandbox.h). Pure: no file is looked at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/config.h"

namespace turnpike::server {

/// What is not in the configuration itself.
struct SandboxSurroundings {
  std::vector<std::string> config_files;  ///< read again by a reload: the file, and what it names
  std::string store_key_file;             ///< empty: there is no store
  std::string notify_socket;              ///< $NOTIFY_SOCKET
};

/// What may be reached. Everything else of these kinds may not.
struct SandboxPlan {
  /// Read, with all that is below it.
  std::vector<std::string> readable;
  /// Files that are read again and may be replaced meanwhile, so that their directories are meant,
  /// and those of the links they are.
  std::vector<std::string> readable_files;
  /// Directories in which files are read, made, changed and removed.
  std::vector<std::string> writable;
  /// Directories in which a file of ours is removed at the end, and none is made.
  std::vector<std::string> removable;
  /// Devices that are read and written.
  std::vector<std::string> devices;
  /// Ports of TCP connections that the server makes by itself. Nothing: any, for its clients have
  /// it connect to peers (RFC 6062).
  std::optional<std::vector<std::uint16_t>> connects_to;
  /// Unix sockets with abstract names: the service manager may listen on one.
  bool abstract_sockets = false;
  /// Relays may be bound to ports below 1024 later on, so that the right to do so is kept.
  bool low_ports = false;
};

[[nodiscard]] SandboxPlan plan_sandbox(const Config& config, const SandboxSurroundings& around);

}  // namespace turnpike::server
