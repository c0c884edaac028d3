#!/bin/sh
# serve.sh - `startbox serve`, everything sealed, against its peers: nginx with one worker, a canned loop that parses nothing, npm's
# ws, redis. Servers on processor 0, clients on processor 1. CPU is that of all the server's processes, user and system, from
# /proc: it is the honest figure, requests a second say as much about the client. Rounds are interleaved; medians are printed.
#
#     ROUNDS=3 SECONDS_=2 sh tests/bench/serve.sh [small|files|tls|ws|rest ...]
set -u
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-3} secs=${SECONDS_:-2}
what=${*:-small files tls ws rest}
tools=build/release/tests/tools
box=$(mktemp -d /tmp/startbox-bench-XXXXXX)
chmod 755 "$box"
started=""
finish() {
    for p in $started; do kill "$p" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$box"
}
trap finish EXIT
. tests/bench/lib.sh

requests() { sed -n 's/^ *\([0-9]*\) requests in.*/\1/p'; }

# --- the servers ---
mkdir -p "$box/web"
head -c 1048576 /dev/urandom >"$box/web/mega.bin"
head -c 64000000 /dev/urandom >"$box/web/big.bin"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$box/key.pem" -out "$box/cert.pem" -days 2 -subj /CN=bench 2>/dev/null
$on0 build/startbox serve --http 127.0.0.1:9400 --https 127.0.0.1:9440 --cert "$box/cert.pem" --key "$box/key.pem" "$box/web" 2>"$box/log" &
box_pid=$!
cat >"$box/nginx.conf" <<EOF
daemon off; worker_processes 1; pid $box/nginx.pid; error_log $box/nginx.err; user root;
events { worker_connections 20000; }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 300; sendfile on; tcp_nopush on;
  client_body_temp_path $box/b; proxy_temp_path $box/p; fastcgi_temp_path $box/f; uwsgi_temp_path $box/u; scgi_temp_path $box/s;
  ssl_certificate $box/cert.pem; ssl_certificate_key $box/key.pem; ssl_protocols TLSv1.2; ssl_session_cache shared:s:4m; ssl_session_tickets off;
  ssl_ecdh_curve X25519:prime256v1;
  server { listen 127.0.0.1:9401; listen 127.0.0.1:9441 ssl; location = /hello { default_type text/plain; return 200 "Hello, world!"; } location / { root $box/web; } } }
EOF
$on0 nginx -c "$box/nginx.conf" 2>/dev/null &
nginx_pid=$!
$on0 $tools/canned 9402 &
canned_pid=$!
started="$box_pid $nginx_pid $canned_pid"
sleep 1
grep -q 'ready after' "$box/log" || { cat "$box/log"; exit 1; }

get() { $on1 wrk -t1 -d"${secs}s" "$@" 2>/dev/null | requests; }
row() { printf '%-44s %9s %9s %9s   %s\n' "$@"; }

case " $what " in *" small "*)
    cat >"$box/pipe.lua" <<'EOF'
init = function() local r = {} for i = 1, 16 do r[i] = wrk.format(nil, "/hello") end req = table.concat(r) end
request = function() return req end
EOF
    for _ in $(seq "$rounds"); do
        measure small.box $box_pid get -c64 http://127.0.0.1:9400/hello
        measure small.nginx $nginx_pid get -c64 http://127.0.0.1:9401/hello
        measure small.canned $canned_pid get -c64 http://127.0.0.1:9402/hello
        measure pipe.box $box_pid get -c64 -s "$box/pipe.lua" http://127.0.0.1:9400/
        measure pipe.nginx $nginx_pid get -c64 -s "$box/pipe.lua" http://127.0.0.1:9401/
        measure pipe.canned $canned_pid get -c64 -s "$box/pipe.lua" http://127.0.0.1:9402/
        measure new.box $box_pid get -c16 -H 'Connection: close' http://127.0.0.1:9400/hello
        measure new.nginx $nginx_pid get -c16 -H 'Connection: close' http://127.0.0.1:9401/hello
        for s in "box 9400" "nginx 9401"; do
            # shellcheck disable=SC2086
            set -- $s
            $on1 wrk -t1 -c1 -d"${secs}s" --latency "http://127.0.0.1:$2/hello" 2>/dev/null |
                awk -v f="$box/one.$1" '$1 == "50%" || $1 == "99%" { v = $2 + 0; if ($2 ~ /ms/) v *= 1000; print v >> (f "." $1) }'
        done
    done
    row "HTTP, CPU us a request" startbox nginx canned "ratio (bar)"
    s=$(median small.box) g=$(median small.nginx) c=$(median small.canned)
    row "small reply, 64 connections" "$s" "$g" "$c" "$(ratio "$s" "$g") x nginx (1.00), $(ratio "$s" "$c") x canned (1.43; aim 1.15)"
    awk "BEGIN { if ($g / $c < 1.3) print \"  (the canned loop costs \" $c / $g \" of nginx, not 1/1.3 of it: by the letter of the bar this run says nothing)\" }"
    s=$(median pipe.box) g=$(median pipe.nginx) c=$(median pipe.canned)
    row "the same, 16 pipelined" "$s" "$g" "$c" "$(ratio "$s" "$g") x nginx (0.25)"
    s=$(median new.box) g=$(median new.nginx)
    row "a new connection each" "$s" "$g" - "$(ratio "$s" "$g") x nginx (1.05)"
    row "one connection, p50 us" "$(median one.box.50%)" "$(median one.nginx.50%)" - "$(ratio "$(median one.box.50%)" "$(median one.nginx.50%)") x nginx (1.00)"
    row "one connection, p99 us" "$(median one.box.99%)" "$(median one.nginx.99%)" - "$(ratio "$(median one.box.99%)" "$(median one.nginx.99%)") x nginx (1.10)"
    ;;
