/* interface: the one network interface, lo, as ioctls on a socket tell it (netdevice(7)); netlink.c tells the same.
 *
 * Nothing of it can be changed: a setting is EPERM, as for someone without CAP_NET_ADMIN. Missing: other interfaces. */
#include "interface.h"

static bool is_loopback_name(const char *name) { return !strncmp(name, INTERFACE_NAME, IFNAMSIZ); }

static void put_int(struct guest_ifreq *q, i32 v) { memcpy(q->ifr_data, &v, sizeof v); }
static void put_address(struct guest_ifreq *q, u8 first, u8 last) {
  struct guest_sockaddr_in a = {.sin_family = AF_INET};
  u8 ip[4] = {first, 0, 0, last};
  memcpy(&a.sin_addr, ip, sizeof ip);
  memcpy(q->ifr_data, &a, sizeof a);
}

/* SIOCGIFCONF: an entry for the one address; without a buffer only the length. */
static i64 configuration(uaddr_t arg) {
  struct guest_ifconf c;
  if (COPY_IN(c, arg)) return -EFAULT;
  struct guest_ifreq q = {.ifr_name = INTERFACE_NAME};
  put_address(&q, 127, 1);
  bool fits = !c.ifc_buf || c.ifc_len >= (i32)sizeof q;
  if (c.ifc_buf && fits && COPY_OUT(c.ifc_buf, q)) return -EFAULT;
  c.ifc_len = fits ? (i32)sizeof q : 0;
  return COPY_OUT(arg, c);
}

i64 interface_ioctl(u32 request, uaddr_t arg) {
  struct guest_ifreq q;
  if (request == SIOCGIFCONF) return configuration(arg);
  switch (request) {
    case SIOCGIFNAME:
    case SIOCGIFFLAGS:
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFBRDADDR:
    case SIOCGIFNETMASK:
    case SIOCGIFMETRIC:
    case SIOCGIFMTU:
    case SIOCGIFHWADDR:
    case SIOCGIFINDEX:
    case SIOCGIFTXQLEN:
    case SIOCGIFMAP: break;
    case SIOCSIFFLAGS:
    case SIOCSIFADDR:
    case SIOCSIFNETMASK:
    case SIOCSIFMTU:
    case SIOCSIFHWADDR: return COPY_IN(q, arg) ? -EFAULT : !is_loopback_name(q.ifr_name) ? -ENODEV : -EPERM;
    default: return -ENOTTY;
  }
  if (COPY_IN(q, arg)) return -EFAULT;
  if (request == SIOCGIFNAME) {
    i32 index;
    memcpy(&index, q.ifr_data, sizeof index);
    if (index != INTERFACE_INDEX) return -ENODEV;
    memset(q.ifr_name, 0, sizeof q.ifr_name);
    memcpy(q.ifr_name, INTERFACE_NAME, sizeof INTERFACE_NAME);
    return COPY_OUT(arg, q);
  }
  if (!is_loopback_name(q.ifr_name)) return -ENODEV;
  memset(q.ifr_data, 0, sizeof q.ifr_data);
  switch (request) {
    case SIOCGIFINDEX: put_int(&q, INTERFACE_INDEX); break;
    case SIOCGIFFLAGS: put_int(&q, INTERFACE_FLAGS & 0xffff); break;
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR: put_address(&q, 127, 1); break;
    case SIOCGIFNETMASK: put_address(&q, 255, 0); break;
    case SIOCGIFBRDADDR: put_address(&q, 0, 0); break;
    case SIOCGIFMTU: put_int(&q, INTERFACE_MTU); break;
    case SIOCGIFTXQLEN: put_int(&q, INTERFACE_QUEUE); break;
    case SIOCGIFHWADDR: put_int(&q, ARPHRD_LOOPBACK); break;
  }
  return COPY_OUT(arg, q);
}
