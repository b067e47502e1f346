/* Sockets and control messages in C, for both rings: macros and pointer casts Swift cannot reach. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
/* fd_set as Swift's Glibc has it, whose modules are compiled without _GNU_SOURCE: where a file imports both, they have to
   be the same type. */
#include <features.h>
#pragma push_macro("__USE_XOPEN")
#undef __USE_XOPEN
#include <sys/select.h>
#pragma pop_macro("__USE_XOPEN")
#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#pragma clang assume_nonnull begin

enum {
  CSOCKET_NAME = 28,    /* sizeof(struct sockaddr_in6), the larger of the two */
  CSOCKET_CONTROL = 40, /* CMSG_SPACE(sizeof(struct in6_pktinfo)), the larger of the two */
};

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/* The packet info in `control` becomes one to send with: the source address stays, the interface is left to routing. */
static inline void csocket_any_interface(unsigned char *control) {
  struct cmsghdr h;
  memcpy(&h, control, sizeof h);
  memset(control + sizeof h + (h.cmsg_level == IPPROTO_IPV6 ? 16 : 0), 0, 4);
}

static inline size_t csocket_control_length(const unsigned char *control) {
  struct cmsghdr h;
  memcpy(&h, control, sizeof h);
  return CMSG_ALIGN(h.cmsg_len);
}

/* Writes to `control` the message that sends from where `local` (`length` bytes of packet info) says. */
static inline void csocket_source_info(unsigned char *control, const unsigned char *local, unsigned length) {
  int is_v6 = length == sizeof(struct in6_pktinfo);
  struct cmsghdr h = {.cmsg_len = CMSG_LEN(length), .cmsg_level = is_v6 ? IPPROTO_IPV6 : IPPROTO_IP,
                      .cmsg_type = is_v6 ? IPV6_PKTINFO : IP_PKTINFO};
  memcpy(control, &h, sizeof h);
  memcpy(control + sizeof h, local, length);
  csocket_any_interface(control);
}

/* Writes to `control`, of CMSG_SPACE(2) bytes, the message that cuts what is sent into datagrams of `length` bytes
   (UDP_SEGMENT, udp(7)). */
static inline void csocket_segment(unsigned char *control, uint16_t length) {
  struct cmsghdr h = {.cmsg_len = CMSG_LEN(sizeof length), .cmsg_level = IPPROTO_UDP, .cmsg_type = UDP_SEGMENT};
  memcpy(control, &h, sizeof h);
  memcpy(control + sizeof h, &length, sizeof length);
}

/* The address of a stream's other end, 28 bytes, zeros if it is gone; and its own as packet info, as of a datagram.
   The length of that. */
static inline int csocket_ends(int socket, void *peer, void *local) {
  socklen_t length = CSOCKET_NAME;
  memset(peer, 0, CSOCKET_NAME);
  getpeername(socket, (struct sockaddr *)peer, &length);
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } own = {0};
  length = sizeof own;
  getsockname(socket, &own.any, &length);
  if (own.any.sa_family == AF_INET) {
    struct in_pktinfo info = {.ipi_spec_dst = own.v4.sin_addr, .ipi_addr = own.v4.sin_addr};
    memcpy(local, &info, sizeof info);
    return sizeof info;
  }
  struct in6_pktinfo info = {.ipi6_addr = own.v6.sin6_addr};
  memcpy(local, &info, sizeof info);
  return sizeof info;
}

/* The port that a socket is bound to, of IPv4 or IPv6: both have it in one place; 0 if it is not. */
static inline uint16_t csocket_port(int socket) {
  struct sockaddr_in a = {0};
  socklen_t length = sizeof a;
  getsockname(socket, (struct sockaddr *)&a, &length);
  return ntohs(a.sin_port);
}

