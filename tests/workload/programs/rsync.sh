# packages: rsync diffutils
# seconds: 900
mkdir -p /tmp/s/sub; cd /tmp; seq 5000 > s/n; echo x > s/sub/x; ln -s n s/l; chmod 640 s/n
rsync -a s/ d/; diff -r s d && stat -c '%a %F' d/n && readlink d/l; echo more >> s/n; rsync -a --stats s/ d/ | grep 'files transferred'; rm s/sub/x; rsync -a --delete -v s/ d/ | grep delet
rsync -a --exclude='sub' s/ e/; ls e; rsync -ac --dry-run -i s/ d/ | wc -l
printf 'address = 127.0.0.1\nport = 8873\nuse chroot = no\nuid = root\ngid = root\n[m]\npath = /tmp/s\nread only = no\n' > c; rsync --daemon --config=c --no-detach > /dev/null 2>&1 & p=$!; until rsync rsync://127.0.0.1:8873/ > /dev/null 2>&1; do sleep 0.2; done
rsync rsync://127.0.0.1:8873/ ; rsync -az rsync://127.0.0.1:8873/m/ f/ && diff -r s f && echo pulled; echo new > f/new; rsync -a f/ rsync://127.0.0.1:8873/m/ && cat s/new; kill $p
