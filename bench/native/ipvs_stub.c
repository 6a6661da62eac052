/* LD_PRELOAD for keepalived where the kernel has no IPVS: every request over netlink is answered with success and
 * nothing is done. So its health checker can be measured natively; what programming the table costs is not in it. */
#include <stddef.h>

enum { FINISH = 1, ACK = 4, KINDS = 16 }; /* enum nl_cb_type of libnl 3 */
struct nl_sock;
struct nl_msg;
typedef int (*callback)(struct nl_msg *, void *);
static callback callbacks[KINDS];
static void *given[KINDS];

int genl_ctrl_resolve(struct nl_sock *sock, const char *name) { (void)sock; (void)name; return 42; }
int nl_send_auto(struct nl_sock *sock, struct nl_msg *message) { (void)sock; (void)message; return 1; }

int nl_socket_modify_cb(struct nl_sock *sock, int type, int kind, callback function, void *argument)
{
    (void)sock;
    (void)kind;
    if (type >= 0 && type < KINDS) {
        callbacks[type] = function;
        given[type] = argument;
    }
    return 0;
}

int nl_recvmsgs_default(struct nl_sock *sock)
{
    static const int ends[] = {FINISH, ACK};
    (void)sock;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (callbacks[ends[i]])
            callbacks[ends[i]](NULL, given[ends[i]]);
    return 0;
}
