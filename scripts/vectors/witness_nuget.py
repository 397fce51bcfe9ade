"""Orders pairs `A B` by the documented rules of NuGet; prints `A OP B`, with `!` where they refuse.

No tool: NuGet.Versioning needs .NET. The rules are those of `NuGetVersion.Parse` and
`VersionComparer.Default`, written down here apart from the project's own code and by other means
(a regular expression and tuples), so that a slip on one side shows.
"""

import re
import sys

VERSION = re.compile(
    r"(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.(\d+))?"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)
INT = range(-(2**31), 2**31)


def label_key(label):
    if re.fullmatch(r"-?\d+", label) and int(label) in INT:
        return (0, int(label), "")
    return (1, 0, label.upper())


def key(text):
    match = VERSION.fullmatch(text)
    if match is None:
        return None
    numbers = tuple(int(number or 0) for number in match.groups()[:4])
    if max(numbers) not in INT:
        return None
    if match[5] is None:
        return (numbers, 1, ())
    labels = match[5].split(".")
    if any(re.fullmatch(r"0\d+", label) for label in labels):
        return None
    return (numbers, 0, tuple(map(label_key, labels)))


def compare(left, right):
    left, right = key(left), key(right)
    if left is None or right is None:
        return "!"
    return "<" if left < right else ">" if left > right else "="


sys.set_int_max_str_digits(0)
for line in sys.stdin:
    left, right = line.split()
    print(left, compare(left, right), right)
