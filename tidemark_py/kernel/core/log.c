/* Diagnostics: one line to the host; a panic keeps its text for tk_panic_message. */
#include "core.h"

char panic_text[512];

void klog(const char *fmt, ...) {
  char line[512];
  va_list ap;
  va_start(ap, fmt);
  int n = kvsnprintf(line, sizeof line, fmt, ap);
  va_end(ap);
  host_log(line, (u32)MIN((size_t)n, sizeof line - 1));
}

void kpanic(const char *fmt, ...) {
  static u32 claimed;
  /* the text first: whoever sees the mark reads it */
  if (!__atomic_exchange_n(&claimed, 1, __ATOMIC_SEQ_CST)) {
    va_list ap;
    va_start(ap, fmt);
    int n = kvsnprintf(panic_text, sizeof panic_text, fmt, ap);
    va_end(ap);
    __atomic_store_n(&counters.panicked, 1, __ATOMIC_SEQ_CST);
    host_log(panic_text, (u32)MIN((size_t)n, sizeof panic_text - 1));
  }
  host_panic();
}
