# packages: busybox-static
# quick
mkdir /tmp/b && cd /tmp/b
for i in 3 1 2; do echo "line $i" >> f; done
busybox sort f | busybox sed 's/line/row/' | busybox awk '{ s += $2; print } END { print "sum", s }'
busybox tar cf f.tar f && busybox tar tf f.tar
busybox gzip -k f && busybox zcat f.gz | busybox md5sum
busybox find / -maxdepth 1 -name 'b*' | busybox sort
busybox dc -e '2 64 ^ p'
busybox printf '%s\n' one two | busybox xargs -n 1 busybox echo got
busybox sh -c 'x=5; while [ $x -gt 0 ]; do x=$((x-1)); printf $x; done; echo; exit 3'; echo "code $?"
busybox vi -c ':%s/line/vi/g' -c ':wq' f < /dev/null > /dev/null 2>&1; busybox cat f
busybox cal 2 2024 | busybox tail -n 3
(busybox nc -l -p 4000 -w 60 & until echo over the net | busybox nc -w 60 127.0.0.1 4000 2> /dev/null; do busybox sleep 0.1; done; wait)
