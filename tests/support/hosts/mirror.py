"""The Debian or Ubuntu mirror of this machine's own apt set-up: none is written down here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, Iterator, Tuple

from hosts.commands import HostsError

OS_RELEASE = Path("/etc/os-release")
APT = Path("/etc/apt")


def suite() -> str:
    """This machine's release, such as `bookworm`.

    Raises:
        HostsError: os-release names none.
    """
    found = re.search(r'^VERSION_CODENAME="?(\w+)', OS_RELEASE.read_text(), re.M)
    if not found:
        raise HostsError(f"{OS_RELEASE} names no VERSION_CODENAME: the test hosts need Debian or Ubuntu")
    return found.group(1)


def _deb822(text: str) -> Iterator[Tuple[str, str]]:
    for paragraph in re.split(r"\n\s*\n", text):
        fields: Dict[str, str] = {}
        for line in paragraph.splitlines():
            name, colon, value = line.partition(":")
            if colon and not line.startswith(("#", " ")):
                fields[name.strip().lower()] = value.strip()
        for uri in fields.get("uris", "").split():
            for name in fields.get("suites", "").split():
                yield uri, name


def _one_line(text: str) -> Iterator[Tuple[str, str]]:
    for line in text.splitlines():
        found = re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", line.strip())
        if found:
            yield found.group(1), found.group(2)


def mirror(release: str, apt: Path = APT) -> str:
    """The first URI from which apt takes `release` itself.

    Raises:
        HostsError: apt has no source for that release.
    """
    sources = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]
    pairs = [pair for path in sources if path.is_file() for pair in _one_line(path.read_text())]
    for path in sorted((apt / "sources.list.d").glob("*.sources")):
        pairs += _deb822(path.read_text())
    for uri, name in pairs:
        if name == release and uri.startswith(("http://", "https://", "file:")):
            return uri
    raise HostsError(f"no source of {release} in {apt}: add the distribution's own mirror to apt")
