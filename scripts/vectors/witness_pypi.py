"""Orders pairs `A B` with PyPI's `packaging`; prints `A OP B`, with `!` where it refuses.

With `--ranges` it reads `VERSION RANGE` (a range without spaces) and prints `VERSION OP RANGE`, OP
one of `in`, `out`, `!` (either is refused); pre-releases are taken as `contains` takes them."""

import sys

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version


def compare(left, right):
    try:
        left, right = Version(left), Version(right)
    except InvalidVersion:
        return "!"
    return "<" if left < right else ">" if left > right else "="


def contains(version, text):
    try:
        # Only `===` takes what is no version.
        if "===" not in text:
            Version(version)
        return "in" if SpecifierSet(text).contains(version, prereleases=PRERELEASES) else "out"
    except (InvalidVersion, InvalidSpecifier):
        return "!"


sys.set_int_max_str_digits(0)
PRERELEASES = {"--prereleases": True, "--finals": False}.get(sys.argv[-1])
judge = contains if "--ranges" in sys.argv else compare
for line in sys.stdin:
    left, right = line.rstrip("\n").split(" ", 1)
    print(left, judge(left, right), right)
