"""Throw-away machines that stand in for the hosts of a fleet, on this machine: real systemd, real sshd, real reboots.

`targets(fleet_name)` says how to reach them. The rest is behind `watchbill.lab.operations`, which only `watchbill lab`
needs.
"""

from watchbill.lab.record import BASE_IMAGE, LabTarget, targets

__all__ = ["BASE_IMAGE", "LabTarget", "targets"]
