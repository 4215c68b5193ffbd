"""The base image: one minimal Debian that the disks of all machines lie on, built once and kept.

Its name carries the digest of its recipe, so a new recipe builds a new image and machines of the old one keep theirs.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from watchbill.errors import OperationError
from watchbill.lab import archives, commands
from watchbill.lab.record import Store
from watchbill.retry import PassingError, persistently

# Raise it whenever _configure changes.
RECIPE_VERSION = 1
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "dbus-user-session",
    "libpam-systemd",
    "openssh-server",
    "python3",
    "python3-apt",
    "tmux",
    "sudo",
    "iproute2",
    "ca-certificates",
    "less",
    "procps",
    "tzdata",
)
# Timers that would take apt's lock in the middle of a rollout, and a login prompt on a console nobody reads.
_MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "console-getty.service")
# How debootstrap says that a mirror did not give it what it should have.
_NOT_DOWNLOADED = re.compile(r"Failed getting|Couldn't download")
_SSHD = """\
# A lab's machine: keys only, and only the one host key that the control machine knows.
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
"""


def name_of(suite: str) -> str:
    """Return the name of the image for a Debian suite: `base-` and the digest of what goes into it."""
    recipe = {"version": RECIPE_VERSION, "packages": PACKAGES, "suite": suite, "machine": platform.machine()}
    return "base-" + hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]


def ensure(store: Store, suite: str, sources: Sequence[archives.Archive], on_line: Callable[[str], None]) -> str:
    """Return the name of the base image, built first where it is missing; `on_line` gets what debootstrap says.

    The caller holds the store's lock. An interrupted build leaves a temporary directory, which the next one replaces.
    """
    name = name_of(suite)
    final = store.root / name
    if final.is_dir():
        return name
    building = store.root / f"{name}.building"
    main = next(source for source in sources if source.suite == suite)
    keyring = [f"--keyring={archives.KEYRING}"] if Path(archives.KEYRING).exists() else []
    include = f"--include={','.join(PACKAGES)}"
    command = ["debootstrap", "--variant=minbase", *keyring, include, suite, str(building), main.uri]
    persistently(lambda: _bootstrap(command, building, on_line))
    _configure(building)
    # Everything is on the disk before the name says that it is complete.
    os.sync()
    building.rename(final)
    return name


def _bootstrap(command: Sequence[str], building: Path, on_line: Callable[[str], None]) -> None:
    """Fill `building`, from nothing. Raises OperationError."""
    if building.exists():
        shutil.rmtree(building)
    try:
        commands.follow(command, on_line)
    except OperationError as error:
        if _NOT_DOWNLOADED.search(error.message):
            raise PassingError(error.message, error.hint, error.code) from error
        raise


def remove_unused(store: Store, keep: set[str]) -> None:
    """Remove images of older recipes that no machine's disk lies on. The caller holds the store's lock."""
    for path in store.root.glob("base-*"):
        if path.name not in keep:
            shutil.rmtree(path)


def _configure(root: Path) -> None:
    """Make of a fresh debootstrap tree what all machines share; what differs between them is in disk.py."""
    for path in [*(root / "etc/ssh").glob("ssh_host_*"), *(root / "var/cache/apt/archives").glob("*.deb")]:
        path.unlink()
    for name in (
        "etc/hostname",
        "etc/resolv.conf",
        "etc/apt/sources.list",
        "etc/machine-id",
        "var/lib/dbus/machine-id",
    ):
        (root / name).unlink(missing_ok=True)
    (root / "etc/ssh/sshd_config.d/watchbill-lab.conf").write_text(_SSHD)
    (root / "etc/default/locale").write_text("LANG=C.UTF-8\n")
    (root / "etc/timezone").write_text("Etc/UTC\n")
    # Machines are thrown away: dpkg need not wait for the disk.
    (root / "etc/dpkg/dpkg.cfg.d/watchbill-lab").write_text("force-unsafe-io\n")
    (root / "var/log/journal").mkdir(exist_ok=True)
    _link(root / "etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
    units = root / "etc/systemd/system"
    _link(units / "multi-user.target.wants/systemd-networkd.service", "/lib/systemd/system/systemd-networkd.service")
    for unit in _MASKED:
        _link(units / unit, "/dev/null")


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
