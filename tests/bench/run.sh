#!/bin/sh
# run.sh - builds and runs every benchmark; figures only, nothing fails for being slow.
set -u
cd "$(dirname "$0")/../.."
make --no-print-directory -j"$(nproc)" VARIANT=release bench-bins all >/dev/null || exit 1
strip -o build/bench-stripped build/startbox
echo "stripped program: $(stat -c %s build/bench-stripped) bytes (bar: 1200000)"
for b in codecs big_map tls fan; do
    echo
    build/release/tests/bench/$b || exit 1
done
echo
sh tests/bench/state.sh
echo
sh tests/bench/serve.sh
echo
sh tests/bench/startd.sh