esac

case " $what " in *" files "*)
    for _ in $(seq "$rounds"); do
        measure mega.box $box_pid get -c4 http://127.0.0.1:9400/mega.bin
        measure mega.nginx $nginx_pid get -c4 http://127.0.0.1:9401/mega.bin
        measure big.box $box_pid get -c2 http://127.0.0.1:9400/big.bin
        measure big.nginx $nginx_pid get -c2 http://127.0.0.1:9401/big.bin
    done
    row "files, CPU us a file" startbox nginx - "ratio (bar)"
    s=$(median mega.box) g=$(median mega.nginx)
    row "1 MiB, from memory here, sendfile there" "$s" "$g" - "$(ratio "$s" "$g") x nginx (0.40)"
    s=$(median big.box) g=$(median big.nginx)
    row "61 MiB, pumped from the disk here" "$s" "$g" - "$(ratio "$s" "$g") x nginx (1.05)"
    ;;
esac

shakes() { # full or resumed handshakes: PORT new|reuse CURVES
    $on1 openssl s_time -connect "127.0.0.1:$1" -"$2" -time "$secs" -tls1_2 2>/dev/null | sed -n 's/^\([0-9]*\) connections in .*CPU.*/\1/p;s/^\([0-9]*\) connections in .*user sec.*/\1/p' | head -1
}
case " $what " in *" tls "*)
    for _ in $(seq "$rounds"); do
        measure full.box $box_pid shakes 9440 new
        measure full.nginx $nginx_pid shakes 9441 new
        measure again.box $box_pid shakes 9440 reuse
        measure again.nginx $nginx_pid shakes 9441 reuse
        measure tls.box $box_pid get -c64 https://127.0.0.1:9440/hello
        measure tls.nginx $nginx_pid get -c64 https://127.0.0.1:9441/hello
        measure tlsmega.box $box_pid get -c4 https://127.0.0.1:9440/mega.bin
        measure tlsmega.nginx $nginx_pid get -c4 https://127.0.0.1:9441/mega.bin
    done
    row "TLS 1.2, P-256, CPU us" startbox nginx - "ratio (bar)"
    for l in "full:full handshake (BearSSL's constant-time C):3.5" "again:resumed handshake:1.35" "tls:small reply, 64 connections:0.90" "tlsmega:1 MiB reply:1.05"; do
        name=${l%%:*} rest=${l#*:}
        s=$(median "$name.box") g=$(median "$name.nginx")
        row "${rest%:*}" "$s" "$g" - "$(ratio "$s" "$g") x nginx (${rest##*:})"
    done
    ;;
esac

trips() { $on1 timeout 60 $tools/load "$@" | awk '{ print $2 }'; }
case " $what " in *" ws "*)
    if (mkdir -p build/bench-npm && cd build/bench-npm && { [ -d node_modules/ws ] || npm install --silent ws >/dev/null 2>&1; } && [ -d node_modules/ws ]); then
        NODE_PATH=$PWD/build/bench-npm/node_modules $on0 node tests/bench/ws.js 9403 &
        ws_pid=$!
    else
        ws_pid=""
        echo "npm's ws is not to be had: no figures against it"
    fi
    $on0 redis-server --port 9404 --bind 127.0.0.1 --protected-mode no --save '' --appendonly no >/dev/null &
    redis_pid=$!
    started="$started $ws_pid $redis_pid"
    sleep 1
    for _ in $(seq "$rounds"); do
        measure echo.box $box_pid trips echo 127.0.0.1:9400 /ws/echo 64 64 "$secs"
        [ -n "$ws_pid" ] && measure echo.ws "$ws_pid" trips echo 127.0.0.1:9403 / 64 64 "$secs"
        for n in 1000 5000; do
            measure fan$n.box $box_pid trips fan 127.0.0.1:9400 /ws/all $n "$secs"
            measure fan$n.redis $redis_pid trips redis 127.0.0.1:9404 $n "$secs"
        done
    done
    row "WebSocket, CPU us a message" startbox peer - "ratio (bar)"
    s=$(median echo.box) g=$(median echo.ws)
    row "echo, 64 connections, 64 bytes; npm ws" "$s" "$g" - "$(ratio "$g" "$s") x as many a CPU second as ws (3.0)"
    for n in 1000 5000; do
        s=$(median fan$n.box) g=$(median fan$n.redis)
        row "one message to $n; redis pub/sub" "$s" "$g" - "$(ratio "$s" "$g") x redis (1.00)"
    done
    ;;
