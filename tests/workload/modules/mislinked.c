/* Imports a call of preview 1 with a type that it does not have. */
__attribute__((import_module("wasi_snapshot_preview1"), import_name("sched_yield"))) long long yield_twice(double, long long);

int main(void) { return (int)yield_twice(1, 2); }
