# SPDX-License-Identifier: MIT
"""The hosts' root file system, built by mmdebstrap from apt's own mirror, and Zeus's libraries as wheels."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path

from hosts.commands import HostsError, run
from hosts.mirror import mirror, suite
from hosts.paths import ROOT, images, locked

USER = "prng"
UID = 1000
PACKAGES = "python3,openssh-server,rsync,iproute2,procps,systemd,systemd-sysv"
SSHD = (
    "AuthorizedKeysFile /etc/ssh/fleet_keys",
    "HostKey /etc/ssh/fleet-host-key/ssh_host_ed25519_key",
    "StrictModes no",
    "UseDNS no",
    "PermitRootLogin no",
    "PasswordAuthentication no",
    "MaxStartups 100:30:200",
)
HOOKS = (
    ': > "$1/etc/resolv.conf"; : > "$1/etc/machine-id"; rm -f "$1/etc/hosts" "$1"/etc/ssh/ssh_host_*',
    f'useradd --root "$1" --uid {UID} --create-home --shell /bin/bash {USER}',
    "printf '%s\\n' " + " ".join(f"'{line}'" for line in SSHD) + ' > "$1/etc/ssh/sshd_config.d/fleet.conf"',
    # Nothing on a test host needs these, and each takes some of the machine's few inotify instances.
    "for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer"
    " getty.target console-getty.service systemd-tmpfiles-clean.timer systemd-journal-flush.service"
    " systemd-logind.service;"
    ' do ln -sf /dev/null "$1/etc/systemd/system/$unit"; done',
)
OPTIONS = [
    "--quiet",
    "--variant=minbase",
    f"--include={PACKAGES}",
    '--aptopt=Acquire::Languages "none"',
    *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "doc", "locale")),
    *(f"--customize-hook={hook}" for hook in HOOKS),
]
LIBRARIES = ("numpy==", "orjson==")
ENOUGH_MEMORY = 2 << 30


def tag() -> str:
    """Identifies the recipe: another recipe is another image."""
    return hashlib.sha256("\n".join([suite(), *OPTIONS]).encode()).hexdigest()[:12]


def base() -> Path:
    """The root file system as a tarball, built on first use.

    Raises:
        HostsError: it could not be built.
    """
    tarball = images() / f"{suite()}-{tag()}.tar"
    with locked("image"):
        if tarball.exists():
            return tarball
        images().mkdir(parents=True, exist_ok=True)
        sys.stderr.write(f"hosts: building the image of the test hosts ({suite()}), once: {tarball}\n")
        # In memory it takes half the time.
        roomy = Path("/dev/shm").is_dir() and shutil.disk_usage("/dev/shm").free > ENOUGH_MEMORY
        env = {**os.environ, "TMPDIR": "/dev/shm" if roomy else tempfile.gettempdir()}
        part = tarball.with_suffix(f".{os.getpid()}.part.tar")
        try:
            run("mmdebstrap", *OPTIONS, suite(), str(part), mirror(suite()), env=env, timeout=900)
            part.replace(tarball)
        finally:
            part.unlink(missing_ok=True)
    return tarball


@cache
def python_version() -> str:
    """The version of the image's Python, such as `3.11`.

    Raises:
        HostsError: it has none.
    """
    with tarfile.open(base()) as archive:
        for member in archive:
            if member.name.lstrip("./") == "usr/bin/python3":
                return member.linkname.replace("python", "")
    raise HostsError(f"{base()} has no /usr/bin/python3: remove it, it will be built again")


def site() -> str:
    """Where the image's Python looks for libraries, without the leading slash."""
    return f"usr/local/lib/python{python_version()}/dist-packages"


def libraries() -> Path:
    """A folder with Zeus's libraries from the project's lock file, for the image's Python.

    Raises:
        HostsError: pip could not install them.
    """
    version = python_version()
    # Each with its hashes.
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", (ROOT / "requirements.txt").read_text())
    lines = [block for block in blocks if block.startswith(LIBRARIES)]
    key = hashlib.sha256("\n".join([version, *lines]).encode()).hexdigest()[:12]
    folder = images() / f"zeus-{version}-{key}"
    with locked("image"):
        if folder.is_dir():
            return folder
        with tempfile.TemporaryDirectory(dir=images()) as scratch:
            lock = Path(scratch, "lock.txt")
            lock.write_text("".join(lines))
            target = Path(scratch, "site")
            run(
                *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("--require-hashes", "--no-deps", "--only-binary=:all:", "--implementation=cp"),
                *(f"--python-version={version}", f"--target={target}", "-r", str(lock)),
                timeout=600,
            )
            target.chmod(0o755)
            target.replace(folder)
    return folder
