"""Makes pairs of versions that are worth comparing, `A B` a line.

Half are grammar: texts that a scheme accepts, in all their forms. The others are neighbours: one
version and a slightly changed copy, since the interesting answers lie between versions that are
nearly equal. With the folder of a corpus, real versions of its feeds take part in both.

    pairs.py SCHEME COUNT [--seed N] [--corpus FOLDER]
"""

import argparse
import random
import sys

import feeds

NUMBERS = ["0", "1", "2", "9", "10", "11", "99", "100", "2024", "20240131", "4294967296"]
HUGE = ["18446744073709551615", "18446744073709551616", "9223372036854775807", "9" * 30]
# What a neighbour gains, loses or exchanges, by scheme.
SPICE = {
    "deb": [*"~+.-:aAzZ019_", "~~", "~rc1", "+dfsg", "+b1", "-0", "-1", "0:", "1:", "ubuntu1"],
    "apk": [*"._abz0159", "_p", "_p1", "_alpha", "_beta2", "_pre", "_rc1", "_git2024", "_hg", "_svn",
            "_cvs1", "-r0", "-r1", "-r10", ".0", ".00", ".01", "a1"],
    "rpm": [*"~^.-:_+aAzZ0159", "~rc1", "^git1", "^20240101", "-1", "-1.el8", "0:", "1:", ".el9_2",
            "..", "~^", "^~", "module+el8"],
    "pypi": [*".-_+!abc0159", "a1", "b2", "rc1", ".dev1", ".dev", ".post1", "-1", "+local", "+1.a",
             ".0", "1!", "v", "alpha", "preview3", "c1", "RC2", ".post1.dev2", "r1", "-rev2", "+2_b"],
    "semver": [*".-+aAzZ019", "-alpha", "-alpha.1", "-0", "-1", "-beta.2", "-rc.1", "+build", "-a-b",
               ".x", "-01", "--", "-1a", "+01"],
    "golang": [*".-+v019", "-0.20240101000000-abcdef012345", "+incompatible", "-rc.1", "-pre",
               "-beta1", "-alpha.2", "-rc1", "-0.0"],
    "maven": [*".-_aAbmzZ0159", "-alpha", "-alpha-1", "-a1", "-beta2", "-b2", "-M1", "-m1", "-rc1",
              "-cr2", "-SNAPSHOT", ".Final", ".GA", "-sp1", ".RELEASE", "-jre", "-android", ".0",
              "-0", "-1", "x", "-20240101.120000-1", ".v2024", "+", ".pre1", "-redhat-00001"],
    "gem": [*".-aAbzZ019", ".a", ".rc1", ".pre", ".beta2", ".0", "-1", "-java", ".b", ".0.0"],
    "nuget": [*".-+aAzZ019", "-alpha", "-beta.2", "-BETA", "-rc-1", "+meta", ".0", "-1", "-01",
              "-20240101120000", "--5"],
    "composer": [*".-_+vVabpx019@", "-alpha", "-alpha1", "-beta.2", "RC1", "-rc", "-p1", "-pl2",
                 "-patch", "-dev", ".x-dev", "dev-", "@dev", "+build", ".0", "-stable", "_dev", "b"],
}
SPICE["npm"] = SPICE["semver"] + ["v", "-9007199254740992", "-9007199254740993"]


def number(rng):
    roll = rng.random()
    if roll < 0.015:
        return rng.choice(HUGE)
    if roll < 0.05:
        return "0" * rng.randint(1, 3) + rng.choice(NUMBERS)
    return rng.choice(NUMBERS) if roll < 0.6 else str(rng.randint(0, 30))


def release(rng, least=1, most=4):
    return ".".join(number(rng) for _ in range(rng.randint(least, most)))


def identifier(rng):
    words = ["alpha", "beta", "rc", "a", "b", "x", "pre", "dev", "RC", "Alpha", "1a", "a-1", "-", "a1"]
    return number(rng) if rng.random() < 0.5 else rng.choice(words)


def suffixes(rng, scheme):
    count = rng.choice([0, 0, 1, 1, 1, 2, 3])
    return "".join(rng.choice(SPICE[scheme]) for _ in range(count))


def grammatical(rng, scheme):
    """A text that most likely is a version."""
    if scheme in ("semver", "npm", "golang"):
        text = ".".join(str(rng.randint(0, 12)) for _ in range(3))
        if rng.random() < 0.6:
            text += "-" + ".".join(identifier(rng) for _ in range(rng.randint(1, 3)))
        if rng.random() < 0.15:
            text += "+" + rng.choice(["build", "1", "01", "incompatible"])
        prefix = {"npm": ["", "", "", "v"], "golang": ["v", "v", ""]}.get(scheme, [""])
        return rng.choice(prefix) + text
    if scheme == "nuget":
        text = ".".join(str(rng.randint(0, 12)) for _ in range(rng.randint(1, 4)))
        if rng.random() < 0.6:
            text += "-" + ".".join(identifier(rng) for _ in range(rng.randint(1, 3)))
        return text + rng.choice(["", "", "", "+meta.1"])
    if scheme == "composer" and rng.random() < 0.15:
        return rng.choice(["dev-main", "dev-a", "1.x-dev", "2.1.x-dev", "20240131", "2024.01.31",
                           "2024-01-31-12", "20240131.1", "201404121204", "3.*-dev"])
    if scheme == "golang_release":
        return "go" + release(rng, 1, 3) + rng.choice(["", "", "rc1", "beta2", "rc", "-fips"])
    return release(rng) + suffixes(rng, scheme)


def neighbour(rng, scheme, text):
    """The text with one place changed."""
    place = rng.randint(0, len(text))
    kind = rng.random()
    spice = number(rng) if rng.random() < 0.3 else rng.choice(SPICE[scheme])
    if kind < 0.3:
        return text + spice
    if kind < 0.5:
        return text[:place] + spice + text[place:]
    if kind < 0.7:
        return text[:place] + text[place + 1 :]
    if kind < 0.85:
        return text[:place] + spice + text[place + 1 :]
    return text.swapcase() if kind < 0.9 else text[:place]


def pairs(scheme, count, seed, real):
    rng = random.Random(f"{scheme} {seed}")
    def version():
        if real and rng.random() < 0.5:
            return rng.choice(rng.choice(real))
        if scheme == "golang" and rng.random() < 0.1:
            return grammatical(rng, "golang_release")
        return grammatical(rng, scheme)

    seen = set()
    while len(seen) < count:
        roll = rng.random()
        if real and roll < 0.4:
            # Two versions of one package, or of two.
            package = rng.choice(real)
            left, right = rng.choice(package), rng.choice(package)
        elif roll < 0.75:
            left = version()
            right = neighbour(rng, scheme, left)
            if rng.random() < 0.3:
                left = neighbour(rng, scheme, left)
        else:
            left, right = version(), version()
        if not left or not right or any(c.isspace() for c in left + right):
            continue
        if left.startswith(("#", "//", "-")) or right.startswith("-"):
            continue
        if (left != right or rng.random() < 0.02) and (left, right) not in seen:
            seen.add((left, right))
            yield left, right


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("scheme")
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--corpus")
    arguments = parser.parse_args()
    real = feeds.versions(arguments.scheme, arguments.corpus) if arguments.corpus else []
    for left, right in pairs(arguments.scheme, arguments.count, arguments.seed, real):
        sys.stdout.write(f"{left} {right}\n")


if __name__ == "__main__":
    main()
