/* journal: a memfs whose changes the kernel worker keeps outside of kernel memory. See journal.c. Kernel lock for all. */
#ifndef TIDEMARK_FILE_JOURNAL_H
#define TIDEMARK_FILE_JOURNAL_H
#include "memfs.h"

struct journal;

bool journal_full(const struct memfs *fs); /* what is outside has no room: ENOSPC */
void journal_end(struct memfs *fs);        /* the file system goes */
void journal_boot(void);                   /* registers the type "kept" */

/* ---- the host's side (kernel/host/journal.c) ---- */
/* An empty file system with a journal; its number, or -ENOMEM, -ENFILE. It is fed what was kept (journal_replay, any
 * number of times, then journal_replayed), then mounted: mount(2) of type "kept" takes the last one that is ready. */
int journal_new(u64 limit_blocks);
int journal_replay(u32 number, const u8 *bytes, u32 count); /* 0, -EINVAL, -ENOMEM, -ENOSPC */
int journal_replayed(u32 number);                            /* 0, -EINVAL: what was kept is no tree */
void journal_discard(u32 number);                            /* one that was never mounted */
/* One round of keeping: begin, take until it gives 0 (all is taken, at one moment), keep what was taken, done. begin's
 * result is what done is told; -ENODEV: unmounted. */
i64 journal_begin(u32 number);
i32 journal_take(u32 number, u8 *to, u32 room); /* bytes; -ENOBUFS: one record is bigger than room */
void journal_done(u32 number, u64 upto, i32 result); /* 0, or -errno: nothing of this round was kept */
void journal_take_all(u32 number); /* the next take gives the whole tree */
bool journal_wanted(u32 number);   /* somebody waits */
u64 journal_bytes(u32 number);     /* about what the whole tree takes */
void journal_limit(u32 number, u64 blocks);
void journal_detach_all(void); /* a restored machine: from now on they are plain memory */
#endif
