"""Makes rows `VERSION RANGE` for the schemes that have ranges, many of them near a bound."""

import random

import pairs

# Files to make, and the options of the witness for each.
MODES = {
    "pypi": {"pypi-ranges": [], "pypi-ranges-finals": ["--finals"]},
    "npm": {"npm-ranges": [], "npm-ranges-prereleases": ["--prereleases"],
            "npm-ranges-loose": ["--loose"]},
    "maven": {"maven-ranges": []},
    "gem": {"gem-ranges": []},
    "composer": {"composer-ranges": []},
}


def small(rng):
    return str(rng.choice([0, 0, 1, 1, 2, 3, 10]))


def numbers(rng, least, most):
    return ".".join(small(rng) for _ in range(rng.randint(least, most)))


TAILS = {
    "pypi": ["", "", "", "a1", "b2", "rc1", ".dev1", ".post1", ".post1.dev2", "a1.dev1", "+local"],
    "npm": ["", "", "", "-alpha", "-alpha.1", "-beta.2", "-0", "-rc.1", "-x.7.z", "+build"],
    "maven": ["", "", "", "-alpha-1", "-beta2", "-SNAPSHOT", ".Final", "-rc1", "-jre", "-sp1"],
    "gem": ["", "", "", ".a", ".rc1", ".pre.1", ".beta2", "-java"],
    "composer": ["", "", "", "-alpha1", "-beta.2", "-RC1", "-dev", "-p1", "b2", ".x-dev"],
}
OPERATORS = {
    "pypi": ["==", "!=", "<", "<=", ">", ">=", "~=", "==="],
    "npm": ["", "=", "<", "<=", ">", ">=", "~", "^", "~>", "^ ", ">= ", "< "],
    "gem": ["", "=", "!=", "<", "<=", ">", ">=", "~>"],
    "composer": ["", "=", "!=", "<>", "<", "<=", ">", ">=", "~", "^", "=="],
}
OPEN = {"npm": [".x", ".*", ".X", "", ".x.x"], "composer": [".*", ".x", ".*.*"]}


def version(rng, scheme):
    least = 3 if scheme == "npm" else 1
    return numbers(rng, least, 3 if scheme == "npm" else 4) + rng.choice(TAILS[scheme])


def bound(rng, scheme):
    if scheme in OPEN and rng.random() < 0.35:
        return numbers(rng, 1, 2) + rng.choice(OPEN[scheme])
    if scheme == "pypi" and rng.random() < 0.2:
        return numbers(rng, 1, 3) + ".*"
    if rng.random() < 0.04:
        return rng.choice(["*", "x", "v1.2.3", "=1.2.3", "1.x.2", "", "a", "01.2.3", "1.2.3.4.5",
                           "9007199254740991.1.1", "v1", "x.x", "dev-main", "1.2.3beta", "1!1.0"])
    return version(rng, scheme)


def interval(rng, scheme):
    low = bound(rng, scheme) if rng.random() < 0.8 else ""
    if rng.random() < 0.15:
        return f"[{low}]"
    high = bound(rng, scheme) if rng.random() < 0.8 else ""
    return rng.choice("[(") + low + "," + high + rng.choice("])")


def text(rng, scheme):
    if scheme == "maven":
        if rng.random() < 0.05:
            return bound(rng, scheme)
        return ",".join(interval(rng, scheme) for _ in range(rng.choice([1, 1, 1, 2])))
    if scheme in ("npm", "composer") and rng.random() < 0.12:
        return f"{bound(rng, scheme)} - {bound(rng, scheme)}"
    count = rng.choice([1, 1, 1, 2, 2, 3])
    clauses = [rng.choice(OPERATORS[scheme]) + bound(rng, scheme) for _ in range(count)]
    if scheme == "npm":
        between = rng.choice([" ", " ", " || ", "||"])
    elif scheme == "composer":
        between = rng.choice([",", " ", ", ", " || ", "|"])
    else:
        between = rng.choice([",", ", "])
    return between.join(clauses)


def rows(scheme, count, seed, real):
    rng = random.Random(f"ranges {scheme} {seed}")
    seen = set()
    while len(seen) < count:
        right = text(rng, scheme)
        roll = rng.random()
        if real and roll < 0.1:
            left = rng.choice(rng.choice(real))
        elif roll < 0.2:
            left = pairs.neighbour(rng, scheme, version(rng, scheme))
        else:
            left = version(rng, scheme)
        if left and right.strip() and left.split() == [left] and (left, right) not in seen:
            seen.add((left, right))
            yield left, right
