#!/bin/sh
# Shows the three modes, then a client with a deadline against a web server and against a slow one, how it is cancelled,
# and one that reads lines.
# Fails if anything does not go as it says.
#
# usage: demo.sh DIRECTORY, where the programs are

set -u
programs=$1
work=
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
work=$(mktemp -d) || exit

fail() {
    echo "demo: $*" >&2
    exit 1
}

# Starts a server in the background and takes its $address from the first line that it prints.
start() {
    rm -f "$work/line"
    mkfifo "$work/line" || exit
    "$@" >"$work/line" 2>"$work/log" &
    servers="$servers $!"
    exec 3<"$work/line" # It stays open, so that whatever else the server prints does not kill it.
    read -r line <&3 || fail "$1 did not start: $(cat "$work/log")"
    address=$(expr "$line" : '.*[ /]\([0-9.]*:[0-9]*\)') || fail "$1 did not tell its address"
}

# Shows what the client has to say, and checks its exit code.
said() {
    sed 's/^/   /' "$work/said"
    [ "$1" -eq "$2" ] || fail "fetch ended with exit code $1 and not $2"
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
echo "   \$ fetch http://$address/page 5"
"$programs/fetch" "http://$address/page" 5 >"$work/body" 2>"$work/said"
said $? 0
cmp -s "$work/body" "$work/site/page" || fail "that is not the page"
echo "   The page is whole."
echo

echo "3. A server that takes a minute to answer, and a client with 1 s in all"
start "$programs/serve" "$work/site/page" 60
"$programs/fetch" "http://$address/" 1 >"$work/body" 2>"$work/said"
said $? 2
grep -q 'Timed out after 1\.' "$work/said" || fail "the deadline did not end it on time"
echo "   The deadline ended it on time: not early, and less than a second late."
echo "   The same with a minute, and Ctrl-C after 0.5 s, which cancels a token:"
"$programs/fetch" "http://$address/" 60 >"$work/body" 2>"$work/said" &
fetch=$! others=$servers
servers="$servers $fetch"
sleep 0.5
kill -INT $fetch
wait $fetch
said $? 130
servers=$others
echo

echo "4. A server that sends back what it gets, and a client that reads by lines"
start "$programs/echo-server"
printf 'one line\nand another\n' | "$programs/line-client" "${address%:*}" "${address#*:}" 5 >"$work/lines" ||
    fail "line-client failed"
sed 's/^/   /' "$work/lines"
