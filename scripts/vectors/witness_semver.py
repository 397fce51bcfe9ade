"""Orders pairs `A B` with the package `semver` of PyPI, a strict reader of the specification;
prints `A OP B`, with `!` where it refuses."""

import sys

import semver


def compare(left, right):
    try:
        order = semver.Version.parse(left).compare(semver.Version.parse(right))
    except ValueError:
        return "!"
    return "<=>"[order + 1]


sys.set_int_max_str_digits(0)
for line in sys.stdin:
    left, right = line.split()
    print(left, compare(left, right), right)
