/* A disk whose user has no quota left, for a process that is started with it (LD_PRELOAD): wherever the disk is full, it is told
 * EDQUOT instead of ENOSPC. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static long told(long answer) {
  if (answer == -1 && errno == ENOSPC) errno = EDQUOT;
  return answer;
}

#define PASS(type, name, parameters, arguments) \
  type name parameters { \
    static __typeof__(&name) real; \
    if (!real) real = REAL(name); \
    return (type)told((long)real arguments); \
  }

PASS(ssize_t, write, (int fd, const void *from, size_t length), (fd, from, length))
PASS(ssize_t, pwrite, (int fd, const void *from, size_t length, off_t at), (fd, from, length, at))
PASS(ssize_t, pwrite64, (int fd, const void *from, size_t length, off64_t at), (fd, from, length, at))
PASS(ssize_t, writev, (int fd, const struct iovec *from, int count), (fd, from, count))
PASS(ssize_t, pwritev, (int fd, const struct iovec *from, int count, off_t at), (fd, from, count, at))
PASS(ssize_t, pwritev64, (int fd, const struct iovec *from, int count, off64_t at), (fd, from, count, at))
PASS(int, ftruncate, (int fd, off_t length), (fd, length))
PASS(int, ftruncate64, (int fd, off64_t length), (fd, length))
PASS(int, fallocate, (int fd, int mode, off_t at, off_t length), (fd, mode, at, length))
PASS(int, fallocate64, (int fd, int mode, off64_t at, off64_t length), (fd, mode, at, length))
PASS(int, mkdir, (const char *name, mode_t mode), (name, mode))
PASS(int, rename, (const char *from, const char *to), (from, to))
PASS(int, fsync, (int fd), (fd))
PASS(int, fdatasync, (int fd), (fd))

#define OPEN(name) \
  int name(const char *file, int flags, ...) { \
    static int (*real)(const char *, int, ...); \
    if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
    va_list more; \
    va_start(more, flags); \
    mode_t mode = (mode_t)va_arg(more, int); \
    va_end(more); \
    return (int)told(real(file, flags, mode)); \
  }

OPEN(open)
OPEN(open64)
