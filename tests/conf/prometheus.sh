#!/bin/sh
# prometheus.sh <source directory> <python>: the promtool is named by PROMTOOL.
set -eu
"$2" "$1/tests/conf/prometheus_names.py" --self-test
"$2" "$1/tests/conf/prometheus_names.py" "$1"
cd "$1/conf/prometheus"
"$PROMTOOL" check config scrape.yml
"$PROMTOOL" check rules alerts.yml
"$PROMTOOL" test rules alerts.test.yml
