"""Measure the cost of a run, as ratios within one run of this benchmark: only these mean anything on another machine.

    make bench                      every part
    make bench PART="events history"   some of them

A part is a module with the function ``measure``, which yields rows of the table ``measure | figure | wanted | bound``.
A figure that misses what is wanted is marked so. One that is beyond its bound has regressed and fails the benchmark.
Wanted figures: what we aim at. Bounds: far enough from the figures of a quiet machine that only a change of the code
gets there.
"""
