# packages: socat netcat-openbsd
# seconds: 900
cd /tmp; socat TCP-LISTEN:5001,bind=127.0.0.1,fork,reuseaddr EXEC:'tr a-z A-Z' & a=$!; socat UNIX-LISTEN:/tmp/u,fork SYSTEM:'read x; echo got $x' & b=$!; socat -u UDP-RECV:5002,bind=127.0.0.1 CREATE:/tmp/udp & c=$!; sleep 1
for i in 1 2 3; do echo "tcp $i" | socat -t 2 - TCP:127.0.0.1:5001; done; echo unix | socat -t 2 - UNIX-CONNECT:/tmp/u; echo datagram | socat - UDP-SENDTO:127.0.0.1:5002; sleep 1; cat udp
socat -t 1 - SYSTEM:'stty -echo; read x; echo pty $x; tty',pty,setsid,ctty,rawer <<< typed | tr -d '\r' | sed 's/[0-9]*$//'; seq 20000 | socat -u - OPEN:/tmp/o,creat; md5sum < o
socat TCP4-LISTEN:5003,bind=127.0.0.1 TCP:127.0.0.1:5001 & sleep 0.5; echo relayed | nc -N -w 3 127.0.0.1 5003; nc -z 127.0.0.1 5001 && echo open; nc -z 127.0.0.1 5999 || echo closed; echo abstract | timeout 3 socat - ABSTRACT-CONNECT:none 2> /dev/null; echo "code $?"; kill $a $b $c
