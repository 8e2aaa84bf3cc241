/* mm/copy: partial user copies, for mm/ alone: bytes done before the first fault. */
#ifndef TIDEMARK_MM_COPY_H
#define TIDEMARK_MM_COPY_H
#include "mm.h"

u64 user_copy_in(void *dst, uaddr_t src, u64 bytes);
u64 user_copy_out(uaddr_t dst, const void *src, u64 bytes);
u64 user_zero(uaddr_t dst, u64 bytes);
#endif
