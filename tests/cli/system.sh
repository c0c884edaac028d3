#!/bin/sh
# system.sh PROGRAM - the box's own methods, over the command line: server, notifications, ssh keys, figures. Says TAP.
set -u
program=$(realpath "$1")
bin=$(dirname "$program")
cd "$(dirname "$0")/../.."
. tests/lib/box.sh
gives() { # gives TEXT COMMAND...: its output, as JSON in one line, is exactly that
    want=$1
    shift
    got=$(cli --format json "$@" 2>&1)
    [ "$got" = "$want" ] || { echo "$got"; echo "wanted: $want"; return 1; }
}
has() { # has TEXT COMMAND...
    want=$1
    shift
    got=$(cli --format json "$@" 2>&1)
    case $got in *"$want"*) ;; *) echo "$got"; echo "wanted: $want"; return 1 ;; esac
}
at_pointer() { # at_pointer POINTER TEXT: what stands there
    got=$(cli --format json db dump "$1" | sed 's/^{"id":[0-9]*,"value":\(.*\)}$/\1/')
    [ "$got" = "$2" ] || { echo "$got"; echo "wanted: $2"; return 1; }
}
: >"$box/log"
start_owned

# --- the server ---
ok "the time" sh -c "$bin/start-cli --format json server time | grep -Eq '^\{\"now\":\"20[0-9-]+T[0-9:.]+Z\",\"uptime\":[0-9]+\}\$'"
ok "what it is" has '"os":{"version":"0.4.0-beta.10"' server device-info
ok "the commit" sh -c "$bin/start-cli git-info | grep -Eq '^([0-9a-f]{40}|unknown)\$'"
ok "another name" exits 0 cli server set-hostname "Mum's Cellar"
ok "leads to another host name" at_pointer /public/serverInfo/hostname '"mums-cellar"'
ok "and advises a restart" at_pointer /public/serverInfo/statusInfo/restart '"mdns"'
ok "both are said" exits 0 cli server set-hostname Attic attic-2
ok "and kept" at_pointer /public/serverInfo/name '"Attic"'
ok "a host name that is none" exits 1 cli server set-hostname --hostname -x-
ok "a language" exits 0 cli server set-language pl_PL
ok "is kept" at_pointer /public/serverInfo/language '"pl_PL"'
ok "one that is not there" exits 1 cli server set-language xx
ok "a keyboard" exits 0 cli server set-keyboard us --options a --options b
ok "has all its fields" at_pointer /public/serverInfo/keyboard '{"layout":"us","keymap":null,"model":null,"variant":null,"options":["a","b"]}'
ok "who tells our address" exits 0 cli server set-echoip-urls https://a.example/ https://b.example/
ok "are these two" at_pointer /public/serverInfo/echoipUrls '["https://a.example/","https://b.example/"]'
ok "a mail server" exits 0 env PASSWORD=hush "$bin/start-cli" server set-smtp --host mail.example --port 587 --from box@example --username box --password hush
ok "is shown without its password" at_pointer /public/serverInfo/smtp '{"host":"mail.example","port":587,"from":"box@example","username":"box","password":null,"security":"starttls"}'
ok "which no dump has" sh -c "! $bin/start-cli db dump '' | grep -q hush"
ok "a port that is none" exits 1 cli server set-smtp --host mail.example --port 0 --from a --username b --password c
ok "no mail server" exits 0 cli server clear-smtp
ok "none is there" at_pointer /public/serverInfo/smtp null

