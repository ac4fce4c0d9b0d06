// One step of an optimizer on one parameter.
#pragma once

#include <stdbool.h>

/// Adam (Kingma and Ba, arXiv:1412.6980) and AdamW (arXiv:1711.05101), as torch.optim does them.
///
/// `step_size` is the learning rate over 1 - beta1^t and `second_correction` the square root of 1 -
/// beta2^t. `decay` multiplies the parameter before the step (AdamW); `penalty` times the parameter
/// is added to the gradient (Adam).
void attune_adam(
    long count, float *parameter, const float *gradient, float *first_moment,
    float *second_moment, float gradient_scale, float step_size, float beta1, float beta2,
    float second_correction, float epsilon, float decay, float penalty);

/// Stochastic gradient descent with momentum, as torch.optim.SGD. `velocity` may be null.
void attune_sgd(
    long count, float *parameter, const float *gradient, float *velocity, float gradient_scale,
    float learning_rate, float momentum, float dampening, bool is_nesterov, float penalty,
    bool is_first);

/// average = average + (value - average) weight
void attune_interpolate(long count, const float *value, float weight, float *average);
