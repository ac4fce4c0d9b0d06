#define _GNU_SOURCE
#include "include/Processors.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *attune_instruction_set_name(attune_instruction_set set) {
  switch (set) {
    case attune_instructions_avx2: return "avx2";
    case attune_instructions_avx512: return "avx512";
    case attune_instructions_avx512_bf16: return "avx512_bf16";
    case attune_instructions_amx_tile: return "amx_tile";
    case attune_instructions_amx_bf16: return "amx_bf16";
    case attune_instructions_count: break;
  }
  return "";
}

#if defined(__x86_64__)
#include <cpuid.h>

/// A register of a leaf of CPUID, 0 where there is no such leaf.
static uint32_t leaf(uint32_t number, uint32_t part, int index) {
  uint32_t registers[4] = {0};
  if (!__get_cpuid_count(
          number, part, &registers[0], &registers[1], &registers[2], &registers[3]))
    return 0;
  return registers[index];
}

/// Whether the system saves the tiles and their sizes when it changes threads.
static bool saves_tiles(void) {
  const uint32_t has_xgetbv = 1u << 27, tiles = 1u << 17 | 1u << 18;
  if (!(leaf(1, 0, 2) & has_xgetbv)) return false;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & tiles) == tiles;
}

bool attune_has_instructions(attune_instruction_set set) {
  switch (set) {
    case attune_instructions_avx2: return __builtin_cpu_supports("x86-64-v3");
    case attune_instructions_avx512: return __builtin_cpu_supports("x86-64-v4");
    case attune_instructions_avx512_bf16:
      return __builtin_cpu_supports("x86-64-v4") && leaf(7, 1, 0) >> 5 & 1;
    case attune_instructions_amx_tile: return saves_tiles() && leaf(7, 0, 3) >> 24 & 1;
    case attune_instructions_amx_bf16: return saves_tiles() && leaf(7, 0, 3) >> 22 & 1;
    case attune_instructions_count: break;
  }
  return false;
}

static pthread_once_t request_once = PTHREAD_ONCE_INIT;
static bool is_granted;

static void request_tiles(void) {
  const int request_permission = 0x1023, tile_data = 18;
  is_granted = syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

bool attune_may_use_tiles(void) {
  if (!attune_has_instructions(attune_instructions_amx_tile)) return false;
  pthread_once(&request_once, request_tiles);
  return is_granted;
}

void attune_processor_name(char name[64]) {
  memset(name, 0, 64);
  if (leaf(0x80000000, 0, 0) < 0x80000004) return;
  for (uint32_t part = 0; part < 3; part++)
    for (int index = 0; index < 4; index++) {
      const uint32_t letters = leaf(0x80000002 + part, 0, index);
      memcpy(name + part * 16 + index * 4, &letters, sizeof letters);
    }
}
#else
bool attune_has_instructions(attune_instruction_set set) {
  (void)set;
  return false;
}

bool attune_may_use_tiles(void) { return false; }

void attune_processor_name(char name[64]) { memset(name, 0, 64); }
#endif
