#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include "secret.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

// A few wiped pages wait for reuse: mapping and locking one costs as much as opening
// 64 KiB.
#define SPARE_MAX 16
static void *spare[SPARE_MAX];
static int spare_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void *secret_new(void) {
  void *at = NULL;
  pthread_mutex_lock(&lock);
  if (spare_count > 0) at = spare[--spare_count];
  pthread_mutex_unlock(&lock);
  if (at != NULL) return at;
  at = mmap(NULL, SECRET_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return NULL;
  (void)mlock(at, SECRET_SIZE);
#ifdef MADV_DONTDUMP
  (void)madvise(at, SECRET_SIZE, MADV_DONTDUMP);
#endif
  return at;
}

void secret_free(void *secret) {
  if (secret == NULL) return;
  secret_wipe(secret, SECRET_SIZE);
  pthread_mutex_lock(&lock);
  const int kept = spare_count < SPARE_MAX;
  if (kept) spare[spare_count++] = secret;
  pthread_mutex_unlock(&lock);
  if (!kept) (void)munmap(secret, SECRET_SIZE);
}

void secret_wipe(void *bytes, size_t size) {
  memset(bytes, 0, size);
  __asm__ volatile("" : : "r"(bytes) : "memory");
}
