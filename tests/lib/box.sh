# box.sh - for tests in shell that start a daemon: `start OPTIONS...`, `stop`, and ways to call it. Sourced, behind $bin; makes $box, a
# folder of the test's own, and takes it away at the end.
box=$(mktemp -d /tmp/startbox-test-XXXXXX)
chmod 755 "$box"
main=0
. tests/lib/tap.sh
finish() {
    # What the programs of the tests said of the rows: tests/rows.sh.
    [ -z "${STARTBOX_ROWS:-}" ] || grep -h 'row tried:\|row broken:' "$box/log" >"$STARTBOX_ROWS/$$" 2>/dev/null
    [ "$main" = 0 ] || kill -9 "$main" 2>/dev/null
    rm -rf "$box"
}
trap finish EXIT
unset STARTBOX_HOST PASSWORD
export STARTBOX_RUN="$box/run" HOME="$box/home"
mkdir -p "$HOME"

start() { # start OPTIONS...
    rm -f "$box/run/ready"
    "$bin/startd" --data "$box/data" --run "$box/run" --http 127.0.0.1:0 "$@" >>"$box/log" 2>&1 &
    main=$!
    soon test -e "$box/run/ready"
    at=$(sed -n 's/.*"http":\["\([^"]*\)".*/\1/p' "$box/run/ready")
    tls=$(sed -n 's/.*"https":\["\([^"]*\)".*/\1/p' "$box/run/ready")
}
stop() {
    kill "$main" && wait "$main"
    code=$?
    main=0
    return $code
}
cli() { "$bin/start-cli" "$@"; }
post() { # post BODY CURL-ARGUMENTS...
    body=$1
    shift
    curl -s "$@" "http://$at/rpc/v1" -d "$body"
}
answers() { # answers BODY TEXT CURL-ARGUMENTS...: the answer is exactly that
    want=$2
    body=$1
    shift 2
    got=$(post "$body" "$@")
    [ "$got" = "$want" ] || { echo "$got"; echo "wanted: $want"; return 1; }
}
fails() { # fails BODY CODE CURL-ARGUMENTS...
    want="\"error\":{\"code\":$2,"
    body=$1
    shift 2
    got=$(post "$body" "$@")
    case $got in *"$want"*) ;; *) echo "$got"; echo "wanted: $want"; return 1 ;; esac
}
status() { # status CODE CURL-ARGUMENTS...
    want=$1
    shift
    got=$(curl -s -o "$box/body" -w '%{http_code}' "$@")
    [ "$got" = "$want" ] || { echo "status $got, wanted $want"; cat "$box/body"; return 1; }
}


# A box that is set up: name Attic Box, password wonderland.
start_owned() {
    start "$@"
    PASSWORD=wonderland cli setup execute --name "Attic Box" >/dev/null && cli setup exit
}
