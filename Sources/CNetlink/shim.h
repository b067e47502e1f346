/* What Swift's Glibc module leaves out: netlink's structures and numbers, descriptors of events and processes, the
   environment. */
#define _GNU_SOURCE
/* fd_set as Swift's Glibc has it, which is compiled without _GNU_SOURCE: a file that sees both modules compiles only if
   they agree. */
#include <features.h>
#pragma push_macro("__USE_XOPEN")
#undef __USE_XOPEN
#include <sys/select.h>
#pragma pop_macro("__USE_XOPEN")

/* Before the kernel's headers, which then leave out what it defines. */
#include <netinet/in.h>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* environ(7) as a value: a global variable of C is one that Swift takes for racy. Nobody here calls setenv. */
static inline char **cnetlink_environment(void) { return environ; }
