"""Orders pairs `A B` with the apk of an Alpine root folder (`APK_ROOT`), run in a chroot; prints
`A OP B`, with `!` where `apk version --check` refuses a side."""

import os
import subprocess
import sys

ROOT = os.environ["APK_ROOT"]
APK = ["chroot", ROOT, "/sbin/apk", "version", "--quiet"]
pairs = [line.split() for line in sys.stdin]
versions = sorted({version for pair in pairs for version in pair})

refused = set()
for start in range(0, len(versions), 500):
    # It prints those that it refuses. An argument like `-r1` would be an option.
    chunk = [version for version in versions[start : start + 500] if not version.startswith("-")]
    command = ["chroot", ROOT, "/sbin/apk", "version", "--check", *chunk]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    refused.update(answer.stdout.split())
refused.update(version for version in versions if version.startswith("-"))

script = 'while read -r left right; do /sbin/apk version -t "$left" "$right"; done; true'
asked = [pair for pair in pairs if not refused.intersection(pair)]
answer = subprocess.run(
    ["chroot", ROOT, "/bin/sh", "-c", script],
    input="".join(f"{left} {right}\n" for left, right in asked),
    capture_output=True,
    text=True,
    check=True,
)
operators = answer.stdout.split()
assert len(operators) == len(asked), answer.stderr
operators = iter(operators)
for left, right in pairs:
    operator = "!" if refused.intersection((left, right)) else next(operators)
    print(left, operator, right)
