"""Orders pairs `A B` with dpkg itself; prints `A OP B`, with `!` where dpkg refuses."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor


def ask(left, operator, right):
    """The exit code: 0 holds, 1 does not hold, 2 refused."""
    command = ["dpkg", "--compare-versions", left, operator, right]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode


def compare(line):
    left, right = line.split()
    code = ask(left, "lt", right)
    if code > 1:
        return f"{left} ! {right}"
    if code == 0:
        return f"{left} < {right}"
    return f"{left} {'>' if ask(left, 'gt', right) == 0 else '='} {right}"


with ThreadPoolExecutor(4) as pool:
    for row in pool.map(compare, sys.stdin, chunksize=64):
        print(row)
