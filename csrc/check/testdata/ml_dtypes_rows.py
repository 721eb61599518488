#!/usr/bin/env python3
"""Writes rows with a short last group as numpy and ml_dtypes quantise them: ml_dtypes_rows.py FILE

A row is its number of channels as uint32, its channels as BF16, a float32 scale for each 128 of them
or the fewer that are left, and a code for each channel. Needs numpy and ml_dtypes; made with
numpy 2.4.6 and ml_dtypes 0.6.0.
"""

import sys

import ml_dtypes
import numpy

GROUP = 128

random = numpy.random.default_rng(1)
with open(sys.argv[1], "wb") as out:
    # 2,880 is gpt-oss's; groups of all zeros and of less than the smallest scale are among them.
    for hidden in (8, 8, 8, 120, 136, 2880):
        groups = (hidden + GROUP - 1) // GROUP
        sizes = 2.0 ** random.integers(-24, 8, groups) * (random.random(groups) > 0.1)
        channels = (random.standard_normal(hidden) * numpy.repeat(sizes, GROUP)[:hidden]).astype(ml_dtypes.bfloat16)
        wide = channels.astype(numpy.float32)
        scales, codes = [], []
        for begin in range(0, hidden, GROUP):
            group = wide[begin : begin + GROUP]
            amax = numpy.maximum(numpy.abs(group).max(), numpy.float32(1e-4))
            scales.append(amax / numpy.float32(448))
            codes.append((group * (numpy.float32(448) / amax)).astype(ml_dtypes.float8_e4m3fn))
        out.write(numpy.uint32(hidden).tobytes())
        out.write(channels.tobytes())
        out.write(numpy.array(scales, numpy.float32).tobytes())
        out.write(numpy.concatenate(codes).tobytes())
