// The portable engine, padding, and HMAC (RFC 2104).
#include "sha256.h"

#include <string.h>

#include "secret.h"

const uint32_t sha256_initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

_Alignas(64) const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static uint32_t load(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void portable_one(uint32_t state[8], const uint8_t *data, size_t blocks) {
  uint32_t w[64];
  for (; blocks > 0; blocks--, data += SHA256_BLOCK) {
    for (int i = 0; i < 16; i++) w[i] = load(data + 4 * i);
    for (int i = 16; i < 64; i++) {
      const uint32_t x = w[i - 15], y = w[i - 2];
      w[i] = w[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[i - 7] +
             (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
      const uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                          ((e & f) ^ (~e & g)) + sha256_constants[i] + w[i];
      const uint32_t t2 =
          (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
  }
}

static void portable_two(uint32_t a[8], const uint8_t *at_a, uint32_t b[8], const uint8_t *at_b,
                         size_t blocks) {
  portable_one(a, at_a, blocks);
  portable_one(b, at_b, blocks);
}

const sha256_engine sha256_portable = {portable_one, portable_two};

void sha256_store(const uint32_t state[8], uint8_t out[SHA256_SIZE]) {
  for (int i = 0; i < 8; i++) {
    for (int b = 0; b < 4; b++) out[4 * i + b] = (uint8_t)(state[i] >> (24 - 8 * b));
  }
}

void sha256_store_length(uint8_t block[SHA256_BLOCK], uint64_t bytes) {
  for (int i = 0; i < 8; i++) block[56 + i] = (uint8_t)((bytes << 3) >> (56 - 8 * i));
}

// Hashes a message whose first `before` bytes (whole blocks) are already in the state.
static void finish(const sha256_engine *engine, uint32_t state[8], uint64_t before,
                   const uint8_t *data, size_t length, uint8_t out[SHA256_SIZE]) {
  const size_t whole = length / SHA256_BLOCK, rest = length % SHA256_BLOCK;
  uint8_t last[2 * SHA256_BLOCK] = {0};
  const size_t blocks = rest < SHA256_BLOCK - 8 ? 1 : 2;
  if (whole > 0) engine->one(state, data, whole);
  if (rest > 0) memcpy(last, data + whole * SHA256_BLOCK, rest);
  last[rest] = 0x80;
  sha256_store_length(last + (blocks - 1) * SHA256_BLOCK, before + length);
  engine->one(state, last, blocks);
  sha256_store(state, out);
}

void sha256(const sha256_engine *engine, const uint8_t *data, size_t length,
            uint8_t out[SHA256_SIZE]) {
  uint32_t state[8];
  memcpy(state, sha256_initial, sizeof state);
  finish(engine, state, 0, data, length, out);
}

void sha256_hmac(const sha256_engine *engine, const uint8_t *key, size_t key_length,
                 const uint8_t *data, size_t length, uint8_t out[SHA256_SIZE]) {
  uint8_t pad[SHA256_BLOCK] = {0}, inner[SHA256_SIZE];
  uint32_t state[8];
  if (key_length > SHA256_BLOCK) {
    sha256(engine, key, key_length, pad);
  } else if (key_length > 0) {
    memcpy(pad, key, key_length);
  }
  for (int i = 0; i < SHA256_BLOCK; i++) pad[i] ^= 0x36;
  memcpy(state, sha256_initial, sizeof state);
  engine->one(state, pad, 1);
  finish(engine, state, SHA256_BLOCK, data, length, inner);
  for (int i = 0; i < SHA256_BLOCK; i++) pad[i] ^= 0x36 ^ 0x5c;
  memcpy(state, sha256_initial, sizeof state);
  engine->one(state, pad, 1);
  finish(engine, state, SHA256_BLOCK, inner, sizeof inner, out);
  secret_wipe(pad, sizeof pad);
  secret_wipe(inner, sizeof inner);
  secret_wipe(state, sizeof state);
}
