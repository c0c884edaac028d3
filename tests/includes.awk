# includes.awk - holds every #include "..." against docs/includes.txt. Used as: awk -f includes.awk docs/includes.txt FILES
#
# A rule is `folder: allowed ...`, each a folder or a single header; `folder !: header ...` forbids single headers of an allowed folder.
# The longest folder that begins a file's path decides.

FILENAME == ARGV[1] {
    sub(/#.*/, "")
    if (NF < 1) next
    folder = $1
    forbid = 0
    start = 2
    if ($2 == "!:") { forbid = 1; start = 3 }
    sub(/:$/, "", folder)
    if (!(folder in known)) { known[folder] = 1; folders[++n] = folder }
    for (i = start; i <= NF; i++) if (forbid) bad[folder, $i] = 1; else good[folder, $i] = 1
    next
}

FNR == 1 {
    mine = ""
    for (i = 1; i <= n; i++) if (index(FILENAME, folders[i]) == 1 && length(folders[i]) > length(mine)) mine = folders[i]
    if (mine == "") { print FILENAME ": no rule in docs/includes.txt names its folder"; failed = 1 }
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\"")
    header = part[2]
    path = header
    if (path !~ /^(protocols|vendor)\//) path = "src/" path
    folder = path
    sub(/\/[^\/]*$/, "", folder)
    ok = (folder == mine) || ((mine, folder) in good) || ((mine, path) in good)
    if ((mine, path) in bad) ok = 0
    if (!ok) { printf "%s:%d: %s may not include \"%s\"\n", FILENAME, FNR, mine, header; failed = 1 }
}

END { exit failed }
