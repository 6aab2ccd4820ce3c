// One mounted /dev/fuse connection: a reader thread that fills a bounded pool of request buffers, a notifier thread
// that writes messages which may block in the kernel, and the queues between them and the JavaScript thread.
//
// Promises: memory is bounded (SMALL_COUNT * SMALL_SIZE + LARGE_COUNT * LARGE_SIZE, touched lazily); when every buffer
// is in use the reader stops and the kernel queues. session_close() never waits for JavaScript: while it runs, the
// reader refuses requests with ENOTCONN, so that nobody keeps the lock that the notifier may be waiting for.
// Threads: everything marked (js) is called on the JavaScript thread only.
#ifndef SHARDRIVE_DOOR_SESSION_H
#define SHARDRIVE_DOOR_SESSION_H

#include <node_api.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
  // The kernel insists on room for its largest request at every read: 80 bytes of headers and 1 MiB of data.
  LARGE_SIZE = (1 << 20) + 4096,
  LARGE_COUNT = 12,
  // Requests that fit are copied here, so that a large buffer is only held by a large request.
  SMALL_SIZE = 4096,
  SMALL_COUNT = 256,
  SLOT_COUNT = SMALL_COUNT + LARGE_COUNT,
  // One call into JavaScript hands over so many requests, and so many large ones: the reader keeps reading meanwhile.
  BATCH_MAX = 64,
  BATCH_LARGE_MAX = 4,
  OUT_SIZE = (256 << 10) + 4096,
  NOTICES_MAX = 1024,
  NOTICE_SIZE_MAX = 4096,
};

struct notice {
  struct notice *next;
  uint32_t id;
  int error;
  uint32_t size;
  uint8_t bytes[];
};

struct notices {
  struct notice *head, *tail;
};

struct request_slot {
  uint32_t slot, length;
};

struct session {
  int fd, wake;  // wake: eventfd that ends the reader's poll
  pthread_t reader, notifier;
  pthread_mutex_t lock;
  pthread_cond_t slot_freed, notice_added;

  uint8_t *small, *large, *out;
  struct request_slot *batch;  // a copy of `delivered` that JavaScript can read

  // Guarded by lock.
  uint16_t free_small[SMALL_COUNT], free_large[LARGE_COUNT];
  unsigned free_small_count, free_large_count;
  struct request_slot ready[SLOT_COUNT];
  unsigned ready_head, ready_count;
  struct notices queued, finished;
  unsigned notice_count;
  bool js_woken, refusing, stopping, ended;
  int end_error;

  // (js)
  bool closed, at_end, end_told;  // at_end: the reader has ended and nothing of it is left
  unsigned references;
  struct request_slot delivered[BATCH_MAX];  // what JavaScript is looking at
  unsigned delivered_count;
  napi_threadsafe_function to_js;
  napi_ref memory[4];
  napi_env env;
};

// Starts the threads; 0 or an errno. The memory pointers, fd, env and to_js must be set. (js)
int session_start(struct session *s);
// Moves ready requests to s->delivered and returns their number; 0 also means that the reader will wake us anew. (js)
unsigned session_take_batch(struct session *s);
void session_release_batch(struct session *s);                                    // (js)
int session_send(struct session *s, const struct iovec *parts, int count);       // 0 or an errno (js)
int session_notify(struct session *s, uint32_t id, const uint8_t *bytes, uint32_t size);  // 0 or an errno (js)
struct notice *session_take_finished(struct session *s);  // a list for the caller to free (js)
// Ends both threads and closes the descriptor. Idempotent. (js)
void session_close(struct session *s);

#endif
