// What processor this is and what it can do.
#pragma once

#include <stdbool.h>

typedef enum {
  /// AVX2 and fused multiply-adds: x86-64-v3.
  attune_instructions_avx2,
  /// AVX-512 with its usual extensions: x86-64-v4.
  attune_instructions_avx512,
  attune_instructions_avx512_bf16,
  attune_instructions_amx_tile,
  attune_instructions_amx_bf16,
  attune_instructions_count,
} attune_instruction_set;

/// The name of an instruction set as Linux writes it.
const char *attune_instruction_set_name(attune_instruction_set set);

/// Whether the processor has an instruction set and the system saves its registers.
bool attune_has_instructions(attune_instruction_set set);

/// Whether the system lets this process use the tile unit; requested at the first call.
bool attune_may_use_tiles(void);

/// Writes the processor's own name, empty if it tells none.
void attune_processor_name(char name[64]);
