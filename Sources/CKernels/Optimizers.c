#include "include/Optimizers.h"

#include "Vectors.h"

AUTO_VECTORIZED
void attune_adam(
    long count, float *parameter, const float *gradient, float *first_moment,
    float *second_moment, float gradient_scale, float step_size, float beta1, float beta2,
    float second_correction, float epsilon, float decay, float penalty) {
  INDEPENDENT for (long i = 0; i < count; i++) {
    const float p = parameter[i] * decay;
    const float g = gradient[i] * gradient_scale + penalty * p;
    const float m = first_moment[i] + (g - first_moment[i]) * (1.0f - beta1);
    const float v = second_moment[i] * beta2 + g * g * (1.0f - beta2);
    first_moment[i] = m;
    second_moment[i] = v;
    parameter[i] = p - step_size * m / (__builtin_elementwise_sqrt(v) / second_correction + epsilon);
  }
}

AUTO_VECTORIZED
void attune_sgd(
    long count, float *parameter, const float *gradient, float *velocity, float gradient_scale,
    float learning_rate, float momentum, float dampening, bool is_nesterov, float penalty,
    bool is_first) {
  if (!velocity) {
    INDEPENDENT for (long i = 0; i < count; i++) {
      const float g = gradient[i] * gradient_scale + penalty * parameter[i];
      parameter[i] -= learning_rate * g;
    }
    return;
  }
  // The first step takes the gradient itself as the velocity.
  const float kept = is_first ? 0.0f : momentum;
  const float added = is_first ? 1.0f : 1.0f - dampening;
  const float looked_ahead = is_nesterov ? momentum : 1.0f;
  const float current = is_nesterov ? 1.0f : 0.0f;
  INDEPENDENT for (long i = 0; i < count; i++) {
    const float g = gradient[i] * gradient_scale + penalty * parameter[i];
    const float v = kept * velocity[i] + added * g;
    velocity[i] = v;
    parameter[i] -= learning_rate * (current * g + looked_ahead * v);
  }
}

AUTO_VECTORIZED
void attune_interpolate(long count, const float *value, float weight, float *average) {
  INDEPENDENT for (long i = 0; i < count; i++) average[i] += (value[i] - average[i]) * weight;
}
