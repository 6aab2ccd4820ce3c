// The functions of the codec addon. Their JavaScript signatures, promises and limits
// are in src/addon/codec.ts; each throws ERR_CODEC_ARGUMENT for what does not fit.
#ifndef SHARDRIVE_CODEC_H
#define SHARDRIVE_CODEC_H

#include <node_api.h>

#define CODEC_VERSION 1

// codec-seal.c
napi_value codec_seal_segment(napi_env env, napi_callback_info info);
// codec-open.c
napi_value codec_open_range(napi_env env, napi_callback_info info);
napi_value codec_open_range_sync(napi_env env, napi_callback_info info);
// codec-rebuild.c
napi_value codec_rebuild_units(napi_env env, napi_callback_info info);
napi_value codec_multiply(napi_env env, napi_callback_info info);
napi_value codec_coding_matrix(napi_env env, napi_callback_info info);
// codec-merkle.c
napi_value codec_shard_id(napi_env env, napi_callback_info info);
napi_value codec_leaf_hashes(napi_env env, napi_callback_info info);
napi_value codec_verify_leaves(napi_env env, napi_callback_info info);
napi_value codec_verify_leaves_sync(napi_env env, napi_callback_info info);
// codec-primitives.c
napi_value codec_sha256(napi_env env, napi_callback_info info);
napi_value codec_hmac_sha256(napi_env env, napi_callback_info info);
napi_value codec_aes256_ctr(napi_env env, napi_callback_info info);
napi_value codec_capability(napi_env env, napi_callback_info info);
napi_value codec_set_path(napi_env env, napi_callback_info info);

#endif
