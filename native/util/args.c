#include "args.h"

#include <stdlib.h>
#include <string.h>

#include "matrix.h"

bool arg_fail(napi_env env, const char *code, const char *message) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, code, message);
  return false;
}

bool arg_wrong(napi_env env, const char *message) {
  return arg_fail(env, "ERR_CODEC_ARGUMENT", message);
}

bool arg_get(napi_env env, napi_callback_info info, size_t count, napi_value *out) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, out, NULL, NULL) != napi_ok) {
    return arg_wrong(env, "arguments cannot be read");
  }
  return true;
}

bool arg_bytes(napi_env env, napi_value value, const char *message, byte_view *out) {
  bool is = false;
  void *data = NULL;
  if (napi_is_typedarray(env, value, &is) != napi_ok || !is) return arg_wrong(env, message);
  napi_typedarray_type type;
  size_t length = 0;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, NULL, NULL) != napi_ok ||
      type != napi_uint8_array) {
    return arg_wrong(env, message);
  }
  out->data = data;
  out->length = data == NULL ? 0 : length;
  return true;
}

bool arg_bytes_exact(napi_env env, napi_value value, size_t length, const char *message,
                     byte_view *out) {
  if (!arg_bytes(env, value, message, out)) return false;
  return out->length == length || arg_wrong(env, message);
}

bool arg_whole(napi_env env, napi_value value, uint64_t min, uint64_t max, const char *message,
               uint64_t *out) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok) return arg_wrong(env, message);
  // Written so that NaN fails.
  if (!(number >= (double)min && number <= (double)max)) return arg_wrong(env, message);
  *out = (uint64_t)number;
  return (double)*out == number || arg_wrong(env, message);
}

bool arg_list(napi_env env, napi_value value, uint32_t max, const char *message,
              napi_value *copy, uint32_t *count) {
  bool is = false;
  if (napi_is_array(env, value, &is) != napi_ok || !is) return arg_wrong(env, message);
  if (napi_get_array_length(env, value, count) != napi_ok || *count > max) {
    return arg_wrong(env, message);
  }
  if (napi_create_array_with_length(env, *count, copy) != napi_ok) return arg_wrong(env, message);
  for (uint32_t i = 0; i < *count; i++) {
    napi_handle_scope scope;
    napi_value element;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return arg_wrong(env, message);
    const bool ok = napi_get_element(env, value, i, &element) == napi_ok &&
                    napi_set_element(env, *copy, i, element) == napi_ok;
    napi_close_handle_scope(env, scope);
    if (!ok) return arg_wrong(env, message);
  }
  return true;
}

bool arg_indexes(napi_env env, napi_value value, unsigned limit, bool distinct,
                 const char *message, uint8_t **out, uint32_t *count) {
  bool seen[SHARDS_MAX] = {false};
  napi_value list;
  if (!arg_list(env, value, SHARDS_MAX, message, &list, count)) return false;
  uint8_t *indexes = malloc(*count + 1);
  if (indexes == NULL) return arg_fail(env, "ERR_CODEC_MEMORY", "out of memory");
  for (uint32_t i = 0; i < *count; i++) {
    napi_value element;
    uint64_t index;
    if (napi_get_element(env, list, i, &element) != napi_ok ||
        !arg_whole(env, element, 0, limit - 1, message, &index) || (distinct && seen[index])) {
      free(indexes);
      return arg_wrong(env, message);
    }
    seen[index] = true;
    indexes[i] = (uint8_t)index;
  }
  *out = indexes;
  return true;
}
