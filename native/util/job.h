// Work off the JavaScript thread that settles a promise.
//
// A job is one allocation whose first member is a `job`. It owns a reference to its
// inputs, so that they outlive it; `run` sees only plain memory. Callers in JavaScript
// must not transfer or resize a buffer while a job reads or writes it.
#ifndef SHARDRIVE_JOB_H
#define SHARDRIVE_JOB_H

#include <node_api.h>
#include <stdbool.h>

typedef struct job job;
struct job {
  void (*run)(job *self);                          // on a pool thread
  napi_value (*result)(napi_env env, job *self);   // on the JavaScript thread; NULL: failed
  void (*destroy)(job *self);                      // frees everything, self included
  const char *error;                               // set by run: the job failed, and why
  napi_async_work work;
  napi_deferred deferred;
  napi_ref inputs;
};

// Starts the job and returns its promise. `inputs` is kept alive until it ended; NULL
// is nothing to keep. Takes the job over in any case: on failure it is destroyed, an
// exception is pending and NULL returned.
napi_value job_start(napi_env env, job *self, napi_value inputs);

// Runs at once and returns the result itself. Takes the job over.
napi_value job_now(napi_env env, job *self);

// Makes a Buffer that owns *memory (from slab_new, `size` bytes) and sets *memory to
// NULL. Without copying, where the runtime allows that. NULL: failed; freeing *memory
// stays right.
napi_value job_adopt(napi_env env, void **memory, size_t size);

#endif
