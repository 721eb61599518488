#!/usr/bin/env python3
"""Recomputes dispatch and combine from a dump of perf, in float64: check_dump.py FOLDER

Needs nothing but Python: a start for comparing a framework's own kernels. With numpy, numpy.load
reads the same files and is faster; 4,096 tokens want it.
"""

import array
import ast
import json
import math
import pathlib
import struct
import sys

CODES = {"<u2": "H", "|u1": "B", "<f4": "f", "<i4": "i"}


def load(path):
    """Returns an array of NumPy's format, one list a row; of one dimension a single list."""
    content = path.read_bytes()
    (size,) = struct.unpack_from("<H", content, 8)
    header = ast.literal_eval(content[10 : 10 + size].decode("latin1"))
    values = array.array(CODES[header["descr"]], content[10 + size :])
    if sys.byteorder == "big":
        values.byteswap()
    if len(header["shape"]) == 1:
        return values.tolist()
    rows, columns = header["shape"]
    return [values[row * columns : (row + 1) * columns].tolist() for row in range(rows)]


def bf16(bits):
    return struct.unpack("<f", struct.pack("<I", bits << 16))[0]


def e4m3(code):
    exponent, mantissa = (code >> 3) & 15, (code & 7) / 8
    value = math.ldexp(1 + mantissa, exponent - 7) if exponent else math.ldexp(mantissa, -6)
    return -value if code & 0x80 else value


def tolerance(dtype, sent):
    """Returns, for each channel, how far a received value may lie from the one that was sent."""
    if dtype == "bf16":
        return [0.0] * len(sent)
    # E4M3 has four significant bits, or for the smallest values steps of 2^-9 of a scale.
    far = []
    for first in range(0, len(sent), 128):
        group = [abs(value) for value in sent[first : first + 128]]
        far += [max(value / 16, max(group) / 448 / 1024) * 1.0001 for value in group]
    return far


def main():
    folder = pathlib.Path(sys.argv[1])
    shape = json.loads((folder / "dump.json").read_text())
    ranks = [
        {file.stem: load(file) for file in (folder / f"rank{rank}").glob("*.npy")}
        for rank in range(shape["ranks"])
    ]

    outputs = {}  # of each selection, what the expert made of the row
    decode = e4m3 if shape["dtype"] == "fp8" else bf16
    for rank, here in enumerate(ranks):
        experts = [local for local, count in enumerate(here["recv_count"]) for _ in range(count)]
        for row, (local, (source, token)) in enumerate(zip(experts, here["recv_src"])):
            scales = here["recv_scales"][row]
            received = [decode(code) * scales[channel // 128] for channel, code in enumerate(here["recv_x"][row])]
            sent = [bf16(bits) for bits in ranks[source]["x"][token]]
            for got, want, far in zip(received, sent, tolerance(shape["dtype"], sent)):
                assert abs(got - want) <= far, (rank, row, got, want)
            expert = rank * shape["experts_per_rank"] + local
            outputs[source, token, expert] = [bf16(bits) for bits in here["expert_out"][row]]

    selections = 0
    for rank, home in enumerate(ranks):
        for token, experts in enumerate(home["topk_idx"]):
            exact, magnitude = [0.0] * shape["hidden"], [0.0] * shape["hidden"]
            for weight, expert in zip(home["topk_weights"][token], experts):
                if expert < 0:
                    continue
                selections += 1
                for channel, value in enumerate(outputs[rank, token, expert]):
                    exact[channel] += weight * value
                    magnitude[channel] += abs(weight * value)
            for channel, bits in enumerate(home["combined"][token]):
                bound = 2.0**-8 * (len(experts) + 1) * magnitude[channel]
                assert abs(bf16(bits) - exact[channel]) <= bound, (rank, token, channel)
    assert selections == len(outputs), (selections, len(outputs))
    print(f"{selections} selections are right")


main()
