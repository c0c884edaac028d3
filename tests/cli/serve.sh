#!/bin/sh
# serve.sh PROGRAM - `startbox serve` as a whole: warden, sealed reactor, hands, over real sockets. Says TAP.
set -u
program=$(realpath "$1")
cd "$(dirname "$0")/../.."
load=build/test/tests/tools/load
box=$(mktemp -d /tmp/startbox-test-XXXXXX)
chmod 755 "$box"
main=0
asan=0
case $program in */asan/*) asan=1 ;; esac

. tests/lib/tap.sh
skip() {
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}
finish() {
    [ "$main" = 0 ] || kill -9 "$main" 2>/dev/null
    rm -rf "$box"
}
trap finish EXIT

# --- what is served ---
mkdir -p "$box/web/sub" "$box/web/.git" "$box/up"
printf '<!doctype html><title>start</title>' >"$box/web/index.html"
printf 'body { color: teal }\n%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 >"$box/web/style.css"
gzip -9kn "$box/web/style.css"
printf 'deep' >"$box/web/sub/page.txt"
printf 'secret' >"$box/web/.git/config"
ln -s /etc/passwd "$box/web/link"
printf 'a b' >"$box/web/a b.txt"
head -c 8000000 /dev/urandom >"$box/web/big.bin"
head -c 300000 /dev/urandom >"$box/web/middle.bin"
: >"$box/web/empty.txt"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$box/key.pem" -out "$box/cert.pem" -days 2 \
    -subj /CN=box.test -addext 'subjectAltName=DNS:box.test,IP:127.0.0.1' 2>/dev/null

start() {
    "$program" serve --http 127.0.0.1:0 --https 127.0.0.1:0 --cert "$box/cert.pem" --key "$box/key.pem" --upload "$box/up" \
        "$box/web" >"$box/log" 2>&1 &
    main=$!
    i=0
    while [ $i -lt 200 ] && ! grep -q 'ready after' "$box/log"; do
        sleep 0.05
        i=$((i + 1))
    done
    http=$(sed -n 's,.*serving http://\([^/]*\)/.*,\1,p' "$box/log" | tail -1)
    https=$(sed -n 's,.*serving https://\([^/]*\)/.*,\1,p' "$box/log" | tail -1)
}
is() { [ "$1" = "$2" ] || { echo "got: $1"; echo "want: $2"; return 1; }; }
get() { curl -s -m 20 "$@"; }
code() { curl -s -m 20 -o /dev/null -w '%{http_code}' "$@"; }
header() { h=$1; shift; curl -s -m 20 -o /dev/null -D - "$@" | tr -d '\r' | sed -n "s/^$h: //Ip"; }

start
ok "it starts and says where it serves" test -n "$http" -a -n "$https"
[ -n "$http" ] || { sed 's/^/# /' "$box/log"; echo "1..$n"; exit 1; }

# --- the fixed routes ---
ok "/hello is 13 bytes" is "$(get "http://$http/hello")" 'Hello, world!'
ok "/hello has its length" is "$(header Content-Length "http://$http/hello")" 13
ok "HEAD has no body" is "$(curl -s -m 20 -I "http://$http/hello" | tr -d '\r' | grep -c '^Content-Length: 13$')" 1
ok "POST /echo gives the body back" is "$(get --data-binary 'some text' "http://$http/echo")" 'some text'
echo_file() { get --data-binary "@$box/web/middle.bin" -H 'Content-Type: a/b' -H 'Expect:' "http://$http/echo" -o "$box/back" && cmp "$box/back" "$box/web/middle.bin"; }
ok "a large body comes back whole" echo_file
echo_chunked() { get -H 'Transfer-Encoding: chunked' --data-binary "@$box/web/middle.bin" "http://$http/echo" -o "$box/back" && cmp "$box/back" "$box/web/middle.bin"; }
ok "so does a chunked one" echo_chunked
ok "a body over the limit is refused with 413" is "$(head -c 5000000 /dev/zero | code -H 'Expect:' --data-binary @- "http://$http/echo")" 413
ok "a wrong method is 405 with Allow" is "$(header Allow -X DELETE "http://$http/hello")" 'OPTIONS, GET, HEAD'
ok "events tick" sh -c "curl -s -N -m 2.5 'http://$http/events' | grep -q '\"tick\":1'"
ok "WebSockets echo" "$load" echo "$http" /ws/echo 8 64 0.3
ok "what one says all hear" "$load" fan "$http" /ws/all 20 0.3

# --- files ---
ok "a folder is its index.html" is "$(get "http://$http/")" '<!doctype html><title>start</title>'
ok "with its type" is "$(header Content-Type "http://$http/")" 'text/html; charset=utf-8'
ok "a folder without a slash is sent there" is "$(header Location "http://$http/sub")" /sub/
ok "a folder without an index is 404" is "$(code "http://$http/sub/")" 404
ok "a file in a folder" is "$(get "http://$http/sub/page.txt")" deep
ok "a name with a space" is "$(get "http://$http/a%20b.txt")" 'a b'
ok "an empty file is 200 with no bytes" is "$(curl -s -m 20 -w '%{http_code} %{size_download}' "http://$http/empty.txt")" '200 0'
ok "what is not there is 404" is "$(code "http://$http/none")" 404
ok "symlinks are not followed" is "$(code "http://$http/link")" 404
ok "hidden names are not served" is "$(code "http://$http/.git/config")" 404
ok "above the folder there is nothing" is "$(code --path-as-is "http://$http/../../etc/passwd")" 400
ok "nor with escapes" is "$(code --path-as-is "http://$http/%2e%2e/%2e%2e/etc/passwd")" 400
big() { get "$@" -o "$box/back" && cmp "$box/back" "$box/web/big.bin"; }
ok "a big file comes whole through the pump" big "http://$http/big.bin"
middle() { get "$@" -o "$box/back" && cmp "$box/back" "$box/web/middle.bin"; }
ok "a file from memory comes whole" middle "http://$http/middle.bin"
ok "gzip is sent to who accepts it" is "$(header Content-Encoding -H 'Accept-Encoding: gzip' "http://$http/style.css")" gzip
ok "and it is what it should be" is "$(get --compressed "http://$http/style.css" | sha256sum)" "$(sha256sum <"$box/web/style.css")"
ok "others get it plain" is "$(header Content-Encoding "http://$http/style.css")" ''
ok "both vary" is "$(header Vary "http://$http/style.css")" Accept-Encoding
tag=$(header ETag "http://$http/middle.bin")
when=$(header Last-Modified "http://$http/middle.bin")
ok "the same tag again is 304" is "$(code -H "If-None-Match: $tag" "http://$http/middle.bin")" 304
ok "the same date again is 304" is "$(code -H "If-Modified-Since: $when" "http://$http/middle.bin")" 304
ok "another tag where it must match is 412" is "$(code -H 'If-Match: "x"' "http://$http/middle.bin")" 412
ranges() {
    for f in middle.bin big.bin; do
        get -r 1000-1999 "http://$http/$f" -o "$box/back" && tail -c +1001 "$box/web/$f" | head -c 1000 | cmp - "$box/back" || return 1
        get -r -500 "http://$http/$f" -o "$box/back" && tail -c 500 "$box/web/$f" | cmp - "$box/back" || return 1
    done
}
ok "ranges of both kinds of files" ranges
ok "a range is 206 with its place" is "$(header Content-Range -r 0-0 "http://$http/middle.bin")" 'bytes 0-0/300000'
ok "a range behind the end is 416" is "$(code -r 300000- "http://$http/middle.bin")" 416
ok "several ranges come in parts" is "$(get -r 0-1,10-12 "http://$http/middle.bin" | grep -ac 'Content-Range: bytes \(0-1\|10-12\)/300000')" 2
ok "If-Range with another tag gives the whole" is "$(code -r 0-1 -H 'If-Range: "x"' "http://$http/middle.bin")" 200
changes() {
    for i in 1 2 3 4 5 6 7 8 9 10; do
        printf 'number %s' $i >"$box/web/sub/page.txt"
        is "$(get "http://$http/sub/page.txt")" "number $i" || return 1
    done
    printf 'moved' >"$box/web/sub/new" && mv "$box/web/sub/new" "$box/web/sub/page.txt"
    is "$(get "http://$http/sub/page.txt")" moved || return 1
    rm "$box/web/sub/page.txt"
    is "$(code "http://$http/sub/page.txt")" 404
}
ok "a change on the disk is seen by the next request" changes

# --- TLS ---
tls() { get --cacert "$box/cert.pem" --connect-to "box.test:443:$https" "$@"; }
ok "TLS 1.2 with the certificate's name" is "$(tls https://box.test/hello)" 'Hello, world!'
ok "and only 1.2" is "$(curl -s -k -m 20 --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0 "https://$https/hello" >/dev/null; test $? -ne 0 && echo refused)" refused
ok "a big file over TLS" big -k "https://$https/big.bin"
ok "a file from memory over TLS" middle -k "https://$https/middle.bin"
ok "plain HTTP at the TLS port is sent to https" is "$(code "http://$https/hello")" 307
ok "sessions are resumed" sh -c "echo | openssl s_client -connect $https -tls1_2 -no_ticket -reconnect 2>/dev/null | grep -q '^Reused'"

# --- uploads ---
sum=$(openssl dgst -sha256 -binary "$box/web/big.bin" | base64)
put() { is "$(header Repr-Digest -H 'Expect:' -T "$box/web/big.bin" "http://$http/upload/one")" "sha-256=:$sum:" && cmp "$box/up/one" "$box/web/big.bin"; }
ok "an upload is stored with its hash" put
ok "and told to be whole" is "$(header Upload-Complete -I "http://$http/upload/one")" '?1'
resume() {
    curl -s -m 1 --limit-rate 2000000 -T "$box/web/big.bin" "http://$http/upload/two" && return 1
    sleep 0.3
    at=$(header Upload-Offset -I "http://$http/upload/two")
    [ "$at" -gt 0 ] && [ "$at" -lt 8000000 ] || { echo "offset $at"; return 1; }
    is "$(tail -c +$((at + 1)) "$box/web/big.bin" | header Repr-Digest -X PATCH -H 'Expect:' -H "Upload-Offset: $at" --data-binary @- "http://$http/upload/two")" "sha-256=:$sum:" || return 1
    cmp "$box/up/two" "$box/web/big.bin"
}
ok "an upload that was cut goes on where it was" resume
ok "what is complete cannot be gone on with" is "$(code -X PATCH -H 'Upload-Offset: 7' --data-binary x "http://$http/upload/two")" 409
ok "what is not there is 404" is "$(code -X PATCH -H 'Upload-Offset: 0' --data-binary x "http://$http/upload/three")" 404
ok "a second PUT replaces it with 200" is "$(code -T "$box/web/index.html" "http://$http/upload/two")" 200
ok "a name with a path is refused" is "$(code -T "$box/web/index.html" "http://$http/upload/a%2fb")" 400

# --- processes ---
reactor() { pgrep -P "$main" | while read -r p; do grep -q '^Seccomp:.*2' "/proc/$p/status" && ls -l "/proc/$p/fd" | grep -q 'anon_inode:\[eventpoll\]' && ls -l "/proc/$p/fd" | grep -c socket: | grep -qv '^1$' && echo "$p"; done | head -1; }
victim=$(reactor)
if [ "$(id -u)" = 0 ]; then
    ok "no uid 0 in the reactor" is "$(awk '/^Uid:/{print ($2 != 0 && $3 != 0 && $4 != 0)}' "/proc/$victim/status")" 1
    ok "nor any capability" is "$(awk '/^Cap(Prm|Eff|Bnd|Amb|Inh):/{print $2}' "/proc/$victim/status" | grep -vc '^0*$')" 0
else
    skip "no uid 0 in the reactor" "not root"
    skip "nor any capability" "not root"
fi
ok "seccomp is on in it" is "$(awk '/^Seccomp:/{print $2}' "/proc/$victim/status")" 2
ok "it may gain no privileges" is "$(awk '/^NoNewPrivs:/{print $2}' "/proc/$victim/status")" 1
ok "liblxc is not mapped into it" sh -c "! grep -q liblxc /proc/$victim/maps"
again() {
    kill -9 "$victim"
    is "$(get --retry 20 --retry-delay 1 --retry-all-errors "http://$http/hello")" 'Hello, world!' || return 1
    is "$(get "http://$http/")" '<!doctype html><title>start</title>'
}
ok "a reactor that dies is begun again on the same port" again
killed_upload() {
    curl -s -m 20 --limit-rate 2000000 -T "$box/web/big.bin" "http://$http/upload/four" >/dev/null &
    sleep 1
    kill -9 "$(reactor)"
    wait $!
    at=$(header Upload-Offset --retry 20 --retry-delay 1 --retry-all-errors -I "http://$http/upload/four")
    [ "$at" -gt 0 ] && [ "$at" -lt 8000000 ] || { echo "offset $at"; return 1; }
    is "$(tail -c +$((at + 1)) "$box/web/big.bin" | header Repr-Digest -X PATCH -H 'Expect:' -H "Upload-Offset: $at" --data-binary @- "http://$http/upload/four")" "sha-256=:$sum:"
}
ok "an upload goes on after the reactor was killed" killed_upload

# --- many ---
if [ $asan = 1 ]; then
    stat() { get "http://$http/fixture/stats" | sed "s/.*\"$1\":\([0-9]*\).*/\1/"; }
    before="$(stat open) $(stat timers) $(stat watched) $(stat held)"
    ok "a storm of bad clients does not disturb an honest one" "$load" storm "$http" 200 6
    sleep 4
    ok "and leaves nothing behind" is "$(stat open) $(stat timers) $(stat watched) $(stat held)" "$before"
