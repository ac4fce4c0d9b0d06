"""Goldens of policy gradients on a tiny Stable Diffusion, by ddpo-pytorch's own transition and statistics.

Usage: python make_goldens.py CHECKOUT   (of github.com/kvablack/ddpo-pytorch)

Needs torch, diffusers and transformers; reads ../TextToImage/pipeline, writes goldens.safetensors beside itself.

The policy's weights are those of the folder times (1 + 0.01 x normal draws), drawn in the order of their names;
the chains are drawn, and the divergence is taken from, the weights of the folder. N = 3 images, K = 4 steps.

  states                 [N, K + 1, 8, 8, 4]  channels last
  log-probabilities      [N, K]  old: the mean over elements, under the folder's weights
  policy-log-probabilities, ratios, divergences  [N, K]  divergences are means over elements
  advantages             [N]
  loss                   [2]  of DDPO, and of DDPO + 3 x mean divergence
  gradient/NAME, gradient-with-divergence/NAME  of the two losses, for every weight of the U-Net
  lora/NAME              gradients of DDPO's loss with respect to A and B at the folder's weights + 2 B A, r = 2,
                         A and B drawn in the order of their names, B times 0.01
  statistics/rewards, statistics/advantages  [4, 12]  of prompts 0 0 0 0 0 0 1 1 1 1 2 2, buffers of 8, at least 5
"""

import pathlib
import sys

import diffusers.utils
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from diffusers.utils.torch_utils import randn_tensor
from safetensors.torch import save_file
from torch.func import functional_call
from transformers import CLIPTokenizer

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, sys.argv[1])
diffusers.utils.randn_tensor = randn_tensor  # where the reference looks for it
from ddpo_pytorch.diffusers_patch.ddim_with_logprob import ddim_step_with_logprob  # noqa: E402
from ddpo_pytorch.stat_tracking import PerPromptStatTracker  # noqa: E402

PROMPTS = ["a knight with a golden shield", "An astronaut's CAT, 東京 😀", "a knight with a golden shield"]
ADVANTAGES = [1.5, -0.7, -2.0]
STEPS, GUIDANCE, CLIP_RANGE, DIVERGENCE_WEIGHT, RANK, SCALE = 4, 5.0, 3e-3, 3.0, 2, 2.0
PROJECTIONS = ("to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight")

torch.set_num_threads(1)
pipeline = StableDiffusionPipeline.from_pretrained(
    HERE / "../TextToImage/pipeline", torch_dtype=torch.float32, safety_checker=None,
    tokenizer=CLIPTokenizer(
        vocab=str(HERE / "../TextToImage/tokenizer/vocab.json"),
        merges=str(HERE / "../TextToImage/tokenizer/merges.txt"), model_max_length=77))
pipeline.text_encoder.__dict__.setdefault("text_model", pipeline.text_encoder)
unet, scheduler = pipeline.unet.eval(), DDIMScheduler.from_config(pipeline.scheduler.config)
scheduler.set_timesteps(STEPS)
with torch.no_grad():
    wanted, unwanted = pipeline.encode_prompt(PROMPTS, "cpu", 1, True, [""] * len(PROMPTS))
embeddings = torch.cat([unwanted, wanted])
folder = {name: weight.detach().clone() for name, weight in unet.named_parameters()}


def predict(weights, sample, times):
    both = functional_call(
        unet, weights, (torch.cat([sample] * 2), torch.cat([times] * 2), embeddings)).sample
    unconditional, conditional = both.chunk(2)
    return unconditional + GUIDANCE * (conditional - unconditional)


def times_of(step):
    return scheduler.timesteps[step].repeat(len(PROMPTS))


# The chains.
generator = torch.Generator().manual_seed(17)
states, old = [torch.randn(len(PROMPTS), 4, 8, 8, generator=generator)], []
with torch.no_grad():
    for step in range(STEPS):
        following, log_probability = ddim_step_with_logprob(
            scheduler, predict(folder, states[-1], times_of(step)), times_of(step), states[-1], eta=1.0,
            generator=generator)
        states.append(following)
        old.append(log_probability)


