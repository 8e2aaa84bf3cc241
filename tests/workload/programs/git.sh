# packages: git
# quick
# seconds: 900
export HOME=/tmp GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z' GIT_PAGER=cat
git config --global user.name T; git config --global user.email t@e.org; git config --global init.defaultBranch main; git config --global advice.detachedHead false
mkdir /tmp/r; cd /tmp/r; git init -q; seq 20 > f; mkdir d; echo x > d/y; git add .; git commit -qm first; git log --format='%H %an %s'
git switch -qc side; sed -i 's/^5$/five/' f; git commit -qam side; git switch -q main; sed -i 's/^15$/fifteen/' f; git commit -qam main
git merge -q --no-edit side; git log --oneline --graph | cat; git diff HEAD~1 --stat; git show HEAD:f | sha1sum
git switch -qc conflict HEAD~1; echo a > d/y; git commit -qam a; git switch -q main; echo b > d/y; git commit -qam b; git merge conflict > /dev/null; echo "merge $?"; git status --short; git checkout -q --theirs d/y; git commit -qam solved; cat d/y
git tag -a v1 -m tag; git describe; git blame -s f | head -n 2 | cut -c 9-; git stash list; echo dirty >> f; git stash -q; git stash pop -q; git checkout -q f
cd /tmp; git clone -q r c1; git clone -q file:///tmp/r c2; git clone -q --bare r bare.git; git -C c2 rev-parse HEAD; git -C c1 fsck --full 2> /dev/null && echo sound
git daemon --reuseaddr --base-path=/tmp --export-all --listen=127.0.0.1 --port=9418 --detach --pid-file=/tmp/d.pid; until git ls-remote -q git://127.0.0.1/bare.git > /dev/null 2>&1; do sleep 0.1; done
git clone -q git://127.0.0.1/bare.git c3 && git -C c3 log -1 --format=%s; kill "$(cat /tmp/d.pid)"
cd c1; echo new > n; git add n; git commit -qm new; git push -q ../bare.git HEAD:refs/heads/pushed; git -C ../bare.git branch --list; git gc -q; git count-objects -v | grep packs; git archive HEAD | wc -c; git grep -n five; git bisect start HEAD HEAD~3 > /dev/null && echo bisect
