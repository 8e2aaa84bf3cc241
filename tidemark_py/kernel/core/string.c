/* What a freestanding C needs of <string.h>, and a small snprintf. Natively libc has the former. */
#include "core.h"

#ifdef __wasm__
/* clang turns these loops' callers into memory.copy / memory.fill (bulk memory); the bodies say so outright. */
void *memmove(void *d, const void *s, size_t n) {
  __asm__ volatile("local.get %0\nlocal.get %1\nlocal.get %2\nmemory.copy 0, 0" : : "r"(d), "r"(s), "r"(n) : "memory");
  return d;
}
void *memcpy(void *restrict d, const void *restrict s, size_t n) { return memmove(d, s, n); }
void *memset(void *d, int c, size_t n) {
  __asm__ volatile("local.get %0\nlocal.get %1\nlocal.get %2\nmemory.fill 0" : : "r"(d), "r"(c), "r"(n) : "memory");
  return d;
}
int memcmp(const void *a, const void *b, size_t n) {
  const u8 *x = a, *y = b;
  for (; n >= 8; n -= 8, x += 8, y += 8) {
    u64 p, q;
    __builtin_memcpy(&p, x, 8);
    __builtin_memcpy(&q, y, 8);
    if (p != q) break;
  }
  for (; n; n--, x++, y++)
    if (*x != *y) return *x - *y;
  return 0;
}
void *memchr(const void *s, int c, size_t n) {
  for (const u8 *p = s; n; n--, p++)
    if (*p == (u8)c) return (void *)(uintptr_t)p;
  return NULL;
}
size_t strlen(const char *s) {
  const char *p = s;
  while (*p) p++;
  return (size_t)(p - s);
}
size_t strnlen(const char *s, size_t max) {
  size_t n = 0;
  while (n < max && s[n]) n++;
  return n;
}
int strcmp(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (u8)*a - (u8)*b;
}
int strncmp(const char *a, const char *b, size_t n) {
  for (; n && *a && *a == *b; n--) a++, b++;
  return n ? (u8)*a - (u8)*b : 0;
}
char *strchr(const char *s, int c) {
  for (;; s++) {
    if (*s == (char)c) return (char *)(uintptr_t)s;
    if (!*s) return NULL;
  }
}
char *strrchr(const char *s, int c) {
  const char *found = NULL;
  for (;; s++) {
    if (*s == (char)c) found = s;
    if (!*s) return (char *)(uintptr_t)found;
  }
}
#endif

struct sink {
  char *buf;
  size_t size, n;
};
static void put(struct sink *o, char c) {
  if (o->n + 1 < o->size) o->buf[o->n] = c;
  o->n++;
}
static void put_padded(struct sink *o, const char *text, size_t n, int width, bool left, char pad) {
  for (int i = (int)n; !left && i < width; i++) put(o, pad);
  for (size_t i = 0; i < n; i++) put(o, text[i]);
  for (int i = (int)n; left && i < width; i++) put(o, ' ');
}
static void put_number(struct sink *o, u64 value, u32 base, bool upper, bool negative, int width, bool left, bool zero) {
  char digits[68];
  size_t at = sizeof digits;
  do {
    u32 d = (u32)(value % base);
    digits[--at] = (char)(d < 10 ? '0' + d : (upper ? 'A' : 'a') + d - 10);
    value /= base;
  } while (value);
  if (negative && zero && !left) {
    put(o, '-');
    width--;
  } else if (negative) {
    digits[--at] = '-';
  }
  put_padded(o, digits + at, sizeof digits - at, width, left, zero && !left ? '0' : ' ');
}

int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap) {
  struct sink o = {buf, size, 0};
  for (; *fmt; fmt++) {
    if (*fmt != '%') {
      put(&o, *fmt);
      continue;
    }
    bool left = false, zero = false;
    int width = 0, precision = -1, longs = 0;
    for (fmt++; *fmt == '-' || *fmt == '0'; fmt++) *fmt == '-' ? (left = true) : (zero = true);
    if (*fmt == '*') {
      width = va_arg(ap, int), fmt++;
    } else {
      for (; *fmt >= '0' && *fmt <= '9'; fmt++) width = width * 10 + (*fmt - '0');
    }
    if (*fmt == '.') {
      fmt++;
      if (*fmt == '*') precision = va_arg(ap, int), fmt++;
      else
        for (precision = 0; *fmt >= '0' && *fmt <= '9'; fmt++) precision = precision * 10 + (*fmt - '0');
    }
    for (; *fmt == 'l' || *fmt == 'z' || *fmt == 'h'; fmt++) {
      if (*fmt == 'l') longs++;
      else if (*fmt == 'z') longs = sizeof(size_t) == 8 ? 2 : 0;
    }
    switch (*fmt) {
    case 'd':
    case 'i': {
      i64 v = longs >= 2 ? va_arg(ap, long long) : longs ? va_arg(ap, long) : va_arg(ap, int);
      put_number(&o, v < 0 ? 0 - (u64)v : (u64)v, 10, false, v < 0, width, left, zero);
      break;
    }
    case 'u':
    case 'x':
    case 'X':
    case 'o': {
      u64 v = longs >= 2 ? va_arg(ap, unsigned long long) : longs ? va_arg(ap, unsigned long) : va_arg(ap, unsigned);
      put_number(&o, v, *fmt == 'u' ? 10 : *fmt == 'o' ? 8 : 16, *fmt == 'X', false, width, left, zero);
      break;
    }
    case 'p':
      put(&o, '0'), put(&o, 'x');
      put_number(&o, (u64)(uintptr_t)va_arg(ap, void *), 16, false, false, width, left, zero);
      break;
    case 'c': {
      char c = (char)va_arg(ap, int);
      put_padded(&o, &c, 1, width, left, ' ');
      break;
    }
    case 's': {
      const char *s = va_arg(ap, const char *);
      if (!s) s = "(null)";
      put_padded(&o, s, precision >= 0 ? strnlen(s, (size_t)precision) : strlen(s), width, left, ' ');
      break;
    }
    case '\0':
      fmt--;
      break;
    default:
      put(&o, *fmt);
    }
  }
  if (size) buf[MIN(o.n, size - 1)] = '\0';
  return (int)o.n;
}
int ksnprintf(char *buf, size_t size, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = kvsnprintf(buf, size, fmt, ap);
  va_end(ap);
  return n;
}
