#!/bin/sh
# live.sh PROGRAM - the tree live, seen by a client as browsers have it (tests/web/live.mjs). Says TAP.
set -u
program=$(realpath "$1")
bin=$(dirname "$program")
cd "$(dirname "$0")/../.."
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "ok 1 - the tree live # SKIP there is no node or npm"
    echo "1..1"
    exit 0
fi
if [ ! -d build/npm/node_modules/ws ]; then
    mkdir -p build/npm
    # One of two tests that run side by side installs it, the other waits.
    (flock 9 && [ -d build/npm/node_modules/ws ] || npm install --prefix build/npm --silent --no-audit --no-fund ws@8 >/dev/null) 9>build/npm/lock
fi
. tests/lib/box.sh
: >"$box/log"
start_owned
NODE_PATH=$PWD/build/npm/node_modules timeout 120 node tests/web/live.mjs "http://$at" wonderland "${STARTBOX_SEED:-7}" >"$box/tap" 2>&1
code=$?
cat "$box/tap"
[ $code = 0 ] || grep -q '^not ok' "$box/tap" || echo "not ok - the client ended with code $code"
if grep -q 'Sanitizer\|runtime error' "$box/log"; then
    echo "not ok - a sanitizer has something to say"
    sed 's/^/# /' "$box/log" | head -40
fi
