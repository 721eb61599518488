#!/usr/bin/env python3
"""Counts what a `bazel test` did: count_tests.py EVENTS EXIT_STATUS [NAME=EXIT_STATUS...]

EVENTS is the file of --build_event_json_file and EXIT_STATUS what Bazel ended with. Each test
target counts once, and so does each other target that did not build, as failed; a NAME=STATUS
is one more test, run beside Bazel's. Names what failed on stderr, prints the sum as its last
line and exits 1 if anything failed.
"""

import json
import sys


def outcomes(events):
    """Returns {target: "passed", "failed" or "skipped"} of the targets that count."""
    outcome = {}
    for line in events:
        event = json.loads(line)
        if label := event["id"].get("testSummary", {}).get("label"):
            passed = event["testSummary"]["overallStatus"] in ("PASSED", "FLAKY")
            outcome[label] = "passed" if passed else "failed"
            continue
        # Where its analysis fails, a target is not even configured.
        for stage in ("targetConfigured", "targetCompleted"):
            label = event["id"].get(stage, {}).get("label")
            if label and event.get("aborted", {}).get("reason") == "SKIPPED":
                outcome.setdefault(label, "skipped")
            elif label and ("aborted" in event or stage == "targetCompleted" and not event["completed"].get("success")):
                outcome.setdefault(label, "failed")
    return outcome


def main():
    file, status, *others = sys.argv[1:]
    with open(file, encoding="utf-8") as events:
        outcome = outcomes(events)
    if status != "0" and "failed" not in outcome.values():
        outcome["bazel test"] = "failed"
    for other in others:
        name, _, other_status = other.rpartition("=")
        outcome[name] = "passed" if other_status == "0" else "failed"

    failed = sorted(name for name, what in outcome.items() if what == "failed")
    for name in failed:
        print(f"failed: {name}", file=sys.stderr)
    counts = list(outcome.values())
    skipped = f", {counts.count('skipped')} skipped" if "skipped" in counts else ""
    print(f"{counts.count('passed')} passed, {len(failed)} failed{skipped}", flush=True)
    sys.exit(1 if failed else 0)


main()
