/* Counts the calling thread's allocations: linked into the test program, its malloc, calloc, realloc and aligned
   allocators stand in front of glibc's, for Swift's runtime too. */
#pragma once
#include <stdint.h>

uint64_t malloc_count(void);
