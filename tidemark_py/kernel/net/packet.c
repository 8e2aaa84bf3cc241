/* packet: what stands in a socket's queue, and descriptors in flight (SCM_RIGHTS of unix(7)).
 *
 * Freeing a packet may close the last descriptor of another socket, whose queue then holds more packets: they are
 * freed one after another from a list, not by recursion. Missing: collection of cycles (a socket sent over itself
 * lives on, as in Linux before it runs its collector). */
#include "net.h"

static struct list dead = {&dead, &dead};
static bool freeing;

struct packet *packet_new(u32 capacity) {
  struct packet *p = kmalloc(sizeof *p + capacity);
  if (!p) return NULL;
  *p = (struct packet){.capacity = capacity};
  return p;
}

u32 packet_charge(const struct packet *p) { return (u32)sizeof *p + p->capacity; }

void packet_free(struct packet *p) {
  list_add_tail(&dead, &p->link);
  if (freeing) return;
  freeing = true;
  while (!list_empty(&dead)) {
    p = CONTAINER_OF(dead.next, struct packet, link);
    list_remove(&p->link);
    for (u32 i = 0; i < p->rights_count; i++) ofd_put(p->rights[i]);
    kfree(p->rights);
    kfree(p);
  }
  freeing = false;
}
