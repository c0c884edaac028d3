# tap.sh - for tests in shell: `ok NAME COMMAND...`, TAP on standard output. Sourced; wants $box, a folder of the test's own.
n=0 bad=0

ok() { # the command says whether it holds
    name=$1
    shift
    n=$((n + 1))
    if "$@" >"$box/out" 2>&1; then
        echo "ok $n - $name"
    else
        bad=$((bad + 1))
        echo "not ok $n - $name"
        echo "# $*" | cut -c 1-300
        head -c 1200 "$box/out" | sed 's/^/# /'
    fi
}

exits() { # exits CODE COMMAND...: what it said is in $box/so and $box/se
    want=$1
    shift
    "$@" >"$box/so" 2>"$box/se"
    got=$?
    [ $got = "$want" ] || { echo "exit $got, wanted $want"; head -c 600 "$box/so"; head -c 600 "$box/se"; return 1; }
}
says() { grep -q -- "$1" "$box/so" "$box/se"; }

# Waits until a command holds, some seconds at most.
soon() {
    for _ in $(seq 200); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.05
    done
    "$@"
}

done_testing() {
    echo "1..$n"
    [ "$bad" = 0 ]
}
