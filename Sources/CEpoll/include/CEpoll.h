/* One shard's epoll set, and the messages of its recvmmsg and sendmmsg calls: arrays of headers that point to each other,
   which Swift would write through a page of pointer casts. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CSocket.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#pragma clang assume_nonnull begin

enum {
  CEPOLL_BUFFERS = 512, /* datagrams received and not answered */
  CEPOLL_BATCH = 64,    /* received from one socket in one call */
  CEPOLL_REPLIES = 1024, /* messages in one round of sending */
  CEPOLL_EVENTS = 256,
  /* A receive buffer: the sender's address at 0, whether the datagram was cut and whether there is control data, control
     data at 32, the datagram. Its size is no power of two: the same offset of different buffers falls on different sets of
     the processor's cache. */
  CEPOLL_IS_CUT = CSOCKET_NAME,
  CEPOLL_HAS_CONTROL,
  CEPOLL_CONTROL = 32,
  CEPOLL_HEADROOM = CEPOLL_CONTROL + CSOCKET_CONTROL,
  CEPOLL_ROOM = 1240,
  CEPOLL_SIZE = CEPOLL_HEADROOM + CEPOLL_ROOM
};

/* What a message that is to be sent points to. */
struct cepoll_parts {
  struct iovec parts[2];
  unsigned char control[CSOCKET_CONTROL];
};

struct cepoll {
  int set;
  int has_nanoseconds; /* epoll_pwait2 (Linux 5.11), as far as is known */
  struct epoll_event events[CEPOLL_EVENTS];
  struct mmsghdr received[CEPOLL_BATCH];
  struct iovec places[CEPOLL_BATCH];
  struct mmsghdr replies[CEPOLL_REPLIES];
  struct cepoll_parts parts[CEPOLL_REPLIES];
  unsigned char buffers[CEPOLL_BUFFERS][CEPOLL_SIZE];
};

static inline struct epoll_event cepoll_event(const struct cepoll *c, unsigned at) { return c->events[at]; }
static inline unsigned char *cepoll_buffer(struct cepoll *c, unsigned at) { return c->buffers[at]; }
/* Of the datagrams that the last call received. */
static inline unsigned cepoll_length(const struct cepoll *c, unsigned at) { return c->received[at].msg_len; }
/* Octets of the first part of a message that is to be sent. */
static inline size_t cepoll_first_length(const struct cepoll *c, unsigned at) { return c->parts[at].parts[0].iov_len; }

