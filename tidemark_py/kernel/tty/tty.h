/* tty: pty pairs with the N_TTY line discipline (termios(3), tty_ioctl(4), pty(7)). Signals go out through ops that
 * task/ installs; job control questions are asked through them too. */
#ifndef TIDEMARK_TTY_TTY_H
#define TIDEMARK_TTY_TTY_H
#include "../file/file.h"

struct tty; /* tty/tty.c */
struct tty_task_ops {
  void (*signal_group)(i32 pgid, i32 signo);
  /* may the current process read/write/ioctl this tty now? 0, -EIO (orphaned), or -ERESTARTSYS after SIGTTIN/SIGTTOU */
  int (*check_background)(struct tty *tty, i32 signo);
  i32 (*current_session)(void);
  i32 (*current_group)(void);
  bool (*current_is_leader)(void);
  struct tty *(*current_tty)(void);
  void (*set_current_tty)(struct tty *tty);        /* of the current session; NULL drops it */
  bool (*group_in_session)(i32 pgid, i32 sid); /* sid 0: in any */
  void (*hangup_session)(i32 sid, i32 foreground); /* SIGHUP + SIGCONT to the leader; to the foreground when he ends */
  bool (*is_privileged)(void);                     /* CAP_SYS_ADMIN, CAP_SYS_TTY_CONFIG */
  int (*install_fd)(struct ofd *f, u32 cloexec);   /* TIOCGPTPEER: into the current fd table; takes the reference */
};
extern const struct tty_task_ops *tty_task_ops;

void tty_boot(void);                                     /* /dev/tty, /dev/ptmx, /dev/console, devpts */
int pty_new(u32 *index, struct ofd **master);            /* what opening /dev/ptmx does */
int pty_open_slave(u32 index, u32 flags, struct ofd **slave);
void tty_get(struct tty *tty);
void tty_put(struct tty *tty);
i32 tty_session(const struct tty *tty);
i32 tty_foreground(const struct tty *tty);
u32 tty_device(const struct tty *tty); /* st_rdev: 136:n */
void tty_hang_up(struct tty *tty);      /* vhangup(2): what is open is dead, what is opened from now on is not */
void tty_session_exit(struct tty *tty, i32 sid); /* the session leader died */
#endif
