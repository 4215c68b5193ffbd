# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""git, run by its owner without hooks, prompts, system-wide settings and unknown protocols, within a time."""

from __future__ import annotations

from .._as_user import AsUserError, run_as
from .._layout import Account
from ._remote import Access

QUICK_SECONDS = 20.0
NETWORK_SECONDS = 600.0
LONGEST_WORDS = 300
# Its own hooks, helpers and programs that a repository brings along are for those who work in it.
SETTINGS = tuple(
    word
    for setting in (
        *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.untrackedCache=false", "gc.auto=0"),
        *(
            "maintenance.auto=false",
            "submodule.recurse=false",
            "fetch.recurseSubmodules=false",
            "protocol.ext.allow=never",
        ),
        *("credential.helper=", "core.askPass=", "advice.detachedHead=false", "http.lowSpeedLimit=1000"),
        *("http.lowSpeedTime=30", "init.templateDir="),
    )
    for word in ("-c", setting)
)
VARIABLES = {
    "GIT_ASKPASS": "/bin/false",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


class GitError(Exception):
    """git failed, is missing, or took too long; the message is its own last word."""


class Git:
    """git as one account, who is us."""

    def __init__(self, who: Account, access: Access | None = None) -> None:
        """Take who runs it.

        :param access: how to reach a remote; with it, git has minutes and not seconds.
        """
        self.who = who
        self.access = access

    def run(self, *arguments: str, directory: str = "", missing: str | None = None) -> str:
        """Run git and return what it printed.

        :param directory: the repository or worktree that it is about.
        :param missing: what is returned instead of an error where git ends with status 1 or 128: what was asked for is
            not there.
        :raises GitError: it failed.
        """
        settings, variables = self.access or Access([], {"GIT_ALLOW_PROTOCOL": "file"})
        where = ["-C", directory] if directory else []
        words = ["git", *SETTINGS, *settings, *where, *arguments]
        seconds = NETWORK_SECONDS if self.access else QUICK_SECONDS
        try:
            done = run_as(self.who, words, seconds, {**VARIABLES, **variables}, group=True)
        except AsUserError as error:
            raise GitError(str(error).rpartition(": ")[2]) from error
        if done.returncode != 0:
            if missing is not None and done.returncode in (1, 128):
                return missing
            raise GitError(_reason(done.stderr or done.stdout) or f"git ended with status {done.returncode}")
        return done.stdout


def _reason(text: str) -> str:
    """Return what git and ssh say last of all that they say: the cause stands before "could not read"."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [
        line for line in lines if line.startswith(("fatal:", "error:", "ERROR", "Host key", "ssh:", "Permission"))
    ]
    return "; ".join((telling or lines)[:2])[:LONGEST_WORDS]
