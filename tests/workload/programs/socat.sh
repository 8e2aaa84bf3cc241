# packages: socat netcat-openbsd
# seconds: 900
cd /tmp; socat TCP-LISTEN:5001,bind=127.0.0.1,fork,reuseaddr EXEC:'tr a-z A-Z' & a=$!; socat UNIX-LISTEN:/tmp/u,fork SYSTEM:'read x; echo got $x' & b=$!; socat -u UDP-RECV:5002,bind=127.0.0.1 CREATE:/tmp/udp & c=$!; until nc -z 127.0.0.1 5001 && [ -S u ]; do sleep 0.1; done
for i in 1 2 3; do echo "tcp $i" | socat -t 60 - TCP:127.0.0.1:5001; done; echo unix | socat -t 60 - UNIX-CONNECT:/tmp/u; until [ -s udp ]; do echo datagram | socat - UDP-SENDTO:127.0.0.1:5002; sleep 0.3; done; head -n 1 udp
socat -t 60 - SYSTEM:'stty -echo; read x; echo pty $x; tty',pty,setsid,ctty,rawer <<< typed | tr -d '\r' | sed 's/[0-9]*$//'; seq 20000 | socat -u - OPEN:/tmp/o,creat; md5sum < o
socat TCP4-LISTEN:5003,bind=127.0.0.1 TCP:127.0.0.1:5001 & until echo relayed | nc -N -w 60 127.0.0.1 5003; do sleep 0.1; done; nc -z 127.0.0.1 5001 && echo open; nc -z 127.0.0.1 5999 || echo closed; echo abstract | timeout 60 socat - ABSTRACT-CONNECT:none 2> /dev/null; echo "code $?"; kill $a $b $c
