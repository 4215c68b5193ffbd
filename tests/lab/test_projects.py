"""Projects from remotes that a machine serves, over ssh and over https, brought as their tenants and never as root."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.command_line import COMMAND_SECONDS, answer, eventually, watchbill
from tests.lab.conftest import Lab
from tests.lab.keeper_host import KeeperHost

FLEET = """\
plugin: watchbill.fleet.fleet
version: 1
fleet: {name: projects}
tenants:
  studio: {uid: 20001, floor: none}
hosts:
  desk: {address: 10.77.63.11, slots: 6}
teams:
  app: {tenant: studio}
secrets:
  token: {environment: WATCHBILL_TEST_TOKEN}
  key: {environment: WATCHBILL_TEST_KEY}
projects:
  shop:
    team: app
    path: ~/src/shop
    repository: ssh://git@127.0.0.1:22/srv/git/shop.git
    host_key: HOST_KEY
    credential: {secret: key}
  site:
    team: app
    path: ~/src/site
    repository: https://localhost:8443/site.git
    credential: {secret: token}
roster:
  - {name: coder, count: 2, team: app, role: coder, runtime: stub, project: shop, worktree: true}
  - {name: writer, team: app, role: research, runtime: stub, project: site}
policy:
  heartbeat: {interval: 1s, healthy_within: 60s}
