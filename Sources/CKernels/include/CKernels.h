// Vector loops over whole buffers of 32-bit floats, in plain C and without state, and what the
// threads that share them need of the system and of the processor.
//
// Buffers are dense unless a stride is given; strides count elements. A result may be the same
// buffer as an input of the same size unless a function says otherwise, but may not overlap it
// in part. Every function gives the same bits however its rows are split between calls.
#pragma once

#include "Activations.h"
#include "Attention.h"
#include "Convolutions.h"
#include "Elementwise.h"
#include "MatrixProducts.h"
#include "Normalizations.h"
#include "OpenBLAS.h"
#include "Optimizers.h"
#include "Pooling.h"
#include "Processors.h"
#include "Randoms.h"
#include "Reductions.h"
#include "ShortAttention.h"
#include "Threads.h"
