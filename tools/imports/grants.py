"""Prints each grant of visibility that nobody uses: who may know whom is who does.

Asks the build for all targets, with what each names, and compares."""
import collections
import subprocess
import xml.etree.ElementTree as ElementTree


def package(label):
    return label[2:].split(":")[0]


def grants_of(target):
    if target.tag == "source-file":
        return [label.get("name") for label in target.findall("visibility-label")]
    visibility = target.find("list[@name='visibility']")
    return [] if visibility is None else [label.get("value") for label in visibility]


def is_used(grant, users):
    granted, _, kind = grant[2:].partition(":")
    if kind == "__pkg__":
        return granted in users
    return any(user == granted or user.startswith(granted + "/") for user in users)


query = ["tools/bazelw", "query", "--output=xml", "--noimplicit_deps", "//..."]
targets = ElementTree.fromstring(subprocess.run(query, capture_output=True, check=True).stdout)
users = collections.defaultdict(set)
for target in targets:
    for named in target.findall("rule-input"):
        users[named.get("name")].add(package(target.get("name")))
for target in targets:
    name = target.get("name")
    for grant in grants_of(target):
        if grant not in ("//visibility:private", "//visibility:public") and not is_used(grant, users[name]):
            print(f"{name} grants {grant}, and nobody there uses it")
