#!/bin/sh
# startd.sh - the daemon beside its peers: nginx with one worker that answers a fixed text, Node's http, npm's ws, redis, curl. Servers
# on processor 0, clients on processor 1. CPU is that of all the server's processes, user and system, from /proc. Rounds are
# interleaved; medians are printed. Figures only: nothing fails for being slow, what does not answer at all is said.
#
#     ROUNDS=3 SECONDS_=2 sh tests/bench/startd.sh [echo|fan|idle|start|login ...]
# The CPU of a delivery has a floor that no server is below with a call a delivery: tests/tools/canned_fan.
set -u
cd "$(dirname "$0")/../.." || exit 1
rounds=${ROUNDS:-3} secs=${SECONDS_:-2}
what=${*:-echo fan idle start login}
tools=build/release/tests/tools
mkdir -p build
box=$(mktemp -d "$PWD/build/startd-bench-XXXXXX") # the disk that is built on: changes are durable
shm=$(mktemp -d /dev/shm/startd-bench-XXXXXX 2>/dev/null) || shm=$box # where /run is memory, as it should be
chmod 755 "$box" "$shm"
started=""
finish() {
    for p in $started; do kill "$p" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$box" "$shm"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
unset STARTBOX_HOST STARTBOX_RUN PASSWORD
export HOME="$box"
. tests/bench/lib.sh

sum() { # kB of a field of smaps_rollup, of a process and its children
    t=0
    for p in $(tree "$1"); do
        t=$((t + $(awk -v k="$2:" '$1 == k { s += $2 } END { print s + 0 }' "/proc/$p/smaps_rollup")))
    done
    echo $t
}
most() { sort -n "$box/$1" 2>/dev/null | tail -n 1; }
ms() { echo "$1" | awk '{ if ($1 > 0) printf "%.2f", $1 / 1000; else printf "?" }'; }
row() { printf '%-46s %9s %9s %9s   %s\n' "$@"; }
value() { awk -v k="$1" '{ for (i = 1; i < NF; i++) if ($i == k) print $(i + 1) }' "$2"; } # NAME FILE

# --- the daemon, one at a time: shared pages count for each ---
main=0 at=""
box_start() { # NAME: with the state of that name
    rm -f "$shm/$1.run/ready"
    $on0 build/startd --data "$box/$1.data" --run "$shm/$1.run" --http "127.0.0.1:${2:-0}" 2>>"$box/$1.log" &
    main=$!
    started="$started $main"
    for _ in $(seq 100); do [ -e "$shm/$1.run/ready" ] && break; sleep 0.1; done
    at=$(sed -n 's/.*"http":\["\([^"]*\)".*/\1/p' "$shm/$1.run/ready")
    [ -n "$at" ] || { cat "$box/$1.log"; exit 1; }
}
end() { # PID...
    for p in "$@"; do
        kill "$p" && wait "$p"
        started=$(echo "$started" | sed "s/\<$p\>//")
    done 2>/dev/null
}
box_stop() {
    end "$main"
    main=0
}
call() { printf '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}' "$1" "$2"; } # METHOD PARAMETERS
box_start own
PASSWORD=x build/start-cli --run "$shm/own.run" setup execute --name Bench >/dev/null &&
    build/start-cli --run "$shm/own.run" setup exit >/dev/null || { echo "the box cannot be set up"; cat "$box/own.log"; exit 1; }
box_stop

case " $what " in *" echo "*)
    small="the quick brown fox jumps over the lazy dog"
    kilo=$(head -c 768 /dev/urandom | base64 -w 0)
    call echo "{\"message\":\"$small\"}" >"$box/small.json"
    call echo "{\"message\":\"$kilo$kilo$kilo$kilo\"}" >"$box/large.json"
    for s in small large; do
        cat >"$box/$s.lua" <<EOF2
local f = io.open("$box/$s.json")
wrk.method, wrk.path, wrk.body, wrk.headers["Content-Type"] = "POST", "/rpc/v1", f:read("*a"), "application/json"
EOF2
    done
    cat >"$box/nginx.conf" <<EOF2
