// AES-256 in counter mode with a 128-bit big-endian counter that starts at zero.
//
// Two implementations of the same function: AES-NI (eight blocks in flight) and a
// portable bitsliced one (four blocks in eight 64-bit words; no table is indexed by
// a secret and no branch depends on one, so it runs in constant time).
#ifndef SHARDRIVE_AES_H
#define SHARDRIVE_AES_H

#include <stddef.h>
#include <stdint.h>

#define AES_BLOCK 16
#define AES_ROUNDS 14

// Secret. Lives in memory from util/secret.h and is wiped with it.
typedef struct {
  uint8_t round[AES_ROUNDS + 1][AES_BLOCK];  // the key schedule of FIPS 197
  uint64_t sliced[AES_ROUNDS + 1][8];        // the same, bitsliced, for four blocks
  uint64_t counter_high;                     // upper half of every counter block
} aes256_key;

// XORs `blocks` whole blocks of key stream, from block number `counter` on, onto
// src. dst may be src; otherwise the two must not overlap. The lower half of the
// counter must not wrap: a segment is far too short for that.
typedef void (*aes_ctr_blocks)(const aes256_key *key, uint64_t counter, uint8_t *dst,
                               const uint8_t *src, size_t blocks);

// Sets counter_high to 0, as all segments have it.
void aes256_expand(aes256_key *key, const uint8_t secret[32]);

void aes256_ctr_portable(const aes256_key *key, uint64_t counter, uint8_t *dst,
                         const uint8_t *src, size_t blocks);
// Only where cpu_detect() says aes.
void aes256_ctr_ni(const aes256_key *key, uint64_t counter, uint8_t *dst,
                   const uint8_t *src, size_t blocks);

// Encrypts or decrypts `length` bytes that stand at byte `offset` of the stream.
void aes256_ctr(aes_ctr_blocks blocks, const aes256_key *key, uint64_t offset, uint8_t *dst,
                const uint8_t *src, size_t length);

#endif
