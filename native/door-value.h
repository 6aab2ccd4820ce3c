// Crossing between C and JavaScript values, as the door needs it. A false answer means that an exception is pending or
// that the value does not fit.
#ifndef SHARDRIVE_DOOR_VALUE_H
#define SHARDRIVE_DOOR_VALUE_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool take_arguments(napi_env env, napi_callback_info info, napi_value *values, size_t count) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, values, NULL, NULL) == napi_ok && given >= count) return true;
  napi_throw_type_error(env, NULL, "door: too few arguments");
  return false;
}

// A NUL-terminated copy; false when the value is no string, holds a NUL or is longer than size - 1 bytes.
static inline bool text_of(napi_env env, napi_value value, char *text, size_t size) {
  size_t length, whole;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &whole) != napi_ok || whole >= size) return false;
  if (napi_get_value_string_utf8(env, value, text, size, &length) != napi_ok) return false;
  for (size_t i = 0; i < length; i++) {
    if (!text[i]) return false;
  }
  return true;
}

// A descriptor: a whole number from 0 on. N-API itself takes NaN and what is too large for 0, which is standard input.
static inline bool descriptor_of(napi_env env, napi_value value, int32_t *fd) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok) return false;
  if (!(number >= 0 && number <= INT32_MAX) || number != (double)(int32_t)number) return false;
  *fd = (int32_t)number;
  return true;
}

static inline napi_value integer(napi_env env, int32_t value) {
  napi_value result;
  return napi_create_int32(env, value, &result) == napi_ok ? result : NULL;
}

static inline void add_function(napi_env env, napi_value target, const char *name, napi_callback call) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, call, NULL, &function);
  napi_set_named_property(env, target, name, function);
}

#endif
