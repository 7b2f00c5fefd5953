// Waiting for what another thread does, which no clock of ours can hurry.
#pragma once

#include <chrono>
#include <thread>

namespace turnpike::test {

/// Whether `condition` holds within ten seconds; looked at every 10 ms.
template <class Condition>
bool comes_true(const Condition& condition) {
  using namespace std::chrono_literals;
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

}  // namespace turnpike::test
