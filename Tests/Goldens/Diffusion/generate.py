"""Goldens for noise schedules, samplers, guidance and DPPO's process, made on the CPU.

Usage: python generate.py [--reference PATH]

Needs torch, diffusers, safetensors and scipy; writes beside itself. PATH is a checkout of
https://github.com/irom-princeton/dppo; without it, dppo.safetensors and the policy schedules keep
their last numbers.

A trajectory is named <sampler>/<prediction>/<spacing>/<steps>[/<variant>] and holds all states
[steps + 1, 2, 2, 3]. The "network" adds a quarter of its input to a fixed tensor for each of its runs,
so that errors of earlier steps carry on. Stochastic samplers get their noise from `noise`.
"""

import argparse
import pathlib
import sys

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
    UniPCMultistepScheduler,
)
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg
from diffusers.schedulers import (
    scheduling_ddim,
    scheduling_ddpm,
    scheduling_dpmsolver_multistep,
    scheduling_euler_ancestral_discrete,
    scheduling_lcm,
)
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
torch.set_num_threads(1)
SHAPE = (2, 2, 3)
STEPS = (5, 20, 50)
SPACINGS = ("leading", "trailing", "linspace")
PREDICTIONS = {"noise": "epsilon", "sample": "sample", "velocity": "v_prediction"}
generator = torch.Generator().manual_seed(20_241)


def randn(*shape):
    return torch.randn(*shape, generator=generator)


INITIAL = randn(*SHAPE)
PREDICTED = randn(2 * max(STEPS), *SHAPE)
NOISE = randn(max(STEPS), *SHAPE)


def save(tensors, name):
    save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()}, HERE / name)


class RecordedNoise:
    """Stands in for diffusers' randn_tensor."""

    def __init__(self):
        self.count = 0

    def __call__(self, shape, **_):
        assert tuple(shape) == SHAPE
        self.count += 1
        return NOISE[self.count - 1]


def trajectory(scheduler, steps, **options):
    recorded = RecordedNoise()
    for module in (scheduling_ddim, scheduling_ddpm, scheduling_dpmsolver_multistep,
                   scheduling_euler_ancestral_discrete, scheduling_lcm):
        module.randn_tensor = recorded
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)  # where two time steps are equal, diffusers begins at the second
    x = INITIAL * getattr(scheduler, "init_noise_sigma", 1.0)
    states = [x]
    for index, t in enumerate(scheduler.timesteps):
        seen = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        x = scheduler.step(PREDICTED[index] + 0.25 * seen, t, x, **options).prev_sample
        states.append(x)
    states = torch.stack(states)
    assert torch.isfinite(states).all(), (type(scheduler), steps)
    return states, scheduler.timesteps.float()


