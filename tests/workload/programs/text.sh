# packages: gawk mawk diffutils bc dc file less patch bsdextrautils
# quick
cd /tmp; seq 100 > n
gawk 'BEGIN { PROCINFO["sorted_in"] = "@ind_num_asc" } { a[$1 % 7] += $1 } END { for (k in a) print k, a[k] }' n
mawk '/9$/ { printf "%s ", $0 } END { print "" }' n
gawk 'BEGIN { "echo sub" | getline x; print x; print strftime("%Y", 0, 1); print gensub(/(a)(b)/, "\\2\\1", "g", "abab") }'
sed -n '5,10{s/^/n/;p}' n | sed '1!G;h;$!d'
grep -c '[37]$' n; grep -E -o '^(1|2)[0-9]$' n | tr '\n' ' '; echo; printf 'Straße\n' | grep -oP '\p{Lu}\w+'
cp n m; sed -i '50s/.*/fifty/' m; diff -u n m | tail -n +3; diff n m > p; patch -s n p && cmp n m && echo patched
echo 'scale=20; 4*a(1)' | bc -l; echo '2^200' | bc; dc -e '10 k 2 v p'
file -b /bin/bash | cut -d, -f1-2; printf 'GIF89a' > g; file -b g
less -FX m < /dev/null | tail -n 1; find / -name 'n' -path '/tmp/*' -newer /bin/bash; find /tmp -maxdepth 1 -name '[nm]' -printf '%f %s\n' | sort
printf 'b 2\na 10\n' | column -t; printf 'one\ntwo\n' | rev; xargs -a n -n 25 -P 3 echo | wc -l; hexdump -C g