daemon off; worker_processes 1; pid $box/nginx.pid; error_log $box/nginx.err; user root;
events { worker_connections 1000; }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 300; default_type application/json;
  client_body_temp_path $box/b; proxy_temp_path $box/p; fastcgi_temp_path $box/f; uwsgi_temp_path $box/u; scgi_temp_path $box/s;
  server { listen 127.0.0.1:9501; location = /rpc/v1 { return 200 '{"jsonrpc":"2.0","result":"$small","id":1}'; } }
  server { listen 127.0.0.1:9502; set \$k "$kilo"; location = /rpc/v1 { return 200 '{"jsonrpc":"2.0","result":"\$k\$k\$k\$k","id":1}'; } } }
EOF2
    mkdir "$box/web"
    box_start own
    $on0 build/startbox serve --http 127.0.0.1:9503 "$box/web" 2>"$box/serve.log" &
    serve_pid=$!
    $on0 nginx -c "$box/nginx.conf" 2>/dev/null &
    nginx_pid=$!
    $on0 node tests/bench/rpc.js 9504 &
    node_pid=$!
    started="$started $serve_pid $nginx_pid $node_pid"
    sleep 1
    for s in small large; do # all give the same answer
        n=9501
        [ $s = small ] || n=9502
        curl -s "http://$at/rpc/v1" -d "@$box/$s.json" >"$box/answer"
        for p in $n 9504; do
            curl -s "http://127.0.0.1:$p/rpc/v1" -d "@$box/$s.json" | cmp -s - "$box/answer" || echo "the answers differ: $s $p"
        done
    done
    posts() { $on1 wrk -t1 -c64 -d"${secs}s" -s "$box/$1.lua" "http://$2/rpc/v1" 2>/dev/null | counted; }
    gets() { $on1 wrk -t1 -c64 -d"${secs}s" "http://$1/hello" 2>/dev/null | counted; }
    # How many requests were answered; none when one of them was refused.
    counted() { awk '/requests in/ { n = $1 } /Non-2xx|Socket errors/ { bad = 1 } END { print bad ? 0 : n + 0 }'; }
    for _ in $(seq "$rounds"); do
        measure echo.box $main posts small "$at"
        measure echo.nginx $nginx_pid posts small 127.0.0.1:9501
        measure echo.node $node_pid posts small 127.0.0.1:9504
        measure echo.static $serve_pid gets 127.0.0.1:9503
        measure large.box $main posts large "$at"
        measure large.nginx $nginx_pid posts large 127.0.0.1:9502
        measure large.node $node_pid posts large 127.0.0.1:9504
    done
    row "JSON-RPC echo, 64 connections, CPU us a call" startd nginx node "ratio (bar)"
    b=$(median echo.box) g=$(median echo.nginx) n=$(median echo.node) s=$(median echo.static)
    row "43 bytes" "$b" "$g" "$n" "$(ratio "$b" "$g") x nginx, canned (1.20), $(ratio "$b" "$n") x node (0.33)"
    row "our own static reply" "$s" - - "echo: $(ratio "$s" "$b") x as many calls a CPU second (0.80)"
    b=$(median large.box) g=$(median large.nginx) n=$(median large.node)
    row "4096 bytes" "$b" "$g" "$n" "$(ratio "$b" "$g") x nginx, canned (2.50), $(ratio "$b" "$n") x node (0.40)"
    end $serve_pid $nginx_pid $node_pid
    box_stop
    ;;
esac

