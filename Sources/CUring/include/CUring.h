/* What Swift cannot reach of liburing: macros, bit-fields and cmsg arithmetic, as static inline functions. */
#pragma once
#include <liburing.h>
