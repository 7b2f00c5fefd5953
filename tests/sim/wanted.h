// The effects of one call, sorted by kind.
#pragma once

#include "auth/credentials.h"
#include "sim/simulation.h"

namespace turnpike::sim {

struct Simulation::Wanted {
  struct Asked {
    turn::ClientFlow flow;
    Bytes request;
    std::string username;
  };
  std::vector<std::pair<turn::ClientFlow, Bytes>> sent;
  std::vector<turn::OpenRelay> opens;
  std::vector<turn::RelayId> closes;
  std::vector<turn::ConnectToPeer> connects;
  std::vector<turn::PeerConnectionId> closed_connections;
  std::vector<turn::BindStreams> binds;
  std::vector<Verdict::Ended> ended;
  std::vector<turn::ClientFlow> released;
  std::vector<turn::ReportGone> gone;
  std::vector<Asked> asked;
  std::size_t opened = 0;
};

}  // namespace turnpike::sim
