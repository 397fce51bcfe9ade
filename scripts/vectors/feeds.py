"""Reads the versions that published feeds name, by package: `[[version, …], …]`.

The folder is laid out as the upstreams lay theirs out (host, then path).
"""

import json
import re
import zipfile
from collections import defaultdict
from pathlib import Path

OSV = {
    "pypi": ["PyPI"],
    "semver": ["crates.io", "Bitnami"],
    "npm": ["npm"],
    "golang": ["Go"],
    "maven": ["Maven"],
    "gem": ["RubyGems"],
    "nuget": ["NuGet"],
    "composer": ["Packagist"],
    "rpm": ["AlmaLinux:8", "AlmaLinux:9", "AlmaLinux:10"],
    "deb": ["Debian"],
    "apk": [],
}
OSV_HOST = "osv-vulnerabilities.storage.googleapis.com"


def from_osv(record, ecosystem, found):
    for affected in record.get("affected", []):
        package = affected.get("package", {})
        # A record can concern packages of other ecosystems too.
        if package.get("ecosystem", "").split(":")[0] != ecosystem.split(":")[0]:
            continue
        key = package.get("name")
        # Some records have a number here.
        listed = affected.get("versions")
        found[key].update(listed if isinstance(listed, list) else [])
        for interval in affected.get("ranges") or []:
            if interval.get("type") == "GIT":
                continue
            for event in interval.get("events") or []:
                found[key].update(event.values())


def from_secdb(path, found):
    for entry in json.loads(path.read_text())["packages"]:
        package = entry["pkg"]
        found[package["name"]].update(package.get("secfixes", {}))


def versions(scheme, corpus):
    found = defaultdict(set)
    root = Path(corpus)
    for ecosystem in OSV[scheme]:
        path = root / OSV_HOST / ecosystem / "all.zip"
        if not path.exists():
            continue
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                from_osv(json.loads(archive.read(name)), ecosystem, found)
    if scheme == "apk":
        for path in root.glob("secdb.alpinelinux.org/*/*.json"):
            from_secdb(path, found)
        for path in root.glob("packages.wolfi.dev/os/security.json"):
            from_secdb(path, found)
    if scheme == "deb":
        for path in root.glob("git.launchpad.net/**/CVE-*"):
            for package, version in re.findall(
                r"^\w+_(\S+): (?:released|not-affected) \((\S+)\)", path.read_text(errors="replace"), re.M
            ):
                found[package].add(version)
    clean = (sorted(v for v in group if v and not re.search(r"\s", v)) for group in found.values())
    return sorted(group for group in clean if group)
