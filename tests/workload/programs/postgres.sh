# packages: postgresql-17 util-linux
# seconds: 1200
export PATH=$PATH:/usr/lib/postgresql/17/bin D=/tmp/pg; mkdir $D; chown postgres $D; s() { setpriv --reuid postgres --clear-groups -- "$@"; }; cd /tmp
s initdb -D $D -E UTF8 --locale=C.UTF-8 -N > /tmp/init.log 2>&1; tail -n 3 /tmp/init.log | head -n 1 | cut -c 1-20; printf "listen_addresses='127.0.0.1'\nport=5499\nunix_socket_directories='/tmp'\nfsync=off\nshared_buffers=16MB\nmax_connections=10\nio_method=sync\n" | grep -v io_method >> $D/postgresql.conf; s pg_ctl -D $D -w -t 200 -l /tmp/pg.log start > /dev/null; echo "start $?"
q() { psql -h /tmp -p 5499 -U postgres -At "$@"; }; q -c 'select 6*7'; q <<'S'
create table t(id serial primary key, n text, j jsonb); insert into t(n, j) select 'n' || g, jsonb_build_object('v', g) from generate_series(1, 5000) g; create index on t(n); analyze t;
select count(*), sum((j->>'v')::int) from t; explain (costs off) select * from t where n = 'n7'; begin; delete from t where id < 10; rollback; select count(*) from t;
create function f(x int) returns int language plpgsql as 'begin return x * 2; end'; select f(21); with recursive r(n) as (select 1 union all select n + 1 from r where n < 100) select sum(n) from r; \copy (select id from t order by id limit 2) to stdout
S
q -h 127.0.0.1 -c "select rank() over (order by n) from t limit 2"; for i in 1 2 3; do q -c "insert into t(n) values('c$i')" > /dev/null & done; wait; q -c "select count(*) from t where n like 'c_'"; pg_dump -h /tmp -p 5499 -U postgres -t t | grep -c '^CREATE TABLE'; s pg_ctl -D $D -m fast stop > /dev/null; echo "stop $?"
