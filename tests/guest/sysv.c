/* sysvipc(7): shmget(2), shmat(2), shmctl(2), semget(2), semop(2), semctl(2), msgget(2), msgsnd(2), msgrcv(2). */
#include "try.h"
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>

union semun {
  int val;
  struct semid_ds *buf;
  unsigned short *array;
};
static int key;

static void attached(int id) {
  struct shmid_ds d;
  if (shmctl(id, IPC_STAT, &d)) {
    printf("stat: %s\n", strerror(errno));
    return;
  }
  printf("size %zu mode %o attached %lu creator %d last %d key %d\n", d.shm_segsz, d.shm_perm.mode,
         (unsigned long)d.shm_nattch, d.shm_cpid == getpid(), d.shm_lpid == getpid(), d.shm_perm.__key == key);
}
static void shm(void) {
  TRY(shmget(key, 100, 0600));
  TRY(shmget(key, 0, IPC_CREAT | 0600));
  int id = shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0600);
  SHOW("%d", id >= 0);
  SHOW("%d", shmget(key, 5000, 0) == id);
  TRY(shmget(key, 20000, 0));
  TRY(shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600));
  attached(id);
  char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);
  SHOW("%d", a != b);
  strcpy(a + 9000, "both");
  printf("%s\n", b + 9000);
  attached(id);
  SHOW("%d", shmat(id, a + 1, 0) == (void *)-1 && errno == EINVAL);
  SHOW("%d", shmat(id, a, 0) == (void *)-1 && errno == EINVAL);
  SHOW("%d", shmat(-1, NULL, 0) == (void *)-1 && errno == EINVAL);
  pid_t child = fork();
  if (!child) {
    strcpy(a, "from the child");
    attached(id);
    TRY(shmdt(b));
    attached(id);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  printf("%s\n", a);
  attached(id);
  TRY(shmdt(a + 4096));
  TRY(shmdt(b));
  TRY(shmdt(b));
  attached(id);
  TRY(shmctl(id, IPC_RMID, NULL));
  struct shmid_ds d;
  TRY(shmctl(id, IPC_STAT, &d));
  SHOW("%o", d.shm_perm.mode & 07777);
  TRY(shmget(key, 100, 0));
  printf("%s\n", a);
  munmap(a, 4096);
  SHOW("%lu", (shmctl(id, IPC_STAT, &d), (unsigned long)d.shm_nattch));
  TRY(shmdt(a));
  TRY(shmctl(id, IPC_STAT, &d));
  TRY(shmctl(id, IPC_RMID, NULL));
}

static int op(int id, int n, int delta, int flags) {
  struct sembuf o = {.sem_num = (unsigned short)n, .sem_op = (short)delta, .sem_flg = (short)flags};
  return semop(id, &o, 1);
}
static void values(int id) {
  unsigned short v[3] = {9, 9, 9};
  TRY(semctl(id, 0, GETALL, (union semun){.array = v}));
  printf("values %d %d %d\n", v[0], v[1], v[2]);
}
static void none(int n) { (void)n; }
static void sem(void) {
  TRY(semget(key, 0, IPC_CREAT | 0600));
  TRY(semget(key, -1, IPC_CREAT | 0600));
  int id = semget(key, 3, IPC_CREAT | 0600);
  SHOW("%d", id >= 0);
  TRY(semget(key, 4, 0));
  values(id);
  TRY(semctl(id, 1, SETVAL, (union semun){.val = 5}));
  TRY(semctl(id, 1, SETVAL, (union semun){.val = 40000}));
  TRY(semctl(id, 3, GETVAL));
  TRY(semctl(id, 1, GETVAL));
  TRY(op(id, 0, -1, IPC_NOWAIT));
  TRY(op(id, 1, 0, IPC_NOWAIT));
  TRY(op(id, 3, 1, 0));
  TRY(op(id, 1, 32767, 0));
  TRY(op(id, 1, -2, 0));
  struct sembuf two[2] = {{1, -3, 0}, {0, -1, IPC_NOWAIT}};
  TRY(semop(id, two, 2));
  values(id);
  two[1].sem_op = 2;
  TRY(semop(id, two, 2));
  values(id);
  SHOW("%d", semctl(id, 1, GETPID) == getpid());
  TRY(semop(id, two, 0));
  struct timespec t = {0, 20000000};
  struct sembuf o = {2, -1, 0};
  TRY(semtimedop(id, &o, 1, &t));
  /* a child waits, and undoes at its end */
  pid_t child = fork();
  if (!child) {
    op(id, 2, -1, 0);
    op(id, 0, -1, SEM_UNDO), op(id, 1, 4, SEM_UNDO);
    values(id);
    _exit(0);
  }
  while (semctl(id, 2, GETNCNT) != 1) usleep(1000);
  SHOW("%d", semctl(id, 2, GETZCNT));
  op(id, 2, 1, 0);
  waitpid(child, NULL, 0);
  values(id);
  struct sigaction act = {.sa_handler = none, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &act, NULL);
  ualarm(20000, 0);
  TRY(op(id, 2, -1, 0));
  child = fork();
  if (!child) {
    TRY(op(id, 2, -1, 0));
    _exit(0);
  }
  while (semctl(id, 2, GETNCNT) != 1) usleep(1000);
  int gone = semctl(id, 0, IPC_RMID);
  waitpid(child, NULL, 0);
  SHOW("%d", gone);
  TRY(semctl(id, 0, GETVAL));
}