def trajectories():
    goldens = {"initial": INITIAL, "predicted": PREDICTED, "noise": NOISE}
    scaled = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")

    def record(sampler, prediction, spacing, steps, variant, kind, options, **configuration):
        if prediction is not None:
            configuration["prediction_type"] = PREDICTIONS[prediction]
            configuration["timestep_spacing"] = spacing
        name = "/".join(str(part) for part in (sampler, prediction, spacing, steps, variant) if part)
        states, times = trajectory(kind(**configuration), steps, **options)
        goldens[name] = states
        goldens[f"times/{name}"] = times

    for prediction in PREDICTIONS:
        for spacing in SPACINGS:
            for steps in STEPS:
                case = (prediction, spacing, steps)
                for variance in ("fixed_small", "fixed_small_log", "fixed_large"):
                    record("ddpm", *case, variance, DDPMScheduler, {}, clip_sample=False,
                           variance_type=variance, **scaled)
                for eta in (0.0, 0.5, 1.0):
                    record("ddim", *case, f"eta-{eta}", DDIMScheduler, {"eta": eta},
                           clip_sample=False, **scaled)
                record("euler", *case, None, EulerDiscreteScheduler, {}, **scaled)
                if prediction != "sample":  # which diffusers lacks
                    record("euler-ancestral", *case, None, EulerAncestralDiscreteScheduler, {}, **scaled)
                record("heun", *case, None, HeunDiscreteScheduler, {}, **scaled)
                for order in (1, 2):
                    record("dpm-solver", *case, f"order-{order}", DPMSolverMultistepScheduler, {},
                           solver_order=order, **scaled)

    # Options, on one case each.
    case = ("noise", "leading", 20)
    record("ddpm", *case, "clipped", DDPMScheduler, {}, clip_sample=True, clip_sample_range=1.5,
           beta_schedule="squaredcos_cap_v2")
    record("ddpm", *case, "offset", DDPMScheduler, {}, clip_sample=False, steps_offset=1,
           variance_type="fixed_large", **scaled)
    record("ddim", *case, "clipped", DDIMScheduler, {"eta": 0.3}, clip_sample=True,
           clip_sample_range=0.8, beta_schedule="linear")
    record("ddim", *case, "recomputed", DDIMScheduler, {"use_clipped_model_output": True},
           clip_sample=True, beta_schedule="linear")
    record("ddim", *case, "offset", DDIMScheduler, {}, clip_sample=False, steps_offset=1,
           set_alpha_to_one=False, **scaled)
    record("heun", *case, "clipped", HeunDiscreteScheduler, {}, clip_sample=True, clip_sample_range=2.0,
           **scaled)
    zero = ("velocity", "trailing", 20)
    for sampler, kind in (("ddpm", DDPMScheduler), ("ddim", DDIMScheduler)):
        record(sampler, *zero, "zero-snr", kind, {}, clip_sample=False, rescale_betas_zero_snr=True, **scaled)
    record("euler", *zero, "zero-snr", EulerDiscreteScheduler, {}, rescale_betas_zero_snr=True, **scaled)
    record("dpm-solver", *zero, "zero-snr", DPMSolverMultistepScheduler, {}, rescale_betas_zero_snr=True,
           **scaled)
    for steps in STEPS:
        for sampler, kind in (("euler", EulerDiscreteScheduler), ("heun", HeunDiscreteScheduler),
                              ("dpm-solver", DPMSolverMultistepScheduler)):
            record(sampler, "noise", "linspace", steps, "karras", kind, {}, use_karras_sigmas=True, **scaled)
        record("dpm-solver", "noise", "linspace", steps, "sigma-min", DPMSolverMultistepScheduler, {},
               final_sigmas_type="sigma_min", **scaled)
        for shift in (1.0, 3.0):
            record("flow", None, None, steps, f"shift-{shift}", FlowMatchEulerDiscreteScheduler, {},
                   shift=shift)
    save(goldens, "trajectories.safetensors")


