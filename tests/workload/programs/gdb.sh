# packages: gdb gcc libc6-dev
# seconds: 900
# host: qemu-user has no ptrace
mkdir -p /tmp/w; cd /tmp/w; cat > p.c <<'C'
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
struct point { int x, y; };
static int depth(int n, struct point *p) {
  p->x += n;
  if (n == 0) return p->x;
  return depth(n - 1, p) + 1;
}
static void *other(void *v) { *(int *)v = 5; return v; }
static int crash(int *at) { return *at; }
int main(int argc, char **argv) {
  struct point p = {argc, 2};
  int v = 0, r = depth(3, &p);
  printf("r %d\n", r);
  if (argc > 1 && !strcmp(argv[1], "thread")) {
    pthread_t t;
    pthread_create(&t, NULL, other, &v);
    pthread_join(t, NULL);
  }
  if (argc > 1 && !strcmp(argv[1], "crash")) return crash((int *)16);
  return v;
}
C
gcc -g -O0 -o p p.c
g() { gdb -nx -nh -batch -iex 'set debuginfod enabled off' -ex 'set width 0' -ex 'set print thread-events off' "$@" 2> err < /dev/null | sed -E 's/0x[0-9a-f]+/ADDRESS/g; s/^ADDRESS in //; s/process [0-9]+/process N/; s/LWP [0-9]+/LWP N/' | grep -v -e libthread_db -e 'Download' -e '^$'; }
echo "-- breakpoint"; g -ex 'break main' -ex run -ex bt -ex next -ex next -ex 'print p' -ex continue p
echo "-- deep"; g -ex 'break depth if n == 1' -ex run -ex bt -ex 'print *p' -ex 'set var p->y = 9' -ex 'print p->y' -ex delete -ex finish -ex 'print depth(2, p)' -ex continue p
echo "-- watched"; g -ex 'break main' -ex run -ex next -ex 'set can-use-hw-watchpoints 0' -ex 'watch p.x' -ex continue -ex continue -ex delete -ex continue p
echo "-- threads"; g -ex 'break other' -ex run -ex 'info threads' -ex 'print *(int *)v' -ex 'thread 1' -ex 'thread apply all print $_thread' -ex continue --args p thread | grep -v -e '^#0' -e '^[0-9]*	in ' | sed -E 's/Thread ADDRESS/Thread/; s/" .*/"/; s/ +/ /g'
echo "-- a fault"; g -ex run -ex bt -ex 'print $_siginfo._sifields._sigfault.si_addr' --args p crash