login() { # the cookie of a session
    curl -si "http://$at/rpc/v1" -d "$(call auth.login '{"password":"x"}')" | sed -n 's/^[Ss]et-[Cc]ookie: \([^;]*\);.*/\1/p'
}
case " $what " in *" fan "*)
    box_start own
    cookie=$(login)
    [ -n "$cookie" ] || echo "no login"
    ws_pid=""
    if (mkdir -p build/bench-npm && cd build/bench-npm && { [ -d node_modules/ws ] || npm install --silent ws >/dev/null 2>&1; } && [ -d node_modules/ws ]); then
        NODE_PATH=$PWD/build/bench-npm/node_modules $on0 node tests/bench/ws.js 9505 &
        ws_pid=$!
        started="$started $ws_pid"
        sleep 1
    else
        echo "npm's ws is not to be had: no figures against it"
    fi
    $on0 $tools/canned_fan 9508 &
    canned_pid=$!
    started="$started $canned_pid"
    fan() { # NAME PID RATE SECONDS MODE ADDR COOKIE|PATH; CPU is counted once all have subscribed
        # shellcheck disable=SC2086
        timeout 60 $on1 $tools/caller "$5" "$6" "$7" 1000 "$4" "$3" "$(tree "$2" | paste -sd,)" >"$box/said" ||
            echo "$1: not everything arrived"
        for k in per_s p50_us p99_us last_us worst_us behind; do value $k "$box/said" >>"$box/$1.$k"; done
        awk '$2 > 0 { printf "%.3f\n", $6 / $2 }' "$box/said" >>"$box/$1"
    }
    for _ in $(seq "$rounds"); do
        fan flat.box $main 0 "$secs" follow "$at" "$cookie"
        fan flat.canned $canned_pid 0 "$secs" cast 127.0.0.1:9508 /
        [ -n "$ws_pid" ] && fan flat.ws "$ws_pid" 0 "$secs" cast 127.0.0.1:9505 /ws/all
        fan paced.box $main 10 5 follow "$at" "$cookie"
        fan paced.canned $canned_pid 10 5 cast 127.0.0.1:9508 /
        [ -n "$ws_pid" ] && fan paced.ws "$ws_pid" 10 5 cast 127.0.0.1:9505 /ws/all
    done
    row "a change to 1000 subscribers" startd "npm ws" canned "ratio (bar)"
    b=$(median flat.box) g=$(median flat.ws) c=$(median flat.canned)
    row "flat out, CPU us a delivery" "$b" "$g" "$c" "$(ratio "$b" "$g" 3.5) x ws / 3.5 (1.00), $(ratio "$b" "$c") x canned; told the whole value: $(most flat.box.behind)"
    b=$(median flat.box.per_s) g=$(median flat.ws.per_s) c=$(median flat.canned.per_s)
    row "flat out, deliveries a second" "$b" "$g" "$c" "$(ratio "$b" "$g") x ws (2.00), $(ratio "$b" "$c") x canned"
    b=$(median paced.box) g=$(median paced.ws) c=$(median paced.canned)
    row "10 changes a second, CPU us a delivery" "$b" "$g" "$c" "$(ratio "$b" "$g" 3.5) x ws / 3.5, $(ratio "$b" "$c") x canned"
    for k in "p50:until it is there, p50 ms:" "p99:p99 ms:(20)" "last:until the last has it, median ms:" "worst:the longest of all, ms:"; do
        name=${k%%:*} rest=${k#*:}
        row "  ${rest%:*}" "$(ms "$(median "paced.box.${name}_us")")" "$(ms "$(median "paced.ws.${name}_us")")" \
            "$(ms "$(median "paced.canned.${name}_us")")" "${rest##*:}"
    done
    end $canned_pid
    [ -n "$ws_pid" ] && end "$ws_pid"
    box_stop
    ;;
esac

case " $what " in *" idle "*)
    strip -o "$box/stripped" build/startbox
    echo "the program, stripped: $(stat -c %s "$box/stripped") bytes (1200000)"
    for s in new own; do
        box_start $s
        sleep 5
        [ $s = new ] && name="waiting for its owner" || name="set up, nothing in it"
        echo "idle, $name, $(tree "$main" | wc -l) processes: PSS $(sum "$main" Pss) kB (4096; issue 5120), private and dirty $(sum "$main" Private_Dirty) kB (2048), anonymous $(sum "$main" Anonymous) kB"
        for p in $(tree "$main"); do
            awk -v name="$(cat "/proc/$p/comm")" '{ kb[$1] = $2 } END { print "  " name ": PSS " kb["Pss:"] " kB, private and dirty " kb["Private_Dirty:"] " kB" }' \
                "/proc/$p/smaps_rollup"
        done
        box_stop
    done
    ;;
