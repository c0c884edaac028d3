#!/bin/sh
# words.sh PROGRAM - help in the language of whoever asks, labels of errors in the language of the box. Says TAP.
set -u
program=$(realpath "$1")
bin=$(dirname "$program")
cd "$(dirname "$0")/../.."
. tests/lib/box.sh
unset LC_ALL LC_MESSAGES LANG

in_env() { # in_env TEXT VARIABLE=VALUE... COMMAND...: it says so, on either output
    want=$1
    shift
    got=$(env "$@" 2>&1)
    case $got in *"$want"*) ;; *) echo "$got"; echo "wanted: $want"; return 1 ;; esac
}
nobody='{"method":"db.dump","params":{}}'
labelled() { # labelled TEXT: the message of an error
    got=$(post "$nobody")
    case $got in *"\"message\":\"$1\""*) ;; *) echo "$got"; echo "wanted: $1"; return 1 ;; esac
}

# --- help ---
cli="$bin/start-cli"
ok "help without a language is English" in_env "Shows the tree, or a part of it." "$cli" --help
ok "help in Polish" in_env "Pokazuje drzewo stanu lub jego część." LANG=pl_PL "$cli" --help
ok "also start-cli's own words" in_env "Polecenia:" LANG=pl_PL "$cli" --help
ok "of a group" in_env "Befehle:" LANG=de_DE.UTF-8 "$cli" auth --help
ok "of a command" in_env "Fija la contraseña sin la antigua" LANG=es_ES "$cli" auth set-password --help
ok "and of its parameters" in_env "Le serveur de courriel. Attend : texte (<= 500 octets)." LANG=fr_FR "$cli" server set-smtp --help
ok "what is asked for" in_env "Wird erfragt, wenn es fehlt." LANG=de "$cli" auth login --help
ok "a default" in_env 'Domyślnie: "starttls".' LANG=pl "$cli" server set-smtp --help
ok "what cannot be undone" in_env "No se puede deshacer." LANG=es "$cli" setup exit --help
ok "nothing of it is English" sh -c "! LANG=de_DE $cli --help | grep -E 'Shows|Sets|Commands|tells|Options|daemon'"
ok "LC_MESSAGES goes before LANG" in_env "Befehle:" LC_MESSAGES=de_DE LANG=pl_PL "$cli" --help
ok "LC_ALL before both" in_env "Commands:" LC_ALL=C LC_MESSAGES=de_DE LANG=pl_PL "$cli" --help
ok "an empty one counts for nothing" in_env "Polecenia:" LC_ALL= LC_MESSAGES= LANG=pl_PL "$cli" --help
ok "a language that is not there is English" in_env "Commands:" LANG=xx_XX "$cli" --help
ok "start-cli's own label of an error" in_env "(Nie znaleziono)" LANG=pl_PL "$cli" state

# --- the box's language ---
: >"$box/log"
start
ok "before the setup labels are English" labelled "Method not found"
ok "one of the first start" sh -c "curl -s http://$at/rpc/v1 -d '{\"method\":\"setup.execute\",\"params\":{\"password\":\"x\"}}' | grep -q '\"message\":\"Unauthorized\"'"
ok "a setup in Spanish" exits 0 env PASSWORD=wonderland "$cli" setup execute --name "Attic Box" --language es_ES
ok "has Spanish labels" soon sh -c "curl -s http://$at/rpc/v1 -d '{\"method\":\"setup.execute\",\"params\":{\"password\":\"x\"}}' | grep -q '\"message\":\"Petición no válida\"'"
ok "it ends" exits 0 "$cli" setup exit
ok "and they stay Spanish" labelled "No autorizado"
details=$(post "$nobody" | sed 's/.*"data"//')
ok "a language" exits 0 "$cli" server set-language de_DE
ok "changes the labels" soon labelled "Nicht berechtigt"
ok "but not the details" test "$(post "$nobody" | sed 's/.*"data"//')" = "$details"
ok "nor the protocol's own messages" sh -c "curl -s http://$at/rpc/v1 -d '{\"method\":\"frob\",\"params\":{}}' | grep -q '\"message\":\"Method not found\"'"
ok "of a batch as well" sh -c "curl -s http://$at/rpc/v1 -d '[$nobody,$nobody]' | grep -q 'Nicht berechtigt.*Nicht berechtigt'"
ok "start-cli says its own label" in_env "(Błąd deserializacji)" LANG=pl_PL "$cli" auth key add x nonsense
stop
start
ok "after a restart they are German still" labelled "Nicht berechtigt"
kill -9 "$main"
wait "$main" 2>/dev/null
start
ok "after a crash too" labelled "Nicht berechtigt"
ok "back to English" exits 0 "$cli" server set-language en_US
ok "the labels are too" soon labelled "Unauthorized"
ok "it ends well" stop
ok "with nothing from a sanitizer" sh -c "! grep -E 'Sanitizer|runtime error' $box/log"
done_testing
