/* What Swift cannot reach of liburing, or would reach only through a page of pointer casts: macros, bit-fields, cmsg
   arithmetic, and the preparation of each operation that the ring uses. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CSocket.h"
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#pragma clang assume_nonnull begin

enum {
  CURING_HEADROOM = 16 + CSOCKET_NAME,
  CURING_MULTISHOT = 32,    /* instalments of a multishot receive before others have their turn (MULTISHOT_MAX_RETRY) */
  CURING_TAIL = 192         /* what a reply by sendmsg is sent with stands at the buffer's end */
};

/* One shard's ring and its ring of receive buffers. Buffers are `size` bytes: struct io_uring_recvmsg_out, the sender's
   address, control data on wildcard sockets, the datagram; at the end, CURING_TAIL bytes of ours. */
struct curing {
  struct io_uring ring;
  struct io_uring_buf_ring *returned;
  struct msghdr plain, wildcard;
  unsigned char *buffers;
  unsigned count, size;
  unsigned adding; /* buffers put back since the last turn, which the kernel may have after the next submission */
  int refused;     /* errno, once io_uring_enter is forbidden: nothing will complete any more */
  struct io_uring_sqe spare; /* where operations go that no queue has room for, once it is */
};

/* What one sendmsg needs, at a buffer's end or in a slot. */
struct curing_message {
  struct msghdr header;
  struct iovec parts[2];
  unsigned char control[88]; /* packet info, then the length of a segment */
};
_Static_assert(sizeof(struct curing_message) <= CURING_TAIL, "a message fits a buffer's tail");

/* Zeroed, for the caller to open, and to delete after closing. Without memory for it there is nothing to go on with. */
static inline struct curing *curing_new(void) {
  struct curing *c = (struct curing *)calloc(1, sizeof *c);
  if (!c) abort();
  return c;
}

