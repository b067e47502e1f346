/* LD_PRELOAD for test_hot_path.py: counts allocations and lock operations of each thread in a file that the test maps.
   COUNTING_FILE names it: 256 slots of { thread id, allocations, locks }. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct slot { _Atomic long thread, allocations, locks, unused; };
enum { SLOTS = 256 };
static struct slot spare[SLOTS], *slots = spare;
static _Atomic int used;
static __thread struct slot *mine __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void map_file(void) {
    const char *path = getenv("COUNTING_FILE");
    int f = path ? open(path, O_RDWR) : -1;
    void *m = f < 0 ? MAP_FAILED : mmap(0, sizeof spare, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
    if (m != MAP_FAILED) slots = m, mine = 0, used = 0;
}

static struct slot *slot(void) {
    if (!mine) {
        int n = atomic_fetch_add(&used, 1);
        mine = &slots[n < SLOTS ? n : SLOTS - 1];
        mine->thread = gettid();
    }
    return mine;
}

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);
#define COUNTED(what) slot()->what++

void *malloc(size_t n) { COUNTED(allocations); return __libc_malloc(n); }
void *calloc(size_t n, size_t m) { COUNTED(allocations); return __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { COUNTED(allocations); return __libc_realloc(p, n); }
void *memalign(size_t a, size_t n) { COUNTED(allocations); return __libc_memalign(a, n); }
void *aligned_alloc(size_t a, size_t n) { COUNTED(allocations); return __libc_memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { COUNTED(allocations); return (*p = __libc_memalign(a, n)) ? 0 : 12; }
void free(void *p) { COUNTED(allocations); __libc_free(p); }

#define LOCK(name, type)                                             \
    int name(type *l) {                                              \
        static int (*next)(type *);                                  \
        if (!next) next = (int (*)(type *))dlsym(RTLD_NEXT, #name);  \
        COUNTED(locks);                                              \
        return next(l);                                              \
    }
LOCK(pthread_mutex_lock, pthread_mutex_t)
LOCK(pthread_mutex_trylock, pthread_mutex_t)
LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)
LOCK(pthread_spin_lock, pthread_spinlock_t)
