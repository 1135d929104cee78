"""Measure the cost of a run, mostly as ratios within one run of the benchmark. Only these apply to other machines.

    make bench                         # every part
    make bench PART="events history"   # some parts

A part is a module with the function ``measure``, which yields rows of the table ``measure | figure | wanted | bound``.
The table marks a figure that misses the wanted value. A figure beyond its bound has regressed and fails the benchmark.
A wanted value is our goal. A bound is so far from the figures of an idle machine that only a code change reaches it.
"""
