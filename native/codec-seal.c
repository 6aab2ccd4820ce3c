// sealSegment(termKey, plain | plain[], paddedLength, k, n)
//   -> Promise<{id, shards, shardIds, subtrees}>
// One trip to the thread pool: draw the id, derive the key, seal, stripe, encode, hash.
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <sys/random.h>
#endif

#include "codec.h"
#include "util/args.h"
#include "util/job.h"
#include "util/secret.h"
#include "util/slab.h"
#include "util/stripe.h"

// A segment of 16 MiB packed of files of 16 bytes; more is a mistake of the caller.
#define PIECES_MAX (1u << 20)

typedef struct {
  uint8_t term_key[TERM_KEY_SIZE];
  aes256_key key;
} seal_secret;

_Static_assert(sizeof(seal_secret) <= SECRET_SIZE, "a secret page must hold the keys");

typedef struct {
  job base;
  seal_secret *secret;
  stripe_piece *pieces;
  size_t piece_count;
  size_t plain_length;
  stripe_layout layout;
  uint8_t id[SEGMENT_ID_SIZE];
  void *shards;
  hash_value *hashes;  // n shard ids, then n * rows subtrees
} seal_job;

static size_t shards_size(const seal_job *s) { return s->layout.n * s->layout.shard_length; }
static size_t ids_size(const seal_job *s) { return s->layout.n * SHA256_SIZE; }
static size_t subtrees_size(const seal_job *s) { return ids_size(s) * s->layout.rows; }

static void run(job *base) {
  seal_job *s = (seal_job *)base;
  const code_path *path = path_current();
  s->shards = slab_new(shards_size(s));
  s->hashes = malloc(ids_size(s) + subtrees_size(s));
  if (s->shards == NULL || s->hashes == NULL) {
    base->error = "out of memory";
    return;
  }
  if (getentropy(s->id, sizeof s->id) != 0) {
    base->error = "the system gave no random bytes";
    return;
  }
  stripe_key(path, s->secret->term_key, s->id, &s->secret->key);
  const stripe_job work = {
      .layout = s->layout,
      .pieces = s->pieces,
      .piece_count = s->piece_count,
      .plain_length = s->plain_length,
      .key = &s->secret->key,
      .shards = s->shards,
      .ids = s->hashes,
      .subtrees = s->hashes + s->layout.n,
  };
  if (!stripe_run(path, &work)) base->error = "out of memory";
  secret_free(s->secret);
  s->secret = NULL;
}

static bool set_copy(napi_env env, napi_value object, const char *name, const void *bytes,
                     size_t size) {
  napi_value buffer;
  return napi_create_buffer_copy(env, size, bytes, NULL, &buffer) == napi_ok &&
         napi_set_named_property(env, object, name, buffer) == napi_ok;
}

static napi_value result(napi_env env, job *base) {
  seal_job *s = (seal_job *)base;
  napi_value object;
  if (napi_create_object(env, &object) != napi_ok) return NULL;
  napi_value shards = job_adopt(env, &s->shards, shards_size(s));
  if (shards == NULL || napi_set_named_property(env, object, "shards", shards) != napi_ok ||
      !set_copy(env, object, "id", s->id, sizeof s->id) ||
      !set_copy(env, object, "shardIds", s->hashes, ids_size(s)) ||
      !set_copy(env, object, "subtrees", s->hashes + s->layout.n, subtrees_size(s))) {
    return NULL;
  }
  return object;
}

static void destroy(job *base) {
  seal_job *s = (seal_job *)base;
  secret_free(s->secret);
  free(s->pieces);
  slab_free(s->shards, shards_size(s));
  free(s->hashes);
  free(s);
}

static bool add_piece(napi_env env, seal_job *s, napi_value value) {
  byte_view view;
  if (!arg_bytes(env, value, "plain must be a Buffer or an array of Buffers", &view)) return false;
  if (view.length == 0) return true;
  s->pieces[s->piece_count++] =
      (stripe_piece){.data = view.data, .length = view.length, .start = s->plain_length};
  s->plain_length += view.length;
  return true;
}

// Fills the pieces; *keep is what keeps their bytes alive.
static bool take_plain(napi_env env, napi_value value, seal_job *s, napi_value *keep) {
  static const char message[] = "plain must be a Buffer or an array of at most 1048576 Buffers";
  bool list = false;
  uint32_t count = 1;
  napi_is_array(env, value, &list);
  *keep = value;
  if (list && !arg_list(env, value, PIECES_MAX, message, keep, &count)) return false;
  s->pieces = calloc((size_t)count + 1, sizeof *s->pieces);
  if (s->pieces == NULL) return arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
  if (!list) return add_piece(env, s, value);
  for (uint32_t i = 0; i < count; i++) {
    napi_handle_scope scope;
    napi_value element;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return arg_wrong(env, message);
    const bool ok = napi_get_element(env, *keep, i, &element) == napi_ok ? add_piece(env, s, element)
                                                                         : arg_wrong(env, message);
    napi_close_handle_scope(env, scope);
    if (!ok) return false;
  }
  return true;
}

static bool take_arguments(napi_env env, napi_callback_info info, seal_job *s, napi_value *keep) {
  napi_value args[5];
  byte_view key;
  uint64_t padded, k, n;
  if (!arg_get(env, info, 5, args) || !take_plain(env, args[1], s, keep) ||
      !arg_whole(env, args[3], 1, SHARDS_MAX, "k must be 1 to 255", &k) ||
      !arg_whole(env, args[4], k, SHARDS_MAX, "n must be k to 255", &n) ||
      !arg_whole(env, args[2], 1, k * SHARD_LENGTH_MAX,
                 "paddedLength must be 1 to k * 1966080", &padded) ||
      !arg_bytes_exact(env, args[0], TERM_KEY_SIZE, "termKey must be 32 bytes", &key)) {
    return false;
  }
  if (s->plain_length < 1 || s->plain_length > padded) {
    return arg_wrong(env, "plain must have 1 to paddedLength bytes");
  }
  s->secret = secret_new();
  if (s->secret == NULL) return arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
  memcpy(s->secret->term_key, key.data, TERM_KEY_SIZE);
  s->layout = stripe_layout_of((unsigned)k, (unsigned)n, padded);
  return true;
}

napi_value codec_seal_segment(napi_env env, napi_callback_info info) {
  napi_value keep;
  seal_job *s = calloc(1, sizeof *s);
  if (s == NULL) {
    arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
    return NULL;
  }
  s->base = (job){.run = run, .result = result, .destroy = destroy};
  if (!take_arguments(env, info, s, &keep)) {
    destroy(&s->base);
    return NULL;
  }
  return job_start(env, &s->base, keep);
}
