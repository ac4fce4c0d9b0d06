// Random draws: Philox4x32-10 counters (Salmon et al., "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011) and the transformation with which PyTorch turns uniform draws into normal ones.
#pragma once

#include <stdint.h>

/// The four words of block `position` of the stream named by a key and a stream number.
void attune_philox_block(uint64_t key, uint64_t stream, uint64_t position, uint32_t words[4]);

/// Uniform draws in [0, 1), four for each block from `first_block` on; `count` is a multiple of 4.
void attune_philox_uniform(
    uint64_t key, uint64_t stream, uint64_t first_block, long count, float *result);

/// Standard normal draws by Box and Muller's method, four for each block; `count` is a multiple of
/// 4.
void attune_philox_normal(
    uint64_t key, uint64_t stream, uint64_t first_block, long count, float *result);

/// Turns uniform draws into normal ones in place, sixteen at a time, with the bits of
/// `torch.randn` on a processor with AVX2. `count` is a multiple of 16.
void attune_torch_normal(long count, float *values);
