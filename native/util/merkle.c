#include "merkle.h"

#include <string.h>

// A node's message is 65 bytes: two blocks.
#define NODE_BLOCKS 2
// A full leaf's message is 1025 bytes: the tag and 63 bytes of data in the first block,
// fifteen blocks that are read where they lie, and one byte and the padding in the last.
#define LEAF_MIDDLE ((LEAF_SIZE - 64) / SHA256_BLOCK)
#define LEAF_FIRST (SHA256_BLOCK - 1)

size_t merkle_leaf_count(size_t length) { return (length + LEAF_SIZE - 1) / LEAF_SIZE; }

size_t merkle_block_count(size_t length) { return (length + BLOCK_SIZE - 1) / BLOCK_SIZE; }

static void leaf_edges(const uint8_t *data, uint8_t first[SHA256_BLOCK],
                       uint8_t last[SHA256_BLOCK]) {
  first[0] = 0x00;
  memcpy(first + 1, data, LEAF_FIRST);
  memset(last, 0, SHA256_BLOCK);
  last[0] = data[LEAF_SIZE - 1];
  last[1] = 0x80;
  sha256_store_length(last, 1 + LEAF_SIZE);
}

static void two_leaves(const sha256_engine *engine, const uint8_t *data, hash_value out[2]) {
  uint8_t first[2][SHA256_BLOCK], last[2][SHA256_BLOCK];
  uint32_t a[8], b[8];
  const uint8_t *next = data + LEAF_SIZE;
  leaf_edges(data, first[0], last[0]);
  leaf_edges(next, first[1], last[1]);
  memcpy(a, sha256_initial, sizeof a);
  memcpy(b, sha256_initial, sizeof b);
  engine->two(a, first[0], b, first[1], 1);
  engine->two(a, data + LEAF_FIRST, b, next + LEAF_FIRST, LEAF_MIDDLE);
  engine->two(a, last[0], b, last[1], 1);
  sha256_store(a, out[0]);
  sha256_store(b, out[1]);
}

static void one_leaf(const sha256_engine *engine, const uint8_t *data, size_t length,
                     hash_value out) {
  uint8_t message[1 + LEAF_SIZE];
  message[0] = 0x00;
  memcpy(message + 1, data, length);
  sha256(engine, message, 1 + length, out);
}

void merkle_leaves(const sha256_engine *engine, const uint8_t *data, size_t length,
                   hash_value *out) {
  while (length >= 2 * LEAF_SIZE) {
    two_leaves(engine, data, out);
    data += 2 * LEAF_SIZE;
    length -= 2 * LEAF_SIZE;
    out += 2;
  }
  while (length > 0) {
    const size_t n = length < LEAF_SIZE ? length : LEAF_SIZE;
    one_leaf(engine, data, n, *out++);
    data += n;
    length -= n;
  }
}

static void node_message(const hash_value left, const hash_value right,
                         uint8_t message[NODE_BLOCKS * SHA256_BLOCK]) {
  memset(message, 0, NODE_BLOCKS * SHA256_BLOCK);
  message[0] = 0x01;
  memcpy(message + 1, left, SHA256_SIZE);
  memcpy(message + 1 + SHA256_SIZE, right, SHA256_SIZE);
  message[1 + 2 * SHA256_SIZE] = 0x80;
  sha256_store_length(message + SHA256_BLOCK, 1 + 2 * SHA256_SIZE);
}

// `count` neighbours, an even number of them or the last one rising. In place: a parent
// is written only where both its children, or earlier ones, stood.
static size_t one_level(const sha256_engine *engine, hash_value *hashes, size_t count) {
  uint8_t x[NODE_BLOCKS * SHA256_BLOCK], y[NODE_BLOCKS * SHA256_BLOCK];
  uint32_t a[8], b[8];
  const size_t parents = count / 2;
  size_t i = 0;
  for (; i + 2 <= parents; i += 2) {
    node_message(hashes[2 * i], hashes[2 * i + 1], x);
    node_message(hashes[2 * i + 2], hashes[2 * i + 3], y);
    memcpy(a, sha256_initial, sizeof a);
    memcpy(b, sha256_initial, sizeof b);
    engine->two(a, x, b, y, NODE_BLOCKS);
    sha256_store(a, hashes[i]);
    sha256_store(b, hashes[i + 1]);
  }
  if (i < parents) {
    node_message(hashes[2 * i], hashes[2 * i + 1], x);
    memcpy(a, sha256_initial, sizeof a);
    engine->one(a, x, NODE_BLOCKS);
    sha256_store(a, hashes[i]);
  }
  if (count % 2 == 0) return parents;
  if (count > 1) memcpy(hashes[parents], hashes[count - 1], SHA256_SIZE);
  return parents + 1;
}

void merkle_reduce(const sha256_engine *engine, hash_value *hashes, size_t count) {
  while (count > 1) count = one_level(engine, hashes, count);
}

void merkle_blocks(const sha256_engine *engine, const uint8_t *data, size_t length,
                   hash_value *out) {
  hash_value leaves[BLOCK_LEAVES];
  for (size_t at = 0; at < length; at += BLOCK_SIZE) {
    const size_t n = length - at < BLOCK_SIZE ? length - at : BLOCK_SIZE;
    merkle_leaves(engine, data + at, n, leaves);
    merkle_reduce(engine, leaves, merkle_leaf_count(n));
    memcpy(*out++, leaves[0], SHA256_SIZE);
  }
}

void merkle_id(const sha256_engine *engine, uint32_t length, const hash_value root,
               hash_value out) {
  uint8_t message[6 + SHA256_SIZE] = {0x02, SHARD_VERSION};
  for (int i = 0; i < 4; i++) message[2 + i] = (uint8_t)(length >> (24 - 8 * i));
  memcpy(message + 6, root, SHA256_SIZE);
  sha256(engine, message, sizeof message, out);
}

bool merkle_prove(const sha256_engine *engine, const hash_value id, uint32_t length,
                  size_t first, size_t count, hash_value *hashes, const uint8_t *proof,
                  size_t proof_count) {
  size_t level = merkle_leaf_count(length);  // nodes on this level of the whole tree
  size_t known = count, used = 0;
  hash_value found;
  while (level > 1) {
    hash_value *from = hashes + 1;
    if (first % 2 == 1) {
      if (used == proof_count) return false;
      memcpy(hashes[0], proof + SHA256_SIZE * used++, SHA256_SIZE);
      from = hashes;
      first--;
      known++;
    }
    const size_t end = first + known;
    if (end % 2 == 1 && end < level) {
      if (used == proof_count) return false;
      memcpy(from[known++], proof + SHA256_SIZE * used++, SHA256_SIZE);
    }
    known = one_level(engine, from, known);
    if (from == hashes) memmove(hashes + 1, hashes, known * SHA256_SIZE);
    first /= 2;
    level = (level + 1) / 2;
  }
  if (used != proof_count) return false;
  merkle_id(engine, length, hashes[1], found);
  return memcmp(found, id, SHA256_SIZE) == 0;
}
