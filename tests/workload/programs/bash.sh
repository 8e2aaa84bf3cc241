# quick
declare -A seen
for w in a b a c b a; do (( seen[$w]++ )); done
for k in "${!seen[@]}"; do echo "$k ${seen[$k]}"; done | sort
mapfile -t lines < <(seq 1 5 | tac); echo "${lines[@]:1:3}"
coproc bc_like { while read -r a b; do echo $((a * b)); done; }
echo 6 7 >&"${bc_like[1]}"; read -r r <&"${bc_like[0]}"; echo "coproc $r"
kill "$bc_like_PID"; wait "$bc_like_PID" 2> /dev/null
shopt -s extglob; s=foo123bar; echo "${s//+([0-9])/-}" "${s^^}" "${s:3:3}"
sleep 30 & sleep 30 & jobs -p | wc -l; kill %1 %2; wait; echo "jobs $(jobs -r | wc -l)"
f() { local -n ref=$1; ref=changed; }; v=old; f v; echo "$v"
printf '%q %05.2f %(%Y-%m-%d)T\n' 'a b' 3.14159 0
[[ "2024-05-06" =~ ^([0-9]+)-([0-9]+) ]] && echo "${BASH_REMATCH[2]}"
set -o pipefail; false | true; echo "pipefail $?"
time -p true 2> /dev/null; TIMEFORMAT=; trap 'echo bye' EXIT
for i in {1..40}; do (exit "$i") || true; done; echo "forty subshells"
