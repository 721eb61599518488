#!/usr/bin/env python3
"""Writes how ml_dtypes rounds every BF16 to FP8 E4M3: ml_dtypes_e4m3fn.py FILE

Byte i is the code of the BF16 with bits i. Needs numpy and ml_dtypes; made with ml_dtypes 0.6.0.
ml_dtypes does not saturate: from 464 on its code is NaN.
"""

import sys

import ml_dtypes
import numpy

values = numpy.arange(1 << 16, dtype=numpy.uint16).view(ml_dtypes.bfloat16)
# Through float32, which holds every BF16: what is tested is the rounding to FP8.
codes = values.astype(numpy.float32).astype(ml_dtypes.float8_e4m3fn)
codes.view(numpy.uint8).tofile(sys.argv[1])