else
    ok "a storm of bad clients does not disturb an honest one" "$load" storm "$http" 300 4
fi

# --- the end ---
ends() {
    children=$(pgrep -P "$main")
    kill -TERM "$main"
    wait "$main"
    is $? 0 || return 1
    for p in $children; do [ ! -e "/proc/$p" ] || { echo "$p is left"; return 1; }; done
}
ok "SIGTERM ends it in order, with nobody left" ends
main=0
ok "no sanitizer had a word to say" is "$(grep -c -E 'ERROR: |runtime error|broken invariant' "$box/log")" 0
ok "wrong words are exit code 2" sh -c "'$program' serve --nonsense x; test \$? -eq 2"
ok "no address is exit code 2" sh -c "'$program' serve '$box/web'; test \$? -eq 2"
ok "an address in use is exit code 71" sh -c "'$program' serve --http 127.0.0.1:0 '$box/web' 2>'$box/l2' & p=\$!; sleep 1; a=\$(sed -n 's,.*serving http://\([^/]*\)/.*,\1,p' '$box/l2'); '$program' serve --http \$a '$box/web'; c=\$?; kill \$p; wait \$p; test \$c -eq 71"
ok "a folder that is not there ends it with the reason" sh -c "'$program' serve --http 127.0.0.1:0 '$box/none' 2>&1 | grep -q none"

