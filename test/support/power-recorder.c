/*
 * Records what a process does to the files below a folder, in order, with the bytes: for building the folder as it could look after a
 * loss of power (power-disk.ts). A library for LD_PRELOAD. POWER_FOLDER: what is recorded; POWER_LOG: where to, outside of it.
 *
 * One record each, little-endian: u8 kind, u64 time before the call (monotonic, ns), u32 file, u64 offset, u32 length, then so many
 * bytes: what was written, or a path below the folder (two of them with a NUL between for a rename). Files are numbered as they are made;
 * one that is there at the start has the record FOUND. A mutex makes the order of records that of the calls. What maps files is not
 * seen: SQLite's -shm files, made anew after a loss of power, are left out.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR, SYNC_FOLDER, FOUND };
#define FDS 4096
#define FILES 65536

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX];
static size_t folder_length;
static int log_fd = -1;
/* Of a descriptor: 0 nothing, > 0 a file, -1 a folder. */
static int32_t file_of[FDS];
static char *folder_of[FDS];
static ino_t inode_of[FILES];
static uint32_t files;

#define REAL(name) \
  static __typeof__(&name) real; \
  if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
  const char *where = getenv("POWER_FOLDER");
  const char *log = getenv("POWER_LOG");
  if (where == NULL || log == NULL || realpath(where, folder) == NULL) return;
  folder_length = strlen(folder);
  int fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  /* Out of the way of what the process expects of its next descriptors. */
  log_fd = fcntl(fd, F_DUPFD_CLOEXEC, 900);
  syscall(SYS_close, fd);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void put_all(const void *bytes, size_t length) {
  for (size_t done = 0; done < length;) {
    long count = syscall(SYS_write, log_fd, (const char *)bytes + done, length - done);
    if (count <= 0) abort();
    done += (size_t)count;
  }
}

static void put(uint8_t kind, uint64_t time, uint32_t file, uint64_t offset, const void *bytes, size_t length) {
  uint8_t head[25] = {kind};
  uint32_t short_length = (uint32_t)length;
  memcpy(head + 1, &time, 8);
  memcpy(head + 9, &file, 4);
  memcpy(head + 13, &offset, 8);
  memcpy(head + 21, &short_length, 4);
  put_all(head, sizeof head);
  put_all(bytes, length);
}

/* The path below the folder, or NULL when it lies elsewhere or is not recorded. */
static const char *below(const char *path) {
  if (log_fd < 0 || path == NULL || strncmp(path, folder, folder_length) != 0) return NULL;
  if (path[folder_length] == 0) return ".";
  if (path[folder_length] != '/') return NULL;
  size_t length = strlen(path);
  if (length > 4 && strcmp(path + length - 4, "-shm") == 0) return NULL;
  return path + folder_length + 1;
}

static uint32_t number_of(ino_t inode, int isNew) {
  if (!isNew)
    for (uint32_t at = files; at > 0; at--)
      if (inode_of[at] == inode) return at;
  if (files + 1 >= FILES) abort();
  inode_of[++files] = inode;
  return files;
}

static void note_open(int fd, const char *path, int flags, int was_there, uint64_t time) {
  struct stat stat;
  if (fd < 0 || fd >= FDS || fstat(fd, &stat) != 0) return;
  if (S_ISDIR(stat.st_mode)) {
    file_of[fd] = -1;
    free(folder_of[fd]);
    folder_of[fd] = strdup(path);
    return;
  }
  uint32_t known = files, file = number_of(stat.st_ino, !was_there);
  file_of[fd] = (int32_t)file;
  if (!was_there) put(CREATE, time, file, 0, path, strlen(path));
  else if (file > known) put(FOUND, time, file, 0, path, strlen(path));
  if (was_there && (flags & O_TRUNC)) put(TRUNCATE, time, file, 0, NULL, 0);
}

static int opened(const char *path, int flags, mode_t mode, int (*real)(const char *, int, ...)) {
  const char *name = below(path);
  if (name == NULL) return real(path, flags, mode);
  pthread_mutex_lock(&turn);
  struct stat stat;
  uint64_t time = now();
  int was_there = lstat(path, &stat) == 0, fd = real(path, flags, mode), error = errno;
  note_open(fd, name, flags, was_there, time);
  pthread_mutex_unlock(&turn);
  errno = error;
  return fd;
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { \
      va_list list; \
      va_start(list, flags); \
      mode = (mode_t)va_arg(list, int); \
      va_end(list); \
    } \
    return opened(path, flags, mode, real); \
  }
OPEN(open) OPEN(open64)

/* Node and SQLite name files by whole paths: relative to a folder they open nothing here. */
static int tracked(int fd) {
  struct stat stat;
  if (log_fd < 0 || fd < 0 || fd >= FDS || file_of[fd] <= 0) return 0;
  /* Not every close passes here. */
  if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_ino == inode_of[file_of[fd]]) return 1;
  file_of[fd] = 0;
  return 0;
}

int close(int fd) {
  REAL(close);
  if (log_fd >= 0 && fd >= 0 && fd < FDS) file_of[fd] = 0;
  return real(fd);
}

static ssize_t wrote(int fd, uint64_t time, off64_t offset, const struct iovec *parts, int count, ssize_t total) {
  ssize_t left = total;
  for (int at = 0; at < count && left > 0; at++) {
    size_t length = parts[at].iov_len < (size_t)left ? parts[at].iov_len : (size_t)left;
    put(WRITE, time, (uint32_t)file_of[fd], (uint64_t)offset, parts[at].iov_base, length);
    offset += (off64_t)length;
    left -= (ssize_t)length;
  }
  return total;
}

