#include "diagnosis/doctor.h"

#include "net/interfaces.h"

namespace turnpike::diagnosis {

Findings run_doctor(const DoctorPlan& plan) {
  const server::Config& config = plan.loaded.config;
  Findings all = check_configuration(plan);
  const auto add = [&all](Findings some) {
    for (Finding& finding : some) all.push_back(std::move(finding));
  };
  Live live = check_listeners(config);
  add(std::move(live.findings));
  if (live.is_running) add(check_relay(plan));
  add(check_certificate(config, plan.now));
  add(check_addresses(config, net::interface_addresses()));
  add(check_relay_addresses(config));
  add(check_host(plan, live.pid));
  add(outside_view(config));
  return all;
}

}  // namespace turnpike::diagnosis
