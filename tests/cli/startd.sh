#!/bin/sh
# startd.sh PROGRAM - the daemon and its command line as a whole: first start, logins, the tree live, crashes, ends. Says TAP.
set -u
program=$(realpath "$1")
bin=$(dirname "$program")
cd "$(dirname "$0")/../.."
. tests/lib/box.sh

# --- usage ---
ok "without folders it says what it wants" exits 2 "$bin/startd"
ok "an address that is none is refused" exits 2 "$bin/startd" --data "$box/data" --run "$box/run" --http nonsense
ok "an unknown option is refused" exits 2 "$bin/startd" --frob x
ok "start-cli without a daemon says so" exits 4 cli state
ok "and names the way out" says "no daemon seems to run here"

# --- the first start ---
: >"$box/log"
start --trust-clock --https 127.0.0.1:0
ok "a new box is ready" test -n "$at"
ok "its cookie is for its owner alone" test "$(stat -c %a "$box/run/rpc.authcookie")" = 600
ok "so is its socket" test "$(stat -c %a "$box/run/rpc.sock")" = 600
ok "the ready file has the claim code, so it is too" test "$(stat -c %a "$box/run/ready")" = 600
ok "it waits for its owner" test "$(cli state)" = setup
ok "nothing of a running box can be called" fails '{"method":"db.dump","params":{}}' -32601
claim=$(sed -n 's/.*"claim":"\([^"]*\)".*/\1/p' "$box/run/ready")
ok "there is a claim code" test ${#claim} = 9
ok "the console shows it" grep -q "claim code: $claim" "$box/log"
ok "without the code nobody on the network sets it up" fails '{"method":"setup.execute","params":{"password":"wonderland"}}' 34
ok "nor with a wrong one" fails '{"method":"setup.execute","params":{"password":"wonderland","claim":"aaaa-aaaa"}}' 34
ok "a host name that is none is refused before anything is done" \
    fails "{\"method\":\"setup.execute\",\"params\":{\"password\":\"x\",\"hostname\":\"-no-\",\"claim\":\"$claim\"}}" 38
ok "setup.exit comes after the setup" fails '{"method":"setup.exit","params":{}}' 38
ok "with the code it is theirs" sh -c "curl -s http://$at/rpc/v1 -d '{\"method\":\"setup.execute\",\"params\":{\"guid\":null,\"password\":\"wonderland\",\"name\":\"Attic Box\",\"claim\":\"$claim\"}}' | grep -q '\"overall\":true'"
ok "and nobody else's" fails "{\"method\":\"setup.execute\",\"params\":{\"password\":\"other\",\"claim\":\"$claim\"}}" 38
ok "the wizard hears the host name" sh -c "curl -s http://$at/rpc/v1 -d '{\"method\":\"setup.complete\",\"params\":{}}' | grep -q '\"hostname\":\"attic-box\"'"
ok "the setup ends" answers '{"method":"setup.exit","params":{},"id":1}' '{"jsonrpc":"2.0","result":null,"id":1}'
ok "and the box runs" test "$(cli state)" = running
ok "the claim code is gone" soon sh -c "! grep -q claim $box/run/ready"

# --- JSON-RPC as clients send it ---
ok "without jsonrpc and id" answers '{"method":"echo","params":{"message":"hi"}}' '{"jsonrpc":"2.0","result":"hi","id":null}'
ok "an id comes back as it was" answers '{"id":"a","method":"echo","params":{"message":"hi","more":1}}' '{"jsonrpc":"2.0","result":"hi","id":"a"}'
ok "a batch in its order" answers '[{"id":1,"method":"echo","params":{"message":"a"}},{"id":2,"method":"state","params":{}}]' \
    '[{"jsonrpc":"2.0","result":"a","id":1},{"jsonrpc":"2.0","result":"running","id":2}]'
ok "an empty batch" answers '[]' '[]'
ok "reserved names of clients are dropped" fails '{"method":"echo","params":{"__message":"x"}}' -32602
ok "what is no JSON" fails '{' -32700
ok "params must be there" fails '{"method":"state"}' -32700
ok "no such method" fails '{"method":"frob.nicate","params":{}}' -32601
ok "a parameter of a wrong kind is named" sh -c "curl -s http://$at/rpc/v1 -d '{\"method\":\"echo\",\"params\":{\"message\":5}}' | grep -q 'message: want text'"
ok "who has shown nothing is told so" fails '{"method":"db.dump","params":{}}' 34
ok "the type is exactly application/json" sh -c "curl -sD - -o /dev/null http://$at/rpc/v1 -d '{\"method\":\"state\",\"params\":{}}' | grep -qi '^content-type: application/json.\$'"
head -c 300000 /dev/zero | tr '\0' ' ' >"$box/big"
ok "a body over the limit" status 413 "http://$at/rpc/v1" --data-binary @"$box/big"
ok "another site's page" status 403 -H 'Origin: http://evil.example' "http://$at/rpc/v1" -d '{"method":"state","params":{}}'
ok "a name rebound to us" status 421 -H 'Host: evil.example' "http://$at/rpc/v1" -d '{"method":"state","params":{}}'
ok "our own page" status 200 -H "Origin: http://$at" "http://$at/rpc/v1" -d '{"method":"state","params":{}}'
ok "GET is for pages" status 405 "http://$at/rpc/v1"
ok "healthy" status 200 "http://$at/healthz"
ok "the local socket without its cookie is nobody" sh -c \
    "curl -s --unix-socket $box/run/rpc.sock http://localhost/rpc/v1 -d '{\"method\":\"db.dump\",\"params\":{}}' | grep -q '\"code\":34'"
ok "the cookie is worth nothing on a TCP door" fails '{"method":"db.dump","params":{}}' 34 -b "local=$(cat "$box/run/rpc.authcookie")"

# --- logins ---
ok "a wrong password" fails '{"method":"auth.login","params":{"password":"x"}}' 7
curl -sD "$box/head" -o "$box/body" "http://$at/rpc/v1" -A 'a browser' -d '{"method":"auth.login","params":{"password":"wonderland"}}'
token=$(sed -n 's/.*"session":"\([a-z2-7]*\)".*/\1/p' "$box/body")
ok "a login gives a token" test ${#token} = 26
ok "and a cookie that scripts cannot read" grep -qi "^set-cookie: session=$token; .*Path=/.*HttpOnly.*SameSite=Strict" "$box/head"
ok "the cookie opens the box" sh -c "curl -s -b 'x=1; session=$token' http://$at/rpc/v1 -d '{\"method\":\"db.dump\",\"params\":{\"pointer\":\"/public/serverInfo/name\"}}' | grep -q 'Attic Box'"
ok "it is listed with who asked" sh -c "$bin/start-cli auth session list | grep -q 'a browser'"
case $token in b*) other=c${token#?} ;; *) other=b${token#?} ;; esac
ok "a token by one letter another is none" fails '{"method":"db.dump","params":{}}' 34 -b "session=$other"
for _ in 1 2 3 4 5; do post '{"method":"auth.login","params":{"password":"x"}}' >/dev/null; done
ok "after some wrong ones the address waits" fails '{"method":"auth.login","params":{"password":"wonderland"}}' 37
ok "the box itself does not" exits 0 env PASSWORD=wonderland "$bin/start-cli" auth login --ephemeral
"$bin/start-cli" db watch /public/ui >"$box/watched" 2>"$box/watch-end" &
curl -sN -b "session=$token" "http://$at/rpc/v1" -d '{"method":"db.subscribe","params":{"pointer":"/public/ui"}}' >"$box/sub"
guid=$(sed -n 's/.*"guid":"\([A-Z2-7]*\)".*/\1/p' "$box/sub")
ok "a subscription gives a guid" test ${#guid} = 32
websocket='-sN -H Connection:Upgrade -H Upgrade:websocket -H Sec-WebSocket-Version:13 -H Sec-WebSocket-Key:AAAAAAAAAAAAAAAAAAAAAA=='
# shellcheck disable=SC2086
timeout 20 curl $websocket "http://$at/ws/rpc/$guid" >"$box/socket" 2>/dev/null &
socket=$!
ok "watching shows the value first" soon grep -q '"id":' "$box/watched"
ok "a change by a session" sh -c "curl -s -b session=$token http://$at/rpc/v1 -d '{\"method\":\"db.put.ui\",\"params\":{\"pointer\":\"/snakeHighScore\",\"value\":7}}' | grep -q '\"result\":null'"
ok "is seen on the command line" soon grep -q '"patch":\[{"op":"replace","path":"/snakeHighScore","value":7}\]' "$box/watched"
ok "and by the WebSocket" soon grep -aq '"path":"/snakeHighScore","value":7' "$box/socket"
# shellcheck disable=SC2086
ok "a guid is good once" status 404 $websocket "http://$at/ws/rpc/$guid"
ok "only below /public/ui" sh -c "curl -s -b session=$token http://$at/rpc/v1 -d '{\"method\":\"db.put.ui\",\"params\":{\"pointer\":\"/../serverInfo/name\",\"value\":7}}' | grep -q '\"error\"'"
ok "what is private is not there" sh -c "test \"\$($bin/start-cli --format json db dump /private/password | sed 's/.*\"value\"://')\" = 'null}'"
ok "a logout ends the session" sh -c "curl -sD - -b session=$token http://$at/rpc/v1 -d '{\"method\":\"auth.logout\",\"params\":{}}' | grep -qi '^set-cookie: session=;.*Max-Age=0'"
ok "the cookie is worth nothing then" fails '{"method":"db.dump","params":{}}' 34 -b "session=$token"
wait $socket
ok "its subscription is closed with the reason" grep -aq 'the session was ended' "$box/socket"

# --- passwords ---
ok "the old password must be right" exits 3 env OLD_PASSWORD=no NEW_PASSWORD=looking-glass "$bin/start-cli" auth reset-password
ok "then it changes" exits 0 env OLD_PASSWORD=wonderland NEW_PASSWORD=looking-glass "$bin/start-cli" auth reset-password
ok "the old one is wrong now" exits 3 env PASSWORD=wonderland "$bin/start-cli" auth login
ok "the box's root sets it without" exits 0 env PASSWORD=wonderland "$bin/start-cli" auth set-password
ok "an empty one is refused" exits 1 sh -c "echo | $bin/start-cli auth set-password"

# --- the command line ---
ok "help of all" exits 0 cli --help
ok "lists every group" says "db dump"
ok "help of a command" exits 0 cli db put ui --help
ok "says what it wants" says "usage: start-cli db put ui POINTER VALUE"
ok "a group alone lists its commands" exits 2 cli auth session
ok "an unknown command" exits 2 cli frob
ok "an unknown option" exits 2 cli db dump --frob
ok "a word too many" exits 2 cli state now
ok "yaml" sh -c "$bin/start-cli --format yaml kernel status | grep -q '^pid: '"
ok "json in one line" sh -c "test \$($bin/start-cli --format=json kernel status | wc -l) = 1"
ok "completion for bash" sh -c "$bin/start-cli completion bash >$box/comp && bash -c '. $box/comp; COMP_WORDS=(start-cli auth se); COMP_CWORD=2; _start_cli start-cli se auth; [ \"\${COMPREPLY[*]}\" = \"session set-password\" ]'"
ok "another machine, by http" exits 0 sh -c "PASSWORD=wonderland $bin/start-cli -H http://$at auth set-password; sleep 6; PASSWORD=wonderland $bin/start-cli -H http://$at auth login"
ok "keeps a cookie for itself alone" test "$(stat -c %a "$HOME/.config/startbox/cookies.json")" = 600
ok "and calls with it" sh -c "$bin/start-cli -H http://$at db dump /public/serverInfo/name | grep -q 'Attic Box'"

# --- signed requests ---
one_line() { sed ':a;N;$!ba;s/\n/\\n/g'; }
signed() { # signed CONTEXT AGE BODY: the header
    key=$(one_line <"$HOME/.config/startbox/key.pem")
    body=$(printf %s "$3" | sed 's/"/\\"/g')
    printf '{"key":"%s","context":"%s","timestamp":%s,"nonce":%s,"body":"%s"}' "$key" "$1" $(($(date +%s) + $2)) "$(od -An -N6 -tu8 /dev/urandom | tr -d ' ')" "$body" |
        "$program" codec authsig sign | sed 's/{"header":"\(.*\)"}/X-StartOS-Auth-Sig: \1/'
}
ask='{"method":"db.dump","params":{"pointer":"/public/serverInfo/name"}}'
sends() { # sends HEADER BODY TEXT: the answer has the text
    got=$(curl -s -H "$1" -H 'Host: attic-box.local' "http://$at/rpc/v1" -d "$2")
    case $got in *"$3"*) ;; *) echo "$got"; return 1 ;; esac
}
ok "a key is made" exits 0 cli init-key
cp "$box/so" "$box/pub.pem"
ok "for its owner alone" test "$(stat -c %a "$HOME/.config/startbox/key.pem")" = 600
ok "once" exits 1 cli init-key
ok "shown again" sh -c "$bin/start-cli pubkey | cmp - $box/pub.pem"
header=$(signed attic-box.local 0 "$ask")
ok "a key nobody knows opens nothing" sends "$header" "$ask" 'the key that signed is not known'
ok "it is let in" exits 0 cli auth key add laptop "$(cat "$box/pub.pem")"
ok "under one name" exits 1 cli auth key add again "$(cat "$box/pub.pem")"
ok "and listed" sh -c "$bin/start-cli auth key list | grep -q laptop"
header=$(signed attic-box.local 0 "$ask")
ok "its request is answered" sends "$header" "$ask" 'Attic Box'
ok "once" sends "$header" "$ask" 'the request was seen before'
ok "not with another body" sends "$(signed attic-box.local 0 "$ask")" '{"method":"auth.key.list","params":{}}' 'the body is not the one'
ok "nor an hour late" sends "$(signed attic-box.local -3600 "$ask")" "$ask" 'signed at another time'
ok "nor for another host" sends "$(signed other.local 0 "$ask")" "$ask" 'the signature is not good'
ok "what cannot be read is said" sends 'X-StartOS-Auth-Sig: frob' "$ask" 'cannot be read'
ok "public methods need no signature" sends 'X-StartOS-Auth-Sig: frob' '{"method":"state","params":{}}' running
ok "a key that is removed is none" exits 0 cli auth key remove laptop
ok "at once" sends "$(signed attic-box.local 0 "$ask")" "$ask" 'the key that signed is not known'

# --- TLS on the box's own certificate ---
ok "the root certificate is there for everybody" status 200 "http://$at/static/local-root-ca.crt"
cp "$box/body" "$box/root.crt"
ok "it is a root" sh -c "openssl x509 -in $box/root.crt -noout -text | grep -q 'CA:TRUE'"
ok "the tree has its fingerprint" sh -c "$bin/start-cli --format json db dump /public/serverInfo/caFingerprint | grep -q \"\$(openssl x509 -in $box/root.crt -noout -fingerprint -sha256 | sed 's/.*=//')\""
ok "who trusts it reaches the box" status 200 --cacert "$box/root.crt" "https://$tls/rpc/v1" -d '{"method":"state","params":{}}'
ok "by its name too" status 200 --cacert "$box/root.crt" --connect-to "attic-box.local:443:$tls" https://attic-box.local/healthz
ok "who does not is not fooled" sh -c "! curl -s https://$tls/healthz"
ok "a cookie by TLS stays with TLS" sh -c "curl -sD - --cacert $box/root.crt https://$tls/rpc/v1 -d '{\"method\":\"auth.login\",\"params\":{\"password\":\"wonderland\"}}' | grep -qi '^set-cookie: session=.*Secure'"
ok "the command line with roots" exits 0 cli --cacert "$box/root.crt" -H "https://$tls" state
ok "and without: the first key is remembered" exits 0 cli -H "https://$tls" state
ok "which it says" says "for the first time"
ok "and says once" sh -c "test -z \"\$($bin/start-cli -H https://$tls state 2>&1 >/dev/null)\""
sed -i 's/: "......../: "00000000/' "$HOME/.config/startbox/pins.json"
ok "another key is refused" exits 71 cli -H "https://$tls" state
ok "with what to do" says pins.json

ok "who speaks plain HTTP there is sent to https" sh -c "curl -s -o /dev/null -w '%{http_code} %{redirect_url}' 'http://$tls/a?b=c' | grep -qx '307 https://$tls/a?b=c'"
ok "and who names no host is told so" sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | timeout 5 openssl s_client -connect $tls >/dev/null 2>&1; printf 'GET / HTTP/1.0\r\n\r\n' | timeout 5 nc -w 3 ${tls%:*} ${tls#*:} 2>/dev/null | grep -q 'Host header required' || ! command -v nc >/dev/null"

# --- crashes and ends ---
reactor=$(pgrep -P "$main" -f . | while read -r p; do grep -q sb-reactor "/proc/$p/comm" && echo "$p"; done)
ok "there is a reactor" test -n "$reactor"
if [ "$(id -u)" = 0 ]; then
    ok "it is not root" sh -c "! grep -q '^Uid:.*\b0\b' /proc/$reactor/status"
    ok "and has no capability" grep -q '^CapEff:.*0000000000000000$' "/proc/$reactor/status"
fi
ok "it can gain nothing" grep -q '^NoNewPrivs:.*1$' "/proc/$reactor/status"
ok "its calls are filtered" grep -q '^Seccomp:.*2$' "/proc/$reactor/status"
ok "the kernel's files are not open to it" sh -c "! ls -l /proc/$reactor/fd | grep -q '$box/data'"
kill -9 "$reactor"
ok "one that is killed is begun again, at the same door" soon sh -c "curl -s http://$at/rpc/v1 -d '{\"method\":\"state\",\"params\":{}}' | grep -q running"
ok "the session on disk is still good" sh -c "$bin/start-cli -H http://$at db dump /public/ui/snakeHighScore | grep -q 7"
ok "and the local cookie is a new one that works" soon sh -c "$bin/start-cli kernel status | grep -q '\"clients\"'"
ok "it ends when it is asked" stop
ok "and leaves nothing in its run directory" sh -c "[ -z \"\$(ls -A $box/run)\" ]"
start
ok "it comes back with what it had" sh -c "$bin/start-cli db dump /public/serverInfo/name | grep -q 'Attic Box'"
"$bin/startd" --data "$box/data" --run "$box/run2" --http 127.0.0.1:0 >"$box/second" 2>&1 &
second=$!
ok "a second daemon on the same data is in trouble and says so" soon grep -q "in trouble" "$box/second"
kill $second
wait $second
ok "kernel shutdown ends it" exits 0 cli kernel shutdown --reason test
wait "$main"
ok "with code 0" test $? = 0
main=0
find "$box/data/state" -name 'snap*' -exec sh -c 'printf xxxx | dd of="$1" bs=1 seek=60 conv=notrunc 2>/dev/null' _ {} \;
start
ok "a damaged state is not guessed at" test "$(cli state)" = error
ok "and unhealthy" status 503 "http://$at/healthz"
ok "its owner sees why" sh -c "$bin/start-cli --format json diagnostic error | grep -q '\"details\":\"[^\"]'"
ok "nobody else does" fails '{"method":"diagnostic.error","params":{}}' 34
ok "a wrong password is one in trouble too" fails '{"method":"auth.login","params":{"password":"x"}}' 7
ok "the right one logs in" exits 0 env PASSWORD=wonderland "$bin/start-cli" -H "http://$at" auth login
ok "and sees what broke" exits 0 cli -H "http://$at" diagnostic error
ok "nothing of a running box is there" exits 4 cli -H "http://$at" db dump
ok "a logout is one as well" exits 0 cli -H "http://$at" auth logout
ok "at once" exits 3 cli -H "http://$at" diagnostic error
ok "to try again is a way out" exits 0 cli diagnostic restart
ok "it is tried" soon grep -q "asked for in trouble" "$box/log"
ok "and still in trouble" soon sh -c "$bin/start-cli state | grep -q error"
ok "it still ends well" stop
mkdir "$box/web"
echo page >"$box/web/index.html"
rm -rf "$box/data"
start --web "$box/web" --no-claim --origin https://one.example --origin https://two.example:8443
for page in https://one.example https://two.example:8443; do
    ok "a page of $page may call" sh -c "curl -si http://$at/rpc/v1 -H 'Origin: $page' -d '{\"method\":\"state\",\"params\":{}}' | tr -d '\r' | grep -qix 'access-control-allow-origin: $page'"
done
ok "no other page may" status 403 "http://$at/rpc/v1" -H "Origin: https://three.example" -d '{"method":"state","params":{}}'
ok "another page" sh -c "curl -s http://$at/ | grep -q page"
ok "it may make its own paths" sh -c "curl -s http://$at/services/one | grep -q page"
ok "but no transfers that are not there" status 404 "http://$at/rest/rpc/00000000000000000000000000000000" --data-binary "@$bin/startbox"
ok "nor feeds" status 404 "http://$at/ws/rpc/00000000000000000000000000000000" -H 'Upgrade: websocket' -H 'Connection: Upgrade' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='
ok "and no files" sh -c "curl -s -o $box/none -w '%{http_code}' http://$at/one.js | grep -q 404"
ok "an origin with a path is none" exits 2 "$bin/startd" --data "$box/none" --run "$box/none" --origin https://a.example/
ok "without claim codes anybody may" sh -c "curl -s http://$at/rpc/v1 -d '{\"method\":\"setup.execute\",\"params\":{\"password\":\"first\"}}' | grep -q guid"
ok "the end" stop
ok "no sanitizer had anything to say" sh -c "! grep -q 'Sanitizer\\|runtime error' $box/log $box/second"
done_testing
