# packages: diffutils tar gzip bzip2 xz-utils zstd cpio file
# quick
mkdir -p /tmp/t/in/sub; cd /tmp/t
seq 1 20000 > in/numbers; for i in 1 2 3; do echo "file $i" > in/sub/$i; done; ln -s numbers in/link; ln in/numbers in/hard
sum() { (cd "$1" && find . -type f | sort | xargs sha256sum | sha256sum | cut -c 1-16); }
sum in
for c in gzip bzip2 xz zstd; do
  tar --use-compress-program=$c -cf $c.tar in; mkdir out.$c; tar -xf $c.tar -C out.$c
  echo "$c $(sum out.$c/in) $(readlink out.$c/in/link) $(stat -c %h out.$c/in/numbers)"
done
gzip -9 < in/numbers | gzip -d | cmp - in/numbers && echo gzip same
xz -T2 -k in/numbers && xz -l --robot in/numbers.xz | head -n 1 | cut -f1; xz -dc in/numbers.xz | cmp - in/numbers && echo xz same
bzip2 -k in/sub/1 && bzcat in/sub/1.bz2; zstd -q -19 in/numbers -o n.zst && zstd -t -q n.zst && echo zstd good
(cd in && find . -name '[12]' | sort | cpio -o --quiet -H newc) | cpio -t --quiet
tar -C in --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - sub | tar -tvf - | tr -s ' '
gzip -c in/sub/1 | head -c 12 | gzip -dc 2> /dev/null; echo "cut $?"
