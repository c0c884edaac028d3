# lib.sh - what the benchmarks in shell share. Sourced; wants $box, a folder of the benchmark's own. Servers on processor 0, clients on
# processor 1: $on0 and $on1 stand in front of their commands.
on0="taskset -c 0" on1="taskset -c 1"
[ "$(nproc)" -ge 2 ] || { on0="" on1=""; echo "one processor: figures are of little worth"; }
ulimit -n 30000 2>/dev/null

tree() { echo "$1"; for c in $(pgrep -P "$1"); do tree "$c"; done; }
cpu() { # clock ticks of a process and its children
    t=0
    for p in $(tree "$1"); do
        [ -r "/proc/$p/stat" ] && t=$((t + $(awk '{print $14 + $15}' "/proc/$p/stat")))
    done
    echo $t
}
# One measurement: FILE PID COUNT-COMMAND...; the command prints how many operations it did. Appends CPU microseconds per operation.
measure() {
    file=$box/$1 pid=$2
    shift 2
    a=$(cpu "$pid")
    count=$("$@")
    b=$(cpu "$pid")
    [ "${count:-0}" -gt 0 ] || echo "no answer: $*"
    echo "${count:-0}" "$a" "$b" | awk '$1 > 0 { printf "%.3f\n", ($3 - $2) * 10000 / $1 }' >>"$file"
}
median() { sort -n "$box/$1" 2>/dev/null | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)]; else print "nan" }'; }
# A / B, times a factor; ? when there is no figure.
ratio() { echo "$1 $2 ${3:-1}" | awk '{ if ($1 > 0 && $2 > 0) printf "%.2f", $1 / $2 * $3; else printf "?" }'; }
