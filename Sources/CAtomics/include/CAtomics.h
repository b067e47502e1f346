/* Loads and stores that two threads may race on, for memory that Swift's own Atomic cannot name: words inside a
   mapped region. Swift has no pointer-based atomics in its standard library; these are the whole list. And the memory
   itself, where other processes are to see it. */
#pragma once
#include <sys/syscall.h>
#include <unistd.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t atomics_load_relaxed(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline uint64_t atomics_load_acquire(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline void atomics_store_relaxed(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
static inline void atomics_store_release(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline uint8_t atomics_load_byte(const uint8_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline void atomics_store_byte(uint8_t *p, uint8_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
/* Starts bringing the line of `p` from memory; any address will do. */
static inline void atomics_prefetch(const void *p) { __builtin_prefetch(p); }
static inline void atomics_fence_acquire(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
static inline void atomics_fence_release(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }

/* Copies `words` 8-byte words that another thread may be overwriting: what arrives may be torn between words, never
   undefined. The caller validates afterwards. */
static inline void atomics_copy_from_racy(uint64_t *to, const uint64_t *from, size_t words) {
  for (size_t i = 0; i < words; i++) to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
}

/* The writer's half: overwrites words that other threads may be reading. */
static inline void atomics_copy_to_racy(uint64_t *to, const uint64_t *from, size_t words) {
  for (size_t i = 0; i < words; i++) __atomic_store_n(to + i, from[i], __ATOMIC_RELAXED);
}

/* The same from bytes of any alignment and length; the last word is filled up with zero bytes. */
static inline void atomics_copy_bytes_to_racy(uint64_t *to, const void *from, size_t bytes) {
  const char *next = (const char *)from;
  uint64_t word;
  for (; bytes >= 8; bytes -= 8, next += 8, to++) {
    memcpy(&word, next, 8);
    __atomic_store_n(to, word, __ATOMIC_RELAXED);
  }
  if (bytes == 0) return;
  word = 0;
  memcpy(&word, next, bytes);
  __atomic_store_n(to, word, __ATOMIC_RELAXED);
}
/* A memfd (memfd_create(2)), which is closed on exec, or -1. */
static inline int atomics_memfd(void) { return (int)syscall(SYS_memfd_create, "ringlet-cache", 1u); }

