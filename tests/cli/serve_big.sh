#!/bin/sh
# serve_big.sh PROGRAM - 2 GiB up and down through the pump: the hash is right though the connection was cut and the reactor was
# killed on the way, and no process grows. Says TAP. Only for the release: sanitizers would take minutes and measure nothing.
set -u
program=$(realpath "$1")
cd "$(dirname "$0")/../.."
case $program in */asan/*)
    echo "ok 1 - 2 GiB go through the pump: tried with the release"
    echo "1..1"
    exit 0
    ;;
esac
gib=$((${STARTBOX_BIG_GIB:-2} * 1024 * 1024 * 1024))
box=$(mktemp -d "${TMPDIR:-/tmp}/startbox-test-XXXXXX")
chmod 755 "$box"
main=0
. tests/lib/tap.sh
finish() {
    [ "$main" = 0 ] || kill -9 "$main" 2>/dev/null
    rm -rf "$box"
}
trap finish EXIT
free=$(df -k --output=avail "$box" | tail -1)
if [ "$free" -lt $((gib / 1024 + 1000000)) ]; then
    echo "ok 1 - 2 GiB go through the pump # SKIP only $free KiB are free in $box"
    echo "1..1"
    exit 0
fi

# A source that costs no disk: a hole with random bytes strewn in.
mkdir "$box/web" "$box/up"
truncate -s $gib "$box/web/source"
for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    dd if=/dev/urandom of="$box/web/source" bs=100003 count=1 seek=$((gib / 100003 * i / 16)) conv=notrunc 2>/dev/null
done
dd if=/dev/urandom of="$box/web/source" bs=1000 count=1 oflag=append conv=notrunc 2>/dev/null
size=$(stat -c %s "$box/web/source")
sum=$(openssl dgst -sha256 -binary "$box/web/source" | base64)

"$program" serve --http 127.0.0.1:0 --upload "$box/up" "$box/web" >"$box/log" 2>&1 &
main=$!
for _ in $(seq 100); do
    grep -q 'ready after' "$box/log" && break
    sleep 0.05
done
http=$(sed -n 's,.*serving http://\([^/]*\)/.*,\1,p' "$box/log" | tail -1)
most() { # the highest resident memory of any process of it, kB
    for p in $main $(pgrep -P "$main"); do awk '/^VmHWM:/{print $2}' "/proc/$p/status"; done | sort -n | tail -1
}
header() { h=$1; shift; curl -s -m 120 -o /dev/null -D - "$@" | tr -d '\r' | sed -n "s/^$h: //Ip"; }
offset() { header Upload-Offset --retry 30 --retry-delay 1 --retry-all-errors -I "http://$http/upload/big"; }
reactor() { pgrep -P "$main" | while read -r p; do ls -l "/proc/$p/fd" | grep -c socket: | grep -qv '^1$' && echo "$p"; done | head -1; }
is() { [ "$1" = "$2" ] || { echo "got: $1, want: $2"; return 1; }; }
curl -s "http://$http/hello" >/dev/null
before=$(most)

cut_off() {
    curl -s -m 2 -T "$box/web/source" "http://$http/upload/big" >/dev/null && return 0
    at=$(offset)
    echo "offset $at"
    [ "$at" -gt 0 ] && [ "$at" -lt "$size" ]
}
ok "an upload is cut by its client" cut_off
killed() {
    at=$(offset)
    tail -c +$((at + 1)) "$box/web/source" | curl -s -m 60 -X PATCH -H 'Expect:' -H "Upload-Offset: $at" -T - "http://$http/upload/big" >/dev/null &
    client=$!
    goal=$((at + (size - at) / 3))
    for _ in $(seq 300); do
        sleep 0.1
        [ "$(stat -c %s "$box/up/big.part" 2>/dev/null || echo 0)" -ge $goal ] && break
    done
    kill -9 "$(reactor)"
    wait $client
    now=$(offset)
    echo "from $at to $now of $size"
    [ "$now" -gt "$at" ] && [ "$now" -lt "$size" ]
}
ok "and again by the death of the reactor, and what was taken is kept" killed
resumed() {
    at=$(offset)
    is "$(tail -c +$((at + 1)) "$box/web/source" | header Repr-Digest -X PATCH -H 'Expect:' -H "Upload-Offset: $at" -T - "http://$http/upload/big")" "sha-256=:$sum:"
}
ok "the rest is taken and the hash is that of the whole" resumed
ok "on the disk it is the same file" cmp "$box/up/big" "$box/web/source"
rm -f "$box/up/big"
download() { is "$(curl -s -m 120 "http://$http/source" | openssl dgst -sha256 -binary | base64)" "$sum"; }
ok "it comes down whole" download
again() {
    curl -s -m 60 -r 0-$((size / 2 - 1)) "http://$http/source" >"$box/half"
    kill -9 "$(reactor)"
    curl -s -m 120 --retry 30 --retry-delay 1 --retry-all-errors -r $((size / 2))- "http://$http/source" | cat "$box/half" - | openssl dgst -sha256 -binary | base64 >"$box/sum"
    is "$(cat "$box/sum")" "$sum"
}
ok "also in two halves with the reactor killed between" again
after=$(most)
ok "no process grew by more than 4 MiB ($before kB before, $after kB after)" test $((after - before)) -le 4096
kill -TERM "$main"
wait "$main"
main=0
echo "1..$n"
[ $bad = 0 ] || { tail -20 "$box/log" | sed 's/^/# /'; exit 1; }
