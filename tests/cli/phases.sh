#!/bin/sh
# phases.sh PROGRAM - a box that is starting, waits for its owner, or is in trouble: what answers then, and to whom; passwords that are
# sealed. Says TAP.
set -u
program=$(realpath "$1")
bin=$(dirname "$program")
cd "$(dirname "$0")/../.."
. tests/lib/box.sh
: >"$box/log"

# --- starting: only the programs of the tests take their time ---
case $program in
*/asan/* | */test/*)
    mkdir -p "$box/run"
    STARTBOX_INIT_MS=8000 "$bin/startd" --data "$box/data" --run "$box/run" --http 127.0.0.1:18473 >>"$box/log" 2>&1 &
    main=$!
    at=127.0.0.1:18473
    ok "a box that is starting says so" soon answers '{"method":"state","params":{}}' '{"jsonrpc":"2.0","result":"initializing","id":null}'
    ok "its page loads itself again" sh -c "curl -s http://$at/ | grep -q 'http-equiv=\"refresh\"'"
    ok "it is not healthy yet" status 503 "http://$at/healthz"
    post '{"method":"init.subscribe","params":{}}' >"$box/sub"
    guid=$(sed -n 's/.*"guid":"\([A-Z2-7]*\)".*/\1/p' "$box/sub")
    curl -sN -m 20 -H Connection:Upgrade -H Upgrade:websocket -H Sec-WebSocket-Version:13 -H Sec-WebSocket-Key:AAAAAAAAAAAAAAAAAAAAAA== \
        "http://$at/ws/rpc/$guid" >"$box/socket" 2>/dev/null &
    socket=$!
    ok "its own root reads its log" soon sh -c "$bin/start-cli --format json init logs | grep -q sealed"
    ok "as it comes" sh -c "timeout 1 $bin/start-cli --format json init logs -f | grep -q sealed"
    if "$bin/start-cli" init kernel-logs --limit 1 >"$box/kernel" 2>&1; then
        ok "the kernel's too" grep -q message "$box/kernel"
        ok "and as it comes" sh -c "timeout 1 $bin/start-cli --format json init kernel-logs -f --limit 1 | grep -q message"
    fi
    ok "nobody reads its log" fails '{"method":"init.logs","params":{}}' 34
    ok "nothing of a running box is there" fails '{"method":"db.dump","params":{}}' -32601
    ok "it comes up" soon test -e "$box/run/ready"
    wait $socket
    ok "who followed hears of progress" grep -aq '"overall":false' "$box/socket"
    ok "and that it is complete" grep -aq complete "$box/socket"
    kill "$main" && wait "$main"
    main=0
    ;;
esac

# --- waiting for its owner ---
rm -rf "$box/data"
start
claim=$(sed -n 's/.*"claim":"\([^"]*\)".*/\1/p' "$box/run/ready")
ok "what is to be done" sh -c "curl -s http://$at/rpc/v1 -d '{\"method\":\"setup.status\",\"params\":{}}' | grep -q '\"status\":\"incomplete\",\"guid\":null,\"attach\":false,\"mokEnrolled\":true,\"osDrive\":null'"
ok "its page says what it waits for" sh -c "curl -s http://$at/ | grep -q 'waits for its owner'"
ok "its disks" exits 0 cli setup disk list
ok "its log, for its root" sh -c "$bin/start-cli --format json setup logs | grep -q 'claim code'"
ok "and nobody else" fails '{"method":"setup.logs","params":{}}' 34
ok "as it comes" sh -c "timeout 2 $bin/start-cli --format json setup logs -f | grep -q 'claim code'"
seal() { # seal TEXT METHOD: as a page without TLS does it
    key=$(post "{\"method\":\"$2\",\"params\":{}}" | sed 's/.*"result":\({[^}]*}\).*/\1/')
    printf '{"plain":"%s","key":%s,"ephemeral":"%s","iv":"%s"}' "$1" "$key" \
        "$(openssl rand 32 | base64 | tr '+/' '-_' | tr -d '=')" "$(openssl rand 16 | base64 | tr '+/' '-_' | tr -d '=')" |
        "$program" codec jose seal
}
sealed=$(seal wonderland setup.get-pubkey)
ok "a sealed password is sealed" sh -c "echo '$sealed' | grep -q '\"ciphertext\"' && ! echo '$sealed' | grep -q wonderland"
ok "a sealed one sets the box up" sh -c "curl -s http://$at/rpc/v1 -d '{\"method\":\"setup.execute\",\"params\":{\"guid\":null,\"name\":\"Box\",\"claim\":\"$claim\",\"password\":{\"encrypted\":$sealed}}}' | grep -q '\"guid\"'"
ok "which is said" sh -c "$bin/start-cli --format json setup status | grep -q '\"status\":\"complete\"'"
ok "with the root certificate" sh -c "$bin/start-cli --format json setup complete | grep -q 'BEGIN CERTIFICATE'"
cli setup exit
ok "and is the password" exits 0 env PASSWORD=wonderland "$bin/start-cli" -H "http://$at" auth login
old=$(seal wonderland auth.get-pubkey) new=$(seal looking-glass auth.get-pubkey)
token=$(sed 's/.*": "\([a-z2-7]*\)".*/\1/;t;d' "$HOME/.config/startbox/cookies.json")
ok "two sealed ones change it" answers "{\"method\":\"auth.reset-password\",\"params\":{\"oldPassword\":{\"encrypted\":$old},\"newPassword\":{\"encrypted\":$new}}}" \
    '{"jsonrpc":"2.0","result":null,"id":null}' -b "session=$token"
ok "to the new one" exits 0 env PASSWORD=looking-glass "$bin/start-cli" -H "http://$at" auth login
ok "one sealed to another key is refused" sh -c "curl -s http://$at/rpc/v1 -d '{\"method\":\"auth.login\",\"params\":{\"password\":{\"encrypted\":$sealed}}}' | grep -Eq '\"result\":\{\"session\"|\"error\"'"
broken=$(echo "$old" | sed 's/"tag":"..../"tag":"AAAA/')
ok "one that was changed on its way too" fails "{\"method\":\"auth.login\",\"params\":{\"password\":{\"encrypted\":$broken}}}" 38
"$bin/start-cli" --format json auth session list | tr '{' '\n' | sed -n 's/.*"\([a-z2-7]\{52\}\)":$/\1/p' | head -n 1 >"$box/hash"
ok "a session is ended by its hash" exits 0 cli auth session kill "$(cat "$box/hash")"
ok "at once" sh -c "! $bin/start-cli --format json auth session list | grep -q $(cat "$box/hash")"
stop

# --- in trouble ---
find "$box/data/state" -name 'snap*' -exec sh -c 'printf xxxx | dd of="$1" bs=1 seek=60 conv=notrunc 2>/dev/null' _ {} \;
start
ok "its page says that it is in trouble" sh -c "curl -s http://$at/anything | grep -q 'in trouble'"
ok "in trouble the log is there" sh -c "$bin/start-cli --format json diagnostic logs | grep -q 'in trouble'"
ok "as it comes" sh -c "timeout 2 $bin/start-cli --format json diagnostic logs -f | grep -q 'in trouble'"
if "$bin/start-cli" diagnostic kernel-logs --limit 1 >"$box/kernel" 2>&1; then
    ok "the kernel's too" grep -q message "$box/kernel"
    ok "and as it comes" sh -c "timeout 3 $bin/start-cli --format json diagnostic kernel-logs -f --limit 1 | grep -q message"
fi
ok "the end" stop
ok "no sanitizer had anything to say" sh -c "! grep -q 'Sanitizer\\|runtime error' $box/log"
done_testing
