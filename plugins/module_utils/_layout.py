# Copyright: Watchbill contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where things live on a host: every path, in system mode (root, many tenants) and rootless (one user)."""

from __future__ import annotations

import os
import pwd
import typing as t

AGENT_PATH = "/usr/local/bin:/usr/bin:/bin"
"""Where an agent finds programs. Only root writes there, so root may look for them too."""


class Account(t.NamedTuple):
    """The Linux account of a tenant."""

    name: str
    uid: int
    gid: int
    home: str


def account(name: str) -> Account:
    """Return the account called *name*.

    :raises KeyError: there is none.
    """
    entry = pwd.getpwnam(name)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def account_by_uid(uid: int) -> Account:
    """Return the account with this number.

    :raises KeyError: there is none.
    """
    entry = pwd.getpwuid(uid)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


class Layout:
    """Paths of one host. ``home`` and ``uid`` matter in rootless mode only."""

    def __init__(self, mode: str, home: str = "", uid: int = 0) -> None:
        self.mode = mode
        self.home = home
        self.uid = uid
        if mode == "system":
            self.configuration = "/etc/watchbill"
            self.library = "/usr/local/lib/watchbill"
            self.binaries = "/usr/local/bin"
            self.state = "/var/lib/watchbill"
        elif mode == "rootless":
            self.configuration = home + "/.config/watchbill"
            self.library = home + "/.local/lib/watchbill"
            self.binaries = home + "/.local/bin"
            self.state = home + "/.local/state/watchbill"
        else:
            raise ValueError(f"mode is system or rootless, not {mode!r}")

    @classmethod
    def system(cls) -> Layout:
        """Return the layout of a host that root manages."""
        return cls("system")

    @classmethod
    def rootless(cls, home: str | None = None, uid: int | None = None) -> Layout:
        """Return the layout of one user's own Watchbill (by default of the user who asks)."""
        own_uid = os.getuid() if uid is None else uid
        return cls("rootless", home or pwd.getpwuid(own_uid).pw_dir, own_uid)

    @classmethod
    def of_installation(cls, program: str) -> Layout:
        """Return the layout that the zipapp at *program* belongs to: system when it lies in the system's library."""
        if os.path.realpath(program).startswith("/usr/local/lib/watchbill/"):
            return cls.system()
        return cls.rootless()

    @classmethod
    def of_user(cls) -> Layout:
        """Return the layout that whoever runs this may change: the system's for root, else their own."""
        return cls.system() if os.geteuid() == 0 else cls.rootless()

    def expand(self, path: str) -> str:
        """Return *path* with a leading ``~/`` as the rootless user's home."""
        if path.startswith("~/"):
            return self.home + path[1:]
        return path

    def account_of(self, tenant: str) -> Account:
        """Return the account that runs *tenant*: its own, or the one user of a rootless host.

        :raises KeyError: there is no such account.
        """
        if self.mode == "rootless":
            return account_by_uid(self.uid)
        return account(tenant)

    # -- files that an apply writes -------------------------------------------------------------------------------
    @property
    def manifest(self) -> str:
        """Last applied state of this host."""
        return self.configuration + "/manifest.json"

    @property
    def program(self) -> str:
        """The host half, one zipapp."""
        return self.library + "/watchbill-host.pyz"

    @property
    def command(self) -> str:
        """What an agent types to run the host half: its PATH has the system's directories only."""
        return "watchbill-host" if self.mode == "system" else self.binaries + "/watchbill-host"

    @property
    def runtimes(self) -> str:
        """Directory of the programs that are agents, as far as Watchbill installs them: NAME/VERSION/."""
        return self.library + "/runtimes"

    def runtime(self, name: str, version: str) -> str:
        """Directory of one version of a runtime."""
        return f"{self.runtimes}/{name}/{version}"

    def runtime_program(self, name: str, version: str, program: str) -> str:
        """The program of one version of a runtime."""
        return f"{self.runtime(name, version)}/bin/{program}"

    @property
    def agents(self) -> str:
        """Directory of all definitions."""
        return self.configuration + "/agents"

    @property
    def tenants(self) -> str:
        """Directory of what the agents of each tenant are told: roster, personas, skills."""
        return self.configuration + "/tenants"

    @property
    def tmux_configuration(self) -> str:
        """The tmux configuration of every session."""
        return self.configuration + "/tmux.conf"

    @property
    def journal(self) -> str:
        """What every apply did, one JSON object a line."""
        return self.state + "/journal.jsonl"

    @property
    def audit(self) -> str:
        """Who looked at a terminal, typed into it or spoke for an agent, one JSON object a line."""
        return self.state + "/audit.jsonl"

    @property
    def backups(self) -> str:
        """Where foreign things on our names go when an apply removes them."""
        return self.state + "/backup"

    @property
    def lock(self) -> str:
        """Held by whoever changes this host. A name that no agent has: without root their directories lie beside it."""
        return self.state + "/apply.lock"

    @property
    def override_lock(self) -> str:
        """Held by whoever changes an override. A name that no agent has, as with :attr:`lock`."""
        return self.state + "/override.lock"

    def answer_lock(self, tenant: str) -> str:
        """Held by whoever answers what an agent of a tenant asks. A name that no agent has, as with :attr:`lock`."""
        return f"{self.state}/answer-{tenant}.lock"

    @property
    def relay(self) -> str:
        """When a relay last asked this host for messages to others. A name that no agent has, as with :attr:`lock`."""
        return self.state + "/relay.json"

    def agent_directory(self, tenant: str, agent: str) -> str:
        """Directory of one agent's definition, environment and units."""
        return f"{self.agents}/{tenant}/{agent}"

    def agent_settings(self, tenant: str, agent: str) -> str:
        """Directory of the settings that one agent's runtime reads."""
        return f"{self.agent_directory(tenant, agent)}/runtime"

    def roster(self, tenant: str) -> str:
        """All agents of one tenant, on all hosts."""
        return f"{self.tenants}/{tenant}/roster.json"

    def projects(self, tenant: str) -> str:
        """The projects of one tenant that git brings to this host."""
        return f"{self.tenants}/{tenant}/projects.json"

    def ignored(self, tenant: str) -> str:
        """The differences that nobody hears of who hears of drift."""
        return f"{self.tenants}/{tenant}/ignored.json"

    @property
    def drift_directory(self) -> str:
        """Directory of what drifted, until the next boot: whoever manages this host writes there, keepers read."""
        return ("/run" if self.mode == "system" else self.runtime_directory(self.uid)) + "/watchbill-drift"

    def drift(self, tenant: str) -> str:
        """What is different now at the agents of one tenant; missing where nothing is, or nobody looked."""
        return f"{self.drift_directory}/{tenant}.json"

    def persona(self, tenant: str, role: str) -> str:
        """The page that tells agents of one role what they are for."""
        return f"{self.tenants}/{tenant}/roles/{role}/persona.md"

    def skill(self, tenant: str, skill: str) -> str:
        """Directory of one skill; its page is ``SKILL.md``."""
        return f"{self.tenants}/{tenant}/skills/{skill}"

    def secrets(self, tenant: str) -> str:
        """Directory of what is secret and the agents of one tenant use."""
        return f"{self.configuration}/secrets/{tenant}"

    def secret(self, tenant: str, name: str) -> str:
        """The value of one secret."""
        return f"{self.secrets(tenant)}/{name}"

    def overrides(self, tenant: str) -> str:
        """Directory of the operator's overrides for one tenant."""
        return f"{self.state}/overrides/{tenant}"

    def override(self, tenant: str, agent: str) -> str:
        """The operator's overrides for one agent."""
        return f"{self.overrides(tenant)}/{agent}.json"

    # -- places that belong to the tenant -------------------------------------------------------------------------
    @staticmethod
    def runtime_directory(uid: int) -> str:
        """XDG_RUNTIME_DIR of a user."""
        return f"/run/user/{uid}"

    @classmethod
    def agent_runtime(cls, uid: int, agent: str) -> str:
        """Directory of an agent's sockets, FIFO and heartbeat."""
        return f"{cls.runtime_directory(uid)}/watchbill/{agent}"

    @staticmethod
    def agent_state(home: str, agent: str) -> str:
        """Directory of what a keeper remembers across reboots."""
        return f"{home}/.local/state/watchbill/{agent}"

    @staticmethod
    def agent_home(home: str, agent: str) -> str:
        """HOME of an agent."""
        return f"{home}/agents/{agent}"