static off64_t position(int fd) {
  return fcntl(fd, F_GETFL) & O_APPEND ? lseek64(fd, 0, SEEK_END) : lseek64(fd, 0, SEEK_CUR);
}

/* The body of a wrapper: `call` with the lock held, then its record. */
#define RECORDED(fd, type, call, record) \
  do { \
    if (!tracked(fd)) return call; \
    pthread_mutex_lock(&turn); \
    uint64_t time = now(); \
    type result = call; \
    int error = errno; \
    record; \
    pthread_mutex_unlock(&turn); \
    errno = error; \
    return result; \
  } while (0)

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(write);
  struct iovec part = {(void *)bytes, length};
  off64_t at = tracked(fd) ? position(fd) : 0;
  RECORDED(fd, ssize_t, real(fd, bytes, length), wrote(fd, time, at, &part, 1, result));
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  off64_t at = tracked(fd) ? position(fd) : 0;
  RECORDED(fd, ssize_t, real(fd, parts, count), wrote(fd, time, at, parts, count, result));
}
#define PWRITE(name) \
  ssize_t name(int fd, const void *bytes, size_t length, off64_t at) { \
    REAL(name); \
    struct iovec part = {(void *)bytes, length}; \
    RECORDED(fd, ssize_t, real(fd, bytes, length, at), wrote(fd, time, at, &part, 1, result)); \
  }
PWRITE(pwrite) PWRITE(pwrite64)
#define PWRITEV(name) \
  ssize_t name(int fd, const struct iovec *parts, int count, off64_t at) { \
    REAL(name); \
    RECORDED(fd, ssize_t, real(fd, parts, count, at), wrote(fd, time, at, parts, count, result)); \
  }
PWRITEV(pwritev) PWRITEV(pwritev64)

#define FTRUNCATE(name) \
  int name(int fd, off64_t size) { \
    REAL(name); \
    RECORDED(fd, int, real(fd, size), \
             if (result == 0) put(TRUNCATE, time, (uint32_t)file_of[fd], (uint64_t)size, NULL, 0)); \
  }
FTRUNCATE(ftruncate) FTRUNCATE(ftruncate64)

/* It may make a file longer; nothing here asks for more. */
static void allocated(int fd, uint64_t time) {
  struct stat stat;
  if (fstat(fd, &stat) == 0) put(TRUNCATE, time, (uint32_t)file_of[fd], (uint64_t)stat.st_size, NULL, 0);
}
#define FALLOCATE(name) \
  int name(int fd, int mode, off64_t at, off64_t length) { \
    REAL(name); \
    RECORDED(fd, int, real(fd, mode, at, length), if (result == 0) allocated(fd, time)); \
  }
FALLOCATE(fallocate) FALLOCATE(fallocate64)
#define POSIX_FALLOCATE(name) \
  int name(int fd, off64_t at, off64_t length) { \
    REAL(name); \
    RECORDED(fd, int, real(fd, at, length), if (result == 0) allocated(fd, time)); \
  }
POSIX_FALLOCATE(posix_fallocate) POSIX_FALLOCATE(posix_fallocate64)

static int synced(int fd, int (*real)(int)) {
  int is_folder = log_fd >= 0 && fd >= 0 && fd < FDS && file_of[fd] < 0;
  if (!is_folder && !tracked(fd)) return real(fd);
  pthread_mutex_lock(&turn);
  uint64_t time = now();
  int result = real(fd), error = errno;
  if (result == 0 && file_of[fd] > 0) put(SYNC, time, (uint32_t)file_of[fd], 0, NULL, 0);
  if (result == 0 && file_of[fd] < 0) put(SYNC_FOLDER, time, 0, 0, folder_of[fd], strlen(folder_of[fd]));
  pthread_mutex_unlock(&turn);
  errno = error;
  return result;
}
int fsync(int fd) {
  REAL(fsync);
  return synced(fd, real);
}
int fdatasync(int fd) {
  REAL(fdatasync);
  return synced(fd, real);
}
/* sync_file_range promises nothing across a loss of power: it is let through and counts for nothing. */

#define NAMED(kind, path, call) \
  do { \
    const char *name = below(path); \
    if (name == NULL) return call; \
    pthread_mutex_lock(&turn); \
    uint64_t time = now(); \
    int result = call; \
    int error = errno; \
    if (result == 0) put(kind, time, 0, 0, name, strlen(name)); \
    pthread_mutex_unlock(&turn); \
    errno = error; \
    return result; \
  } while (0)
int unlink(const char *path) {
  REAL(unlink);
  NAMED(UNLINK, path, real(path));
}
int rmdir(const char *path) {
  REAL(rmdir);
  NAMED(RMDIR, path, real(path));
}
int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  NAMED(MKDIR, path, real(path, mode));
}
int rename(const char *from, const char *to) {
  REAL(rename);
  const char *name = below(from), *fresh = below(to);
  if (name == NULL || fresh == NULL) return real(from, to);
  pthread_mutex_lock(&turn);
  uint64_t time = now();
  int result = real(from, to), error = errno;
  char both[2 * PATH_MAX];
  size_t length = strlen(name) + 1;
  memcpy(both, name, length);
  memcpy(both + length, fresh, strlen(fresh));
  if (result == 0) put(RENAME, time, 0, 0, both, length + strlen(fresh));
  pthread_mutex_unlock(&turn);
  errno = error;
  return result;
}
