/* net: /proc/net (proc_pid_net(5)): one interface, lo. Missing: the lists of sockets, only their headings are there. */
#include "proc.h"

#define ADD(string) text_add(t, string, sizeof(string) - 1)

int proc_show_net_dev(struct text *t, UNUSED const struct proc_node *n) {
  ADD("Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier "
      "compressed\n"
      "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0   "
      "       0\n");
  return 0;
}
int proc_show_net_route(struct text *t, UNUSED const struct proc_node *n) {
  ADD("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                "
      "                       \n");
  return 0;
}
int proc_show_net_inet6(struct text *t, UNUSED const struct proc_node *n) {
  ADD("00000000000000000000000000000001 01 80 10 80       lo\n");
  return 0;
}
int proc_show_net_sockets(struct text *t, UNUSED const struct proc_node *n) {
  ADD("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n");
  return 0;
}
int proc_show_net_unix(struct text *t, UNUSED const struct proc_node *n) {
  ADD("Num       RefCount Protocol Flags    Type St Inode Path\n");
  return 0;
}