if command -v node >/dev/null; then
    mkfifo "$box/stay"
    node tests/web/smtp.mjs "$box/mail" <"$box/stay" >"$box/mailport" &
    exec 8>"$box/stay"
    soon test -s "$box/mailport"
    port=$(cat "$box/mailport")
    ok "a mail is sent" exits 0 cli server test-smtp --host 127.0.0.1 --port "$port" --from 'Box <box@example.org>' --to me@example.org
    ok "whole" sh -c "grep -q '^From: Box <box@example.org>' $box/mail && grep -q '^To: me@example.org' $box/mail && grep -q 'If you can read it' $box/mail && grep -qx '\.' $box/mail"
    ok "what the server says is said" sh -c "$bin/start-cli server test-smtp --host 127.0.0.1 --port $port --from box@example.org --to refused@example.org 2>&1 | grep -q 'no such box'"
    ok "as an SMTP error" exits 71 cli server test-smtp --host 127.0.0.1 --port "$port" --from box@example.org --to refused@example.org
    ok "an address that is none" exits 1 cli server test-smtp --host 127.0.0.1 --port "$port" --from nobody --to me@example.org
    ok "no password goes in the plain" exits 71 env PASSWORD=hush "$bin/start-cli" server test-smtp --host 127.0.0.1 --port "$port" --from box@example.org --to me@example.org --username box --password hush
    exec 8>&-
else
    n=$((n + 1))
    echo "ok $n - a mail is sent # SKIP there is no node"
fi

# --- figures ---
ok "every figure is a text with its unit" sh -c "$bin/start-cli --format json server metrics | grep -Eq '\"percentageUsed\":\{\"value\":\"[0-9]+\.[0-9]{2}\",\"unit\":\"%\"\}.*\"capacity\":\{\"value\":\"[0-9]+\.[0-9]{2}\",\"unit\":\"GB\"\}'"
timeout 20 "$bin/start-cli" server metrics -f >"$box/figures" 2>&1 &
follower=$!
ok "they come again by a feed" soon sh -c "[ \$(grep -c percentageUsed $box/figures) -ge 2 ]"
kill $follower
ok "the owner sees the daemon's own" sh -c "curl -s --unix-socket $box/run/rpc.sock -b local=\$(cat $box/run/rpc.authcookie) http://localhost/metrics | grep -q '^startbox_rpc_seconds_count{method=\"server.metrics\"} 1\$'"
ok "nobody else does" status 401 "http://$at/metrics"
ok "kernel status tells of the local client" has '"localClients":1' kernel status

# --- notifications ---
ok "none yet" gives '[]' notification list
for i in 1 2 3 4; do cli notification create info "Title $i" "Message $i" --package notes; done
ok "the newest first" sh -c "$bin/start-cli --format json notification list | grep -q '^\[{\"id\":4,.*{\"id\":3,.*{\"id\":2,.*{\"id\":1,\"packageId\":\"notes\",.*\"seen\":false}\]\$'"
ok "all are unread" at_pointer /public/serverInfo/unreadNotificationCount 4
ok "some at a time" sh -c "$bin/start-cli --format json notification list --limit 1 --before 3 | grep -q '^\[{\"id\":2,[^{]*}\]\$'"
ok "one is read" exits 0 cli notification mark-seen 4
ok "and counted" at_pointer /public/serverInfo/unreadNotificationCount 3
ok "twice is once" exits 0 cli notification mark-seen 4 99
ok "still" at_pointer /public/serverInfo/unreadNotificationCount 3
ok "and not read again" exits 0 cli notification mark-unseen 4
ok "which counts" at_pointer /public/serverInfo/unreadNotificationCount 4
ok "all up to one, and it" exits 0 cli notification mark-seen-before 2
ok "are two" at_pointer /public/serverInfo/unreadNotificationCount 2
ok "all older ones go" exits 0 cli notification remove-before 3
ok "and one more" exits 0 cli notification remove 3
ok "one is left" at_pointer /public/serverInfo/unreadNotificationCount 1
ok "it is the last" sh -c "$bin/start-cli --format json notification list | grep -q '^\[{\"id\":4,[^{]*}\]\$'"
cli notification remove 4
cli notification create error again now
ok "an id is never used twice" has '"id":5,' notification list
ok "a level that is none" exits 1 cli notification create loud a b

