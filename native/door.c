// The native half of the door on Linux: descriptors, threads and bytes. What a request means is decided in
// src/mount/fuse; src/addon/door.ts tells the types of what is exported here.
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "door-kernel.h"
#include "door-mount.h"
#include "door-session.h"
#include "door-value.h"

enum { EVENT_BATCH, EVENT_NOTIFIED, EVENT_END };
// Batches handed over before other events of the loop get their turn.
enum { ROUNDS = 4 };
enum { PARTS_MAX = 257 };

static void tell_js(struct session *s, napi_value callback, int32_t event, int32_t a, int32_t b) {
  napi_handle_scope scope;
  napi_open_handle_scope(s->env, &scope);
  napi_value receiver, values[3] = {integer(s->env, event), integer(s->env, a), integer(s->env, b)};
  napi_get_undefined(s->env, &receiver);
  if (napi_call_function(s->env, receiver, callback, 3, values, NULL) == napi_pending_exception) {
    napi_value error;
    napi_get_and_clear_last_exception(s->env, &error);
    napi_fatal_exception(s->env, error);
  }
  napi_close_handle_scope(s->env, scope);
}

// The threadsafe function's JavaScript side: requests, then finished notifications, then the end, in this order.
static void deliver_events(napi_env env, napi_value callback, void *context, void *data) {
  (void)data;
  struct session *s = context;
  if (!env || s->closed) return;
  unsigned count = 0;
  for (int round = 0; round < ROUNDS && (count = session_take_batch(s)); round++) {
    tell_js(s, callback, EVENT_BATCH, (int32_t)count, 0);
    session_release_batch(s);
    if (s->closed) return;
  }
  for (struct notice *n = session_take_finished(s), *next; n; n = next) {
    next = n->next;
    if (!s->closed) tell_js(s, callback, EVENT_NOTIFIED, (int32_t)n->id, n->error);
    free(n);
  }
  if (s->closed) return;
  if (count) {
    napi_call_threadsafe_function(s->to_js, NULL, napi_tsfn_nonblocking);
  } else if (s->at_end && !s->end_told) {
    s->end_told = true;
    tell_js(s, callback, EVENT_END, s->end_error, 0);
  }
}

// The struct is shared by the threadsafe function and the four functions of the session object: the last frees it.
static void drop_session(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct session *s = data;
  if (--s->references == 0) free(s);
}

static void forget_memory(struct session *s) {
  for (int i = 0; i < 4; i++) {
    if (s->memory[i]) napi_delete_reference(s->env, s->memory[i]);
    s->memory[i] = NULL;
  }
}

static void close_at_exit(void *data) {
  session_close(data);
}

static struct session *session_of(napi_env env, napi_callback_info info, napi_value *values, size_t count) {
  void *session = NULL;
  size_t given = count;
  napi_get_cb_info(env, info, &given, values, NULL, &session);
  if (given >= count) return session;
  napi_throw_type_error(env, NULL, "door: too few arguments");
  return NULL;
}

// send(length) -> 0 or an errno: writes the first `length` bytes of `out`.
static napi_value send_out(napi_env env, napi_callback_info info) {
  napi_value values[1];
  uint32_t length;
  struct session *s = session_of(env, info, values, 1);
  if (!s) return NULL;
  if (napi_get_value_uint32(env, values[0], &length) != napi_ok || length > OUT_SIZE) return integer(env, EINVAL);
  struct iovec part = {.iov_base = s->out, .iov_len = length};
  return integer(env, s->closed ? ENOTCONN : session_send(s, &part, 1));
}

// sendWith(length, buffers) -> 0 or an errno: the same, followed by at most 256 buffers.
static napi_value send_with(napi_env env, napi_callback_info info) {
  napi_value values[2];
  uint32_t length, count;
  struct session *s = session_of(env, info, values, 2);
  if (!s) return NULL;
  if (s->closed) return integer(env, ENOTCONN);
  if (napi_get_value_uint32(env, values[0], &length) != napi_ok || length > OUT_SIZE ||
      napi_get_array_length(env, values[1], &count) != napi_ok || count >= PARTS_MAX) {
    return integer(env, EINVAL);
  }
  struct iovec parts[PARTS_MAX] = {{.iov_base = s->out, .iov_len = length}};
  napi_value buffers[PARTS_MAX];
  // All elements first: reading one may run JavaScript, which may take away the memory of another, or close the session.
  for (uint32_t i = 0; i < count; i++) {
    if (napi_get_element(env, values[1], i, &buffers[i]) != napi_ok) return integer(env, EINVAL);
  }
  for (uint32_t i = 0; i < count; i++) {
    void **base = &parts[i + 1].iov_base;
    if (napi_get_buffer_info(env, buffers[i], base, &parts[i + 1].iov_len) != napi_ok) return integer(env, EINVAL);
  }
  return integer(env, session_send(s, parts, (int)count + 1));
}