/* 0 or -errno. */
static inline int curing_open(struct curing *c, unsigned entries, unsigned buffers, unsigned size) {
  struct io_uring_params p = {
      .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
      .cq_entries = entries * 2};
  int e = io_uring_queue_init_params(entries, &c->ring, &p);
  if (e < 0) return e;
  io_uring_register_ring_fd(&c->ring);
  size_t ring_size = buffers * sizeof(struct io_uring_buf);
  c->returned = (struct io_uring_buf_ring *)mmap(0, ring_size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  c->buffers = (unsigned char *)mmap(0, (size_t)buffers * size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (c->returned == MAP_FAILED || c->buffers == MAP_FAILED) return -ENOMEM;
  struct io_uring_buf_reg reg = {.ring_addr = (unsigned long)c->returned, .ring_entries = buffers};
  e = io_uring_register_buf_ring(&c->ring, &reg, 0);
  if (e < 0) return e;
  io_uring_buf_ring_init(c->returned);
  c->count = buffers;
  c->size = size;
  for (unsigned i = 0; i < buffers; i++)
    io_uring_buf_ring_add(c->returned, c->buffers + (size_t)i * size, size, i, io_uring_buf_ring_mask(buffers), i);
  io_uring_buf_ring_advance(c->returned, buffers);
  c->plain = (struct msghdr){.msg_namelen = CSOCKET_NAME};
  c->wildcard = (struct msghdr){.msg_namelen = CSOCKET_NAME, .msg_controllen = CSOCKET_CONTROL};
  return 0;
}

static inline void curing_close(struct curing *c) {
  if (!c->count) return; /* never opened */
  io_uring_queue_exit(&c->ring);
  munmap(c->returned, c->count * sizeof(struct io_uring_buf));
  munmap(c->buffers, (size_t)c->count * c->size);
}

static inline void curing_delete(struct curing *c) { free(c); }

/* Sees whether what io_uring_enter returned says that it is forbidden: by a seccomp filter that came after the start. */
static inline int curing_entered(struct curing *c, int result) {
  if (result == -EPERM || result == -EACCES || result == -ENOSYS) c->refused = -result;
  return result;
}

/* A free submission entry: with a full queue, what is in it goes first. */
static inline struct io_uring_sqe *curing_sqe(struct curing *c) {
  struct io_uring_sqe *s = io_uring_get_sqe(&c->ring);
  while (!s) {
    if (c->refused) return &c->spare;
    curing_entered(c, io_uring_submit(&c->ring));
    s = io_uring_get_sqe(&c->ring);
  }
  return s;
}

/* The kernel may have the buffers that were put back, for what was to be sent from them is submitted, and so sent: sends
   of datagrams do not wait (MSG_DONTWAIT). Only if all is submitted: a ring that is out of memory or room takes less. */
static inline void curing_hand_over(struct curing *c) {
  if (!c->adding || io_uring_sq_ready(&c->ring)) return;
  io_uring_buf_ring_advance(c->returned, (int)c->adding);
  c->adding = 0;
}

/* Submits, waits for one completion (timeout_ns < 0: for ever), and returns how many there are: what waits in the sockets is
   among them, up to half of the buffers; one call takes no more than CURING_MULTISHOT datagrams from each. `seen` are those of
   the last turn. */
static inline unsigned curing_turn(struct curing *c, unsigned seen, int64_t timeout_ns) {
  io_uring_cq_advance(&c->ring, seen);
  if (c->adding > c->count / 2) { /* do not wait with less than that */
    curing_entered(c, io_uring_submit(&c->ring));
    curing_hand_over(c);
  }
  if (timeout_ns <= 0) {
    curing_entered(c, timeout_ns ? io_uring_submit_and_wait(&c->ring, 1) : io_uring_submit_and_get_events(&c->ring));
  } else {
    struct __kernel_timespec t = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    struct io_uring_cqe *first;
    curing_entered(c, io_uring_submit_and_wait_timeout(&c->ring, &first, 1, &t, 0));
  }
  curing_hand_over(c);
  unsigned before, ready = 0;
  do {
    before = ready;
    ready = io_uring_cq_ready(&c->ring);
  } while (ready - before >= CURING_MULTISHOT && ready < c->count / 2 && curing_entered(c, io_uring_get_events(&c->ring)) >= 0);
  return ready;
}

static inline struct io_uring_cqe *curing_cqe(struct curing *c, unsigned index) {
  return &c->ring.cq.cqes[(*c->ring.cq.khead + index) & *c->ring.cq.kring_mask];
}
static inline int curing_more(const struct io_uring_cqe *e) { return (e->flags & IORING_CQE_F_MORE) != 0; }
static inline int curing_buffer(const struct io_uring_cqe *e) {
  return e->flags & IORING_CQE_F_BUFFER ? (int)(e->flags >> IORING_CQE_BUFFER_SHIFT) : -1;
}

static inline void curing_receive(struct curing *c, int socket, int is_wildcard, uint64_t token) {
  struct io_uring_sqe *s = curing_sqe(c);
  io_uring_prep_recvmsg_multishot(s, socket, is_wildcard ? &c->wildcard : &c->plain, 0);
  s->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
  io_uring_sqe_set_data64(s, token);
}

static inline unsigned char *curing_at(struct curing *c, unsigned buffer) { return c->buffers + (size_t)buffer * c->size; }

static inline void curing_put_back(struct curing *c, unsigned buffer) {
  io_uring_buf_ring_add(c->returned, curing_at(c, buffer), c->size, buffer, io_uring_buf_ring_mask(c->count), (int)c->adding++);
}

static inline struct curing_message *curing_tail(struct curing *c, unsigned buffer) {
  return (struct curing_message *)(curing_at(c, buffer) + c->size - CURING_TAIL);
}

/* Sends `length` bytes of the datagram's place in a receive buffer back to where it came from, and puts the buffer back.
   There is a completion only if that fails. */
static inline void curing_reply(struct curing *c, int socket, int is_wildcard, unsigned buffer, unsigned length, uint64_t token) {
  unsigned char *at = curing_at(c, buffer);
  struct io_uring_sqe *s = curing_sqe(c);
  if (!is_wildcard) {
    io_uring_prep_send(s, socket, at + CURING_HEADROOM, length, MSG_DONTWAIT);
    s->addr2 = (unsigned long)(at + 16);
    s->addr_len = CSOCKET_NAME;
  } else {
    unsigned char *control = at + CURING_HEADROOM;
    struct curing_message *m = curing_tail(c, buffer);
    csocket_any_interface(control);
    m->parts[0] = (struct iovec){control + CSOCKET_CONTROL, length};
    m->header = (struct msghdr){.msg_name = at + 16, .msg_namelen = CSOCKET_NAME, .msg_iov = m->parts, .msg_iovlen = 1,
                                .msg_control = control, .msg_controllen = csocket_control_length(control)};
    io_uring_prep_sendmsg(s, socket, &m->header, MSG_DONTWAIT);
  }
  s->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data64(s, token);
  curing_put_back(c, buffer);
}

/* Sends two replies to one client in one go, the second no longer than the first: two datagrams by the time they arrive
   (UDP_SEGMENT, udp(7)). It completes in any case, and the buffers are the caller's until then. */
static inline void curing_reply_pair(struct curing *c, int socket, unsigned first, unsigned length, unsigned second, unsigned second_length,
                                     uint64_t token) {
  unsigned char *at = curing_at(c, first);
  struct curing_message *m = curing_tail(c, first);
  csocket_segment(m->control, (uint16_t)length);
  m->parts[0] = (struct iovec){at + CURING_HEADROOM, length};
  m->parts[1] = (struct iovec){curing_at(c, second) + CURING_HEADROOM, second_length};
  m->header = (struct msghdr){.msg_name = at + 16, .msg_namelen = CSOCKET_NAME, .msg_iov = m->parts, .msg_iovlen = 2,
                              .msg_control = m->control, .msg_controllen = CMSG_SPACE(sizeof(uint16_t))};
  struct io_uring_sqe *s = curing_sqe(c);
  io_uring_prep_sendmsg(s, socket, &m->header, MSG_DONTWAIT);
  s->flags |= IOSQE_FIXED_FILE;
  io_uring_sqe_set_data64(s, token);
}

/* Sends a slot: address at 0, packet info at 32 (`local` bytes, 0 for none), 192 bytes on the message. */
static inline void curing_send(struct curing *c, int socket, unsigned char *slot, unsigned length, unsigned local, uint64_t token) {
  struct io_uring_sqe *s = curing_sqe(c);
  if (!local) {
    io_uring_prep_send(s, socket, slot + 192, length, 0);
    s->addr2 = (unsigned long)slot;
    s->addr_len = CSOCKET_NAME;
  } else {
    struct msghdr *m = (struct msghdr *)(slot + 64);
    struct iovec *v = (struct iovec *)(slot + 128);
    unsigned char *control = slot + 144;
    csocket_source_info(control, slot + 32, local);
    *v = (struct iovec){slot + 192, length};
    *m = (struct msghdr){.msg_name = slot, .msg_namelen = CSOCKET_NAME, .msg_iov = v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(local)};
    io_uring_prep_sendmsg(s, socket, m, 0);
  }
  s->flags |= IOSQE_FIXED_FILE;
  io_uring_sqe_set_data64(s, token);
}

static inline void curing_accept(struct curing *c, int socket, uint64_t token) {
  struct io_uring_sqe *s = curing_sqe(c);
  io_uring_prep_accept(s, socket, 0, 0, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(s, token);
}

static inline void curing_connect(struct curing *c, int socket, const void *address, unsigned length, uint64_t token) {
  struct io_uring_sqe *s = curing_sqe(c);
  io_uring_prep_connect(s, socket, (const struct sockaddr *)address, length);
  io_uring_sqe_set_data64(s, token);
}

static inline void curing_read(struct curing *c, int socket, void *to, size_t length, uint64_t token) {
  struct io_uring_sqe *s = curing_sqe(c);
  io_uring_prep_recv(s, socket, to, length, 0);
  io_uring_sqe_set_data64(s, token);
}

static inline void curing_write(struct curing *c, int socket, const void *from, size_t length, uint64_t token) {
  struct io_uring_sqe *s = curing_sqe(c);
  io_uring_prep_send(s, socket, from, length, MSG_NOSIGNAL);
  io_uring_sqe_set_data64(s, token);
}

static inline void curing_cancel(struct curing *c, int socket) {
  struct io_uring_sqe *s = curing_sqe(c);
  io_uring_prep_cancel_fd(s, socket, IORING_ASYNC_CANCEL_ALL);
  io_uring_sqe_set_data64(s, 0);
}

static inline void curing_stop(struct curing *c, uint64_t token) {
  struct io_uring_sqe *s = curing_sqe(c);
  io_uring_prep_cancel64(s, token, 0);
  s->flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data64(s, 0);
}

/* Completes `token` whenever the eventfd is written to, until a completion without F_MORE. */
static inline void curing_watch(struct curing *c, int eventfd, uint64_t token) {
  struct io_uring_sqe *s = curing_sqe(c);
  io_uring_prep_poll_multishot(s, eventfd, POLLIN);
  io_uring_sqe_set_data64(s, token);
}

/* Completes `token` on another ring. */
static inline void curing_wake(struct curing *c, int ring, uint64_t token) {
  struct io_uring_sqe *s = curing_sqe(c);
  io_uring_prep_msg_ring(s, ring, 0, token, 0);
  s->flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data64(s, 0);
}

static inline void curing_nop(struct curing *c, uint64_t token) {
  struct io_uring_sqe *s = curing_sqe(c);
  io_uring_prep_nop(s);
  io_uring_sqe_set_data64(s, token);
}

/* What arrives at a connected socket, into provided buffers until a completion without F_MORE. `is_fixed`: `socket` is
   an index of the registered files. */
static inline void curing_receive_connected(struct curing *c, int socket, int is_fixed, uint64_t token) {
  struct io_uring_sqe *s = curing_sqe(c);
  io_uring_prep_recv_multishot(s, socket, 0, 0, 0);
  s->flags |= IOSQE_BUFFER_SELECT | (is_fixed ? IOSQE_FIXED_FILE : 0);
  io_uring_sqe_set_data64(s, token);
}

/* What a send of several datagrams needs to stand somewhere while it is submitted. */
struct curing_batch {
  struct msghdr message;
  struct iovec vector;
  unsigned char control[CMSG_SPACE(sizeof(uint16_t))];
};

/* Sends `length` bytes on a connected, registered socket while the entry is submitted, so that they are free after it: as
   datagrams of `segment` bytes, the last one maybe shorter (UDP_SEGMENT, udp(7)). Only failures complete; -EAGAIN: the
   socket is full. */
static inline void curing_send_segments(struct curing *c, int socket, struct curing_batch *b, const void *from, size_t length,
                                        uint16_t segment, uint64_t token) {
  struct io_uring_sqe *s = curing_sqe(c);
  if (length == segment) {
    io_uring_prep_send(s, socket, from, length, MSG_DONTWAIT);
  } else {
    csocket_segment(b->control, segment);
    b->vector = (struct iovec){(void *)from, length};
    b->message = (struct msghdr){.msg_iov = &b->vector, .msg_iovlen = 1, .msg_control = b->control, .msg_controllen = sizeof b->control};
    io_uring_prep_sendmsg(s, socket, &b->message, MSG_DONTWAIT);
  }
  s->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data64(s, token);
}

/* As curing_turn, for `wanted` completions, or as many as come within the timeout. */
static inline unsigned curing_gather(struct curing *c, unsigned seen, unsigned wanted, int64_t timeout_ns) {
  io_uring_cq_advance(&c->ring, seen);
  if (c->adding) io_uring_buf_ring_advance(c->returned, c->adding), c->adding = 0;
  struct __kernel_timespec t = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
  struct io_uring_cqe *first;
  io_uring_submit_and_wait_timeout(&c->ring, &first, wanted, &t, 0);
  return io_uring_cq_ready(&c->ring);
}

/* Submits without waiting, and returns how many completions there are. `seen` are those of the last turn. */
static inline unsigned curing_poll(struct curing *c, unsigned seen) {
  io_uring_cq_advance(&c->ring, seen);
  if (c->adding) io_uring_buf_ring_advance(c->returned, c->adding), c->adding = 0;
  io_uring_submit_and_get_events(&c->ring);
  return io_uring_cq_ready(&c->ring);
}

#pragma clang assume_nonnull end
