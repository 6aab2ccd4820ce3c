// Entry of the codec addon: seals, encodes, hashes, opens and rebuilds segments. One
// table of exports, nothing else. Loaded by src/addon/load.ts, in any thread.
#include "codec.h"

#include "util/path.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
  const char *name;
  napi_callback call;
} functions[] = {
    {"sealSegment", codec_seal_segment},
    {"openRange", codec_open_range},
    {"openRangeSync", codec_open_range_sync},
    {"rebuildUnits", codec_rebuild_units},
    {"multiply", codec_multiply},
    {"codingMatrix", codec_coding_matrix},
    {"shardId", codec_shard_id},
    {"leafHashes", codec_leaf_hashes},
    {"verifyLeaves", codec_verify_leaves},
    {"verifyLeavesSync", codec_verify_leaves_sync},
    {"sha256", codec_sha256},
    {"hmacSha256", codec_hmac_sha256},
    {"aes256Ctr", codec_aes256_ctr},
    {"capability", codec_capability},
    {"setPath", codec_set_path},
};

NAPI_MODULE_INIT() {
  napi_value version;
  path_init();
  if (napi_create_uint32(env, CODEC_VERSION, &version) != napi_ok ||
      napi_set_named_property(env, exports, "version", version) != napi_ok) {
    return NULL;
  }
  for (size_t i = 0; i < COUNT(functions); i++) {
    napi_value function;
    if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL,
                             &function) != napi_ok ||
        napi_set_named_property(env, exports, functions[i].name, function) != napi_ok) {
      return NULL;
    }
  }
  return exports;
}