// notify(id, message) -> 0 or an errno; the outcome follows as an event. `message` is a whole message with its header.
static napi_value notify(napi_env env, napi_callback_info info) {
  napi_value values[2];
  uint32_t id;
  void *bytes;
  size_t size;
  struct session *s = session_of(env, info, values, 2);
  if (!s) return NULL;
  if (napi_get_value_uint32(env, values[0], &id) != napi_ok ||
      napi_get_buffer_info(env, values[1], &bytes, &size) != napi_ok || size > NOTICE_SIZE_MAX) {
    return integer(env, EINVAL);
  }
  return integer(env, session_notify(s, id, bytes, (uint32_t)size));
}

static napi_value close_session(napi_env env, napi_callback_info info) {
  struct session *s = session_of(env, info, NULL, 0);
  if (!s || s->closed) return NULL;
  session_close(s);
  napi_remove_env_cleanup_hook(env, close_at_exit, s);
  forget_memory(s);
  napi_release_threadsafe_function(s->to_js, napi_tsfn_abort);
  return NULL;
}

static bool add_memory(struct session *s, napi_value target, int index, const char *name, size_t size, void *bytes) {
  napi_value memory;
  return napi_create_arraybuffer(s->env, size, bytes, &memory) == napi_ok &&
         napi_create_reference(s->env, memory, 1, &s->memory[index]) == napi_ok &&
         napi_set_named_property(s->env, target, name, memory) == napi_ok;
}

static void add_session_function(struct session *s, napi_value target, const char *name, napi_callback call) {
  napi_value function;
  napi_create_function(s->env, name, NAPI_AUTO_LENGTH, call, s, &function);
  napi_add_finalizer(s->env, function, s, drop_session, NULL, NULL);
  s->references++;
  napi_set_named_property(s->env, target, name, function);
}

// attach(fd, callback(event, a, b)) -> session. Takes the descriptor over, also when it throws.
static napi_value attach(napi_env env, napi_callback_info info) {
  napi_value values[2], result, label;
  if (!take_arguments(env, info, values, 2)) return NULL;
  struct session *s = calloc(1, sizeof *s);
  if (!s) abort();
  s->env = env;
  s->fd = -1;  // what is no descriptor is not closed
  napi_create_object(env, &result);
  napi_create_string_utf8(env, "shardrive door", NAPI_AUTO_LENGTH, &label);
  bool fits = descriptor_of(env, values[0], &s->fd) &&
              add_memory(s, result, 0, "small", (size_t)SMALL_COUNT * SMALL_SIZE, &s->small) &&
              add_memory(s, result, 1, "large", (size_t)LARGE_COUNT * LARGE_SIZE, &s->large) &&
              add_memory(s, result, 2, "out", OUT_SIZE, &s->out) &&
              add_memory(s, result, 3, "batch", BATCH_MAX * sizeof *s->batch, &s->batch) &&
              napi_create_threadsafe_function(env, values[1], NULL, label, 0, 1, s, drop_session, s,
                                              deliver_events, &s->to_js) == napi_ok;
  int error = fits ? session_start(s) : EINVAL;
  s->references = 1;
  if (error) {
    if (s->fd >= 0) close(s->fd);
    s->closed = true;
    forget_memory(s);
    if (s->to_js) napi_release_threadsafe_function(s->to_js, napi_tsfn_abort);
    else free(s);
    napi_throw_error(env, NULL, strerror(error));
    return NULL;
  }
  napi_add_env_cleanup_hook(env, close_at_exit, s);
  add_session_function(s, result, "send", send_out);
  add_session_function(s, result, "sendWith", send_with);
  add_session_function(s, result, "notify", notify);
  add_session_function(s, result, "close", close_session);
  return result;
}

static void add_number(napi_env env, napi_value target, const char *name, int32_t value) {
  napi_set_named_property(env, target, name, integer(env, value));
}

NAPI_MODULE_INIT() {
  add_number(env, exports, "interfaceVersion", 2);
  add_number(env, exports, "smallSize", SMALL_SIZE);
  add_number(env, exports, "smallCount", SMALL_COUNT);
  add_number(env, exports, "largeSize", LARGE_SIZE);
  add_number(env, exports, "largeCount", LARGE_COUNT);
  add_function(env, exports, "mountDirect", door_mount_direct);
  add_function(env, exports, "detach", door_detach);
  add_function(env, exports, "detachNow", door_detach_now);
  add_function(env, exports, "socketPair", door_socket_pair);
  add_function(env, exports, "receiveDescriptor", door_receive_descriptor);
  add_function(env, exports, "closeDescriptor", door_close_descriptor);
  add_function(env, exports, "attach", attach);
  return exports;
}
