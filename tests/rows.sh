#!/bin/sh
# rows.sh PROGRAM FOLDER - whether every row of the daemon gave a result in some test, and each result was what its row says. The folder
# has what the daemons of tests/cli said (tests/lib/box.sh; only the variants for tests say it).
set -u
program=$1
cat "$2"/* 2>/dev/null | sed 's/^<[0-9]>//' >"$2.all"
"$program" methods ts | sed -n 's/^ *"\([a-z0-9.-]*\)": {$/\1/p' | sort >"$2.want"
sed -n 's/^row tried: //p' "$2.all" | sort -u >"$2.got"
# What the machine of the tests would not survive, or lacks.
may_lack='^(server\.kernel-logs|init\.kernel-logs|diagnostic\.kernel-logs)(\.follow)?$'
[ -r /dev/kmsg ] && head -c 0 /dev/kmsg 2>/dev/null && may_lack='^$'
lacks=$(comm -23 "$2.want" "$2.got" | grep -Ev "$may_lack")
[ -s "$2.want" ] || { echo "there are no rows"; exit 1; }
[ -z "$lacks" ] || { echo "no test tried:"; echo "$lacks"; }
grep '^row broken:' "$2.all"
[ -z "$lacks" ] && ! grep -q '^row broken:' "$2.all"
