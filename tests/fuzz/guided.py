"""Fuzzing that is led by coverage: python -m tests.fuzz.guided TARGET FOLDER SECONDS (make fuzz runs it).

Atheris counts which branches of Watchbill an input takes and goes on with those that take new ones. An input that
breaks a promise is left in FOLDER as crash-…, and the exit status is not 0.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped]

MOST_BYTES = 20_000

with atheris.instrument_imports(include=["watchbill", "ansible_collections.watchbill", "yaml"]):
    from .mutations import EVIL, TOKEN
    from .targets import TARGETS


def main() -> None:
    """Fuzz one target."""
    name, folder, seconds = sys.argv[1:]
    target = TARGETS[name]
    corpus = Path(folder, "corpus")
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed{number}").write_text(seed)
    words = {word for seed in target.seeds for word in TOKEN.findall(seed)} | set(EVIL)
    dictionary = Path(folder, "dictionary")
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in sorted(words) if 0 < len(word) < 60))
    options = [f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", f"-dict={dictionary}", "-print_final_stats=1"]
    options += [f"-artifact_prefix={folder}/", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda content: target.run(content) and None)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    main()
