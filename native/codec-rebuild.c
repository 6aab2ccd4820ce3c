// rebuildUnits(k, n, presentIndexes, presentUnits, wantedIndexes) -> Promise<Buffer[]>
// Any units of a row, or whole shards, out of any k others of equal length.
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "util/args.h"
#include "util/job.h"
#include "util/slab.h"
#include "util/stripe.h"

// All k inputs and four outputs of 16 KiB stay in the second-level cache up to k = 60.
#define STRIP_SIZE 16384

typedef struct {
  job base;
  unsigned k;
  uint32_t wanted_count;
  uint8_t *present, *wanted;  // indexes; NULL when the matrix is given
  uint8_t *matrix;            // wanted_count * k
  const uint8_t *in[SHARDS_MAX];
  void *out[SHARDS_MAX];
  size_t length;
} rebuild_job;

static void run(job *base) {
  rebuild_job *r = (rebuild_job *)base;
  const code_path *path = path_current();
  base->error = "out of memory";
  if (r->present != NULL &&
      !matrix_rebuild(r->k, r->present, r->wanted, r->wanted_count, r->matrix)) {
    return;
  }
  for (uint32_t i = 0; i < r->wanted_count; i++) {
    r->out[i] = slab_new(r->length);
    if (r->out[i] == NULL) return;
  }
  for (size_t from = 0; from < r->length; from += STRIP_SIZE) {
    const uint8_t *in[SHARDS_MAX];
    uint8_t *out[SHARDS_MAX];
    const size_t rest = r->length - from;
    for (unsigned i = 0; i < r->k; i++) in[i] = r->in[i] + from;
    for (uint32_t i = 0; i < r->wanted_count; i++) out[i] = (uint8_t *)r->out[i] + from;
    path->multiply(r->matrix, r->wanted_count, r->k, in, out,
                   rest < STRIP_SIZE ? rest : STRIP_SIZE);
  }
  base->error = NULL;
}

static napi_value result(napi_env env, job *base) {
  rebuild_job *r = (rebuild_job *)base;
  napi_value list;
  if (napi_create_array_with_length(env, r->wanted_count, &list) != napi_ok) return NULL;
  for (uint32_t i = 0; i < r->wanted_count; i++) {
    napi_value buffer = job_adopt(env, &r->out[i], r->length);
    if (buffer == NULL || napi_set_element(env, list, i, buffer) != napi_ok) return NULL;
  }
  return list;
}

static void destroy(job *base) {
  rebuild_job *r = (rebuild_job *)base;
  for (uint32_t i = 0; i < r->wanted_count; i++) slab_free(r->out[i], r->length);
  free(r->present);
  free(r->wanted);
  free(r->matrix);
  free(r);
}

// k Buffers of one length; *keep keeps them alive.
static bool take_units(napi_env env, napi_value value, rebuild_job *r, napi_value *keep) {
  static const char message[] = "units must be k Buffers of one length, 1 to 1966080 bytes";
  uint32_t count;
  if (!arg_list(env, value, SHARDS_MAX, message, keep, &count)) return false;
  if (count != r->k) return arg_wrong(env, message);
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    byte_view view;
    if (napi_get_element(env, *keep, i, &element) != napi_ok) return arg_wrong(env, message);
    if (!arg_bytes(env, element, message, &view)) return false;
    if (i == 0) r->length = view.length;
    if (view.length != r->length || view.length < 1 || view.length > SHARD_LENGTH_MAX) {
      return arg_wrong(env, message);
    }
    r->in[i] = view.data;
  }
  return true;
}

static bool take_arguments(napi_env env, napi_callback_info info, rebuild_job *r,
                           napi_value *keep) {
  napi_value args[5];
  uint64_t k, n;
  uint32_t present_count, wanted_count;
  if (!arg_get(env, info, 5, args) ||
      !arg_whole(env, args[0], 1, SHARDS_MAX, "k must be 1 to 255", &k) ||
      !arg_whole(env, args[1], k, SHARDS_MAX, "n must be k to 255", &n) ||
      !arg_indexes(env, args[2], (unsigned)n, true, "present must be different indexes below n",
                   &r->present, &present_count) ||
      !arg_indexes(env, args[4], (unsigned)n, true, "wanted must be different indexes below n",
                   &r->wanted, &wanted_count)) {
    return false;
  }
  if (present_count != k) return arg_wrong(env, "present must be k indexes");
  r->k = (unsigned)k;
  r->matrix = malloc((size_t)wanted_count * r->k + 1);
  if (r->matrix == NULL) return arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
  // The units last: reading lists may run JavaScript, which could detach a Buffer that
  // was looked at before.
  if (!take_units(env, args[3], r, keep)) return false;
  r->wanted_count = wanted_count;
  return true;
}

static rebuild_job *new_job(napi_env env) {
  rebuild_job *r = calloc(1, sizeof *r);
  if (r == NULL) {
    arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
    return NULL;
  }
  r->base = (job){.run = run, .result = result, .destroy = destroy};
  return r;
}

napi_value codec_rebuild_units(napi_env env, napi_callback_info info) {
  napi_value keep;
  rebuild_job *r = new_job(env);
  if (r == NULL) return NULL;
  if (!take_arguments(env, info, r, &keep)) {
    destroy(&r->base);
    return NULL;
  }
  return job_start(env, &r->base, keep);
}

// multiply(matrix, units) -> Buffer[]: the bare kernel, for tests of the field.
napi_value codec_multiply(napi_env env, napi_callback_info info) {
  napi_value args[2], keep;
  byte_view matrix;
  uint32_t count = 0;
  rebuild_job *r = new_job(env);
  if (r == NULL) return NULL;
  bool list = false;
  bool ok = arg_get(env, info, 2, args);
  if (ok) napi_is_array(env, args[1], &list);
  ok = ok && (list || arg_wrong(env, "units must be an array"));
  ok = ok && (napi_get_array_length(env, args[1], &count) == napi_ok && count >= 1 &&
              count <= SHARDS_MAX
                  ? true
                  : arg_wrong(env, "units must be 1 to 255 Buffers"));
  r->k = count;
  ok = ok && take_units(env, args[1], r, &keep) &&
       arg_bytes(env, args[0], "matrix must be a Buffer", &matrix);
  if (ok && (matrix.length < count || matrix.length % count != 0 ||
             matrix.length / count > SHARDS_MAX)) {
    ok = arg_wrong(env, "matrix must be whole rows");
  }
  r->matrix = ok ? malloc(matrix.length) : NULL;
  if (r->matrix == NULL) {
    if (ok) arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
    destroy(&r->base);
    return NULL;
  }
  memcpy(r->matrix, matrix.data, matrix.length);
  r->wanted_count = (uint32_t)(matrix.length / count);
  return job_now(env, &r->base);
}

// codingMatrix(k, n) -> Buffer: the n - k parity rows, k coefficients each.
napi_value codec_coding_matrix(napi_env env, napi_callback_info info) {
  napi_value args[2], buffer;
  uint64_t k, n;
  void *rows;
  if (!arg_get(env, info, 2, args) ||
      !arg_whole(env, args[0], 1, SHARDS_MAX, "k must be 1 to 255", &k) ||
      !arg_whole(env, args[1], k, SHARDS_MAX, "n must be k to 255", &n)) {
    return NULL;
  }
  if (napi_create_buffer(env, (n - k) * k, &rows, &buffer) != napi_ok) {
    arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
    return NULL;
  }
  for (unsigned i = (unsigned)k; i < n; i++) {
    matrix_coding_row((unsigned)k, i, (uint8_t *)rows + (i - k) * k);
  }
  return buffer;
}