def solvers():
    """The samplers of higher order, LCM, and the options that several schedulers share."""
    goldens = {"initial": INITIAL, "predicted": PREDICTED, "noise": NOISE}
    scaled = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")

    def record(name, kind, steps, prediction="noise", options={}, **configuration):
        configuration = {**scaled, "prediction_type": PREDICTIONS[prediction], **configuration}
        states, times = trajectory(kind(**configuration), steps, **options)
        goldens[name] = states
        goldens[f"times/{name}"] = times

    for prediction in PREDICTIONS:
        for spacing in SPACINGS:
            for steps in (5, 20):
                case = f"{prediction}/{spacing}/{steps}"
                shared = dict(prediction=prediction, timestep_spacing=spacing)
                if prediction != "sample":  # which diffusers lacks
                    for skips in (True, False):
                        record(f"pndm/{case}/{'plms' if skips else 'prk'}", PNDMScheduler, steps,
                               skip_prk_steps=skips, **shared)
                record(f"dpm-solver/{case}/order-3", DPMSolverMultistepScheduler, steps, solver_order=3, **shared)
                for order in (1, 2):
                    record(f"dpm-solver-sde/{case}/order-{order}", DPMSolverMultistepScheduler, steps,
                           solver_order=order, algorithm_type="sde-dpmsolver++", **shared)
                for order in (1, 2, 3):
                    record(f"unipc/{case}/order-{order}", UniPCMultistepScheduler, steps, solver_order=order,
                           **shared)
        for steps in (1, 4, 8, 50):
            record(f"lcm/{prediction}/{steps}", LCMScheduler, steps, prediction=prediction)

    # Options, on a case each.
    record("pndm/offset", PNDMScheduler, 20, skip_prk_steps=True, steps_offset=1)
    record("pndm/alpha-to-one", PNDMScheduler, 20, skip_prk_steps=True, set_alpha_to_one=True)
    record("pndm/one-step", PNDMScheduler, 1, skip_prk_steps=True)
    record("pndm/two-steps", PNDMScheduler, 2, skip_prk_steps=True, steps_offset=1)
    record("pndm/four-steps-prk", PNDMScheduler, 4)
    record("lcm/original-20", LCMScheduler, 6, original_inference_steps=20, timestep_scaling=2.5)
    record("lcm/clipped", LCMScheduler, 4, clip_sample=True, clip_sample_range=0.7)
    record("lcm/thresholding", LCMScheduler, 4, thresholding=True, sample_max_value=2.0)
    record("lcm/zero-snr", LCMScheduler, 4, prediction="velocity", rescale_betas_zero_snr=True)
    dpm, sde = DPMSolverMultistepScheduler, dict(algorithm_type="sde-dpmsolver++")
    for steps in (5, 20):
        for order in (2, 3):
            record(f"dpm-solver/heun/{steps}/order-{order}", dpm, steps, solver_type="heun", solver_order=order)
        record(f"dpm-solver-sde/heun/{steps}", dpm, steps, solver_type="heun", **sde)
        record(f"dpm-solver-sde/sigma-min/{steps}", dpm, steps, final_sigmas_type="sigma_min", **sde)
        record(f"dpm-solver-sde/karras/{steps}", dpm, steps, use_karras_sigmas=True, **sde)
        record(f"dpm-solver/exponential/{steps}", dpm, steps, use_exponential_sigmas=True)
        record(f"dpm-solver/beta/{steps}", dpm, steps, use_beta_sigmas=True)
        record(f"dpm-solver/lu/{steps}", dpm, steps, use_lu_lambdas=True)
        record(f"dpm-solver/full-order/{steps}", dpm, steps, lower_order_final=False, solver_order=3,
               final_sigmas_type="sigma_min")
        record(f"dpm-solver/euler-at-final/{steps}", dpm, steps, euler_at_final=True, lower_order_final=False,
               final_sigmas_type="sigma_min")
        record(f"unipc/bh1/{steps}", UniPCMultistepScheduler, steps, solver_type="bh1", solver_order=3,
               final_sigmas_type="sigma_min")
        record(f"unipc/noise-steps/{steps}", UniPCMultistepScheduler, steps, predict_x0=False, solver_order=3,
               final_sigmas_type="sigma_min")
        record(f"unipc/full-order/{steps}", UniPCMultistepScheduler, steps, lower_order_final=False,
               solver_order=3, final_sigmas_type="sigma_min")
        record(f"unipc/uncorrected/{steps}", UniPCMultistepScheduler, steps, disable_corrector=[0, 2])
        record(f"unipc/karras/{steps}", UniPCMultistepScheduler, steps, use_karras_sigmas=True)
        record(f"unipc/karras-sigma-min/{steps}", UniPCMultistepScheduler, steps, use_karras_sigmas=True,
               final_sigmas_type="sigma_min")
        record(f"unipc/exponential-bounds/{steps}", UniPCMultistepScheduler, steps, use_exponential_sigmas=True,
               sigma_min=0.1, sigma_max=10.0)
        record(f"unipc/beta/{steps}", UniPCMultistepScheduler, steps, use_beta_sigmas=True)
        for name, kind in (("euler", EulerDiscreteScheduler), ("heun", HeunDiscreteScheduler)):
            record(f"{name}/exponential/{steps}", kind, steps, use_exponential_sigmas=True)
            record(f"{name}/beta/{steps}", kind, steps, use_beta_sigmas=True)
        record(f"euler/karras-bounds/{steps}", EulerDiscreteScheduler, steps, use_karras_sigmas=True,
               sigma_min=0.05, sigma_max=12.0)
        record(f"euler/sigma-min/{steps}", EulerDiscreteScheduler, steps, final_sigmas_type="sigma_min",
               timestep_spacing="leading")
    cosine = dict(beta_schedule="squaredcos_cap_v2")
    for spacing in SPACINGS:
        record(f"dpm-solver/lambda-min/{spacing}", dpm, 20, timestep_spacing=spacing, lambda_min_clipped=-5.1,
               **cosine)
    record("dpm-solver/karras-cosine", dpm, 20, use_karras_sigmas=True, lambda_min_clipped=-5.1, **cosine)
    for name, kind in (("dpm-solver-sde", dpm), ("unipc", UniPCMultistepScheduler)):
        record(f"{name}/zero-snr", kind, 20, prediction="velocity", timestep_spacing="trailing",
               rescale_betas_zero_snr=True, **(sde if kind is dpm else {}))
    for name, kind in (("ddim", DDIMScheduler), ("ddpm", DDPMScheduler), ("dpm-solver", dpm),
                       ("unipc", UniPCMultistepScheduler)):
        record(f"{name}/thresholding", kind, 20, thresholding=True, dynamic_thresholding_ratio=0.8,
               sample_max_value=1.5)
    save(goldens, "solvers.safetensors")