"""
TOKEN = "canary-token-0451"  # noqa: S105 -- the one that the server wants
# Basic authentication for the token, then git's own program; whatever else is refused.
SERVER = r"""
import base64, http.server, os, ssl, subprocess, sys
WANTED = "Basic " + base64.b64encode(b"x-access-token:TOKEN").decode()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self): self.serve()
    def do_POST(self): self.serve()
    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != WANTED:
            self.send_response(401); self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0"); self.end_headers(); return
        path, _, query = self.path.partition("?")
        environment = {"GIT_PROJECT_ROOT": "/srv/git", "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command, "PATH": "/usr/bin:/bin",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "HOME": "/srv", "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*", "REMOTE_USER": "x"}
        said = subprocess.run(["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE).stdout
        head, _, content = said.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n") if line]
        status = next((value for name, value in lines if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in lines:
            if name != "Status": self.send_header(name, value)
        self.send_header("Content-Length", str(len(content))); self.end_headers(); self.wfile.write(content)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain("/srv/tls.pem")
server.socket = context.wrap_socket(server.socket, server_side=True); server.serve_forever()
""".replace("TOKEN", TOKEN)
REMOTES = """
set -e
apt-get -qq update >/dev/null; apt-get -qq install -y --no-install-recommends git openssl >/dev/null
useradd --create-home --home-dir /srv/home --shell /usr/bin/git-shell git; passwd -d git >/dev/null
mkdir -p /srv/git /srv/home/.ssh; cd /srv/git
git config --system init.defaultBranch main
for name in shop site; do
  git init -q --bare $name.git; git clone -q $name.git /tmp/$name 2>/dev/null
  cd /tmp/$name; echo one > one; git add .
  git -c user.name=Ana -c user.email=ana@example.org commit -q -m one; git push -q origin main; cd /srv/git
done
ssh-keygen -q -t ed25519 -N '' -f /srv/key; cp /srv/key.pub /srv/home/.ssh/authorized_keys
chown -R git: /srv/home /srv/git
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \\
  -addext subjectAltName=DNS:localhost -keyout /srv/tls.key -out /srv/tls.crt 2>/dev/null
cat /srv/tls.key /srv/tls.crt > /srv/tls.pem; cat /srv/tls.crt >> /etc/ssl/certs/ca-certificates.crt
rm -f /etc/gitconfig
systemd-run -q --unit=test-git-https python3 /srv/server.py
"""


@pytest.fixture(scope="module")
def desk(lab: Callable[[str], Lab]) -> KeeperHost:
    """A machine that is its own remote."""
    host = KeeperHost(lab(FLEET.replace("HOST_KEY", f'"{WRONG_KEY}"')))
    host.do(f"cat > /srv/server.py <<'END'\n{SERVER}\nEND")
    host.lab.ssh("desk", REMOTES, timeout=COMMAND_SECONDS, check=True)
    ask = "python3 -c \"import socket; socket.create_connection(('localhost', 8443))\" && echo there"
    eventually(lambda: "there" in host.do(ask, check=False), "https")
    return host


WRONG_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


@pytest.fixture(scope="module")
def variables(desk: KeeperHost) -> dict[str, str]:
    # Without its last line end, as a shell hands it on.
    return {"WATCHBILL_TEST_TOKEN": TOKEN, "WATCHBILL_TEST_KEY": desk.do("cat /srv/key").rstrip("\n")}


def push(desk: KeeperHost, project: str, name: str) -> str:
    """Commit something to a remote and return the commit."""
    return desk.do(
        f"chown -R root: /srv/git && cd /tmp/{project} && echo {name} > {name} && git add . && "
        f"git -c user.name=Ana -c user.email=ana@example.org commit -q -m {name} && "
        f"git push -q origin main && chown -R git: /srv/git && git rev-parse HEAD"
    ).strip()


def results(done: Any) -> dict[str, tuple[str | None, str]]:
    return {action["name"]: (action["result"], action["error"] or "") for action in done["actions"]}


def test_remote_with_another_key_is_refused_and_the_other_project_is_brought(
    desk: KeeperHost, variables: dict[str, str]
) -> None:
    done = results(answer(desk.lab.path, "apply", "--yes", status=1, environment=variables))
    result, error = done["/home/studio/src/shop"]
    assert result == "failed" and "Host key verification failed" in error
    assert done["/home/studio/src/shop-worktrees/coder0"][0] == "failed"
    assert done["/home/studio/src/site"] == ("done", "")
    assert desk.do("ls -A /home/studio/src").split() == ["site"]
    # An agent that git owes its project is starting; it does not begin in an empty folder.
    row = desk.until("coder0", state="starting")
    assert row["evidence"] is None

    def waits() -> bool:
        told = [event["why"] for event in desk.events("coder0") if event["event"] == "waits-for-project"]
        return any("is not there yet: watchbill plan says why" in why for why in told)

    eventually(waits, "the event that says what it waits for")
    desk.until("writer", state="idle")


def test_pinned_key_is_taken_and_agents_begin_on_branches_of_their_own(
    desk: KeeperHost, variables: dict[str, str]
) -> None:
    key = " ".join(desk.do("cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2])

    def change(document: Any) -> None:
        document["projects"]["shop"]["host_key"] = key

    desk.lab.rewrite(change)
    done = answer(desk.lab.path, "apply", "--yes", environment=variables)
    assert done["complete"]
    for agent in ("coder0", "coder1"):
        desk.until(agent, state="idle")
        path = f"/home/studio/src/shop-worktrees/{agent}"
        assert desk.as_tenant(f"git -C {path} rev-parse --abbrev-ref HEAD").strip() == f"agent/{agent}"
        assert path in desk.do(f"readlink /proc/{desk.pid('session', agent)}/cwd /proc/[0-9]*/cwd", check=False)
    assert answer(desk.lab.path, "plan")["summary"]["create"] == 0


def test_nothing_there_is_roots_and_no_credential_is_written_down(desk: KeeperHost, variables: dict[str, str]) -> None:
    assert desk.do("find /home/studio/src ! -user studio") == ""
    key = variables["WATCHBILL_TEST_KEY"].splitlines()[-2]
    found = desk.do(f"grep -rlsI -D skip -e {TOKEN} -e {key} /etc /home /root /run /tmp /var", check=False).split()
    assert found == ["/etc/watchbill/secrets/studio/key", "/etc/watchbill/secrets/studio/token"]
    assert TOKEN not in desk.do("journalctl -a --no-pager", check=False)


def test_work_that_is_nowhere_else_shows_and_is_not_touched(desk: KeeperHost, variables: dict[str, str]) -> None:
    path = "/home/studio/src/shop-worktrees/coder0"
    desk.as_tenant(
        f"cd {path} && echo mine > mine && git add mine && "
        "git -c user.name=C -c user.email=c@example.org commit -q -m mine && echo dirty >> one"
    )
    head = desk.as_tenant(f"git -C {path} rev-parse HEAD")
    later = push(desk, "shop", "later")
    fetched = answer(desk.lab.path, "project", "fetch")
    assert {(row["project"], row["error"]) for row in fetched} == {("shop", None), ("site", None)}
    assert desk.as_tenant("git -C /home/studio/src/shop rev-parse origin/main").strip() == later
    assert desk.as_tenant(f"git -C {path} rev-parse HEAD") == head
    planned = answer(desk.lab.path, "plan")
    (told,) = [text for text in planned["hosts"][0]["warnings"] if "coder0" in text]
    assert told == "worktree of studio/coder0: 1 file changed and not committed, 1 commit not pushed"
    # Its keeper looks every two minutes, and when it starts.
    desk.as_tenant("systemctl --user restart watchbill-agent@coder0.service")
    eventually(lambda: (desk.row("coder0")["worktree"] or {}).get("unpushed") == 1, "the look of the keeper")
    (row,) = [row for row in answer(desk.lab.path, "ps") if row["name"] == "coder0"]
    assert row["worktree"] == {"path": path, "branch": "agent/coder0", "dirty": True, "unpushed": 1}


def test_worktree_of_an_agent_that_left_goes_only_with_nothing_in_it(
    desk: KeeperHost, variables: dict[str, str]
) -> None:
    def change(document: Any) -> None:
        lead = {"name": "lead", "team": "app", "role": "coder", "runtime": "stub", "project": "shop"}
        document["roster"] = [document["roster"][1], lead]
        document["policy"]["worktree_ttl"] = "1h"

    desk.lab.rewrite(change)
    assert answer(desk.lab.path, "apply", "--yes", "--prune", environment=variables)["complete"]
    old = "cd / && find /home/studio/src/shop/.git/worktrees -exec touch -h -d '2 hours ago' {} +"
    desk.as_tenant(old)
    done = results(answer(desk.lab.path, "apply", "--yes", environment=variables))
    assert done == {"/home/studio/src/shop-worktrees/coder1": ("done", "")}
    assert desk.do("ls /home/studio/src/shop-worktrees").split() == ["coder0"]
    assert desk.do("cat /home/studio/src/shop-worktrees/coder0/mine") == "mine\n"


def test_hostile_repository_does_nothing_on_the_machine(desk: KeeperHost, variables: dict[str, str]) -> None:
    desk.do(
        "cd /tmp/site && mkdir -p hooks && printf '#!/bin/sh\\ntouch /tmp/canary-hook\\n' > hooks/post-checkout && "
        "chmod +x hooks/post-checkout && echo '* filter=evil' > .gitattributes && ln -sf /etc/shadow shadow && "
        "printf '[submodule \"x\"]\\n path = x\\n url = ext::sh -c touch%% /tmp/canary-ext\\n' > .gitmodules"
    )
    push(desk, "site", "evil")

    def change(document: Any) -> None:
        document["roster"].append(
            {"name": "tester", "team": "app", "role": "coder", "runtime": "stub", "project": "site", "worktree": True}
        )

    desk.lab.rewrite(change)
    assert answer(desk.lab.path, "apply", "--yes", environment=variables)["complete"]
    assert desk.do("ls -l /home/studio/src/site-worktrees/tester/shadow").split()[0].startswith("l")
    assert desk.do("ls /tmp/canary-hook /tmp/canary-ext", check=False) == ""


def test_wrong_token_fails_its_project_and_says_so_without_showing_it(
    desk: KeeperHost, variables: dict[str, str]
) -> None:
    def change(document: Any) -> None:
        document["secrets"]["token"]["version"] = 2

    desk.lab.rewrite(change)
    wrong = {**variables, "WATCHBILL_TEST_TOKEN": "wrong-token-0452"}
    assert answer(desk.lab.path, "apply", "--yes", environment=wrong)["complete"]
    done = watchbill(desk.lab.path, "project", "fetch", "site")
    assert done.returncode == 1
    assert "desk: site: fatal: " in done.stdout and "wrong-token" not in done.stdout + done.stderr
    assert json.loads(desk.do("watchbill-host status --json"))
