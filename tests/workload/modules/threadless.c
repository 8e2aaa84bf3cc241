/* Starts threads, but its memory is its own: it cannot run. */
__attribute__((import_module("wasi"), import_name("thread-spawn"))) int thread_spawn(void *argument);
__attribute__((export_name("_start"))) void _start(void) { thread_spawn(0); }
