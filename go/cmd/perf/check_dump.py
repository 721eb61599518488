#!/usr/bin/env python3
"""Recomputes dispatch and combine from a dump of perf, in float64: check_dump.py DIR

Needs numpy and nothing of epperf: a start for comparing a framework's own kernels.
"""

import json
import pathlib
import sys

import numpy


def bf16(bits):
    return (bits.astype(numpy.uint32) << 16).view(numpy.float32).astype(numpy.float64)


def e4m3(codes):
    exponent, mantissa = (codes >> 3) & 15, (codes & 7) / 8.0
    value = numpy.where(exponent == 0, mantissa * 2.0**-6, (1 + mantissa) * 2.0 ** (exponent.astype(int) - 7))
    return numpy.where(codes & 0x80, -value, value)


def main():
    folder = pathlib.Path(sys.argv[1])
    shape = json.loads((folder / "dump.json").read_text())
    ranks = [
        {file.stem: numpy.load(file) for file in (folder / f"rank{rank}").glob("*.npy")}
        for rank in range(shape["ranks"])
    ]

    outputs = {}
    groups = numpy.arange(0, shape["hidden"], 128)  # first channel of each that shares a scale
    for rank, at in enumerate(ranks):
        decode = e4m3 if shape["dtype"] == "fp8" else bf16
        scales = numpy.repeat(at["recv_scales"].astype(numpy.float64), 128, axis=1)
        received = decode(at["recv_x"]) * scales[:, : shape["hidden"]]
        experts = numpy.repeat(numpy.arange(shape["experts_per_rank"]), at["recv_count"])
        for row, (local, (source, token)) in enumerate(zip(experts, at["recv_src"])):
            sent = bf16(ranks[source]["x"][token])
            largest = numpy.maximum.reduceat(numpy.abs(sent), groups).repeat(128)[: shape["hidden"]]
            # E4M3 has four significant bits, or for the smallest values steps of 2^-9 of a scale.
            fp8 = numpy.maximum(numpy.abs(sent) / 16, largest / 448 / 1024) * 1.0001
            tolerance = fp8 if shape["dtype"] == "fp8" else 0
            assert (numpy.abs(received[row] - sent) <= tolerance).all(), (rank, row)
            outputs[source, token, rank * shape["experts_per_rank"] + local] = bf16(at["expert_out"][row])

    selections = 0
    for rank, home in enumerate(ranks):
        combined = bf16(home["combined"])
        for token, experts in enumerate(home["topk_idx"]):
            exact, magnitude = numpy.zeros(shape["hidden"]), numpy.zeros(shape["hidden"])
            for weight, expert in zip(home["topk_weights"][token], experts):
                if expert >= 0:
                    term = numpy.float64(weight) * outputs[rank, token, expert]
                    exact, magnitude, selections = exact + term, magnitude + numpy.abs(term), selections + 1
            bound = 2.0**-8 * (len(experts) + 1) * magnitude
            assert (numpy.abs(combined[token] - exact) <= bound).all(), (rank, token)
    assert selections == len(outputs), (selections, len(outputs))
    print(f"{selections} selections are right")


main()
