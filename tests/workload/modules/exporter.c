/* An app that gets ready in an exported function. */
#include <stdio.h>
#include <unistd.h>
__attribute__((export_name("ready"))) void ready(void) { write(1, "getting ready\n", 14); }
int main(void) {
  puts("main loop");
  return 4;
}
