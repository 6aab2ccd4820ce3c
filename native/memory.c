// Where large memory goes: how the C library keeps what is freed, and buffers that end
// now instead of when the collector comes by. Functions and promises: src/addon/memory.ts.
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

static bool argument(napi_env env, napi_callback_info info, napi_value *value) {
  size_t count = 1;
  return napi_get_cb_info(env, info, &count, value, NULL, NULL) == napi_ok && count >= 1;
}

static napi_value truth(napi_env env, bool value) {
  napi_value result;
  return napi_get_boolean(env, value, &result) == napi_ok ? result : NULL;
}

#ifdef __GLIBC__
static bool number_of(napi_env env, napi_value object, const char *name, int *number) {
  napi_value value;
  return napi_get_named_property(env, object, name, &value) == napi_ok &&
         napi_get_value_int32(env, value, number) == napi_ok && *number > 0;
}
#endif

// setAllocator({arenasMax, mappedBytesMin, keptBytesMax}) -> whether this C library knows these words
static napi_value set_allocator(napi_env env, napi_callback_info info) {
#ifdef __GLIBC__
  napi_value options;
  int arenas, mapped, kept;
  if (!argument(env, info, &options) || !number_of(env, options, "arenasMax", &arenas) ||
      !number_of(env, options, "mappedBytesMin", &mapped) ||
      !number_of(env, options, "keptBytesMax", &kept)) {
    napi_throw_type_error(env, NULL, "memory: three numbers above zero");
    return NULL;
  }
  // Setting a threshold also ends glibc's habit of raising both with what it sees freed.
  return truth(env, mallopt(M_ARENA_MAX, arenas) && mallopt(M_MMAP_THRESHOLD, mapped) &&
                        mallopt(M_TRIM_THRESHOLD, kept));
#else
  (void)info;
  return truth(env, false);
#endif
}

// release(arrayBuffer): its memory goes back, every view of it becomes empty.
static napi_value release(napi_env env, napi_callback_info info) {
  napi_value memory;
  bool is_memory = false;
  if (!argument(env, info, &memory) || napi_is_arraybuffer(env, memory, &is_memory) != napi_ok ||
      !is_memory) {
    napi_throw_type_error(env, NULL, "memory: an ArrayBuffer");
    return NULL;
  }
  if (napi_detach_arraybuffer(env, memory) != napi_ok) {
    napi_throw_type_error(env, NULL, "memory: it cannot be taken from its owner");
  }
  return NULL;
}

// trim(): what the C library keeps of freed memory goes back to the system, as far as it lies at an end.
static napi_value trim(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return NULL;
}

static bool add(napi_env env, napi_value exports, const char *name, napi_callback call) {
  napi_value function;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, call, NULL, &function) == napi_ok &&
         napi_set_named_property(env, exports, name, function) == napi_ok;
}

NAPI_MODULE_INIT() {
  napi_value version;
  const bool ok = napi_create_uint32(env, 1, &version) == napi_ok &&
                  napi_set_named_property(env, exports, "version", version) == napi_ok &&
                  add(env, exports, "setAllocator", set_allocator) &&
                  add(env, exports, "release", release) && add(env, exports, "trim", trim);
  return ok ? exports : NULL;
}
