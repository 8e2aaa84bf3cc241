/* show: what guest programs share that print what each call returned: its value and the error by its symbol, which is the
 * same with every C library. */
#ifndef TESTS_GUEST_SHOW_H
#define TESTS_GUEST_SHOW_H
#include <errno.h>
#include <stdio.h>
#include <string.h>

static inline const char *error_name(void) {
  switch (errno) {
    case 0: return "";
    case EADDRINUSE: return "EADDRINUSE";
    case EADDRNOTAVAIL: return "EADDRNOTAVAIL";
    case EAFNOSUPPORT: return "EAFNOSUPPORT";
    case EAGAIN: return "EAGAIN";
    case EALREADY: return "EALREADY";
    case EBADF: return "EBADF";
    case EBUSY: return "EBUSY";
    case ECONNABORTED: return "ECONNABORTED";
    case ECONNREFUSED: return "ECONNREFUSED";
    case ECONNRESET: return "ECONNRESET";
    case EDESTADDRREQ: return "EDESTADDRREQ";
    case EEXIST: return "EEXIST";
    case EFAULT: return "EFAULT";
    case EINPROGRESS: return "EINPROGRESS";
    case EINTR: return "EINTR";
    case EINVAL: return "EINVAL";
    case EIO: return "EIO";
    case EISCONN: return "EISCONN";
    case ELOOP: return "ELOOP";
    case EMSGSIZE: return "EMSGSIZE";
    case ENETUNREACH: return "ENETUNREACH";
    case ENODEV: return "ENODEV";
    case ENOENT: return "ENOENT";
    case ENOPROTOOPT: return "ENOPROTOOPT";
    case ENOTCONN: return "ENOTCONN";
    case ENOTSOCK: return "ENOTSOCK";
    case ENOTTY: return "ENOTTY";
    case ENXIO: return "ENXIO";
    case EOPNOTSUPP: return "EOPNOTSUPP";
    case EPERM: return "EPERM";
    case EPIPE: return "EPIPE";
    case EPROTONOSUPPORT: return "EPROTONOSUPPORT";
    case EPROTOTYPE: return "EPROTOTYPE";
    case ESOCKTNOSUPPORT: return "ESOCKTNOSUPPORT";
    case ESPIPE: return "ESPIPE";
    case ESRCH: return "ESRCH";
    default: return strerror(errno);
  }
}
/* "text: value" and the error of a call that failed. */
#define SHOW(text, call)                                          \
  do {                                                            \
    errno = 0;                                                    \
    long r_ = (long)(call);                                       \
    printf("%s: %ld %s\n", text, r_, r_ < 0 ? error_name() : ""); \
  } while (0)
#endif
