// Checked arguments of native functions. Each returns false after it has thrown a
// JavaScript error with the code ERR_CODEC_ARGUMENT (or left a pending exception).
// None of them runs JavaScript, except arg_list, which may meet getters.
#ifndef SHARDRIVE_ARGS_H
#define SHARDRIVE_ARGS_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARGS_MAX 8

typedef struct {
  uint8_t *data;  // may be NULL when length is 0
  size_t length;
} byte_view;

// Throws an Error with that code. Always false, so that a caller can return it.
bool arg_fail(napi_env env, const char *code, const char *message);
bool arg_wrong(napi_env env, const char *message);

// Fetches up to `count` arguments; missing ones are undefined.
bool arg_get(napi_env env, napi_callback_info info, size_t count, napi_value *out);

// A Buffer or Uint8Array.
bool arg_bytes(napi_env env, napi_value value, const char *message, byte_view *out);
bool arg_bytes_exact(napi_env env, napi_value value, size_t length, const char *message,
                     byte_view *out);

// A whole number in [min, max]; max <= 2^53 - 1.
bool arg_whole(napi_env env, napi_value value, uint64_t min, uint64_t max, const char *message,
               uint64_t *out);

// The elements of an array, copied into a fresh array that script cannot change and
// that keeps them alive. Look at the elements of `copy` only after this returned: an
// element's getter may have detached a buffer seen before.
bool arg_list(napi_env env, napi_value value, uint32_t max, const char *message,
              napi_value *copy, uint32_t *count);

// An array of shard indexes below `limit`, freshly allocated; all different if
// `distinct`.
bool arg_indexes(napi_env env, napi_value value, unsigned limit, bool distinct,
                 const char *message, uint8_t **out, uint32_t *count);

#endif
