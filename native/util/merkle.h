// The SHA-256 Merkle tree of a shard. Its rules are written down in
// src/crypto/merkle.ts:
//   leaf = H(0x00 || up to 1024 bytes), node = H(0x01 || left || right), a node without
//   a right neighbour rises unchanged, id = H(0x02 || version || length || root).
#ifndef SHARDRIVE_MERKLE_H
#define SHARDRIVE_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sha256.h"

#define LEAF_SIZE 1024
#define BLOCK_SIZE 65536  // of a subtree whose hash hosts keep
#define BLOCK_LEAVES (BLOCK_SIZE / LEAF_SIZE)
#define SHARD_VERSION 1

typedef uint8_t hash_value[SHA256_SIZE];

size_t merkle_leaf_count(size_t length);
size_t merkle_block_count(size_t length);

// Writes the hash of each leaf of data; length >= 1. Only the last may be short.
void merkle_leaves(const sha256_engine *engine, const uint8_t *data, size_t length,
                   hash_value *out);

// Reduces count >= 1 neighbours to their root in hashes[0], destroying the others.
void merkle_reduce(const sha256_engine *engine, hash_value *hashes, size_t count);

// One hash per 64 KiB; length >= 1.
void merkle_blocks(const sha256_engine *engine, const uint8_t *data, size_t length,
                   hash_value *out);

void merkle_id(const sha256_engine *engine, uint32_t length, const hash_value root,
               hash_value out);

// True if the leaves [first, first + count), whose hashes stand in hashes[1..count]
// (destroyed; hashes[0] and hashes[count + 1] are room for a neighbour on either side),
// belong to the shard of that id and length, by exactly `proof_count` proof hashes.
// Needs count >= 1 and a range inside the shard.
bool merkle_prove(const sha256_engine *engine, const hash_value id, uint32_t length,
                  size_t first, size_t count, hash_value *hashes, const uint8_t *proof,
                  size_t proof_count);

#endif
