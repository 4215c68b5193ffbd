#!/bin/sh
# Watchbill: gives the user manager of a tenant the units of its agents, and nobody else's. See systemd.generator(7).
# The units go into the early directory ($2), which comes before all that a tenant can write. It runs at every
# daemon-reload as the tenant, so it starts as few programs as it can: one cp, one mkdir and one ln for any number of agents.
set -eu

early=$2
tenant=$(id -un)
directory=/etc/watchbill/agents/$tenant
[ -d "$directory" ] || exit 0

set --
for unit in "$directory"/*/units/watchbill-*.service "$directory"/*/units/watchbill-*.slice; do
  [ -f "$unit" ] && set -- "$@" "$unit"
done
[ $# -gt 0 ] || exit 0
mkdir -p "$early/default.target.wants"
cp -- "$@" "$early/"

cd "$early/default.target.wants"
set --
for unit in ../watchbill-agent@*.service; do
  [ -f "$unit" ] && set -- "$@" "$unit"
done
[ $# -gt 0 ] || exit 0
ln -sf -- "$@" .
