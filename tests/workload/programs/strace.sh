# packages: strace
# host: qemu-user has no ptrace
# Calls whose names and arguments are the same on every machine; what differs from run to run is taken out.
mkdir -p /tmp/w/d; cd /tmp/w; touch d/a d/b
# strace for riscv64 does not know riscv_hwprobe: it shows it always, and its -c falls over it.
plain() { sed -E '/syscall_0x/d; s/^[0-9]+ +//; s/0x[0-9a-f]+/ADDRESS/g; s/ +=/ =/; s/[0-9]+ vars/N vars/; s/si_[us]time=[0-9]+( \/\*[^*]*\*\/)?/TIME/g; s/(si_pid|kill\(|tgkill\()(=?)[0-9]+/\1\2PID/; s/= [0-9]{2,}$/= N/' "$@"; }
echo "-- one program"; strace -o out -e trace=execve,write,exit_group /bin/echo hello; plain out | grep -v SIGWINCH
echo "-- its children"; strace -f -qq -o out -e trace=execve,exit_group /bin/bash --norc -c '/bin/true; (exit 3); /bin/false; exit 4'; echo "code $?"; plain out | grep -v 'exited with' | sort
echo "-- a pipeline"; strace -f -qq -o out -e trace=write -e signal=none /bin/bash --norc -c 'echo one | /bin/cat | /usr/bin/tr a-z A-Z'; plain out | sort
echo "-- signals"; strace -o out -e trace=kill /bin/bash --norc -c 'trap "echo caught" USR1; kill -USR1 $$; kill -TERM $$'; echo "code $?"; plain out
echo "-- files"; strace -o out -e trace=openat,getdents64 -P /tmp/w/d ls /tmp/w/d; plain out | grep -v SIG
echo "-- calls that are made to fail"; strace -o /dev/null -e trace=write -e inject=write:error=ENOSPC /bin/echo lost 2> err; echo "code $?"; sed 's/^[^:]*: //' err
echo "-- attached"; sleep 1000 & sleeper=$!; strace -o out -p $sleeper 2> err & tracer=$!
until grep -q "^TracerPid:.$tracer" /proc/$sleeper/status; do sleep 0.1; done
until grep -q attached err; do sleep 0.1; done; kill -INT $tracer; wait $tracer; grep -c detached err; grep ^TracerPid /proc/$sleeper/status
kill $sleeper; wait $sleeper; echo "code $?"
echo "-- killed while it is traced"; strace -qq -o out -e trace=none /bin/bash --norc -c 'kill -KILL $$'; echo "code $?"; plain out
