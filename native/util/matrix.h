// Coding matrices over GF(2^8).
//
// Row i of the coding matrix makes shard i out of the k data shards. Rows below k are
// the identity (the code is systematic). A parity row holds inverse(i xor j) in column
// j: a Cauchy matrix, of which every square part is invertible, so that any k of the n
// shards give back all others. With k = 1 row i is inverse(i + 1) instead: the Cauchy
// row 1 would be 1, and two hosts would hold the same bytes.
#ifndef SHARDRIVE_MATRIX_H
#define SHARDRIVE_MATRIX_H

#include <stdbool.h>
#include <stdint.h>

#define SHARDS_MAX 255

// Fills row[0..k). Needs index < n <= SHARDS_MAX and k <= n.
void matrix_coding_row(unsigned k, unsigned index, uint8_t *row);

// Fills out (wanted_count rows of k) with the matrix that makes the shards `wanted` out
// of the shards `present`, which must be k different indexes. False if memory is short.
bool matrix_rebuild(unsigned k, const uint8_t *present, const uint8_t *wanted,
                    unsigned wanted_count, uint8_t *out);

#endif
