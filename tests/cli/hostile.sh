#!/bin/sh
# hostile.sh PROGRAM - slow, huge, hostile and half-open clients of the daemon, all at once (tests/web/hostile.mjs). Says TAP.
set -u
program=$(realpath "$1")
bin=$(dirname "$program")
cd "$(dirname "$0")/../.."
if ! command -v node >/dev/null; then
    echo "ok 1 - hostile clients # SKIP there is no node"
    echo "1..1"
    exit 0
fi
. tests/lib/box.sh
: >"$box/log"
start_owned
reactor=$(pgrep -P "$main" -f . | while read -r p; do grep -q sb-reactor "/proc/$p/comm" && echo "$p"; done)
# What may be held: unfinished requests (LIMIT_HTTP_HELD, 8 MB), answers (LIMIT_HTTP_OUT_ALL, 16 MB), the revisions kept for feeds,
# and what an allocator loses. A sanitizer's own memory cannot be judged.
most=40
grep -q asan "/proc/$reactor/maps" && most=0
timeout 120 node tests/web/hostile.mjs "http://$at" wonderland "$reactor" "$most" >"$box/tap" 2>&1
code=$?
cat "$box/tap"
[ $code = 0 ] || grep -q '^not ok' "$box/tap" || echo "not ok - the client ended with code $code"
if grep -q 'Sanitizer\|runtime error' "$box/log"; then
    echo "not ok - a sanitizer has something to say"
    sed 's/^/# /' "$box/log" | head -40
fi
kill -0 "$reactor" 2>/dev/null || echo "not ok - the reactor is not the one it was"
