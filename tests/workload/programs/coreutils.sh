# quick
cd /tmp; mkdir c; cd c
seq 1 1000 | shuf --random-source=<(yes) | sort -n | md5sum
printf '%s\n' b a c b | sort | uniq -c | sort -rn | head -n 1
seq 20 | split -l 6 - part.; wc -l part.*; cat part.* | cksum
printf 'a,1\nb,2\n' > x; printf 'a,X\nb,Y\n' > y; join -t , x y; paste -d: x y; comm -3 x y | tr '\t' '>'
echo hello | tee t1 | tr a-z A-Z
printf abc | sha256sum; printf abc | sha512sum | cut -c 1-32; printf abc | b2sum | cut -c 1-32
base64 -w 20 <<< 'the quick brown fox' ; printf 'Zm9v' | base64 -d; echo
numfmt --to=iec 1048576; factor 1234567890; expr 6 \* 7; date -u -d @86400 +%F
truncate -s 10K big; dd if=/dev/zero of=big bs=1K seek=20 count=1 conv=notrunc status=none; stat -c '%s %a %F' big
ln -s big link; readlink -f link; cp -a link l2; test -L l2 && echo link kept
touch -d '2001-02-03 04:05:06 UTC' old; stat -c %Y old; date -u -r old +%T
mkdir -p p/q/r; chmod 750 p; ls -ld p | cut -c 1-10; du -a p | wc -l; rm -r p; ls
timeout 0.2 sleep 10; echo "timeout $?"; env -i A=1 env; nproc --all > /dev/null && echo cpus
seq 3 | tac | nl -ba | expand | fold -w 4 | head -n 2; od -An -tx1 <<< AB; printf '%d\n' "'A"
tail -c 5 <<< 1234567; yes | head -c 6 | tr -d '\n'; echo; mktemp -u XXXX | wc -c; sync; pwd -P; id -u; whoami
mkfifo f; (cat f > g &) ; echo fifo > f; until [ -s g ]; do sleep 0.1; done; cat g
(while sleep 0.1; do echo appended >> log; done) & w=$!; tail -n 0 -F --pid=$w log 2> /dev/null | head -n 1; kill $w; wait
ls --zero | tr '\0' ' '; echo; csplit -s <(seq 9) 4 && wc -l < xx00; install -m 700 x inst && stat -c %a inst