/* Zeroed, for the caller to open, and to delete. Without memory for it there is nothing to go on with. */
static inline struct cepoll *cepoll_new(void) {
  void *c = mmap(0, sizeof(struct cepoll), PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (c == MAP_FAILED) abort();
  return (struct cepoll *)c;
}

/* 0 or -errno. */
static inline int cepoll_open(struct cepoll *c) {
  c->set = epoll_create1(EPOLL_CLOEXEC);
  if (c->set < 0) return -errno;
  c->has_nanoseconds = 1;
  return 0;
}

static inline void cepoll_delete(struct cepoll *c) {
  if (c->set > 0) close(c->set); /* it was opened */
  munmap(c, sizeof *c);
}

/* 0 or -errno. `events` = 0 takes the descriptor out of the set. */
static inline int cepoll_watch(struct cepoll *c, int descriptor, uint32_t events, uint64_t token) {
  struct epoll_event e = {.events = events, .data.u64 = token};
  return epoll_ctl(c->set, events ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, descriptor, &e) ? -errno : 0;
}
/* Reported each time there is something, and once whenever something changes. */
static inline uint32_t cepoll_level(void) { return EPOLLIN; }
static inline uint32_t cepoll_edge(void) { return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET; }

/* Waits for at most `timeout_ns` (< 0: for ever; without epoll_pwait2 rounded up to milliseconds) and returns how many
   `events` there are. */
static inline int cepoll_wait(struct cepoll *c, int64_t timeout_ns) {
  int n;
  if (c->has_nanoseconds) {
    struct timespec t = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    n = epoll_pwait2(c->set, c->events, CEPOLL_EVENTS, timeout_ns < 0 ? 0 : &t, 0);
    if (n >= 0 || errno == EINTR) return n < 0 ? 0 : n;
    c->has_nanoseconds = 0;
  }
  int64_t ms = timeout_ns < 0 ? -1 : (timeout_ns + 999999) / 1000000;
  n = epoll_wait(c->set, c->events, CEPOLL_EVENTS, ms > INT32_MAX ? INT32_MAX : (int)ms);
  if (n < 0 && errno != EINTR) abort(); /* nothing can be waited for */
  return n < 0 ? 0 : n;
}
static inline int cepoll_can_read(uint32_t events) { return (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0; }
static inline int cepoll_can_write(uint32_t events) { return (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0; }
static inline int cepoll_hung_up(uint32_t events) { return (events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0; }

/* The datagram that the next call receives as its `at`th goes into a buffer. */
static inline void cepoll_place(struct cepoll *c, unsigned at, unsigned buffer) {
  unsigned char *b = c->buffers[buffer];
  c->places[at] = (struct iovec){b + CEPOLL_HEADROOM, CEPOLL_ROOM};
  c->received[at].msg_hdr = (struct msghdr){.msg_name = b, .msg_namelen = CSOCKET_NAME, .msg_iov = &c->places[at], .msg_iovlen = 1,
                                            .msg_control = b + CEPOLL_CONTROL, .msg_controllen = CSOCKET_CONTROL};
}

/* Receives what is there, at most `count` datagrams: how many, or -errno. */
static inline int cepoll_receive(struct cepoll *c, int socket, unsigned count) {
  int n = recvmmsg(socket, c->received, count, MSG_DONTWAIT, 0);
  for (int i = 0; i < n; i++) {
    const struct msghdr *h = &c->received[i].msg_hdr;
    unsigned char *b = (unsigned char *)h->msg_name;
    b[CEPOLL_IS_CUT] = (h->msg_flags & MSG_TRUNC) != 0;
    b[CEPOLL_HAS_CONTROL] = h->msg_controllen > sizeof(struct cmsghdr);
  }
  return n < 0 ? -errno : n;
}

/* Makes message `at` of those to be sent the `length` octets of a receive buffer's datagram, to where it came from. */
static inline void cepoll_reply(struct cepoll *c, unsigned at, unsigned buffer, unsigned length, int is_wildcard) {
  unsigned char *b = c->buffers[buffer];
  struct cepoll_parts *p = &c->parts[at];
  p->parts[0] = (struct iovec){b + CEPOLL_HEADROOM, length};
  c->replies[at].msg_hdr = (struct msghdr){.msg_name = b, .msg_namelen = CSOCKET_NAME, .msg_iov = p->parts, .msg_iovlen = 1};
  if (!is_wildcard) return;
  csocket_any_interface(b + CEPOLL_CONTROL);
  c->replies[at].msg_hdr.msg_control = b + CEPOLL_CONTROL;
  c->replies[at].msg_hdr.msg_controllen = csocket_control_length(b + CEPOLL_CONTROL);
}

/* The same for two replies to one client, the second no longer than the first: two datagrams by the time they arrive. */
static inline void cepoll_reply_pair(struct cepoll *c, unsigned at, unsigned first, unsigned length, unsigned second, unsigned second_length) {
  struct cepoll_parts *p = &c->parts[at];
  cepoll_reply(c, at, first, length, 0);
  p->parts[1] = (struct iovec){c->buffers[second] + CEPOLL_HEADROOM, second_length};
  csocket_segment(p->control, (uint16_t)length);
  c->replies[at].msg_hdr.msg_iovlen = 2;
  c->replies[at].msg_hdr.msg_control = p->control;
  c->replies[at].msg_hdr.msg_controllen = CMSG_SPACE(sizeof(uint16_t));
}

/* The same for a slot: address at 0, packet info at 32 (`local` bytes, 0 for none), 192 bytes on the message. */
static inline void cepoll_send(struct cepoll *c, unsigned at, unsigned char *slot, unsigned length, unsigned local) {
  struct cepoll_parts *p = &c->parts[at];
  p->parts[0] = (struct iovec){slot + 192, length};
  c->replies[at].msg_hdr = (struct msghdr){.msg_name = slot, .msg_namelen = CSOCKET_NAME, .msg_iov = p->parts, .msg_iovlen = 1};
  if (!local) return;
  csocket_source_info(p->control, slot + 32, local);
  c->replies[at].msg_hdr.msg_control = p->control;
  c->replies[at].msg_hdr.msg_controllen = CMSG_SPACE(local);
}

/* Sends messages that go out of one socket: how many went, at least one, or why the first did not, -errno. */
static inline int cepoll_submit(struct cepoll *c, int socket, unsigned first, unsigned count) {
  int n = sendmmsg(socket, c->replies + first, count, MSG_DONTWAIT);
  return n < 0 ? -errno : n;
}

/* A client of a TCP listener: a descriptor, or -errno. One that has gone already is passed over. */
static inline int cepoll_accept(int listener) {
  int s, tries = 64;
  do s = accept4(listener, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
  while (s < 0 && errno == ECONNABORTED && --tries);
  return s < 0 ? -errno : s;
}

/* Calls on it do not wait from now on. */
static inline void cepoll_set_nonblocking(int descriptor) { fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK); }

/* 0, or -EINPROGRESS, or another -errno. */
static inline int cepoll_connect(int socket, const void *address, unsigned length) {
  return connect(socket, (const struct sockaddr *)address, length) ? -errno : 0;
}

/* How a connect ended: 0 or -errno. */
static inline int cepoll_connected(int socket) {
  int e = 0;
  socklen_t length = sizeof e;
  return getsockopt(socket, SOL_SOCKET, SO_ERROR, &e, &length) ? -errno : -e;
}

/* Octets, or -errno. */
static inline int cepoll_read(int socket, void *to, size_t length) {
  ssize_t n = recv(socket, to, length, MSG_DONTWAIT);
  return n < 0 ? -errno : (int)n;
}
static inline int cepoll_write(int socket, const void *from, size_t length) {
  ssize_t n = send(socket, from, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  return n < 0 ? -errno : (int)n;
}

/* An eventfd is as if nobody had written to it. */
static inline void cepoll_reset(int eventfd) {
  eventfd_t count;
  eventfd_read(eventfd, &count);
}

#pragma clang assume_nonnull end
