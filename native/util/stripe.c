// The segment is walked once, in strips of 16 KiB of every data shard: sealed straight
// from the caller's bytes into the shards, encoded, hashed, while still in the cache.
// A 4 of 8 strip is 128 KiB; measured, longer strips fall out of the second-level
// cache with large k, shorter ones pay for more kernel calls.
#include "stripe.h"

#include <stdlib.h>
#include <string.h>

#include "secret.h"

#define STRIP_SIZE 16384

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

stripe_layout stripe_layout_of(unsigned k, unsigned n, size_t padded_length) {
  stripe_layout l = {.k = k, .n = n, .padded_length = padded_length};
  const size_t row = (size_t)k * UNIT_SIZE;
  l.full_rows = padded_length / row;
  const size_t rest = padded_length - l.full_rows * row;
  const size_t share = (rest + k - 1) / k;
  l.last_unit = (share + LEAF_SIZE - 1) / LEAF_SIZE * LEAF_SIZE;
  l.rows = l.full_rows + (l.last_unit > 0);
  l.shard_length = l.full_rows * UNIT_SIZE + l.last_unit;
  return l;
}

void stripe_key(const code_path *path, const uint8_t term_key[TERM_KEY_SIZE],
                const uint8_t id[SEGMENT_ID_SIZE], aes256_key *key) {
  static const char label[] = "shardrive/v1/segment";
  uint8_t message[sizeof label - 1 + SEGMENT_ID_SIZE], secret[SHA256_SIZE];
  memcpy(message, label, sizeof label - 1);
  memcpy(message + sizeof label - 1, id, SEGMENT_ID_SIZE);
  sha256_hmac(path->hash, term_key, TERM_KEY_SIZE, message, sizeof message, secret);
  aes256_expand(key, secret);
  secret_wipe(secret, sizeof secret);
}

// The piece that holds plain byte `at`; at < plain_length.
static const stripe_piece *piece_at(const stripe_job *job, size_t at) {
  size_t low = 0, high = job->piece_count;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (job->pieces[middle].start <= at) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return &job->pieces[low];
}

// Seals `length` bytes that stand at `at`. Bytes that one piece holds go straight into
// the shard; only where pieces meet, or the padding starts, are they gathered first.
static void seal(const code_path *path, const stripe_job *job, size_t at, size_t length,
                 uint8_t *dst) {
  const uint8_t *src = dst;
  if (at >= job->plain_length) {
    memset(dst, 0, length);
  } else {
    const stripe_piece *piece = piece_at(job, at);
    if (at + length <= piece->start + piece->length) {
      src = piece->data + (at - piece->start);
    } else {
      const size_t plain = smaller(length, job->plain_length - at);
      for (size_t done = 0; done < plain; piece++) {
        const size_t skip = at + done - piece->start;
        const size_t part = smaller(plain - done, piece->length - skip);
        memcpy(dst + done, piece->data + skip, part);
        done += part;
      }
      memset(dst + plain, 0, length - plain);
    }
  }
  aes256_ctr(path->ctr, job->key, at, dst, src, length);
}

typedef struct {
  uint8_t *parity_rows;           // (n - k) * k coefficients
  uint8_t *shard[SHARDS_MAX];     // where the current strip of each shard lies
  hash_value *leaves;             // n * BLOCK_LEAVES, of the current row
} workspace;

static void strip(const code_path *path, const stripe_job *job, workspace *w, size_t row,
                  size_t unit, size_t from, size_t length) {
  const stripe_layout *l = &job->layout;
  const unsigned parity = l->n - l->k;
  for (unsigned i = 0; i < l->n; i++) {
    w->shard[i] = job->shards + i * l->shard_length + row * UNIT_SIZE + from;
  }
  for (unsigned j = 0; j < l->k; j++) {
    const size_t at = row * l->k * UNIT_SIZE + j * unit + from;
    const size_t sealed = at < l->padded_length ? smaller(length, l->padded_length - at) : 0;
    if (sealed > 0) seal(path, job, at, sealed, w->shard[j]);
    memset(w->shard[j] + sealed, 0, length - sealed);
  }
  if (parity > 0) {
    path->multiply(w->parity_rows, parity, l->k, (const uint8_t *const *)w->shard,
                   w->shard + l->k, length);
  }
  for (unsigned i = 0; i < l->n; i++) {
    merkle_leaves(path->hash, w->shard[i], length,
                  w->leaves + i * BLOCK_LEAVES + from / LEAF_SIZE);
  }
}

static void all_rows(const code_path *path, const stripe_job *job, workspace *w) {
  const stripe_layout *l = &job->layout;
  for (size_t row = 0; row < l->rows; row++) {
    const size_t unit = row < l->full_rows ? UNIT_SIZE : l->last_unit;
    for (size_t from = 0; from < unit; from += STRIP_SIZE) {
      strip(path, job, w, row, unit, from, smaller(STRIP_SIZE, unit - from));
    }
    for (unsigned i = 0; i < l->n; i++) {
      hash_value *leaves = w->leaves + i * BLOCK_LEAVES;
      merkle_reduce(path->hash, leaves, unit / LEAF_SIZE);
      memcpy(job->subtrees[i * l->rows + row], leaves[0], SHA256_SIZE);
    }
  }
  for (unsigned i = 0; i < l->n; i++) {
    hash_value top[SHARD_ROWS_MAX];
    memcpy(top, job->subtrees[i * l->rows], l->rows * SHA256_SIZE);
    merkle_reduce(path->hash, top, l->rows);
    merkle_id(path->hash, (uint32_t)l->shard_length, top[0], job->ids[i]);
  }
}

bool stripe_run(const code_path *path, const stripe_job *job) {
  const unsigned k = job->layout.k, n = job->layout.n;
  workspace w;
  w.parity_rows = malloc((size_t)(n - k) * k + 1);
  w.leaves = malloc((size_t)n * BLOCK_LEAVES * SHA256_SIZE);
  const bool ok = w.parity_rows != NULL && w.leaves != NULL;
  if (ok) {
    for (unsigned i = k; i < n; i++) matrix_coding_row(k, i, w.parity_rows + (i - k) * k);
    all_rows(path, job, &w);
  }
  free(w.parity_rows);
  free(w.leaves);
  return ok;
}
