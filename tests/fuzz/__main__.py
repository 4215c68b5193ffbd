"""The long form of tests/fuzz: python -m tests.fuzz [--seconds N] [--replay FILE] [TARGET…]    (make fuzz).

Exit status 1 with the smallest input that breaks a promise in a file, and with how to run that again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from .minimise import breakage, minimised
from .mutations import inputs
from .target import PROJECT, Target
from .targets import TARGETS

FOUND = PROJECT / ".cache" / "fuzz"
BATCH = 200


class Search:
    """Inputs of one target, until the time is over or one breaks a promise."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.executions = 0
        self.taken = 0
        self.culprit: bytes | None = None

    def run(self, seconds: float) -> None:
        """Search for so many seconds, and a batch more at most."""
        end = time.monotonic() + seconds
        batch = settings(
            max_examples=BATCH,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )

        @batch
        @given(inputs(self.target))
        def whatever(content: bytes) -> None:
            if self.culprit is None and time.monotonic() < end:
                self._try(content)

        while self.culprit is None and time.monotonic() < end:
            seed(random.SystemRandom().getrandbits(64))(whatever)()

    def _try(self, content: bytes) -> None:
        self.executions += 1
        try:
            self.taken += self.target.run(content)
        except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
            self.culprit = content


def guided(target: Target, seconds: float) -> tuple[int, bytes | None]:
    """Return how many inputs atheris tried, and the one that broke a promise."""
    with tempfile.TemporaryDirectory(prefix="watchbill-fuzz-") as folder:
        command = [sys.executable, "-m", "tests.fuzz.guided", target.name, folder, str(max(1, round(seconds)))]
        done = subprocess.run(
            command, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        culprits = sorted(Path(folder).glob("*-*"))
        if done.returncode and not culprits:
            sys.exit(f"{done.stderr[-4000:]}\nfuzz: atheris failed")
        count = re.search(r"stat::number_of_executed_units: *(\d+)", done.stderr)
        return int(count.group(1)) if count else 0, culprits[0].read_bytes() if culprits else None


def report(target: Target, culprit: bytes) -> None:
    """Write down the smallest input that breaks the same promise, and say how to run it again."""
    wanted = breakage(target, culprit)
    content = minimised(target, culprit, wanted) if wanted else culprit
    path = FOUND / f"{target.name}-{hashlib.sha256(content).hexdigest()[:12]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    what = "{} at {}".format(*wanted) if wanted else "nothing when it is run again: it depends on what ran before"
    print(f"fuzz: {target.name}: {what}\n  {content[:500]!r}")
    print(f"  again: .venv/bin/python -m tests.fuzz --replay {path.relative_to(PROJECT)} {target.name}", flush=True)


def replay(target: Target, path: Path) -> int:
    """Run one input and return the exit status."""
    try:
        taken = target.run(path.read_bytes())
    except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
        traceback.print_exc()
        return 1
    print(f"fuzz: {target.name}: {'taken' if taken else 'refused as it should be'}")
    return 0


def search(target: Target, seconds: float, *, is_guided: bool) -> bool:
    """Search one target and print what came of it. Returns whether something was found."""
    ours = Search(target)
    ours.run(seconds)
    print(f"fuzz: {target.name}: {ours.executions} inputs, {ours.taken} of them taken", flush=True)
    culprit = ours.culprit
    if culprit is None and is_guided:
        count, culprit = guided(target, seconds)
        print(f"fuzz: {target.name}: {count} inputs led by coverage", flush=True)
    if culprit is not None:
        report(target, culprit)
    return culprit is not None


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz what reads files of others.")
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=f"which of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target, once more led by coverage")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one input of one TARGET")
    asked = parser.parse_args()
    unknown = [name for name in asked.targets if name not in TARGETS]
    if unknown or (asked.replay and len(asked.targets) != 1):
        parser.error(f"no such target: {', '.join(unknown)}" if unknown else "--replay needs one TARGET")
    if asked.replay:
        return replay(TARGETS[asked.targets[0]], asked.replay)
    led = importlib.util.find_spec("atheris") is not None
    if not led:
        print("fuzz: not led by coverage: atheris is not installed (make fuzz installs it where it can)")
    found = [
        name
        for name in asked.targets or TARGETS
        if search(TARGETS[name], asked.seconds, is_guided=led and TARGETS[name].is_guided)
    ]
    print(f"fuzz: {', '.join(found)} broke promises" if found else "fuzz: every promise was kept")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
