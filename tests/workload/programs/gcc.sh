# packages: gcc libc6-dev
# seconds: 900
mkdir /tmp/g; cd /tmp/g
cat > a.c <<'S'
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int twice(int);
static void *work(void *p) { long n = (long)p, s = 0; for (long i = 0; i < n; i++) s += i; return (void *)s; }
static int by(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int main(int argc, char **argv) {
    int v[] = {5, 3, 9, 1}; qsort(v, 4, sizeof *v, by); printf("%d %d %d %s\n", v[0], v[3], twice(21), argc > 1 ? argv[1] : "none");
    pthread_t t[3]; for (long i = 0; i < 3; i++) pthread_create(t + i, 0, work, (void *)(1000 * (i + 1)));
    for (int i = 0; i < 3; i++) { void *r; pthread_join(t[i], &r); printf("%ld ", (long)r); }
    printf("%.6f %s\n", sqrt(2) + sin(1), strrchr("a/b/c", '/')); return 3;
}
S
echo 'int twice(int x) { return 2 * x; }' > b.c; echo 'int broken( { }' > bad.c
gcc -O2 -Wall -c a.c && gcc -O1 -c b.c && gcc a.o b.o -lm -o prog && ./prog arg; echo "code $?"
gcc -O0 -g -static a.c b.c -lm -o stat && ./stat > /dev/null; echo "static $?"; gcc -shared -fPIC b.c -o libb.so && gcc a.c -L. -lb -lm -Wl,-rpath,/tmp/g -o dyn && ./dyn | head -n 1
gcc bad.c 2>&1 | grep -c error; ar rcs libb.a b.o && nm libb.a | grep twice | tr -s ' '; objdump -d b.o | grep -c ret; echo '#define X 7
X+__STDC_VERSION__' | gcc -E -P - ; gcc -O3 -flto a.c b.c -lm -o lto && ./lto | head -n 1; strip prog && size -A prog | grep -c text; gcc -S -O2 b.c -o - | grep -c slliw
