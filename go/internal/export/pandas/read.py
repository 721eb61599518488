"""Reads what report exports as CSV, as who analyses it would: read.py FIGURES SAMPLES"""

import sys

import pandas

figures = pandas.read_csv(sys.argv[1])
samples = pandas.read_csv(sys.argv[2])

values = pandas.to_numeric(figures[(figures.row == "latency") & (figures.cell == "avg")].value)
assert figures.columns.tolist() == "record run case name table row item cell value unit better notes".split()
assert len(values) > 0 and (values > 0).all(), values
assert samples.dtypes.ns == "int64" and samples.ns.min() > 0

# The mean over ranks of their means, without the first iteration, is the latency of that case.
kept = samples[(samples["pass"] == 0) & (samples.iteration > 0)]
means = kept.groupby(["run", "case", "rank"]).ns.mean().groupby(["run", "case"]).mean()
latency = figures[(figures.row == "latency") & (figures.cell == "avg") & figures.value.notna()]
compared = 0
for _, row in latency.iterrows():
    if (row.run, row.case) in means.index:
        assert abs(means[row.run, row.case] / float(row.value) - 1) < 1e-9, (row, means[row.run, row.case])
        compared += 1
print(len(figures), "values,", len(samples), "durations,", compared, "latencies compared")
assert compared > 3
