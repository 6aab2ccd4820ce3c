// Memory that Buffers own: large, aligned, and given back to the system when freed.
#ifndef SHARDRIVE_SLAB_H
#define SHARDRIVE_SLAB_H

#include <stddef.h>

// Uninitialised, aligned to 64 bytes; NULL when memory is short. Any thread.
void *slab_new(size_t size);

// `size` is what slab_new was given. NULL is ignored. Any thread.
void slab_free(void *slab, size_t size);

#endif
