#!/bin/sh
# Shows the three modes, then a client with a timeout against a web server and against a slow one.
# Fails if anything does not go as it says.
#
# usage: demo.sh DIRECTORY, where the programs are

set -u
programs=$1
work=$(mktemp -d) || exit
servers=

clean_up() {
    for pid in $servers; do
        kill "$pid"
        wait "$pid"
    done 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    echo "demo: $*" >&2
    exit 1
}

# Starts a server in the background and takes its $url from the first line that it prints.
start() {
    rm -f "$work/line"
    mkfifo "$work/line" || exit
    "$@" >"$work/line" 2>"$work/log" &
    servers="$servers $!"
    exec 3<"$work/line" # It stays open, so that whatever else the server prints does not kill it.
    read -r line <&3 || fail "$1 did not start: $(cat "$work/log")"
    url=$(expr "$line" : '.*\(http://[0-9.:]*/\)') || fail "$1 did not tell its address"
}

# Runs the client, shows what it has to say, and checks its exit code.
fetch() {
    expected=$1
    shift
    echo "   \$ fetch $*"
    "$programs/fetch" "$@" >"$work/body" 2>"$work/said"
    code=$?
    sed 's/^/   /' "$work/said"
    [ $code -eq "$expected" ] || fail "fetch ended with exit code $code and not $expected"
}

echo "1. One socketpair in each mode: what a receive says, and after how long"
"$programs/modes" >"$work/modes" || fail "modes failed"
sed 's/^/   /' "$work/modes"
echo

mkdir "$work/site"
head -c 1000000 /dev/urandom >"$work/site/page"
if python=$(python3 -c 'import http.server, sys; print(sys.executable)' 2>/dev/null); then
    echo "2. A web server (python3 -m http.server), and a client with 5 s in all"
    start "$python" -u -m http.server --bind 127.0.0.1 --directory "$work/site" 0
else
    echo "2. A web server (serve, there being no python3), and a client with 5 s in all"
    start "$programs/serve" "$work/site/page"
fi
fetch 0 "${url}page" 5
cmp -s "$work/body" "$work/site/page" || fail "that is not the page"
echo "   The page is whole."
echo

echo "3. A server that takes a minute to answer, and a client with 1 s in all"
start "$programs/serve" "$work/site/page" 60
fetch 2 "${url}page" 1
grep -q 'Timed out after 1\.' "$work/said" || fail "the timeout did not fire on time"
echo "   The timeout fired on time: not early, and less than a second late."
