"""The same agents with pyinfra: user, linger, and env file, unit and user service of every agent."""

from __future__ import annotations

from io import StringIO

from pyinfra.operations import files, server, systemd

TENANT = "infra"
UID = 20052
AGENTS = [f"agent{number}" for number in range(25)]
HOME = f"/home/{TENANT}"
UNIT = """\
[Unit]
Description=Agent {agent}

[Service]
EnvironmentFile=%h/.config/agents/{agent}.env
ExecStart=/bin/sleep infinity
Restart=always

[Install]
WantedBy=default.target
"""

server.user(name="Create the tenant", user=TENANT, uid=UID, shell="/bin/bash", ensure_home=True)  # noqa: S604 -- the login shell
server.shell(
    name="Keep the tenant's services without a login",
    commands=[f"test -e /var/lib/systemd/linger/{TENANT} || loginctl enable-linger {TENANT}"],
)
for directory in (".config", ".config/agents", ".config/systemd", ".config/systemd/user"):
    files.directory(name=f"Create {directory}", path=f"{HOME}/{directory}", user=TENANT, group=TENANT, mode="755")
for agent in AGENTS:
    files.put(
        name=f"Write the environment of {agent}",
        src=StringIO(f'LEVEL="3"\nAGENT="{agent}"\n'),
        dest=f"{HOME}/.config/agents/{agent}.env",
        user=TENANT,
        group=TENANT,
        mode="640",
    )
    files.put(
        name=f"Write the unit of {agent}",
        src=StringIO(UNIT.format(agent=agent)),
        dest=f"{HOME}/.config/systemd/user/{agent}.service",
        user=TENANT,
        group=TENANT,
        mode="644",
    )
for agent in AGENTS:
    systemd.service(
        name=f"Run the service of {agent}",
        service=f"{agent}.service",
        running=True,
        enabled=True,
        user_mode=True,
        user_name=TENANT,
    )
