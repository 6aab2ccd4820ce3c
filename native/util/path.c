#include "path.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "cpu.h"

static code_path paths[PATHS] = {
    {"portable", "portable", "portable", aes256_ctr_portable, &sha256_portable, gf_multiply_scalar},
    {"avx2", "portable", "portable", aes256_ctr_portable, &sha256_portable, gf_multiply_avx2},
    {"gfni256", "portable", "portable", aes256_ctr_portable, &sha256_portable,
     gf_multiply_gfni256},
    {"gfni512", "portable", "portable", aes256_ctr_portable, &sha256_portable,
     gf_multiply_gfni512},
};
static bool available[PATHS] = {true, false, false, false};
// A machine may have the cipher instructions and no AVX2: it gets this one for "auto".
static code_path best_scalar;
static const code_path *best = &paths[0];
static _Atomic(const code_path *) current = &paths[0];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void use_instructions(code_path *path, cpu_features cpu) {
  if (cpu.aes) {
    path->aes = "aes-ni";
    path->ctr = aes256_ctr_ni;
  }
  if (cpu.sha) {
    path->sha256 = "sha-ni";
    path->hash = &sha256_ni;
  }
}

static void init(void) {
  const cpu_features cpu = cpu_detect();
  gf_init();
  available[1] = cpu.avx2;
  available[2] = cpu.gfni256;
  available[3] = cpu.gfni512;
  best_scalar = paths[0];
  use_instructions(&best_scalar, cpu);
  best = &best_scalar;
  for (int i = 1; i < PATHS; i++) {
    use_instructions(&paths[i], cpu);
    if (available[i]) best = &paths[i];
  }
  atomic_store(&current, best);
}

void path_init(void) { pthread_once(&once, init); }

const code_path *path_current(void) { return atomic_load(&current); }

const code_path *path_at(int i) { return available[i] ? &paths[i] : NULL; }

bool path_choose(const char *name) {
  if (strcmp(name, "auto") == 0) {
    atomic_store(&current, best);
    return true;
  }
  for (int i = 0; i < PATHS; i++) {
    if (available[i] && strcmp(name, paths[i].name) == 0) {
      atomic_store(&current, &paths[i]);
      return true;
    }
  }
  return false;
}
