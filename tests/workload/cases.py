"""Shell scripts and what they must print: the same on this machine's dash and bash and on ours.

SH runs on busybox sh, dash and bash; BASH on bash alone. Each is name, script, expected stdout; `code` and `stdin` when
they matter. Scripts use only what POSIX or bash promises, no program's own wording.
"""

# ruff: noqa: E501  (a script and its output stay on one line)
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One script."""

    name: str
    script: str
    expected: str
    code: int = 0
    stdin: str = ""


SH = (
    # ---- pipelines and redirects ----
    Case("pipeline", "printf hi | cat", "hi"),
    Case("long_pipeline", "seq 1 100 | grep 7 | sed 's/7/x/g' | sort -r | head -n 3 | tr 'x' '7'", "77\n79\n78\n"),
    Case("pipeline_status", "true | false; echo $?; false | true; echo $?", "1\n0\n"),
    Case("reader_leaves_early", "yes | head -n 2", "y\ny\n"),
    Case("big_pipe", "head -c 1000000 /dev/zero | tr '\\0' a | wc -c | tr -d ' '", "1000000\n"),
    Case("redirect", "echo x > /tmp/w.a; echo y >> /tmp/w.a; cat < /tmp/w.a; rm /tmp/w.a", "x\ny\n"),
    Case("redirect_stderr", "{ echo out; echo err >&2; } 2>&1 >/dev/null", "err\n"),
    Case("descriptors", "exec 3>/tmp/w.f; echo one >&3; echo two >&3; exec 3>&-; cat /tmp/w.f; rm /tmp/w.f", "one\ntwo\n"),
    Case("swap", "{ echo o; echo e >&2; } 3>&1 1>&2 2>&3 | tr e E", "E\n"),
    Case("noclobber", "set -C; echo a > /tmp/w.c; (echo b > /tmp/w.c) 2>/dev/null || cat /tmp/w.c; rm /tmp/w.c", "a\n"),
    Case("stdin", "while read -r a b; do echo \"$b $a\"; done", "2 1\n4 3\n", stdin="1 2\n3 4\n"),
    Case("read_last_line", "read a; read b || echo \"end:$b\"", "end:y\n", stdin="x\ny"),
    # ---- here-documents ----
    Case("here", "v=5; cat <<E\na $v $((v+1)) $(echo sub)\n`echo tick`\nE", "a 5 6 sub\ntick\n"),
    Case("here_quoted", "v=5; cat <<'E'\n$v `x` \\\nE", "$v `x` \\\n"),
    Case("here_tabs", "cat <<-E\n\tone\n\t\ttwo\n\tE\necho after", "one\ntwo\nafter\n"),
    Case("here_pipe", "cat <<A | sort -n\n3\n1\n2\nA", "1\n2\n3\n"),
    Case("here_two", "cat <<A; cat <<B\na\nA\nb\nB", "a\nb\n"),
    Case("here_big", "i=0; s=; while [ $i -lt 300 ]; do s=\"$s$i 0123456789012345678901234567890123456789012345678901234567890\n\"; i=$((i+1)); done; wc -l <<E | tr -d ' '\n$s\nE", "301\n"),
    # ---- expansion ----
    Case("substitution", "x=$(printf 'a\\n\\n\\n'); echo \"[$x]\"; echo $(echo $(echo deep))", "[a]\ndeep\n"),
    Case("substitution_status", "x=$(exit 4); echo $?", "4\n"),
    Case("defaults", "unset u; e=; echo ${u-a} ${u:-b} ${e-c}${e:-d} ${u:=set} $u ${e:+no}${u:+yes}", "a b d set set yes\n"),
    Case("trim", "p=/usr/lib/x.tar.gz; echo ${p##*/} ${p#*/} ${p%%.*} ${p%.*} ${#p}", "x.tar.gz usr/lib/x.tar.gz /usr/lib/x /usr/lib/x.tar 17\n"),
    Case("error_if_unset", "(: ${nope?gone}) 2>/dev/null; echo $(( $? != 0 ))", "1\n"),
    Case("splitting", "IFS=:; v='a:b c::d'; set -- $v; echo $#; for i; do echo \"[$i]\"; done", "4\n[a]\n[b c]\n[]\n[d]\n"),
    Case("glob", "cd /tmp; mkdir w.g; cd w.g; touch a.c b.c c.h; echo *.c [!ab]*; cd ..; rm -r w.g", "a.c b.c c.h\n"),
    Case("quoting", "echo 'a  \"b\"' \"c  $((1+1))\" \\$d", "a  \"b\" c  2 $d\n"),
    Case("arithmetic", "x=7; echo $((x*x%5)) $((x<<2|1)) $((x>3&&x<9)) $((-x/2)) $((0x1f)) $((x+=3)) $x", "4 29 1 -3 31 10 10\n"),
    Case("arithmetic_64", "echo $((9223372036854775807)) $((9223372036854775807+1)) $((1<<62))", "9223372036854775807 -9223372036854775808 4611686018427387904\n"),
    Case("positional", "set -- a 'b c' d; echo $# \"$2\" \"$*\"; shift; echo \"$@\"", "3 b c a b c d\nb c d\n"),
    # ---- control ----
    Case("loops", "for i in 1 2 3 4 5; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done; i=3; until [ $i = 0 ]; do i=$((i-1)); done; echo $i", "1\n3\n0\n"),
    Case("case", "for w in abc x12 '' z; do case $w in a*) echo A;; *[0-9]) echo N;; '') echo E;; *) echo O;; esac; done", "A\nN\nE\nO\n"),
    Case("functions", "f() { local v=in; echo $v $1; return 3; }; v=out; f arg; echo $? $v", "in arg\n3 out\n"),
    Case("recursion", "f() { [ $1 -le 1 ] && echo 1 || echo $(( $1 * $(f $(($1-1))) )); }; f 10", "3628800\n"),
    Case("errexit", "set -e; echo a; false; echo b", "a\n", 1),
    Case("and_or", "false && echo a || echo b; true && { false || echo c; }; ! false && echo d", "b\nc\nd\n"),
    Case("eval", "x='echo $y'; y=later; eval $x", "later\n"),
    Case("getopts", "f() { while getopts ab:c o; do echo $o $OPTARG; done; shift $((OPTIND-1)); echo rest $*; }; f -a -b val -c x y", "a\nb val\nc\nrest x y\n"),
    Case("dot", "echo 'z=9; return 2' > /tmp/w.d; . /tmp/w.d; echo $? $z; rm /tmp/w.d", "2 9\n"),
    # ---- processes ----
    Case("subshell", "v=1; (v=2; cd /; echo $v; exit 3); echo $? $v", "2\n3 1\n"),
    Case("subshell_cwd", "cd /tmp; (cd /; pwd); pwd", "/\n/tmp\n"),
    Case("exit_codes", "for i in 0 1 2 42 127 255; do (exit $i); echo $?; done", "0\n1\n2\n42\n127\n255\n"),
    Case("not_found", "nosuchprogram 2>/dev/null; echo $?; ./nothere 2>/dev/null; echo $?; /etc/passwd 2>/dev/null; echo $?", "127\n127\n126\n"),
    Case("background", "sleep 0.05 & p=$!; wait $p; echo $?; (exit 9) & wait $!; echo $?", "0\n9\n"),
    Case("background_many", "for i in 1 2 3 4 5 6 7 8; do (exit $i) & eval p$i=$!; done; s=; for i in 8 7 6 5 4 3 2 1; do eval wait \\$p$i; s=$s$?; done; echo $s", "87654321\n"),
    Case("wait_all", "for i in 1 2 3; do (sleep 0.$((i*2-1)); echo $i) & done; wait; echo all", "1\n2\n3\nall\n"),
    Case("wait_none", "wait; echo $?; wait 99999 2>/dev/null; echo $?", "0\n127\n"),
    Case("pids_differ", "a=$$; b=$(sh -c 'echo $$'); c=$(sh -c 'echo $PPID'); [ $a != $b ] && echo differ; [ $b != $c ] && echo parent", "differ\nparent\n"),
    Case("exec_replaces", "(exec echo replaced; echo never); exec sh -c 'exit 6'", "replaced\n", 6),
    Case("environment", "A=1 sh -c 'echo $A'; B=2; sh -c 'echo [$B]'; export B; sh -c 'echo $B'; env -i C=3 /bin/sh -c 'echo $C'", "1\n[]\n2\n3\n"),
    Case("script_file", "printf '#!/bin/sh\\necho script $1 $#\\nexit 5\\n' > /tmp/w.s; chmod +x /tmp/w.s; /tmp/w.s a b; echo $?; rm /tmp/w.s", "script a 2\n5\n"),
    Case("sixty_forks", "i=0; while [ $i -lt 60 ]; do (exit $i) || [ $? = $i ] || echo lost $i; i=$((i+1)); done; echo $i", "60\n"),
    Case("xargs", "printf '1 2\\n3\\n' | xargs -n 1 echo n", "n 1\nn 2\nn 3\n"),
    # ---- signals ----
    Case("trap_exit", "trap 'echo bye $?' EXIT; echo hi; exit 4", "hi\nbye 4\n", 4),
    Case("trap_signal", "trap 'echo usr1' USR1; kill -USR1 $$; echo after", "usr1\nafter\n"),
    Case("trap_ignore", "trap '' TERM; kill -TERM $$; echo alive; trap - TERM; sh -c 'kill -TERM $$'; echo $?", "alive\n143\n"),
    Case("kill_child", "sleep 100 & kill $!; wait $! 2>/dev/null; echo $?", "143\n"),
    Case("kill_9", "sleep 100 & kill -KILL $!; wait $! 2>/dev/null; echo $?", "137\n"),
    Case("trap_in_wait", "trap 'echo woken; exit 0' ALRM; (sleep 0.1; kill -ALRM $$) & sleep 30 >/dev/null 2>&1 & wait; wait", "woken\n"),
    Case("sigpipe", "(trap 'exit 0' TERM; yes; echo never) 2>/dev/null | head -n 1; echo done", "y\ndone\n"),
    Case("stop_continue", "(sleep 0.1; echo went on) & p=$!; kill -STOP $p; sleep 0.25; echo stopped; kill -CONT $p; wait $p", "stopped\nwent on\n"),
    Case("own_signal_status", "sh -c 'kill -KILL $$' 2>/dev/null; echo $?", "137\n"),
    # ---- files ----
    Case("links", "cd /tmp; mkdir w.l; cd w.l; echo x > a; ln a b; ln -s a c; echo y >> b; cat c; [ a -ef b ] && echo same; rm a; cat c 2>/dev/null || echo dangling; cd ..; rm -r w.l", "x\ny\nsame\ndangling\n"),
    Case("modes", "cd /tmp; umask 027; echo > w.m; mkdir w.n; ls -ld w.m w.n | cut -c 1-10; rm -r w.m w.n", "-rw-r-----\ndrwxr-x---\n"),
    Case("rename", "cd /tmp; echo 1 > w.1; echo 2 > w.2; mv w.1 w.2; cat w.2; [ -e w.1 ] || echo gone; rm w.2", "1\ngone\n"),
    Case("fifo", "mkfifo /tmp/w.p; (echo through > /tmp/w.p) & cat /tmp/w.p; wait; rm /tmp/w.p", "through\n"),
    Case("tests", "[ -d /tmp ] && [ ! -f /tmp ] && [ -x /bin/sh ] && [ -c /dev/null ] && [ -n a ] && [ -z '' ] && [ 2 -lt 10 ] && [ b != a ] && echo all", "all\n"),
    Case("dev", "echo gone > /dev/null; head -c 4 /dev/zero | od -An -tx1 | tr -d ' \\n'; echo; [ $(head -c 8 /dev/urandom | wc -c) = 8 ] && echo random", "00000000\nrandom\n"),
    Case("deep_tree", "cd /tmp; mkdir -p w.t/a/b/c/d; echo x > w.t/a/b/c/d/f; find w.t -type f; rm -rf w.t; ls -d w.t 2>/dev/null || echo removed", "w.t/a/b/c/d/f\nremoved\n"),
    # ---- texts ----
    Case("sed_awk", "printf 'a 1\\nb 2\\nc 3\\n' | sed -n '/b/,$p' | awk '{s+=$2} END {print s, NR}'", "5 2\n"),
    Case("sort_uniq", "printf 'b\\na\\nb\\nc\\na\\nb\\n' | sort | uniq -c | sort -rn | awk '{print $1 $2}'", "3b\n2a\n1c\n"),
    Case("cut_paste", "printf 'a:b:c\\nd:e:f\\n' | cut -d: -f2,3 | tr : ' '", "b c\ne f\n"),
    Case("printf", "printf '%05d|%-4s|%x|%s\\n' 42 ab 255 end", "00042|ab  |ff|end\n"),
    Case("md5", "seq 1 1000 | md5sum | cut -c 1-32", "53d025127ae99ab79e8502aae2d9bea6\n"),
)  # fmt: skip

BASH = (
    Case("arrays", "a=(one two 'three four'); a+=(five); echo ${#a[@]} \"${a[2]}\" ${a[@]:1:2} ${!a[@]}; unset 'a[1]'; echo ${#a[@]} ${a[-1]}", "4 three four two three four 0 1 2 3\n3 five\n"),
    Case("associative", "declare -A m=([x]=1 [y]=2); m[z]=3; for k in $(printf '%s\\n' ${!m[@]} | sort); do echo $k=${m[$k]}; done", "x=1\ny=2\nz=3\n"),
    Case("array_of_lines", "mapfile -t l < <(seq 3); echo ${#l[@]} ${l[2]}; printf '<%s>' \"${l[@]}\"; echo", "3 3\n<1><2><3>\n"),
    Case("arithmetic_more", "echo $((2**10)) $((16#ff)) $((5>3?1:0)); ((x=3, y=x*2)); echo $y; for ((i=0;i<3;i++)); do printf $i; done; echo; let z=4**3; echo $z", "1024 255 1\n6\n012\n64\n"),
    Case("substitute", "s=hello_world; echo ${s/o/0} ${s//o/0} ${s^^} ${s:0:5} ${s: -3} ${s@Q}", "hell0_world hell0_w0rld HELLO_WORLD hello rld 'hello_world'\n"),
    Case("process_substitution", "while read -r a; do echo got $a; done < <(printf '1\\n2\\n'); cat <(echo x) <(echo y)", "got 1\ngot 2\nx\ny\n"),
    Case("here_string", "read -r a b <<< 'left right'; echo $b $a; tr a-z A-Z <<< up", "right left\nUP\n"),
    Case("pipestatus", "false | true | (exit 3); echo ${PIPESTATUS[@]}; set -o pipefail; false | true; echo $?", "1 0 3\n1\n"),
    Case("regex", "[[ abc123 =~ ([a-z]+)([0-9]+) ]] && echo ${BASH_REMATCH[1]} ${BASH_REMATCH[2]}; [[ a < b && x == x* ]] && echo yes", "abc 123\nyes\n"),
    Case("braces", "echo {a,b}{1..3} {05..01..2}", "a1 a2 a3 b1 b2 b3 05 03 01\n"),
    Case("traps", "f() { trap 'echo ret' RETURN; echo in; }; f; trap 'echo err $?' ERR; false; trap - ERR; trap 'echo exit' EXIT", "in\nret\nerr 1\nexit\n"),
    Case("wait_n", "(sleep 0.2; exit 1) & (exit 7) & wait -n; echo $?; wait; jobs", "7\n"),
    Case("coproc", "coproc c { while read -r l; do echo \"<$l>\"; done; }; echo hi >&${c[1]}; read -r r <&${c[0]}; echo $r; kill $c_PID; wait 2>/dev/null", "<hi>\n"),
    Case("job_pids", "sleep 100 & sleep 100 & n=$(jobs -p | wc -l); echo $n; kill $(jobs -p); wait; jobs -r | wc -l", "2\n0\n"),
    Case("subshell_depth", "echo $BASH_SUBSHELL; ( ( echo $BASH_SUBSHELL; [ $$ != $BASHPID ] && echo other ) )", "0\n2\nother\n"),
    Case("read_timeout", "read -t 0.1 x < <(sleep 1); echo $(( $? > 128 ))", "1\n"),
    Case("printf_v", "printf -v x '%03d' 7; echo $x; printf '%(%Y)T\\n' 0", "007\n1970\n"),
    Case("select_case", "shopt -s nullglob extglob\necho /nosuch/* end; case foobar in @(foo|bar)*) echo m;; esac", "end\nm\n"),
    Case("local_ifs", "f() { local IFS=,; echo \"$*\"; }; f a b c; declare -i n=3+4; echo $n; readonly r=1; (r=2) 2>/dev/null || echo ro", "a,b,c\n7\nro\n"),
    Case("unicode", "s=häß€; echo ${#s} ${s:1:1}; printf '%s\\n' \"$s\" | wc -c", "4 ä\n9\n"),
)  # fmt: skip
