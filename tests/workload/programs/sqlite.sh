# packages: sqlite3
# quick
cd /tmp; sqlite3 db <<'S'
create table t(id integer primary key, name text, score real);
with recursive c(x) as (select 1 union all select x+1 from c where x < 2000) insert into t select x, 'n' || x, x * 1.5 from c;
create index i on t(name);
select count(*), sum(score), max(name) from t;
select name, rank() over (order by score desc) from t limit 3;
create virtual table f using fts5(body); insert into f values('the quick brown fox'), ('lazy dog'); select rowid from f where f match 'quick';
select json_extract('{"a":[1,2,{"b":"deep"}]}', '$.a[2].b');
begin; delete from t; rollback; select count(*) from t;
explain query plan select * from t where name = 'n5';
pragma journal_mode=wal; insert into t values(9999, 'wal', 1); pragma integrity_check;
.mode csv
select * from t where id > 1999;
S
sqlite3 db 'select count(*) from t' ; sqlite3 db .dump | sqlite3 copy && sqlite3 copy 'select sum(id) from t'
(for i in 1 2 3 4; do sqlite3 -cmd '.timeout 5000' db "insert into t(name) values('c$i')" & done; wait); sqlite3 db "select count(*) from t where name like 'c_'"
sqlite3 -json db 'select id, name from t order by id limit 1'; ls db*