def mean_and_deviation(prediction, step):
    """The Gaussian of a transition, found from its density alone."""
    alphas = scheduler.alphas_cumprod
    time = int(scheduler.timesteps[step])
    alpha, previous = alphas[time], alphas[max(time - 1000 // STEPS, 0)]
    deviation = ((1 - previous) / (1 - alpha) * (1 - alpha / previous)).sqrt()
    estimate = (states[step] - (1 - alpha).sqrt() * prediction) / alpha.sqrt()
    return previous.sqrt() * estimate + (1 - previous - deviation**2).sqrt() * prediction, deviation


def evaluate(weights):
    """Log-probabilities and mean divergences from the folder's weights, [N, K] each."""
    logs, divergences = [], []
    for step in range(STEPS):
        prediction = predict(weights, states[step], times_of(step))
        _, log_probability = ddim_step_with_logprob(
            scheduler, prediction, times_of(step), states[step], eta=1.0, prev_sample=states[step + 1])
        with torch.no_grad():
            start = predict(folder, states[step], times_of(step))
        logs.append(log_probability)
        here, there = (
            torch.distributions.Normal(*mean_and_deviation(value, step)) for value in (prediction, start))
        divergences.append(torch.distributions.kl_divergence(here, there).mean(dim=(1, 2, 3)))
    return torch.stack(logs, 1), torch.stack(divergences, 1)


def policy_loss(logs):
    ratio = torch.exp(logs - torch.stack(old, 1))
    advantages = torch.tensor(ADVANTAGES)[:, None]
    clipped = torch.clamp(ratio, 1 - CLIP_RANGE, 1 + CLIP_RANGE)
    return torch.maximum(-advantages * ratio, -advantages * clipped).mean(), ratio


results = {
    "states": torch.stack(states, 1).permute(0, 1, 3, 4, 2), "log-probabilities": torch.stack(old, 1),
    "advantages": torch.tensor(ADVANTAGES)}
generator = torch.Generator().manual_seed(5)
policy = {name: weight * (1 + 0.01 * torch.randn(weight.shape, generator=generator))
          for name, weight in sorted(folder.items())}
for weight in policy.values():
    weight.requires_grad_(True)
logs, divergences = evaluate(policy)
loss, ratio = policy_loss(logs)
total = loss + DIVERGENCE_WEIGHT * divergences.mean()
results |= {
    "policy-log-probabilities": logs, "ratios": ratio, "divergences": divergences,
    "loss": torch.stack([loss, total])}
for prefix, value in (("gradient", loss), ("gradient-with-divergence", total)):
    for name, gradient in zip(policy, torch.autograd.grad(value, list(policy.values()), retain_graph=True)):
        results[f"{prefix}/{name}"] = gradient
print("ratios", ratio.detach().numpy(), "\ndivergences", divergences.detach().numpy(), "\nlosses", results["loss"])
print("clipped", ((ratio - 1).abs() > CLIP_RANGE).float().mean().item())

# Low-rank changes.
generator = torch.Generator().manual_seed(6)
pairs, merged = {}, dict(folder)
for name in sorted(name for name in folder if name.endswith(PROJECTIONS)):
    outputs, inputs = folder[name].shape
    down = torch.randn(RANK, inputs, generator=generator).requires_grad_(True)
    up = (0.01 * torch.randn(outputs, RANK, generator=generator)).requires_grad_(True)
    base = name.removesuffix(".weight")
    pairs[f"{base}.lora_A.weight"], pairs[f"{base}.lora_B.weight"] = down, up
    merged[name] = folder[name] + SCALE * up @ down
loss, _ = policy_loss(evaluate(merged)[0])
for name, gradient in zip(pairs, torch.autograd.grad(loss, list(pairs.values()))):
    results[f"lora/{name}"] = gradient

# Statistics of prompts.
tracker = PerPromptStatTracker(buffer_size=8, min_count=5)
prompts = [str(prompt) for prompt in [0] * 6 + [1] * 4 + [2] * 2]
rewards = torch.randn(4, 12, generator=torch.Generator().manual_seed(7)) + torch.tensor([0.0] * 6 + [3.0] * 4 + [-2.0] * 2)
results["statistics/rewards"] = rewards
results["statistics/advantages"] = torch.stack(
    [torch.tensor(tracker.update(prompts, row.double().numpy())) for row in rewards])

save_file({k: v.detach().float().clone().contiguous() for k, v in results.items()}, HERE / "goldens.safetensors")