# --- ssh keys ---
ssh-keygen -q -t ed25519 -N '' -C me@there -f "$box/key"
print=$(ssh-keygen -l -E md5 -f "$box/key.pub" | sed 's/.*MD5:\([^ ]*\) .*/\1/')
ok "a key is named as ssh-keygen names it" has "\"fingerprint\":\"$print\",\"hostname\":\"me@there\"" ssh add "$(cat "$box/key.pub")"
ok "and listed" has "\"alg\":\"ssh-ed25519\",\"fingerprint\":\"$print\"" ssh list
ok "what is none is refused" exits 1 cli ssh add "ssh-ed25519 AAAA me"
ok "options are refused" exits 1 cli ssh add "command=\"x\" $(cat "$box/key.pub")"
ok "two lines too" exits 1 cli ssh add "$(printf '%s\n%s' "$(cat "$box/key.pub")" "$(cat "$box/key.pub")")"
ok "a key goes" exits 0 cli ssh remove "$print"
ok "once" exits 4 cli ssh remove "$print"
ok "none is left" gives '[]' ssh list

# --- setup again, trouble, ends ---
ok "db.apply changes what fits" exits 0 cli db apply '[{"op":"replace","path":"/public/serverInfo/zram","value":true}]'
ok "it did" at_pointer /public/serverInfo/zram true
ok "and nothing else" exits 1 cli db apply '[{"op":"replace","path":"/public/serverInfo/zram","value":7}]'
ok "a program of jq is told so" sh -c "$bin/start-cli db apply '.public.ui = 1' 2>&1 | grep -q 'not a program of jq'"
ok "a restart" exits 0 cli server restart
ok "comes back" soon sh -c "$bin/start-cli state | grep -q running"
ok "without what advised it" at_pointer /public/serverInfo/statusInfo '{"restart":null,"backupProgress":null,"updateProgress":null,"shuttingDown":false,"restarting":false}'
ok "a shutdown ends a daemon that does not own the machine" exits 0 cli server shutdown
wait "$main"
ok "well" test $? = 0
main=0
start --ephemeral
began=$(date +%s)
timeout 5 "$bin/start-cli" db watch >/dev/null 2>&1
ok "an ephemeral daemon stays for its client" cli state
wait "$main"
ok "and ends by itself when all are gone" test $? = 0
main=0
ok "not while they were there" test $(($(date +%s) - began)) -ge 5
# --- the first start without a keyboard ---
rm -rf "$box/data"
mkdir "$box/boot"
start --boot "$box/boot"
ok "the claim code stands on the boot partition" soon sh -c "grep -q \"\$(cat $box/boot/startbox-claim.txt)\" $box/run/ready"
ok "while the box waits" test "$(cli state)" = setup
stop
echo '{"password":"","name":"Shelf"}' >"$box/boot/startbox-setup.json"
start --boot "$box/boot"
ok "a file that is wrong is said beside it" soon grep -q 'want a password' "$box/boot/startbox-setup-error.txt"
ok "and does nothing" test "$(cli state)" = setup
stop
echo '{"password":"wonderland","name":"Shelf Box","language":"de_DE"}' >"$box/boot/startbox-setup.json"
start --boot "$box/boot"
ok "a file sets the box up" soon sh -c "$bin/start-cli state | grep -q running"
ok "with its name" at_pointer /public/serverInfo/name '"Shelf Box"'
ok "and language" at_pointer /public/serverInfo/language '"de_DE"'
ok "the password is not left lying about" sh -c "! test -e $box/boot/startbox-setup.json"
ok "nor the claim code" soon sh -c "! test -e $box/boot/startbox-claim.txt"
ok "which is good" exits 0 env PASSWORD=wonderland "$bin/start-cli" -H "http://$at" auth login
stop
ok "no sanitizer had anything to say" sh -c "! grep -q 'Sanitizer\\|runtime error' $box/log"
done_testing
