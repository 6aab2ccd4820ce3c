// openRange(termKey, id, offset, sealed, inPlace) -> Promise<Buffer>
// openRangeSync(...) -> Buffer, for at most 256 KiB
// Opens bytes that stand at `offset` of the sealed segment. The range need not start or
// end on a block of the cipher.
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "util/args.h"
#include "util/job.h"
#include "util/secret.h"
#include "util/slab.h"
#include "util/stripe.h"

// 256 KiB is 40 us with AES-NI, less than a trip to the pool; portable it is 2 ms.
#define SYNC_MAX 262144
#define SEGMENT_LENGTH_MAX ((uint64_t)SHARDS_MAX * SHARD_LENGTH_MAX)

typedef struct {
  job base;
  aes256_key *key;  // on a secret page
  uint64_t offset;
  byte_view sealed;
  bool in_place;
  void *plain;             // own memory, unless in_place
  napi_value in_place_of;  // in a synchronous call
} open_job;

static void run(job *base) {
  open_job *o = (open_job *)base;
  uint8_t *to = o->sealed.data;
  if (!o->in_place) {
    o->plain = slab_new(o->sealed.length);
    to = o->plain;
  }
  if (to == NULL) {
    base->error = "out of memory";
    return;
  }
  aes256_ctr(path_current()->ctr, o->key, o->offset, to, o->sealed.data, o->sealed.length);
  secret_free(o->key);
  o->key = NULL;
}

static napi_value result(napi_env env, job *base) {
  open_job *o = (open_job *)base;
  napi_value value = o->in_place_of;
  if (!o->in_place) return job_adopt(env, &o->plain, o->sealed.length);
  if (base->inputs != NULL && napi_get_reference_value(env, base->inputs, &value) != napi_ok) {
    return NULL;
  }
  return value;
}

static void destroy(job *base) {
  open_job *o = (open_job *)base;
  secret_free(o->key);
  slab_free(o->plain, o->sealed.length);
  free(o);
}

static bool take_arguments(napi_env env, napi_callback_info info, size_t max, open_job *o,
                           napi_value *sealed) {
  napi_value args[5];
  byte_view term_key, id;
  if (!arg_get(env, info, 5, args) ||
      !arg_bytes_exact(env, args[0], TERM_KEY_SIZE, "termKey must be 32 bytes", &term_key) ||
      !arg_bytes_exact(env, args[1], SEGMENT_ID_SIZE, "id must be 32 bytes", &id) ||
      !arg_whole(env, args[2], 0, SEGMENT_LENGTH_MAX, "offset must be inside a segment",
                 &o->offset) ||
      !arg_bytes(env, args[3], "sealed must be a Buffer", &o->sealed)) {
    return false;
  }
  if (o->sealed.length < 1 || o->sealed.length > max) {
    return arg_wrong(env, "sealed is empty or too long");
  }
  if (napi_get_value_bool(env, args[4], &o->in_place) != napi_ok) {
    return arg_wrong(env, "inPlace must be a boolean");
  }
  o->key = secret_new();
  if (o->key == NULL) return arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
  stripe_key(path_current(), term_key.data, id.data, o->key);
  *sealed = args[3];
  return true;
}

static open_job *prepare(napi_env env, napi_callback_info info, size_t max, napi_value *sealed) {
  open_job *o = calloc(1, sizeof *o);
  if (o == NULL) {
    arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
    return NULL;
  }
  o->base = (job){.run = run, .result = result, .destroy = destroy};
  if (take_arguments(env, info, max, o, sealed)) return o;
  destroy(&o->base);
  return NULL;
}

napi_value codec_open_range(napi_env env, napi_callback_info info) {
  napi_value sealed = NULL;
  open_job *o = prepare(env, info, SEGMENT_LENGTH_MAX, &sealed);
  return o == NULL ? NULL : job_start(env, &o->base, sealed);
}

napi_value codec_open_range_sync(napi_env env, napi_callback_info info) {
  napi_value sealed = NULL;
  open_job *o = prepare(env, info, SYNC_MAX, &sealed);
  if (o == NULL) return NULL;
  o->in_place_of = sealed;
  return job_now(env, &o->base);
}
