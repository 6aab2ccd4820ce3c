#include "job.h"

#include <stdint.h>
#include "args.h"
#include "slab.h"

static napi_value failure(napi_env env, const char *message) {
  napi_value code, text, error;
  if (napi_create_string_utf8(env, "ERR_CODEC_FAILED", NAPI_AUTO_LENGTH, &code) != napi_ok ||
      napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text) != napi_ok ||
      napi_create_error(env, code, text, &error) != napi_ok) {
    return NULL;
  }
  return error;
}

static void execute(napi_env env, void *data) {
  (void)env;
  job *self = data;
  self->run(self);
}

static void release(napi_env env, job *self) {
  if (self->inputs != NULL) napi_delete_reference(env, self->inputs);
  if (self->work != NULL) napi_delete_async_work(env, self->work);
  self->destroy(self);
}

static void complete(napi_env env, napi_status status, void *data) {
  job *self = data;
  const char *why = status == napi_ok ? self->error : "the work was cancelled";
  napi_value value = why == NULL ? self->result(env, self) : NULL;
  if (value != NULL) {
    napi_resolve_deferred(env, self->deferred, value);
  } else {
    napi_value error = failure(env, why != NULL ? why : "out of memory");
    if (error != NULL) napi_reject_deferred(env, self->deferred, error);
  }
  release(env, self);
}

napi_value job_start(napi_env env, job *self, napi_value inputs) {
  napi_value promise, name;
  self->inputs = NULL;
  self->work = NULL;
  if ((inputs == NULL || napi_create_reference(env, inputs, 1, &self->inputs) == napi_ok) &&
      napi_create_string_utf8(env, "shardrive:codec", NAPI_AUTO_LENGTH, &name) == napi_ok &&
      napi_create_async_work(env, NULL, name, execute, complete, self, &self->work) == napi_ok &&
      napi_create_promise(env, &self->deferred, &promise) == napi_ok &&
      napi_queue_async_work(env, self->work) == napi_ok) {
    return promise;
  }
  release(env, self);
  arg_fail(env, "ERR_CODEC_FAILED", "the work could not be queued");
  return NULL;
}

napi_value job_now(napi_env env, job *self) {
  self->run(self);
  napi_value value = self->error == NULL ? self->result(env, self) : NULL;
  if (value == NULL) {
    arg_fail(env, "ERR_CODEC_FAILED", self->error != NULL ? self->error : "out of memory");
  }
  self->destroy(self);
  return value;
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  slab_free(data, (size_t)(uintptr_t)hint);
}

napi_value job_adopt(napi_env env, void **memory, size_t size) {
  napi_value buffer = NULL;
  const napi_status status = napi_create_external_buffer(
      env, size, *memory, finalize, (void *)(uintptr_t)size, &buffer);
  // The thread is being ended: refused before anything was taken over.
  if (status == napi_pending_exception && buffer == NULL) return NULL;
  if (status == napi_no_external_buffers_allowed) {
    if (napi_create_buffer_copy(env, size, *memory, NULL, &buffer) != napi_ok) return NULL;
    slab_free(*memory, size);
  }
  // After any other failure the runtime may or may not hold the memory: leaking it is
  // the safe side, freeing it twice is not.
  *memory = NULL;
  return status == napi_ok || status == napi_no_external_buffers_allowed ? buffer : NULL;
}
