#define _GNU_SOURCE
#include "door-session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "door-kernel.h"

static uint8_t *slot_bytes(struct session *s, uint32_t slot) {
  if (slot < SMALL_COUNT) return s->small + (size_t)slot * SMALL_SIZE;
  return s->large + (size_t)(slot - SMALL_COUNT) * LARGE_SIZE;
}

static void free_slot(struct session *s, uint32_t slot) {
  if (slot < SMALL_COUNT) {
    s->free_small[s->free_small_count++] = (uint16_t)slot;
  } else {
    s->free_large[s->free_large_count++] = (uint16_t)slot;
    pthread_cond_signal(&s->slot_freed);
  }
}

static void wake_js(struct session *s) {
  if (s->js_woken) return;
  s->js_woken = true;
  napi_call_threadsafe_function(s->to_js, NULL, napi_tsfn_nonblocking);
}

static void append_notice(struct notices *list, struct notice *n) {
  n->next = NULL;
  if (list->tail) list->tail->next = n; else list->head = n;
  list->tail = n;
}

static struct notice *first_notice(struct notices *list) {
  struct notice *n = list->head;
  list->head = n->next;
  if (!list->head) list->tail = NULL;
  return n;
}

static void refuse(struct session *s, const uint8_t *bytes) {
  struct kernel_in_header in;
  memcpy(&in, bytes, sizeof in);
  if (in.opcode == KERNEL_FORGET || in.opcode == KERNEL_INTERRUPT || in.opcode == KERNEL_BATCH_FORGET) return;
  struct kernel_out_header out = {.length = sizeof out, .error = -ENOTCONN, .unique = in.unique};
  ssize_t written = write(s->fd, &out, sizeof out);
  (void)written;  // the connection may be gone, which refuses just as well
}

// Waits for a free large buffer; -1 when the session stops.
static int take_large(struct session *s) {
  pthread_mutex_lock(&s->lock);
  while (!s->free_large_count && !s->stopping) pthread_cond_wait(&s->slot_freed, &s->lock);
  int slot = s->stopping ? -1 : s->free_large[--s->free_large_count];
  pthread_mutex_unlock(&s->lock);
  return slot;
}

// Hands a request to JavaScript. True when the large buffer it was read into is still free to be read into.
static bool deliver(struct session *s, uint32_t slot, uint32_t length) {
  bool kept = false;
  pthread_mutex_lock(&s->lock);
  if (s->refusing) {
    refuse(s, slot_bytes(s, slot));
    pthread_mutex_unlock(&s->lock);
    return true;
  }
  if (length <= SMALL_SIZE && s->free_small_count) {
    uint32_t small = s->free_small[--s->free_small_count];
    memcpy(slot_bytes(s, small), slot_bytes(s, slot), length);
    slot = small;
    kept = true;
  }
  s->ready[(s->ready_head + s->ready_count++) % SLOT_COUNT] = (struct request_slot){slot, length};
  wake_js(s);
  pthread_mutex_unlock(&s->lock);
  return kept;
}

