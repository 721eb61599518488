#!/usr/bin/env python3
"""Reads a record and prints the latency that perf printed: read_record.py DESCRIPTORS RECORD

Needs nothing but Python. DESCRIPTORS say how messages are made up, and protoc writes them:

    protoc --include_imports --descriptor_set_out=epperf.desc proto/epperf/v1/record.proto

With the package protobuf, `protoc --python_out=. proto/epperf/v1/*.proto` makes a class of every
message; Entry.FromString then takes the place of everything from `fields` to `message`.
"""

import pathlib
import struct
import sys

# Of descriptor.proto, which describes itself: the fields that are read here.
FILES = {1: "file"}
FILE = {2: "package", 4: "messages"}
MESSAGE = {1: "name", 2: "fields", 3: "messages"}
FIELD = {1: "name", 3: "number", 4: "label", 5: "type", 6: "type_name"}
REPEATED, STRING, MESSAGES, BYTES = 3, 9, 11, 12
FIXED = {1: "<d", 2: "<f", 6: "<Q", 7: "<I", 15: "<i", 16: "<q"}


def varint(content, at):
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(content):
    """Yields number and value of each field of a message: an int, or the bytes of what is longer."""
    at = 0
    while at < len(content):
        tag, at = varint(content, at)
        if tag & 7 == 0:
            value, at = varint(content, at)
        else:
            size, at = {1: (8, at), 5: (4, at)}.get(tag & 7) or varint(content, at)
            value, at = content[at : at + size], at + size
        yield tag >> 3, value


def named(names, content):
    """Returns the fields of a message that have names, each a list of its values."""
    values = {name: [] for name in names.values()}
    for number, value in fields(content):
        if number in names:
            values[names[number]].append(value)
    return values


def types(descriptors):
    """Returns, for each type of message, its fields by number: name, whether repeated, kind, type."""
    known = {}

    def add(scope, content):
        message = named(MESSAGE, content)
        name = f"{scope}.{message['name'][0].decode()}"
        known[name] = {}
        for field in (named(FIELD, one) for one in message["fields"]):
            type_name = field["type_name"][0].decode() if field["type_name"] else ""
            known[name][field["number"][0]] = (
                field["name"][0].decode(), field["label"] == [REPEATED], field["type"][0], type_name)
        for nested in message["messages"]:
            add(name, nested)

    for file in (named(FILE, one) for one in named(FILES, descriptors)["file"]):
        for content in file["messages"]:
            add("." + file["package"][0].decode(), content)
    return known


def message(known, name, content):
    """Returns a message as a dictionary. A field that is not there was zero, or was not said."""
    decoded = {}
    for number, value in fields(content):
        if number not in known[name]:
            continue  # newer than the descriptors
        field, repeated, kind, type_name = known[name][number]
        values = [value]
        if kind == MESSAGES:
            values = [message(known, type_name, value)]
        elif kind == STRING:
            values = [value.decode()]
        elif kind in FIXED:
            values = [one for (one,) in struct.iter_unpack(FIXED[kind], value)]
        elif kind != BYTES and isinstance(value, bytes):  # packed numbers
            values, at = [], 0
            while at < len(value):
                one, at = varint(value, at)
                values.append(one)
        if repeated:
            decoded.setdefault(field, []).extend(values)
        else:
            decoded[field] = values[0]
    return decoded


def entries(known, content):
    """Yields the messages of a record: the length of each, then the message."""
    at = 0
    while at < len(content):
        size, at = varint(content, at)
        yield message(known, ".epperf.v1.Entry", content[at : at + size])
        at += size


def main():
    descriptors, record = (pathlib.Path(name).read_bytes() for name in sys.argv[1:])
    run, durations = None, {}
    for entry in entries(types(descriptors), record):
        if "header" in entry:
            run = entry["header"]["plan"]
        samples = entry.get("samples", {})
        # The first pass of the first case is the timed one. Long ones are split.
        if samples and samples.get("case_index", 0) == samples.get("pass", 0) == 0:
            durations.setdefault(samples.get("rank", 0), []).extend(samples["duration_ns"])
    # The first iteration absorbs what ranks did not leave the last barrier together.
    means = [sum(rank[1:]) / len(rank[1:]) / 1000 for rank in durations.values()]
    print(f"Run {run['run_id']}: {run['cases'][0]['ranks']} ranks, {len(durations[0])} iterations")
    print(f"Latency (μs):     avg={sum(means) / len(means):.1f}, min={min(means):.1f}, max={max(means):.1f}")


if __name__ == "__main__":
    main()