esac

slowest=""
case " $what " in *" rest "*)
    sum() { t=0; for p in $(tree "$1"); do v=$(awk -v k="$2:" '$1 == k { s += $2 } END { print s + 0 }' "/proc/$p/smaps_rollup"); t=$((t + v)); done; echo $t; }
    build/startbox serve --http 127.0.0.1:9410 --https 127.0.0.1:9411 --cert "$box/cert.pem" --key "$box/key.pem" "$box/web" 2>"$box/log2" &
    idle_pid=$!
    started="$started $idle_pid"
    sleep 1
    curl -s "http://127.0.0.1:9410/hello" >/dev/null
    sleep 1
    echo "idle, $(tree $idle_pid | wc -l) processes: PSS $(sum $idle_pid Pss) kB (4096), private and dirty $(sum $idle_pid Private_Dirty) kB (1024), anonymous $(sum $idle_pid Anonymous) kB"
    for kind in "plain 9410 10000" ; do
        # shellcheck disable=SC2086
        set -- $kind
        before=$(($(sum $idle_pid Private_Dirty) + $(sum $idle_pid Private_Clean)))
        mkfifo "$box/hold"
        $tools/load idle "127.0.0.1:$2" /hello "$3" <"$box/hold" >"$box/ready" &
        load_pid=$!
        exec 9>"$box/hold"
        for _ in $(seq 300); do grep -q ready "$box/ready" && break; sleep 0.1; done
        after=$(($(sum $idle_pid Private_Dirty) + $(sum $idle_pid Private_Clean)))
        echo "$3 idle connections after a request each: $(((after - before) * 1024 / $3)) bytes each (1024)"
        exec 9>&-
        wait $load_pid
    done
    $tools/load storm 127.0.0.1:9410 1000 5 | sed 's/^/storm of 1000 bad clients of each kind: /'
    kill $idle_pid
    wait $idle_pid
    slowest="$(sed -n 's/.*\(slowest_us=.*\)/\1/p' "$box/log2" | tail -1)"
    echo "longest callback under that: $slowest (2000)"
    # The longest callback by itself: nothing else may take the processor meanwhile.
    if old=$(cat /proc/sys/kernel/sched_rt_runtime_us) && echo -1 2>/dev/null >/proc/sys/kernel/sched_rt_runtime_us; then
        for load in "wrk -t1 -c64 -d2 http://127.0.0.1:9413/hello" "wrk -t1 -c4 -d2 http://127.0.0.1:9413/mega.bin" \
            "wrk -t1 -c2 -d2 http://127.0.0.1:9413/big.bin" "$tools/load echo 127.0.0.1:9413 /ws/echo 64 64 2" \
            "$tools/load fan 127.0.0.1:9413 /ws/all 5000 2" "$tools/load storm 127.0.0.1:9413 1000 4"; do
            chrt -f 1 $on0 build/startbox serve --http 127.0.0.1:9413 "$box/web" 2>"$box/log3" &
            rt_pid=$!
            sleep 0.7
            # shellcheck disable=SC2086
            $on1 timeout 30 $load >/dev/null 2>&1
            kill $rt_pid
            wait $rt_pid
            echo "longest callback, unpreempted (2000): $(sed -n 's/.*\(slowest_us=.*\)/\1/p' "$box/log3" | tail -1) under $load"
        done
        echo "$old" >/proc/sys/kernel/sched_rt_runtime_us
    fi
    t0=$(date +%s%N)
    build/startbox serve --http 127.0.0.1:9412 "$box/web" 2>/dev/null &
    first_pid=$!
    until curl -s -o /dev/null http://127.0.0.1:9412/hello; do :; done
    echo "from exec to the first answer, curl's own start included: $((($(date +%s%N) - t0) / 1000)) us (20000)"
    kill $first_pid
    wait $first_pid
    ;;
esac
kill $box_pid
wait $box_pid 2>/dev/null
echo "longest callback under all of the above (handshakes included): $(sed -n 's/.*\(slowest_us=.*\)/\1/p' "$box/log" | tail -1)"
