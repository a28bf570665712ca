#!/bin/sh
# A shell program that knows nothing of Tillwatch: it writes a file each half second, and after a while it hangs
# in the way that it was told. Only its first life does: the marker file says that it has.
#
#   patient.sh MODE ROUNDS FILE MARKER
mode=$1 rounds=$2 file=$3 marker=$4
round=0
first=1
[ -e "$marker" ] && first=

fail() {
  : > "$marker"
  echo "failing: $mode"
  case $mode in
    spin) while :; do :; done ;;
    read-fifo)
      mkfifo "$marker.fifo"
      read -r line < "$marker.fifo"
      ;;
    wait-for-child) sleep 100000 ;;
    stop) kill -STOP $$ ;;
    escape)
      # A child in a session of its own, which holds what we held.
      setsid sleep 100000 &
      kill -STOP $$
      ;;
    fork-bomb)
      n=0
      while [ $n -lt 200 ]; do
        sleep 100000 &
        n=$((n + 1))
      done
      kill -STOP $$
      ;;
    ignore-term | well) ;;
  esac
}

[ "$mode" = ignore-term ] && trap '' TERM
while :; do
  echo beat > "$file"
  if [ -n "$first" ] && [ $round -ge "$rounds" ]; then
    first=
    fail
  fi
  round=$((round + 1))
  sleep 0.5
done
