/* text: the buffer that files of procfs are written into. */
#include "proc.h"

static bool text_reserve(struct text *t, u32 more) {
  if (t->failed) return false;
  if (t->capacity - t->bytes >= more) return true;
  u32 capacity = MAX(t->capacity * 2, ALIGN_UP(t->bytes + more, 256u));
  char *data = krealloc(t->data, capacity);
  if (!data) {
    t->failed = true;
    return false;
  }
  t->data = data, t->capacity = capacity;
  return true;
}

void text_add(struct text *t, const char *data, u32 bytes) {
  if (!text_reserve(t, bytes)) return;
  memcpy(t->data + t->bytes, data, bytes);
  t->bytes += bytes;
}

void text_printf(struct text *t, const char *fmt, ...) {
  char line[256];
  va_list ap, again;
  va_start(ap, fmt);
  va_copy(again, ap);
  int n = kvsnprintf(line, sizeof line, fmt, ap);
  if (n < (int)sizeof line) {
    text_add(t, line, (u32)n);
  } else if (text_reserve(t, (u32)n + 1)) {
    kvsnprintf(t->data + t->bytes, (size_t)n + 1, fmt, again);
    t->bytes += (u32)n;
  }
  va_end(again);
  va_end(ap);
}

void text_free(struct text *t) {
  kfree(t->data);
  *t = (struct text){0};
}