static inline uint64_t csocket_boottime(void) {
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* A UDP socket or TCP listener of a server: shared port, large buffers, packet info on the unspecified address.
   The descriptor, or -errno. */
static inline int csocket_listen(const void *address, unsigned length, int type, int is_wildcard) {
  int family = ((const struct sockaddr *)address)->sa_family, one = 1, size = 4 << 20;
  int s = socket(family, type | SOCK_CLOEXEC, 0);
  if (s < 0) return -errno;
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  if (type == SOCK_DGRAM) {
    if (setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size)) setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size)) setsockopt(s, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (is_wildcard && family == AF_INET) setsockopt(s, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
    if (is_wildcard && family == AF_INET6) setsockopt(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one);
  } else {
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  int both = 0;
  if (family == AF_INET6) setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, is_wildcard ? &both : &one, sizeof one);
  if (bind(s, (const struct sockaddr *)address, length) || (type == SOCK_STREAM && listen(s, 1024))) {
    int e = -errno;
    close(s);
    return e;
  }
  return s;
}

/* Datagrams that the kernel dropped for want of room in a socket's buffer, or for a client's limit (SO_MEMINFO). */
static inline uint32_t csocket_drops(int socket) {
  uint32_t memory[SK_MEMINFO_VARS] = {0};
  socklen_t length = sizeof memory;
  getsockopt(socket, SOL_SOCKET, SO_MEMINFO, memory, &length);
  return memory[SK_MEMINFO_DROPS];
}

/* Whether datagrams that wait to be received take more than half of a socket's buffer. */
static inline int csocket_is_filling(int socket) {
  uint32_t memory[SK_MEMINFO_VARS] = {0};
  socklen_t length = sizeof memory;
  getsockopt(socket, SOL_SOCKET, SO_MEMINFO, memory, &length);
  return memory[SK_MEMINFO_RMEM_ALLOC] > memory[SK_MEMINFO_RCVBUF] / 2;
}

/* A client by the address it sends from, and of its datagrams those that a socket takes: so many of 2^32. */
struct csocket_limit {
  unsigned char host[16]; /* of IPv4 the first four */
  int is_v6;
  uint32_t passing;
};
enum { CSOCKET_LIMITS = 8 };

/* Has the kernel drop what goes beyond the limits of up to CSOCKET_LIMITS clients before it comes to a UDP socket, in the
   time of who sends it (socket filters: bpf(2), 'classic'); with none, nothing. A program that is refused changes nothing. */
static inline void csocket_limit(int socket, const struct csocket_limit *_Nullable limits, unsigned count) {
  struct sock_filter code[CSOCKET_LIMITS * 15 + 1];
  unsigned short n = 0;
  int none = 0;
  if (!count) {
    setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
    return;
  }
  for (unsigned i = 0; i < count && i < CSOCKET_LIMITS; i++) {
    unsigned words = limits[i].is_v6 ? 4 : 1, source = limits[i].is_v6 ? 8 : 12;
    unsigned char next = (unsigned char)(2 * words + 4); /* instructions to skip to the next client's first, at a comparison that fails */
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xF0);
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, limits[i].is_v6 ? 0x60 : 0x40, 0, next);
    for (unsigned w = 0; w < words; w++) {
      uint32_t word;
      memcpy(&word, limits[i].host + 4 * w, sizeof word);
      next -= 2;
      code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + source + 4 * w);
      code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(word), 0, next);
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, limits[i].passing, 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
  }
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
  struct sock_fprog program = {.len = n, .filter = code};
  setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

/* Another descriptor of the same socket, or -errno. */
static inline int csocket_share(int socket) {
  int s = fcntl(socket, F_DUPFD_CLOEXEC, 0);
  return s < 0 ? -errno : s;
}

/* No datagram comes to a server's socket any more: others at its address get them. What waits in it is still there. */
static inline void csocket_retire(int socket) {
  /* One that is connected hears only its peer, here the discard port of this machine. */
  struct sockaddr_in6 any = {0};
  socklen_t length = sizeof any;
  if (getsockname(socket, (struct sockaddr *)&any, &length)) return;
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  if (any.sin6_family == AF_INET) connect(socket, (struct sockaddr *)&v4, sizeof v4);
  else connect(socket, (struct sockaddr *)&v6, sizeof v6);
}