struct text {
  long type;
  char text[100];
};
static void msg_send(int id, long type, const char *text) {
  struct text m = {.type = type};
  strcpy(m.text, text);
  if (msgsnd(id, &m, strlen(text), IPC_NOWAIT)) printf("send %ld: %s\n", type, strerror(errno));
}
static void receive(int id, size_t size, long type, int flags) {
  struct text m = {0};
  ssize_t n = msgrcv(id, &m, size, type, flags);
  if (n < 0) printf("receive %ld: %s\n", type, strerror(errno));
  else printf("receive %ld: %zd type %ld [%.*s]\n", type, n, m.type, (int)n, m.text);
}
static void msg(void) {
  TRY(msgget(key, 0));
  int id = msgget(key, IPC_CREAT | 0600);
  SHOW("%d", id >= 0);
  receive(id, 100, 0, IPC_NOWAIT);
  msg_send(id, 0, "bad");
  msg_send(id, 3, "three"), msg_send(id, 1, "one"), msg_send(id, 2, "two"), msg_send(id, 3, "again");
  struct msqid_ds d;
  TRY(msgctl(id, IPC_STAT, &d));
  printf("count %lu limit %lu\n", (unsigned long)d.msg_qnum, (unsigned long)d.msg_qbytes);
  receive(id, 2, 3, 0);
  receive(id, 2, 3, MSG_NOERROR);
  receive(id, 100, -2, 0);
  receive(id, 100, 3, MSG_EXCEPT);
  receive(id, 100, 9, IPC_NOWAIT);
  receive(id, 100, 0, 0);
  struct text big = {.type = 1};
  TRY(msgsnd(id, &big, 100000, 0));
  int n = 0;
  while (!msgsnd(id, &big, 100, IPC_NOWAIT)) n++;
  printf("fits %d: %s\n", n, strerror(errno));
  pid_t child = fork();
  if (!child) {
    big.type = 7;
    _exit(msgsnd(id, &big, 90, 0) ? 1 : 0);
  }
  usleep(20000);
  for (int i = 0; i < n; i++) msgrcv(id, &big, 100, 1, 0);
  receive(id, 100, 7, MSG_NOERROR);
  int status;
  waitpid(child, &status, 0);
  SHOW("%d", status);
  child = fork();
  if (!child) {
    receive(id, 100, 5, 0);
    _exit(0);
  }
  usleep(20000);
  int gone = msgctl(id, IPC_RMID, NULL);
  waitpid(child, NULL, 0);
  SHOW("%d", gone);
  TRY(msgctl(id, IPC_STAT, &d));
}

/* What ipcs(1) asks: limits, use, objects by index. */
static void listings(void) {
  struct seminfo si;
  struct msginfo mi;
  struct shminfo hi;
  struct shm_info hu;
  SHOW("%d", semctl(0, 0, IPC_INFO, &si) >= 0);
  printf("values to %d, %d operations, %d in a set\n", si.semvmx, si.semopm, si.semmsl);
  SHOW("%d", msgctl(0, IPC_INFO, (struct msqid_ds *)&mi) >= 0);
  printf("messages of %d, queues of %d\n", mi.msgmax, mi.msgmnb);
  SHOW("%d", shmctl(0, IPC_INFO, (struct shmid_ds *)&hi) >= 0);
  SHOW("%lu", (unsigned long)hi.shmmin);
  int sem_id = semget(IPC_PRIVATE, 3, 0600), msg_id = msgget(IPC_PRIVATE, 0600), shm_id = shmget(IPC_PRIVATE, 8192, 0600);
  SHOW("%d", semctl(0, 0, SEM_INFO, &si) >= 0 && si.semusz >= 1 && si.semaem >= 3);
  SHOW("%d", msgctl(0, MSG_INFO, (struct msqid_ds *)&mi) >= 0 && mi.msgpool >= 1);
  SHOW("%d", shmctl(0, SHM_INFO, (struct shmid_ds *)&hu) >= 0 && hu.used_ids >= 1 && hu.shm_tot >= 2);
  int found = 0;
  struct semid_ds sd;
  struct msqid_ds md;
  struct shmid_ds hd;
  for (int i = 0; i <= semctl(0, 0, IPC_INFO, &si); i++) found += semctl(i, 0, SEM_STAT, &sd) == sem_id && sd.sem_nsems == 3;
  for (int i = 0; i <= msgctl(0, IPC_INFO, (struct msqid_ds *)&mi); i++) found += msgctl(i, MSG_STAT, &md) == msg_id;
  for (int i = 0; i <= shmctl(0, IPC_INFO, (struct shmid_ds *)&hi); i++) found += shmctl(i, SHM_STAT, &hd) == shm_id && hd.shm_segsz == 8192;
  SHOW("%d", found);
  TRY(semctl(30000, 0, SEM_STAT, &sd));
  TRY(msgctl(-1, MSG_STAT, &md));
  semctl(sem_id, 0, IPC_RMID), msgctl(msg_id, IPC_RMID, NULL), shmctl(shm_id, IPC_RMID, NULL);
}

int main(void) {
  enter("sysv");
  key = 0x54000000 | getpid();
  shm();
  sem();
  msg();
  listings();
  return 0;
}
