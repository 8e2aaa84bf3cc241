# packages: redis-server
# seconds: 900
mkdir /tmp/rd; cd /tmp/rd; redis-server --port 6399 --bind 127.0.0.1 --dir /tmp/rd --daemonize yes --logfile /tmp/rd/log --pidfile /tmp/rd/pid --io-threads 2 > /dev/null; r="redis-cli -p 6399"; for i in $(seq 60); do $r ping 2> /dev/null && break; sleep 0.3; done
$r set k v; $r incrby n 5; $r rpush l a b c; $r lrange l 0 -1; $r zadd z 2 b 1 a; $r zrange z 0 -1 withscores; $r hset h f 1; $r expire k 100; $r ttl k; $r eval 'return redis.call("get", KEYS[1]) .. ARGV[1]' 1 k x
(printf 'multi\nincr n\nincr n\nexec\n'; seq 2000 | sed 's,.*,set key& &,') | $r | tail -n 1; $r dbsize; (timeout 3 $r subscribe ch > sub & sleep 1; $r publish ch hello; wait); tail -n 1 sub; $r save; $r bgsave; sleep 1; ls *.rdb; $r config set appendonly yes; $r shutdown nosave; sleep 0.5
redis-server --port 6399 --bind 127.0.0.1 --dir /tmp/rd --daemonize yes --logfile /tmp/rd/log > /dev/null; for i in $(seq 60); do $r ping 2> /dev/null && break; sleep 0.3; done; $r dbsize; $r shutdown nosave; redis-check-rdb dump.rdb | grep -c 'looks OK'
