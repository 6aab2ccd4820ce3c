// Large memory is mapped, not taken from malloc: the pool threads allocate and the
// JavaScript thread frees, and glibc's arenas then keep what was freed. Measured with
// 200 segments of 16 MB one after the other: 1.3 GB resident with malloc, 0.2 GB so.
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include "slab.h"

#include <stdlib.h>
#include <sys/mman.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

#define CACHE_LINE 64
#define MAPPED_MIN 262144

static size_t rounded(size_t size) { return (size + CACHE_LINE) / CACHE_LINE * CACHE_LINE; }

void *slab_new(size_t size) {
  if (size < MAPPED_MIN) return aligned_alloc(CACHE_LINE, rounded(size));
  void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return NULL;
#ifdef MADV_HUGEPAGE
  (void)madvise(at, size, MADV_HUGEPAGE);
#endif
  return at;
}

void slab_free(void *slab, size_t size) {
  if (slab == NULL) return;
  if (size < MAPPED_MIN) {
    free(slab);
  } else {
    (void)munmap(slab, size);
  }
}
