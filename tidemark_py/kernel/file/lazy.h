/* lazy: file bodies that are not here yet. See lazy.c. Kernel lock for all of it. */
#ifndef TIDEMARK_FILE_LAZY_H
#define TIDEMARK_FILE_LAZY_H
#include "file.h"

struct lazy_blob;

/* The bodies of one layer: `bytes` (kernel heap pages, content not defined yet) in chunks of 1 << chunk_shift. NULL: no
 * memory. The caller keeps the bytes; they must outlive the blob. */
struct lazy_blob *lazy_blob_new(u8 *bytes, u64 size, u32 chunk_shift);
void lazy_blob_free(struct lazy_blob *b); /* NULL is fine */
u32 lazy_blob_id(const struct lazy_blob *b); /* 1, 2, ...: what the host knows it by; never used again */

/* May [body, body + bytes) be read? 0; -ENOTHERE: asked for, and fetch_wait() waits for it; -EIO: could not be had. */
int lazy_need(struct lazy_blob *b, const u8 *body, u64 bytes);
/* Ask for it without wanting to wait: posix_fadvise(2). */
void lazy_advise(struct lazy_blob *b, const u8 *body, u64 bytes);
/* How many bytes of it are not here. */
u64 lazy_missing(const struct lazy_blob *b, const u8 *body, u64 bytes);

/* ---- the host's side (kernel/host/exports.c) ---- */
bool fetch_next(u32 *blob, u32 *chunk); /* a chunk that somebody waits for; it is the caller's now. false: none */
bool fetch_claim(u32 blob, u32 chunk);  /* one that nobody asked for yet (read-ahead): true when it is the caller's now */
u8 *fetch_place(u32 blob, u32 chunk, u32 *bytes); /* where its bytes go; NULL: the blob is gone */
void fetch_done(u32 blob, u32 chunk, bool ok);    /* they are there, or could not be had: wakes who waits */
#endif