/* A socket towards an upstream: TCP unconnected, UDP connected from a port of the kernel's choosing. */
static inline int csocket_outgoing(const void *address, unsigned length, int is_stream) {
  int family = ((const struct sockaddr *)address)->sa_family, one = 1;
  int s = socket(family, (is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  if (s < 0) return -errno;
  if (is_stream) {
    /* A peer that acknowledges nothing for so many milliseconds is gone (tcp(7)). */
    unsigned patience = 3000;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(s, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
  } else if (connect(s, (const struct sockaddr *)address, length)) {
    int e = -errno;
    close(s);
    return e;
  }
  return s;
}

/* A load client's socket, from `local` (0 bytes: any address): UDP connected, TCP not yet. `buffer` bytes each way, or
   what the system allows; 0: its default. The descriptor, or -errno. */
static inline int csocket_source(const void *address, unsigned length, int is_stream, const void *local, unsigned local_length, int buffer) {
  int family = ((const struct sockaddr *)address)->sa_family, one = 1;
  int s = socket(family, (is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  if (s < 0) return -errno;
  if (is_stream) setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (buffer) {
    if (setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer)) setsockopt(s, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer)) setsockopt(s, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  }
  if ((local_length && bind(s, (const struct sockaddr *)local, local_length)) ||
      (!is_stream && connect(s, (const struct sockaddr *)address, length))) {
    int e = -errno;
    close(s);
    return e;
  }
  return s;
}

/* Between processes of this network namespace: messages (SOCK_SEQPACKET, unix(7)) that carry descriptors. */

/* The socket that has an abstract name (`listens`: takes the name), or -errno. */
static inline int csocket_abstract(const char *name, int listens) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  size_t length = strlen(name);
  if (length > sizeof a.sun_path - 1) return -ENAMETOOLONG;
  memcpy(a.sun_path + 1, name, length);
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
  int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (s < 0) return -errno;
  if (listens ? bind(s, (struct sockaddr *)&a, size) || listen(s, 8) : connect(s, (struct sockaddr *)&a, size)) {
    int e = -errno;
    close(s);
    return e;
  }
  return s;
}

/* The next line at a listener, which may wait for it, or -errno. */
static inline int csocket_accept_line(int listener) {
  int s = accept4(listener, 0, 0, SOCK_CLOEXEC);
  return s < 0 ? -errno : s;
}

/* Who made the other end. */
static inline uid_t csocket_peer_user(int s) {
  struct ucred c = {.uid = (uid_t)-1};
  socklen_t length = sizeof c;
  getsockopt(s, SOL_SOCKET, SO_PEERCRED, &c, &length);
  return c.uid;
}

enum { CSOCKET_PASSED = 200 }; /* descriptors in a message; the kernel takes 253 */

/* Sends a message with up to CSOCKET_PASSED descriptors: octets, or -errno. */
static inline ssize_t csocket_pass(int s, const void *message, size_t length, const int *_Nullable passed, unsigned count) {
  union { struct cmsghdr h; unsigned char room[CMSG_SPACE(CSOCKET_PASSED * sizeof(int))]; } control = {0};
  struct iovec part = {(void *)message, length};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
  if (count > CSOCKET_PASSED) return -EINVAL;
  if (count) {
    m.msg_control = &control;
    m.msg_controllen = CMSG_SPACE(count * sizeof(int));
    control.h = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.h), passed, count * sizeof(int));
  }
  ssize_t n = sendmsg(s, &m, MSG_NOSIGNAL);
  return n < 0 ? -errno : n;
}

/* Receives a message and its descriptors, `*count` of them (room for CSOCKET_PASSED): octets, or -errno. One that was cut
   is -EMSGSIZE. */
static inline ssize_t csocket_receive(int s, void *message, size_t room, int *passed, unsigned *count) {
  union { struct cmsghdr h; unsigned char room[CMSG_SPACE(CSOCKET_PASSED * sizeof(int))]; } control;
  struct iovec part = {message, room};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  *count = 0;
  ssize_t n = recvmsg(s, &m, MSG_CMSG_CLOEXEC);
  if (n < 0) return -errno;
  for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    *count = (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(passed, CMSG_DATA(h), *count * sizeof(int));
  }
  if (!(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) return n;
  for (unsigned i = 0; i < *count; i++) close(passed[i]);
  *count = 0;
  return -EMSGSIZE;
}

#pragma clang assume_nonnull end
