# packages: jq
# quick
echo '{"a":[{"n":"x","v":3},{"n":"y","v":5}],"u":"ünï"}' > /tmp/j
jq -c . /tmp/j; jq -r '.a[] | "\(.n)=\(.v)"' /tmp/j; jq '[.a[].v] | add, (map(. * .) | add), @csv' -r /tmp/j
jq -c 'to_entries | map(.key)' /tmp/j; jq -n '[range(5)] | map(select(. % 2 == 0))' -c
jq -r '.u | ascii_downcase, length, @base64, @uri' /tmp/j; echo '[3,1,2]' | jq -c 'sort, group_by(. > 1), (.[0] | tostring | test("3"))'
seq 500 | jq -s 'length, add'; jq -n 'reduce range(10000) as $i (0; . + $i)'; echo '{bad' | jq . 2> /dev/null; echo "code $?"
jq -n '"2015-03-05T23:51:47Z" | fromdate | todate' ; jq --arg x 7 -n '$x | tonumber | pow(2; .)'; jq -S -c . <<< '{"b":1,"a":{"d":1,"c":2}}'