esac

case " $what " in *" start "*)
    for _ in $(seq 10); do
        rm -f "$shm/own.run/ready"
        $tools/begin first 127.0.0.1:9506 echo build/startd --data "$box/own.data" --run "$shm/own.run" --http 127.0.0.1:9506 |
            awk '{ print $2 }' >>"$box/start.box"
        $tools/begin first 127.0.0.1:9507 ping redis-server --port 9507 --bind 127.0.0.1 --save '' --appendonly no --dir "$box" |
            awk '{ print $2 }' >>"$box/start.redis"
    done
    row "wall, ms" startd redis curl "ratio (bar)"
    b=$(median start.box) g=$(median start.redis)
    row "from exec to the first answer, median of 10" "$b" "$g" - "(50; aim 10), $(ratio "$b" "$g") x redis (1.10)"
    box_start own
    $on0 redis-server --port 0 --unixsocket "$box/redis.sock" --save '' --appendonly no --dir "$box" >/dev/null &
    redis_pid=$!
    started="$started $redis_pid"
    sleep 1
    run=$shm/own.run
    for _ in $(seq 10); do
        $on1 $tools/begin wall 5 build/start-cli --run "$run" state >>"$box/wall.box"
        $on1 $tools/begin wall 5 redis-cli -s "$box/redis.sock" ping >>"$box/wall.redis"
        $on1 $tools/begin wall 5 curl -sf --unix-socket "$run/rpc.sock" -b "local=$(cat "$run/rpc.authcookie")" \
            -d "$(call state '{}')" http://localhost/rpc/v1 >>"$box/wall.curl"
    done
    b=$(median wall.box) g=$(median wall.redis) c=$(median wall.curl)
    row "start-cli state; redis-cli ping; curl, the same call" "$b" "$g" "$c" "$(ratio "$b" "$g") x redis-cli (1.00), $(ratio "$b" "$c") x curl (0.65)"
    end $redis_pid
    box_stop
    ;;
esac

case " $what " in *" login "*)
    box_start own
    echoes=$(call echo '{"message":"a"}') right=$(call auth.login '{"password":"x"}') wrong=$(call auth.login '{"password":"wrong"}')
    pace() { # NAME FROM BODY RATE SECONDS
        # shellcheck disable=SC2086
        timeout 30 $on1 $tools/caller pace "$at" "$2" "$3" "$4" "$5" >"$box/said.$1" || echo "$1: not everything was answered"
        for k in p50_us p99_us worst_us good answered; do value $k "$box/said.$1" >>"$box/$1.$k"; done
    }
    for _ in $(seq "$rounds"); do
        pace calm 127.0.0.1 "$echoes" 200 5
        pace one 127.0.0.3 "$right" 1 4
        pace attack 127.0.0.2 "$wrong" 1000 11 &
        attack_pid=$!
        sleep 1
        pace storm 127.0.0.1 "$echoes" 200 5
        pace login 127.0.0.3 "$right" 1 4
        wait $attack_pid
    done
    row "beside 1000 wrong passwords a second, ms" alone beside - "ratio (bar)"
    for k in p50 p99 worst; do
        bar=""
        [ $k = p99 ] && bar=" (2.00)"
        b=$(median calm.${k}_us) g=$(median storm.${k}_us)
        row "echo, 200 a second, $k" "$(ms "$b")" "$(ms "$g")" - "$(ratio "$g" "$b")$bar"
    done
    b=$(median one.p50_us) g=$(median login.p50_us)
    row "the right password from elsewhere, p50" "$(ms "$b")" "$(ms "$g")" - "$(ratio "$g" "$b") (2.00)"
    g=$(median login.worst_us)
    row "the same, the slowest" "$(ms "$(median one.worst_us)")" "$(ms "$g")" - "$(ratio "$g" "$b") x one hash; let in: $(median login.good) of $(median login.answered)"
    echo "wrong passwords answered: $(median attack.answered) in 11 s, p99 $(ms "$(median attack.p99_us)") ms; let in: $(most attack.good)"
    box_stop
    ;;
esac