// Reads one request into the slot: its length, or a negative errno that ends the session (-ECANCELED: told to stop).
static ssize_t read_request(struct session *s, uint32_t slot) {
  for (;;) {
    ssize_t length = read(s->fd, slot_bytes(s, slot), LARGE_SIZE);
    if (length >= (ssize_t)sizeof(struct kernel_in_header)) return length;
    if (length >= 0) return -EIO;
    if (errno == EINTR || errno == ENOENT) continue;  // ENOENT: the request was withdrawn before it was read
    if (errno != EAGAIN) return -errno;
    struct pollfd fds[2] = {{.fd = s->fd, .events = POLLIN}, {.fd = s->wake, .events = POLLIN}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return -errno;
    if (fds[1].revents) return -ECANCELED;
  }
}

static void *read_loop(void *argument) {
  struct session *s = argument;
  int slot = -1, error = ECANCELED;
  for (;;) {
    if (slot < 0 && (slot = take_large(s)) < 0) break;
    ssize_t length = read_request(s, (uint32_t)slot);
    if (length < 0) {
      error = (int)-length;
      break;
    }
    if (!deliver(s, (uint32_t)slot, (uint32_t)length)) slot = -1;
  }
  pthread_mutex_lock(&s->lock);
  s->ended = true;
  s->end_error = error;
  wake_js(s);
  pthread_mutex_unlock(&s->lock);
  return NULL;
}

static void *notify_loop(void *argument) {
  struct session *s = argument;
  pthread_mutex_lock(&s->lock);
  for (;;) {
    while (!s->queued.head && !s->refusing) pthread_cond_wait(&s->notice_added, &s->lock);
    if (s->refusing) break;
    struct notice *n = first_notice(&s->queued);
    pthread_mutex_unlock(&s->lock);
    n->error = write(s->fd, n->bytes, n->size) < 0 ? errno : 0;
    pthread_mutex_lock(&s->lock);
    append_notice(&s->finished, n);
    wake_js(s);
  }
  pthread_mutex_unlock(&s->lock);
  return NULL;
}

static int start_thread(pthread_t *thread, void *(*loop)(void *), struct session *s) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals belong to Node's threads
  int error = pthread_create(thread, NULL, loop, s);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

static void stop_thread(struct session *s, pthread_t thread, bool *flag) {
  pthread_mutex_lock(&s->lock);
  *flag = true;
  pthread_cond_broadcast(&s->slot_freed);
  pthread_cond_broadcast(&s->notice_added);
  pthread_mutex_unlock(&s->lock);
  pthread_join(thread, NULL);
}

int session_start(struct session *s) {
  int flags = fcntl(s->fd, F_GETFL);
  if (flags < 0 || fcntl(s->fd, F_SETFL, flags | O_NONBLOCK) < 0) return errno;
  if ((s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) return errno;
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->slot_freed, NULL);
  pthread_cond_init(&s->notice_added, NULL);
  for (unsigned i = SLOT_COUNT; i-- > 0;) free_slot(s, i);
  int error = start_thread(&s->notifier, notify_loop, s);
  if (!error && (error = start_thread(&s->reader, read_loop, s))) stop_thread(s, s->notifier, &s->refusing);
  if (error) close(s->wake);
  return error;
}

unsigned session_take_batch(struct session *s) {
  unsigned count = 0, large = 0;
  pthread_mutex_lock(&s->lock);
  while (s->ready_count && count < BATCH_MAX && large < BATCH_LARGE_MAX) {
    struct request_slot request = s->ready[s->ready_head];
    s->ready_head = (s->ready_head + 1) % SLOT_COUNT;
    s->ready_count--;
    if (request.slot >= SMALL_COUNT) large++;
    s->delivered[count++] = request;
  }
  if (!count) {
    s->js_woken = false;
    s->at_end = s->ended;
  }
  pthread_mutex_unlock(&s->lock);
  s->delivered_count = count;
  memcpy(s->batch, s->delivered, count * sizeof *s->batch);
  return count;
}

void session_release_batch(struct session *s) {
  pthread_mutex_lock(&s->lock);
  for (unsigned i = 0; i < s->delivered_count; i++) free_slot(s, s->delivered[i].slot);
  pthread_mutex_unlock(&s->lock);
  s->delivered_count = 0;
}

int session_send(struct session *s, const struct iovec *parts, int count) {
  if (s->closed) return ENOTCONN;
  ssize_t written;
  do written = writev(s->fd, parts, count); while (written < 0 && errno == EINTR);
  return written < 0 ? errno : 0;
}

int session_notify(struct session *s, uint32_t id, const uint8_t *bytes, uint32_t size) {
  if (s->closed) return ENOTCONN;
  struct notice *n = malloc(sizeof *n + size);
  if (!n) return ENOMEM;
  n->id = id;
  n->error = 0;
  n->size = size;
  memcpy(n->bytes, bytes, size);
  pthread_mutex_lock(&s->lock);
  bool full = s->notice_count >= NOTICES_MAX;
  if (!full) {
    s->notice_count++;
    append_notice(&s->queued, n);
    pthread_cond_signal(&s->notice_added);
  }
  pthread_mutex_unlock(&s->lock);
  if (full) free(n);
  return full ? EAGAIN : 0;
}

struct notice *session_take_finished(struct session *s) {
  pthread_mutex_lock(&s->lock);
  struct notice *list = s->finished.head;
  s->finished.head = s->finished.tail = NULL;
  for (struct notice *n = list; n; n = n->next) s->notice_count--;
  pthread_mutex_unlock(&s->lock);
  return list;
}

void session_close(struct session *s) {
  if (s->closed) return;
  s->closed = true;
  pthread_mutex_lock(&s->lock);
  s->refusing = true;
  // When called from within a batch: a second answer to a request is ignored by the kernel.
  for (unsigned i = 0; i < s->delivered_count; i++) refuse(s, slot_bytes(s, s->delivered[i].slot));
  for (; s->ready_count; s->ready_count--) {
    struct request_slot request = s->ready[s->ready_head];
    s->ready_head = (s->ready_head + 1) % SLOT_COUNT;
    refuse(s, slot_bytes(s, request.slot));
    free_slot(s, request.slot);
  }
  pthread_mutex_unlock(&s->lock);
  stop_thread(s, s->notifier, &s->refusing);
  uint64_t one = 1;
  ssize_t written = write(s->wake, &one, sizeof one);
  (void)written;  // an eventfd takes a first 1 always
  stop_thread(s, s->reader, &s->stopping);
  close(s->fd);
  close(s->wake);
  while (s->queued.head) free(first_notice(&s->queued));
  while (s->finished.head) free(first_notice(&s->finished));
}