# --- each kind of call failing, in every process that makes it ---
faults() {
    for plan in fork:1:eio fork:2:eio fork:3:eio verb:1:eio verb:2:eio verb:3:eio accept:1:emfile accept:2:eio epoll:3:enospc \
        epoll:6:enospc recv:2:eio send:2:eio open:2:eio read:1:eio mem:20:fail mem:60:fail mem:120:fail mem:200:fail mem:300:fail; do
        : >"$box/l3"
        STARTBOX_FAULT=$plan "$program" serve --http 127.0.0.1:0 "$box/web" >>"$box/l3" 2>&1 &
        p=$!
        i=0
        while [ $i -lt 60 ] && kill -0 $p 2>/dev/null && ! grep -q 'serving http' "$box/l3"; do
            sleep 0.05
            i=$((i + 1))
        done
        at=$(sed -n 's,.*serving http://\([^/]*\)/.*,\1,p' "$box/l3" | tail -1)
        if kill -0 $p 2>/dev/null; then
            for path in /hello / /style.css; do # a request may fail; the next must not, in whichever reactor
                curl -s -m 5 -o /dev/null "http://$at$path"
                [ "$(curl -s -m 20 --retry 5 --retry-delay 1 --retry-all-errors -o /dev/null -w '%{http_code}' "http://$at$path")" = 200 ] ||
                    { echo "$plan: no $path"; cat "$box/l3"; kill -9 $p; return 1; }
            done
            kill $p
        fi
        wait $p
        if grep -E 'ERROR: |runtime error|broken invariant' "$box/l3"; then echo "$plan"; return 1; fi
    done
}
if [ $asan = 1 ]; then ok "any call may fail once: it serves on, or says why it ends" faults; fi
echo "1..$n"
[ $bad = 0 ] || { echo "# the log:"; tail -30 "$box/log" | sed 's/^/# /'; exit 1; }
