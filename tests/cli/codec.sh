#!/bin/sh
# codec.sh PROGRAM - `startbox codec` from a shell: every tests/golden/codec/NAME.in is fed to the command line in NAME.cmd, whole
# and in random cuts; what is printed, and the exit code as a last line, must be NAME.out. GOLDEN=write rewrites NAME.out.
set -u
program=$1
cd "$(dirname "$0")/../.."
dir=tests/golden/codec
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0
say() { n=$((n + 1)); echo "$1 $n - $2"; }
for cmd in "$dir"/*.cmd; do
    name=$(basename "$cmd" .cmd)
    result=ok
    for cut in "" "--cut 1" "--cut 2" "--cut 77"; do
        # shellcheck disable=SC2046,SC2086
        "$program" codec $(cat "$cmd") $cut <"$dir/$name.in" >"$tmp/out" 2>"$tmp/err"
        echo "exit $?" >>"$tmp/out"
        sed 's/^/stderr: /' "$tmp/err" >>"$tmp/out"
        if [ "${GOLDEN:-}" = write ]; then cp "$tmp/out" "$dir/$name.out"; break; fi
        if ! cmp -s "$tmp/out" "$dir/$name.out"; then
            echo "# $name $cut:"
            diff "$dir/$name.out" "$tmp/out" | sed 's/^/# /'
            result="not ok"
        fi
    done
    say "$result" "codec $(cat "$cmd") < $name.in is understood the same in any cut"
done
expect() {
    want=$1
    shift
    "$program" "$@" </dev/null >"$tmp/out" 2>"$tmp/err"
    code=$?
    if [ $code = "$want" ]; then say ok "exit $want: startbox $*"; else say "not ok" "exit $want (was $code): startbox $*"; fi
}
expect 0
expect 0 version
expect 0 help
expect 2 nonsense
expect 2 codec
expect 2 codec nonsense
expect 2 codec json --cut x
expect 2 codec http1
expect 2 codec http1 --role nobody
expect 2 codec websocket
expect 1 codec json
ln -s "$(realpath "$program")" "$tmp/startd"
"$tmp/startd" >/dev/null 2>&1
[ $? = 2 ] && say ok "a name without its room says so" || say "not ok" "a name without its room says so"
cp "$program" "$tmp/anything"
[ "$("$tmp/anything" version)" = "$("$program" version)" ] && say ok "a copy may be called what one likes" || say "not ok" "a copy may be called what one likes"
echo "1..$n"
