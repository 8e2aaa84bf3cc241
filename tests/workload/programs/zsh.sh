# packages: zsh
# quick
zsh -f <<'S'
typeset -A m; m=(one 1 two 2 three 3)
for k in ${(ok)m}; do print "$k=$m[$k]"; done
a=({1..10}); print ${a[2,4]} ${(j:-:)a[-2,-1]} ${#a}
print ${(U):-hello} ${${:-path/to/file.txt}:t:r} ${(l:6::0:)${:-42}}
setopt extendedglob; mkdir -p /tmp/z/d; touch /tmp/z/{a,b}.c /tmp/z/d/x.c
print -l /tmp/z/**/*.c(:t) | sort
autoload -Uz add-zsh-hook zmv; print $+functions[zmv]
zmodload zsh/mathfunc; printf '%.4f\n' $(( sqrt(2) ))
repeat 3 print -n x; print
(( $(print 5 | while read n; do print $((n*n)); done) == 25 )) && print piped
TRAPUSR1() { print caught }; kill -USR1 $$
print =(print temp)(:t) | wc -l
S
echo "code $?"
