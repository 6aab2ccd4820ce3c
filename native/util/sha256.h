// SHA-256 and HMAC-SHA-256, one message at a time or two side by side.
//
// The SHA instructions have a long latency and leave half the unit idle on one
// message: two independent messages of equal length take hardly longer than one. The
// Merkle trees are made of such messages.
#ifndef SHARDRIVE_SHA256_H
#define SHARDRIVE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BLOCK 64
#define SHA256_SIZE 32

typedef struct {
  // Feeds whole blocks into one state.
  void (*one)(uint32_t state[8], const uint8_t *data, size_t blocks);
  // Feeds the same number of blocks into each of two states.
  void (*two)(uint32_t a[8], const uint8_t *at_a, uint32_t b[8], const uint8_t *at_b,
              size_t blocks);
} sha256_engine;

extern const sha256_engine sha256_portable;
extern const sha256_engine sha256_ni;  // only where cpu_detect() says sha
extern const uint32_t sha256_initial[8];
extern const uint32_t sha256_constants[64];

void sha256(const sha256_engine *engine, const uint8_t *data, size_t length,
            uint8_t out[SHA256_SIZE]);

void sha256_hmac(const sha256_engine *engine, const uint8_t *key, size_t key_length,
                 const uint8_t *data, size_t length, uint8_t out[SHA256_SIZE]);

void sha256_store(const uint32_t state[8], uint8_t out[SHA256_SIZE]);

// Writes the big-endian bit length that ends the last block of a message.
void sha256_store_length(uint8_t block[SHA256_BLOCK], uint64_t bytes);

#endif
