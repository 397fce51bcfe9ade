#!/usr/bin/env python3
"""Lists the language packages installed below a folder, one `TYPE NAME VERSION PATH` a line.

The second opinion of the corpus tests of `pratique-scan`: it shares no code and no method with the
catalogers. JSON, mail headers, zip and zlib are read by Python's own library, Rust's audit section
is cut out by its section header. What has no answer in the files themselves (the Maven group of a
jar without `pom.properties`) is left out.

usage: scripts/installed-languages.py FOLDER
"""

import email.parser
import io
import json
import os
import re
import struct
import sys
import zipfile
import zlib


def npm(path, data):
    manifest = json.loads(data)
    if manifest.get("name") and manifest.get("version"):
        yield "npm", manifest["name"], manifest["version"], path


def python(path, data):
    headers = email.parser.BytesParser().parsebytes(data, headersonly=True)
    yield "pypi", headers["Name"], headers["Version"], path


def gem(path, data):
    text = data.decode("utf-8", "replace")
    name = re.search(r'^\s*\w+\.name = "([^"]+)"', text, re.M).group(1)
    version = re.search(r'^\s*\w+\.version = "([^"]+)"', text, re.M).group(1)
    yield "gem", name, version, path


def java(path, data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if re.fullmatch(r"META-INF/maven/[^/]+/[^/]+/pom\.properties", name):
                lines = archive.read(name).decode("latin-1").splitlines()
                pairs = dict(line.split("=", 1) for line in lines if "=" in line)
                yield (
                    "maven",
                    pairs["groupId"].strip() + ":" + pairs["artifactId"].strip(),
                    pairs["version"].strip(),
                    path,
                )
            elif name.endswith((".jar", ".war")):
                yield from java(path + "!/" + name, archive.read(name))


def rust(path, data):
    """64-bit little-endian ELF only."""
    if data[:6] != b"\x7fELF\x02\x01":
        return
    offset = struct.unpack_from("<Q", data, 40)[0]
    size, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQ", data, offset + size * i) for i in range(count)]
    if not headers:
        return
    strings = headers[names][4]
    for name, _, _, _, start, length in headers:
        if data[strings + name :].startswith(b".dep-v0\0"):
            for crate in json.loads(zlib.decompress(data[start : start + length]))["packages"]:
                if crate.get("kind") != "build":
                    yield "cargo", crate["name"], crate["version"], path


KINDS = [
    (r".*/node_modules/(@[^/]+/)?[^/@]+/package\.json", npm),
    (r".*\.dist-info/METADATA|.*\.egg-info/PKG-INFO|.*\.egg-info", python),
    (r".*/specifications/(default/)?[^/]+\.gemspec", gem),
    (r".*\.(jar|war)", java),
    (r".*/bin/[^/]+", rust),
]


def main(root):
    lines = set()
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            place = path[len(root.rstrip("/")) :]
            for pattern, reader in KINDS:
                if re.fullmatch(pattern, place):
                    with open(path, "rb") as file:
                        lines.update(" ".join(row) for row in reader(place, file.read()))
                    break
    for line in sorted(lines):
        print(line)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
