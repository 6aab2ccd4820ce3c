// shardId(bytes) -> Promise<{id, subtrees}>
// leafHashes(block) -> Buffer
// verifyLeaves(shardId, shardLength, firstLeaf, data, proof) -> Promise<boolean>
// verifyLeavesSync(...) -> boolean, for at most 256 KiB
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "util/args.h"
#include "util/job.h"
#include "util/stripe.h"

#define SYNC_MAX 262144

typedef struct {
  job base;
  byte_view bytes;
  hash_value *subtrees;  // one more than there are: room to reduce
  hash_value id;
} id_job;

static void id_run(job *base) {
  id_job *s = (id_job *)base;
  const sha256_engine *engine = path_current()->hash;
  const size_t count = merkle_block_count(s->bytes.length);
  hash_value top[SHARD_ROWS_MAX];
  s->subtrees = malloc(count * SHA256_SIZE);
  if (s->subtrees == NULL) {
    base->error = "out of memory";
    return;
  }
  merkle_blocks(engine, s->bytes.data, s->bytes.length, s->subtrees);
  memcpy(top, s->subtrees, count * SHA256_SIZE);
  merkle_reduce(engine, top, count);
  merkle_id(engine, (uint32_t)s->bytes.length, top[0], s->id);
}

static napi_value id_result(napi_env env, job *base) {
  id_job *s = (id_job *)base;
  napi_value object, id, subtrees;
  const size_t size = merkle_block_count(s->bytes.length) * SHA256_SIZE;
  if (napi_create_object(env, &object) != napi_ok ||
      napi_create_buffer_copy(env, SHA256_SIZE, s->id, NULL, &id) != napi_ok ||
      napi_create_buffer_copy(env, size, s->subtrees, NULL, &subtrees) != napi_ok ||
      napi_set_named_property(env, object, "id", id) != napi_ok ||
      napi_set_named_property(env, object, "subtrees", subtrees) != napi_ok) {
    return NULL;
  }
  return object;
}

static void id_destroy(job *base) {
  id_job *s = (id_job *)base;
  free(s->subtrees);
  free(s);
}

napi_value codec_shard_id(napi_env env, napi_callback_info info) {
  napi_value args[1];
  byte_view bytes;
  if (!arg_get(env, info, 1, args) ||
      !arg_bytes(env, args[0], "bytes must be a Buffer", &bytes)) {
    return NULL;
  }
  if (bytes.length < 1 || bytes.length > SHARD_LENGTH_MAX) {
    arg_wrong(env, "a shard has 1 to 1966080 bytes");
    return NULL;
  }
  id_job *s = calloc(1, sizeof *s);
  if (s == NULL) {
    arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
    return NULL;
  }
  s->base = (job){.run = id_run, .result = id_result, .destroy = id_destroy};
  s->bytes = bytes;
  return job_start(env, &s->base, args[0]);
}

napi_value codec_leaf_hashes(napi_env env, napi_callback_info info) {
  napi_value args[1], buffer;
  byte_view block;
  void *hashes;
  if (!arg_get(env, info, 1, args) ||
      !arg_bytes(env, args[0], "block must be a Buffer", &block)) {
    return NULL;
  }
  if (block.length < 1 || block.length > BLOCK_SIZE) {
    arg_wrong(env, "a block has 1 to 65536 bytes");
    return NULL;
  }
  if (napi_create_buffer(env, merkle_leaf_count(block.length) * SHA256_SIZE, &hashes, &buffer) !=
      napi_ok) {
    arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
    return NULL;
  }
  merkle_leaves(path_current()->hash, block.data, block.length, hashes);
  return buffer;
}

typedef struct {
  job base;
  hash_value id;
  uint64_t shard_length, first_leaf;
  byte_view data, proof;
  bool valid;
} verify_job;

// Whether data has the length that some range of whole leaves from first_leaf on has.
static bool plausible(const verify_job *v) {
  const uint64_t start = v->first_leaf * LEAF_SIZE;
  if (v->data.length < 1 || start >= v->shard_length) return false;
  if (v->data.length > v->shard_length - start || v->proof.length % SHA256_SIZE != 0) return false;
  return v->data.length % LEAF_SIZE == 0 || v->data.length == v->shard_length - start;
}

static void verify_run(job *base) {
  verify_job *v = (verify_job *)base;
  if (!plausible(v)) return;
  const sha256_engine *engine = path_current()->hash;
  const size_t count = merkle_leaf_count(v->data.length);
  hash_value *hashes = malloc((count + 2) * SHA256_SIZE);
  if (hashes == NULL) {
    base->error = "out of memory";
    return;
  }
  merkle_leaves(engine, v->data.data, v->data.length, hashes + 1);
  v->valid = merkle_prove(engine, v->id, (uint32_t)v->shard_length, v->first_leaf, count, hashes,
                          v->proof.data, v->proof.length / SHA256_SIZE);
  free(hashes);
}

static napi_value verify_result(napi_env env, job *base) {
  napi_value value;
  return napi_get_boolean(env, ((verify_job *)base)->valid, &value) == napi_ok ? value : NULL;
}

static void verify_destroy(job *base) { free(base); }

static bool verify_arguments(napi_env env, napi_callback_info info, size_t max, verify_job *v,
                             napi_value *keep) {
  napi_value args[5];
  byte_view id;
  if (!arg_get(env, info, 5, args) ||
      !arg_bytes_exact(env, args[0], SHA256_SIZE, "shardId must be 32 bytes", &id) ||
      !arg_whole(env, args[1], 1, SHARD_LENGTH_MAX, "shardLength must be 1 to 1966080",
                 &v->shard_length) ||
      !arg_whole(env, args[2], 0, (v->shard_length - 1) / LEAF_SIZE,
                 "firstLeaf must be inside the shard", &v->first_leaf) ||
      !arg_bytes(env, args[3], "data must be a Buffer", &v->data) ||
      !arg_bytes(env, args[4], "proof must be a Buffer", &v->proof)) {
    return false;
  }
  if (v->data.length > max) return arg_wrong(env, "data is too long for a synchronous call");
  memcpy(v->id, id.data, SHA256_SIZE);
  if (napi_create_array_with_length(env, 2, keep) != napi_ok ||
      napi_set_element(env, *keep, 0, args[3]) != napi_ok ||
      napi_set_element(env, *keep, 1, args[4]) != napi_ok) {
    return arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
  }
  return true;
}

static napi_value verify(napi_env env, napi_callback_info info, bool wait) {
  napi_value keep;
  verify_job *v = calloc(1, sizeof *v);
  if (v == NULL) {
    arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
    return NULL;
  }
  v->base = (job){.run = verify_run, .result = verify_result, .destroy = verify_destroy};
  if (!verify_arguments(env, info, wait ? SYNC_MAX : SIZE_MAX, v, &keep)) {
    free(v);
    return NULL;
  }
  return wait ? job_now(env, &v->base) : job_start(env, &v->base, keep);
}

napi_value codec_verify_leaves(napi_env env, napi_callback_info info) {
  return verify(env, info, false);
}

napi_value codec_verify_leaves_sync(napi_env env, napi_callback_info info) {
  return verify(env, info, true);
}