def schedules(reference):
    goldens = {}
    if reference is None:
        old = load_file(HERE / "schedules.safetensors")
        goldens.update({k: v for k, v in old.items() if k.startswith("policy")})
    else:
        from model.diffusion.sampling import cosine_beta_schedule

        for steps in (10, 20, 100):
            betas = cosine_beta_schedule(steps)
            goldens[f"policy-{steps}/betas"] = betas
            goldens[f"policy-{steps}/cumulative"] = torch.cumprod(1.0 - betas, 0)
    configurations = {
        "linear": dict(beta_schedule="linear"),
        "scaled-linear": dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
        "squared-cosine": dict(beta_schedule="squaredcos_cap_v2"),
        "squared-cosine-50": dict(beta_schedule="squaredcos_cap_v2", num_train_timesteps=50),
        "zero-snr": dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                         rescale_betas_zero_snr=True),
    }
    for name, configuration in configurations.items():
        scheduler = DDPMScheduler(**configuration)
        goldens[f"{name}/betas"] = scheduler.betas
        goldens[f"{name}/cumulative"] = scheduler.alphas_cumprod
    scheduler = DDPMScheduler()
    sample, noise, times = randn(4, 2, 3), randn(4, 2, 3), torch.tensor([0, 10, 500, 999])
    goldens |= {"noisy/sample": sample, "noisy/noise": noise, "noisy/times": times,
                "noisy/result": scheduler.add_noise(sample, noise, times),
                "noisy/velocity": scheduler.get_velocity(sample, noise, times)}
    unconditional, conditional = randn(3, 4, 5), randn(3, 4, 5)
    guided = unconditional + 7.5 * (conditional - unconditional)
    goldens |= {"guidance/unconditional": unconditional, "guidance/conditional": conditional,
                "guidance/guided": guided,
                "guidance/rescaled": rescale_noise_cfg(guided, conditional, guidance_rescale=0.7)}
    save(goldens, "schedules.safetensors")


