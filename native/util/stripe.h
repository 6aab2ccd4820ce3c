// How a sealed segment lies in its shards, and the one pass that makes them.
//
// Unit j of the full rows lies in data shard j mod k at row j / k. The last row's units
// are shorter: the rest divided by k, rounded up to whole leaves. The rules are written
// down in src/segment/layout.ts.
#ifndef SHARDRIVE_STRIPE_H
#define SHARDRIVE_STRIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matrix.h"
#include "merkle.h"
#include "path.h"

#define UNIT_SIZE 65536
#define SHARD_ROWS_MAX 30
#define SHARD_LENGTH_MAX (SHARD_ROWS_MAX * UNIT_SIZE)
#define SEGMENT_ID_SIZE 32
#define TERM_KEY_SIZE 32

typedef struct {
  unsigned k, n;
  size_t padded_length;  // of the sealed bytes
  size_t full_rows;
  size_t last_unit;      // 0: there is no shorter last row
  size_t rows;
  size_t shard_length;
} stripe_layout;

// Needs 1 <= k <= n <= 255 and 1 <= padded_length <= k * SHARD_LENGTH_MAX.
stripe_layout stripe_layout_of(unsigned k, unsigned n, size_t padded_length);

// Plain bytes in several places, in order.
typedef struct {
  const uint8_t *data;
  size_t length;
  size_t start;  // where data[0] stands in the segment
} stripe_piece;

typedef struct {
  stripe_layout layout;
  const stripe_piece *pieces;  // none of them empty
  size_t piece_count;
  size_t plain_length;
  const aes256_key *key;
  uint8_t *shards;       // n * shard_length
  hash_value *ids;       // n
  hash_value *subtrees;  // n * rows
} stripe_job;

// Seals, stripes, encodes and hashes. False if memory is short.
bool stripe_run(const code_path *path, const stripe_job *job);

// The key of one segment: HMAC-SHA256(term key, "shardrive/v1/segment" || id), expanded.
void stripe_key(const code_path *path, const uint8_t term_key[TERM_KEY_SIZE],
                const uint8_t id[SEGMENT_ID_SIZE], aes256_key *key);

#endif
