// Which implementation of each primitive runs. One table per path, chosen when the
// addon is loaded; tests choose others to compare them.
#ifndef SHARDRIVE_PATH_H
#define SHARDRIVE_PATH_H

#include <stdbool.h>

#include "aes.h"
#include "gf.h"
#include "sha256.h"

typedef struct {
  const char *name;       // of the path: portable, avx2, gfni256, gfni512
  const char *aes;        // portable or aes-ni
  const char *sha256;     // portable or sha-ni
  aes_ctr_blocks ctr;
  const sha256_engine *hash;
  gf_kernel multiply;
} code_path;

#define PATHS 4

// Must have returned once before anything else here is used. Any thread, any number
// of times.
void path_init(void);

// A job asks once and keeps the answer, so that it never changes horses.
const code_path *path_current(void);

// The i-th path, or NULL if this machine cannot run it. 0 <= i < PATHS.
const code_path *path_at(int i);

// Chooses for the whole process. "auto" is the best available. False: no such path
// here.
bool path_choose(const char *name);

#endif
