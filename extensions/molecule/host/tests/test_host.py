"""A machine that the role host has been on can run sessions."""

from testinfra.host import Host


def test_tmux_is_installed_and_runs(host: Host) -> None:
    assert host.package("tmux").is_installed
    assert host.run("tmux -V").stdout.startswith("tmux 3.")
