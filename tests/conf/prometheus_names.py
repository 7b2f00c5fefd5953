#!/usr/bin/env python3
"""Holds dashboard, alerts and docs/metrics.md against the metrics that the server prints.

usage: prometheus_names.py <source directory> | --self-test

The names and labels are read from src/server/metrics.cpp, so that no server has to run.
"""

import json
import re
import sys
from pathlib import Path

OF_PROMETHEUS = {"up"}
LABELS_OF_PROMETHEUS = {"instance", "job"}
HISTOGRAM_ENDS = ("_bucket", "_sum", "_count")
FUNCTIONS = {
    "and", "or", "unless", "bool", "on", "ignoring", "group_left", "group_right", "by", "without",
    "sum", "min", "max", "avg", "count", "rate", "increase", "time", "histogram_quantile",
}
GROUPING = r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)"


def metrics_in_source(text):
    """The names of all metrics that src/server/metrics.cpp prints."""
    calls = re.findall(r'\b(?:add|add_gauge|add_reasons)\(\s*families,\s*"(\w+)"', text)
    return {"turnpike_" + name for name in calls} | set(re.findall(r'"(process_\w+)"', text))


def labels_in_source(text):
    return set(re.findall(r'\blabel\("(\w+)"', text)) | {"le"}


def histograms_in_source(text):
    found = re.findall(r'add\(\s*families,\s*"(\w+)",\s*"[^"]*",\s*MetricType::Histogram', text)
    return {"turnpike_" + name + end for name in found for end in HISTOGRAM_ENDS}


def names_in_expression(expression):
    """(metrics, labels) that an expression of PromQL uses."""
    labels = set()
    for matchers in re.findall(r"\{([^}]*)\}", expression):
        labels |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', "", matchers)))
    rest = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", expression)
    for group in re.findall(GROUPING, rest):
        labels |= set(re.findall(r"\w+", group))
    rest = re.sub(GROUPING, " ", rest)
    return set(re.findall(r"\b[a-zA-Z_]\w*", rest)) - FUNCTIONS, labels


def expressions_of_dashboard(dashboard):
    """Each query of a dashboard, after the title of its panel."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        query = re.fullmatch(r"label_values\((.*), (\w+)\)", variable.get("definition", ""))
        if query:
            yield "variable " + variable["name"], query[1]


def expressions_of_rules(text):
    """Each `expr:` of a rules file, after the alert's name."""
    for alert in re.split(r"^ *- alert: ", text, flags=re.M)[1:]:
        yield alert.split("\n", 1)[0], re.search(r"expr: (?:>-\n)?(.*?)\n +for:", alert, re.S)[1]


def rows_of_table(text):
    """{metric: labels} of the table in docs/metrics.md."""
    rows = re.findall(r"^\| `(\w+)`(?: °)? \| ([\w, ]*)\|", text, flags=re.M)
    return {name: set(re.findall(r"\w+", labels)) for name, labels in rows}


def problems_of(source, documents, expressions, table):
    """Sentences, one for each thing that does not fit."""
    plain = metrics_in_source(source)
    known = plain | histograms_in_source(source) | OF_PROMETHEUS
    known_labels = labels_in_source(source) | LABELS_OF_PROMETHEUS
    for where, expression in expressions:
        metrics, labels = names_in_expression(expression)
        for name in sorted(metrics - known):
            yield f"{where}: the server prints no {name}"
        for name in sorted(labels - known_labels):
            yield f"{where}: no metric has a label {name}"
    for where, text in documents:
        for name in sorted(set(re.findall(r"\b(?:turnpike|process)_\w+", text)) - known):
            yield f"{where}: the server prints no {name}"
    for name in sorted(plain - table.keys()):
        yield f"docs/metrics.md: no row for {name}"
    for name in sorted(table.keys() - plain):
        yield f"docs/metrics.md: the server prints no {name}"
    for name, labels in sorted(table.items()):
        for label in sorted(labels - known_labels):
            yield f"docs/metrics.md: {name}: no metric has a label {label}"


def unseen_of(source, expressions):
    """Metrics that no panel shows."""
    seen = set()
    for _, expression in expressions:
        seen |= names_in_expression(expression)[0]
    for name in sorted(metrics_in_source(source)):
        if not seen & {name, name + "_bucket"}:
            yield f"dashboard: no panel shows {name}"


def check(root):
    source = (root / "src/server/metrics.cpp").read_text()
    rules = (root / "conf/prometheus/alerts.yml").read_text()
    table = rows_of_table((root / "docs/metrics.md").read_text())
    dashboard = list(
        expressions_of_dashboard(json.loads((root / "conf/grafana/turnpike.json").read_text()))
    )
    expressions = dashboard + list(expressions_of_rules(rules))
    if len(metrics_in_source(source)) < 20 or len(expressions) < 30:
        return ["this test no longer finds the metrics or the queries: mend it"]
    problems = problems_of(source, [("alerts.yml", rules)], expressions, table)
    return [*problems, *unseen_of(source, dashboard)]


def self_test():
    source = """add(families, "rooms", "Rooms.", MetricType::Gauge);
    add_gauge(families, "ports", "Ports.", 1); label("reason", x);
    add_reasons(families,
       "dropped_total", "Drops.");
    add(families, "age_seconds", "How long.", MetricType::Histogram);
    gauge("process_open_fds", "Open.", 1);"""
    names = {"rooms", "ports", "dropped_total", "age_seconds"}
    assert metrics_in_source(source) == {"turnpike_" + name for name in names} | {"process_open_fds"}
    table = {name: set() for name in metrics_in_source(source)}
    right = (
        'histogram_quantile(0.9, sum by (le) (rate(turnpike_age_seconds_bucket{job="a"}[5m])))'
        ' and on (instance) sum by (reason) (turnpike_dropped_total{reason=~"x=y.*"}) > 0'
    )
    assert list(problems_of(source, [], [("q", right)], table)) == []
    for wrong in (
        "turnpike_room",
        "rate(trunpike_rooms[5m])",
        'turnpike_rooms{resaon="a"}',
        "sum by (cause) (turnpike_dropped_total)",
    ):
        assert len(list(problems_of(source, [], [("q", wrong)], table))) == 1, wrong
    assert len(list(problems_of(source, [("d", "turnpike_gone_total")], [], table))) == 1
    assert len(list(problems_of(source, [], [], {**table, "turnpike_gone_total": set()}))) == 1
    assert len(list(problems_of(source, [], [], {}))) == len(table)
    assert len(list(unseen_of(source, [("q", right)]))) == 3


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    problems = check(Path(sys.argv[1]))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


sys.exit(main())
