// The primitives by themselves, so that tests can hold them against published vectors,
// and the choice of the code path.
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "util/args.h"
#include "util/path.h"
#include "util/secret.h"

static napi_value hash_buffer(napi_env env, const uint8_t hash[SHA256_SIZE]) {
  napi_value buffer;
  if (napi_create_buffer_copy(env, SHA256_SIZE, hash, NULL, &buffer) == napi_ok) return buffer;
  arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
  return NULL;
}

// sha256(bytes) -> Buffer
napi_value codec_sha256(napi_env env, napi_callback_info info) {
  napi_value args[1];
  byte_view bytes;
  uint8_t hash[SHA256_SIZE];
  if (!arg_get(env, info, 1, args) ||
      !arg_bytes(env, args[0], "bytes must be a Buffer", &bytes)) {
    return NULL;
  }
  sha256(path_current()->hash, bytes.data, bytes.length, hash);
  return hash_buffer(env, hash);
}

// hmacSha256(key, bytes) -> Buffer
napi_value codec_hmac_sha256(napi_env env, napi_callback_info info) {
  napi_value args[2];
  byte_view key, bytes;
  uint8_t hash[SHA256_SIZE];
  if (!arg_get(env, info, 2, args) || !arg_bytes(env, args[0], "key must be a Buffer", &key) ||
      !arg_bytes(env, args[1], "bytes must be a Buffer", &bytes)) {
    return NULL;
  }
  sha256_hmac(path_current()->hash, key.data, key.length, bytes.data, bytes.length, hash);
  return hash_buffer(env, hash);
}

static uint64_t load_half(const uint8_t *at) {
  uint64_t half = 0;
  for (int i = 0; i < 8; i++) half = half << 8 | at[i];
  return half;
}

// aes256Ctr(key, firstCounter, bytes) -> Buffer; the counter's lower half must not wrap.
napi_value codec_aes256_ctr(napi_env env, napi_callback_info info) {
  napi_value args[3], buffer;
  byte_view secret, counter, bytes;
  void *out;
  if (!arg_get(env, info, 3, args) ||
      !arg_bytes_exact(env, args[0], 32, "key must be 32 bytes", &secret) ||
      !arg_bytes_exact(env, args[1], AES_BLOCK, "firstCounter must be 16 bytes", &counter) ||
      !arg_bytes(env, args[2], "bytes must be a Buffer", &bytes)) {
    return NULL;
  }
  const uint64_t low = load_half(counter.data + 8);
  const uint64_t whole = bytes.length / AES_BLOCK, rest = bytes.length % AES_BLOCK;
  if (low > UINT64_MAX - whole - 1) {
    arg_wrong(env, "the counter's lower half would wrap");
    return NULL;
  }
  aes256_key *key = secret_new();
  if (key == NULL || napi_create_buffer(env, bytes.length, &out, &buffer) != napi_ok) {
    secret_free(key);
    arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
    return NULL;
  }
  aes256_expand(key, secret.data);
  key->counter_high = load_half(counter.data);
  path_current()->ctr(key, low, out, bytes.data, whole);
  if (rest > 0) {
    uint8_t last[AES_BLOCK] = {0};
    memcpy(last, bytes.data + whole * AES_BLOCK, rest);
    path_current()->ctr(key, low + whole, last, last, 1);
    memcpy((uint8_t *)out + whole * AES_BLOCK, last, rest);
  }
  secret_free(key);
  return buffer;
}

static bool set_text(napi_env env, napi_value object, const char *name, const char *text) {
  napi_value value;
  return napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok &&
         napi_set_named_property(env, object, name, value) == napi_ok;
}

// capability() -> {path, aes, sha256, available}
napi_value codec_capability(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value object, list;
  const code_path *path = path_current();
  bool ok = napi_create_object(env, &object) == napi_ok &&
            napi_create_array(env, &list) == napi_ok &&
            set_text(env, object, "path", path->name) && set_text(env, object, "aes", path->aes) &&
            set_text(env, object, "sha256", path->sha256) &&
            napi_set_named_property(env, object, "available", list) == napi_ok;
  uint32_t count = 0;
  for (int i = 0; ok && i < PATHS; i++) {
    napi_value name;
    if (path_at(i) == NULL) continue;
    ok = napi_create_string_utf8(env, path_at(i)->name, NAPI_AUTO_LENGTH, &name) == napi_ok &&
         napi_set_element(env, list, count++, name) == napi_ok;
  }
  return ok ? object : NULL;
}

// setPath(name): for the whole process, jobs that already run excepted.
napi_value codec_set_path(napi_env env, napi_callback_info info) {
  napi_value args[1];
  char name[16];
  size_t length;
  if (!arg_get(env, info, 1, args)) return NULL;
  if (napi_get_value_string_utf8(env, args[0], name, sizeof name, &length) != napi_ok ||
      !path_choose(name)) {
    arg_wrong(env, "no such code path on this machine");
  }
  return NULL;
}
