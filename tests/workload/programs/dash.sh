# quick
cat > /tmp/d.sh <<'S'
fib() { if [ "$1" -lt 2 ]; then echo "$1"; else echo $(( $(fib $(($1-1))) + $(fib $(($1-2))) )); fi; }
fib 9
trap 'echo trapped' USR1
kill -USR1 $$
( exit 7 ) & wait $!; echo "status $?"
set -- a b c; for x; do printf '%s.' "$x"; done; echo
cat <<A | while read -r l; do echo "[$l]"; done
one
two
A
case "$(printf 'x\ny')" in x*y) echo matched ;; esac
ulimit -n > /dev/null && echo limits
exec 5> /tmp/d.out; echo kept >&5; exec 5>&-; cat /tmp/d.out
S
dash /tmp/d.sh
dash -n /tmp/d.sh && echo "syntax good"