class Actor(torch.nn.Module):
    """tanh(0.8 x + w t / K + condition), the policy network's stand-in."""

    def __init__(self, weight, steps):
        super().__init__()
        self.w = torch.nn.Parameter(weight)
        self.steps = steps

    def forward(self, x, t, cond):
        return torch.tanh(0.8 * x + self.w * (t.float() / self.steps).view(-1, 1, 1) + cond["state"])


def dppo():
    from model.diffusion import diffusion_vpg
    from model.diffusion.eta import EtaAction, EtaFixed

    goldens = {}
    batch, horizon, size = 3, 4, 2
    base, tuned = randn(horizon, size), randn(horizon, size)
    state = randn(batch, horizon, size)
    initial, noise = randn(batch, horizon, size), 1.5 * randn(100, batch, horizon, size)
    goldens |= {"base": base, "tuned": tuned, "state": state, "initial": initial, "noise": noise[:20]}

    def record(name, deterministic, fine_tuned, **options):
        steps = options["denoising_steps"]
        model = diffusion_vpg.VPGDiffusion(
            actor=Actor(base.clone(), steps), critic=torch.nn.Identity(), device="cpu",
            horizon_steps=horizon, obs_dim=size, action_dim=size, ft_denoising_steps=fine_tuned,
            randn_clip_value=3, final_action_clip_value=1, denoised_clip_value=1, **options)
        model.actor_ft.w.data = tuned.clone()
        draws = iter([initial, *noise])
        torch.randn, torch.randn_like = (lambda *a, **k: next(draws)), (lambda *a, **k: next(draws))
        condition = {"state": state}
        chains = model(condition, deterministic=deterministic).chains
        log_probabilities = model.get_logprobs(condition, chains)
        goldens[f"{name}/chains"] = chains
        goldens[f"{name}/log-probabilities"] = log_probabilities.reshape(
            batch, fine_tuned, horizon, size)
        picked = torch.tensor([0, fine_tuned - 1, fine_tuned // 2])
        previous = torch.stack([chains[row, k] for row, k in enumerate(picked)])
        following = torch.stack([chains[row, k + 1] for row, k in enumerate(picked)])
        subsample = model.get_logprobs_subsample(condition, previous, following, picked)
        goldens[f"{name}/picked"] = picked
        goldens[f"{name}/picked-log-probabilities"] = subsample
        goldens[f"{name}/executed-means"] = subsample.clamp(-5, 2)[:, :3].mean(dim=(-1, -2))
        if not options.get("use_ddim"):
            # The posterior at every time step, x0 clamped.
            means, deviations = [], []
            for t in range(steps):
                times = torch.full((batch,), t)
                mean, log_variance, _ = model.p_mean_var(initial, times, condition, index=times)
                means.append(mean)
                deviations.append(torch.exp(0.5 * log_variance)[0].reshape(1))
            goldens[f"{name}/means"] = torch.stack(means)
            goldens[f"{name}/deviations"] = torch.cat(deviations)

    ddpm = dict(denoising_steps=20)
    record("ddpm-training", False, 10, **ddpm)
    record("ddpm-evaluation", True, 10, **ddpm)
    record("ddpm-all", False, 20, **ddpm)
    record("ddpm-one", False, 1, **ddpm)
    ddim = dict(denoising_steps=100, use_ddim=True, ddim_steps=5)
    record("ddim-training", False, 5, eta=EtaFixed(base_eta=1.0), **ddim)
    record("ddim-evaluation", True, 5, eta=EtaFixed(base_eta=1.0), **ddim)
    record("ddim-learned", False, 3, eta=EtaAction(size, base_eta=0.4), eps_clip_value=0.9, **ddim)
    save(goldens, "dppo.safetensors")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=pathlib.Path, help="a checkout of irom-princeton/dppo")
    reference = parser.parse_args().reference
    if reference is not None:
        sys.path.insert(0, str(reference))
    trajectories()
    solvers()
    schedules(reference)
    if reference is not None:
        dppo()
