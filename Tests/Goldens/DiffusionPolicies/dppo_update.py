"""Goldens of the reference's losses and updates: DPPO, Gaussian PPO and pretraining.

Usage: python dppo_update.py REFERENCE_CHECKOUT   (README.md describes the tensors)

The loops repeat the order of operations of the reference's agents (zero_grad, backward, clipping of
the actor's gradient alone, one optimizer each); models, losses and sampling are the reference's own.
"""

import copy

import torch

from reference import DA, DO, TO, TP, RecordedNoise, critic, gaussian, mlp, perturb, save

from model.common.gaussian import GaussianModel  # noqa: E402
from model.diffusion.diffusion import DiffusionModel  # noqa: E402
from model.diffusion.diffusion_ppo import PPODiffusion  # noqa: E402
from model.diffusion.eta import EtaAction  # noqa: E402
from model.rl.gaussian_ppo import PPO_Gaussian  # noqa: E402

N, BATCH, STEPS = 16, 16, 20
goldens = {}


def put(prefix, module):
    for name, value in module.state_dict().items():
        goldens[f"{prefix}.{name}"] = value.clone()


def put_gradients(prefix, module):
    for name, parameter in module.named_parameters():
        if parameter.requires_grad and parameter.grad is not None:
            goldens[f"{prefix}.{name}"] = parameter.grad.clone()


def diffusion(fine_tuned_steps, **options):
    return PPODiffusion(
        actor=mlp(), critic=critic(), ft_denoising_steps=fine_tuned_steps, device="cpu",
        horizon_steps=TP, obs_dim=DO, action_dim=DA, final_action_clip_value=1.0,
        randn_clip_value=3, min_sampling_denoising_std=0.1, min_logprob_denoising_std=0.1,
        gamma_denoising=0.99, clip_ploss_coef=0.02, clip_ploss_coef_base=0.02, **options)


def begin(group, model, pair_count):
    """The weights and everything else that is drawn once: returns what every variant shares."""
    perturb(model.critic)
    perturb(model.actor_ft, 0.05)
    data = {
        "observations": torch.rand(N, TO, DO) * 2 - 1,
        "returns": torch.randn(N),
        "old-values": torch.randn(N),
        "advantages": torch.randn(N) * 2 + 0.3,
        "minibatches": torch.cat([torch.randperm(pair_count) for _ in range(
            -(-STEPS * BATCH // pair_count))])[:STEPS * BATCH].view(STEPS, BATCH),
    }
    cond = {"state": data["observations"]}
    with torch.no_grad():
        if isinstance(model, PPODiffusion):
            data["chains"] = model(cond, deterministic=False).chains
            # Some steps as unlikely as to meet the lower bound of the log-densities.
            data["chains"][:3, -1, :, 0] += 0.5
            data["old-log-probabilities"] = model.get_logprobs(cond, data["chains"]).view(
                N, model.ft_denoising_steps, TP, DA)
        else:
            data["actions"] = model(cond, deterministic=False)
            data["old-log-probabilities"] = model.get_logprobs(cond, data["actions"])[0]
    # The policy has moved since, or every ratio of the first minibatch would be 1.
    perturb(model.actor_ft, 0.01)
    for name, value in data.items():
        goldens[f"{group}/{name}"] = value
    put(f"{group}/before.actor", model.actor)
    put(f"{group}/before.actor_ft", model.actor_ft)
    put(f"{group}/before.critic", model.critic)
    if hasattr(model, "eta"):
        put(f"{group}/before.eta", model.eta)
    return data


def loss_of(model, data, indices, use_bc_loss):
    if not isinstance(model, PPODiffusion):
        # Advantages are changed in place by the diffusion loss, and cloned here for both.
        return model.loss(
            {"state": data["observations"][indices]}, data["actions"][indices],
            data["returns"][indices], data["old-values"][indices],
            data["advantages"][indices].clone(), data["old-log-probabilities"][indices],
            use_bc_loss=use_bc_loss)
    rows, steps = torch.unravel_index(indices, (N, model.ft_denoising_steps))
    return model.loss(
        {"state": data["observations"][rows]}, data["chains"][rows, steps],
        data["chains"][rows, steps + 1], steps, data["returns"][rows], data["old-values"][rows],
        data["advantages"][rows].clone(), data["old-log-probabilities"][rows, steps],
        use_bc_loss=use_bc_loss, reward_horizon=3)


METRICS = ["policy-loss", "entropy-loss", "value-loss", "clip-fraction", "approximate-kl",
           "mean-ratio", "behaviour-cloning-loss", "mean-eta-or-deviation"]


def update(variant, model, data, *, actor_lr=1e-3, critic_lr=3e-3, weight_decay=0.0,
           max_grad_norm=None, ent_coef=0.0, vf_coef=0.5, bc_coef=0.0, records=True):
    use_bc_loss = bc_coef > 0
    actor_optimizer = torch.optim.AdamW(
        model.actor_ft.parameters(), lr=actor_lr, weight_decay=weight_decay)
    critic_optimizer = torch.optim.AdamW(
        model.critic.parameters(), lr=critic_lr, weight_decay=weight_decay)
    learns_eta = getattr(model, "learn_eta", False)
    if learns_eta:
        eta_optimizer = torch.optim.AdamW(model.eta.parameters(), lr=1e-2, weight_decay=0)
    teachers = []
    sample = model.forward

    def keeping(*args, **kwargs):
        with RecordedNoise() as noise:
            result = sample(*args, **kwargs)
        teachers.append((result, noise.draws))
        return result

    model.forward = keeping
    metrics, losses, norms = [], [], []
    for index, indices in enumerate(data["minibatches"]):
        parts = loss_of(model, data, indices, use_bc_loss)
        pg_loss, entropy_loss, v_loss, _, _, _, bc_loss, _ = parts
        loss = pg_loss + entropy_loss * ent_coef + v_loss * vf_coef + bc_loss * bc_coef
        model.zero_grad()
        loss.backward()
        metrics.append([float(torch.as_tensor(part).detach()) for part in parts])
        losses.append(loss.item())
        if index == 0 and records:
            put_gradients(f"{variant}/gradient.actor_ft", model.actor_ft)
            put_gradients(f"{variant}/gradient.critic", model.critic)
            if learns_eta:
                put_gradients(f"{variant}/gradient.eta", model.eta)
        gradients = [p.grad for p in model.actor_ft.parameters() if p.grad is not None]
        norms.append(float(torch.cat([g.flatten() for g in gradients]).norm()))
        if max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.actor_ft.parameters(), max_grad_norm)
        actor_optimizer.step()
        if learns_eta:
            eta_optimizer.step()
        critic_optimizer.step()
    del model.forward
    if not records:
        return
    for name, column in zip(METRICS, zip(*metrics)):
        goldens[f"{variant}/{name}"] = torch.tensor(column)
    goldens[f"{variant}/loss"] = torch.tensor(losses)
    goldens[f"{variant}/actor-gradient-norm"] = torch.tensor(norms)
    if use_bc_loss:
        if isinstance(model, PPODiffusion):
            goldens[f"{variant}/teacher-chains"] = torch.stack([s.chains for s, _ in teachers])
            goldens[f"{variant}/teacher-noise"] = torch.stack(teachers[0][1])
        else:
            goldens[f"{variant}/teacher-actions"] = torch.stack([s for s, _ in teachers])
    put(f"{variant}/after.actor_ft", model.actor_ft)
    put(f"{variant}/after.critic", model.critic)
    if learns_eta:
        put(f"{variant}/after.eta", model.eta)
    clip = metrics[0]
    print(f"{variant}: clip fraction {clip[3]:.2f}, KL {clip[4]:.2g}, ratio {clip[5]:.3f}")


def variant(name, model, data, settings={}, **options):
    """Runs on a copy; then again from weights that differ in the last bits: a golden that reacts is
    one in which a branch was nearly taken, and worth another seed."""
    runs = []
    for jitter in (0, 1e-7):
        copied = copy.deepcopy(model)
        for key, value in settings.items():
            setattr(copied, key, value)
        with torch.no_grad():
            for parameter in copied.parameters():
                parameter *= 1 + jitter * torch.randn_like(parameter)
        torch.manual_seed(99)
        update(name, copied, data, records=jitter == 0, **options)
        runs.append(torch.cat([p.detach().flatten() for p in copied.parameters()]))
    difference = float((runs[0] - runs[1]).abs().max() / runs[0].abs().max())
    print(f"  reaction to the last bits: {difference:.1e}")
    assert difference < 1e-5, name


def pretraining(name, model, ent_coef=0.0):
    perturb(model.network)
    average = copy.deepcopy(model)
    put(f"{name}/before.network", model.network)
    actions = torch.rand(STEPS, BATCH, TP, DA) * 2 - 1
    observations = torch.rand(STEPS, BATCH, TO, DO) * 2 - 1
    goldens[f"{name}/actions"] = actions
    goldens[f"{name}/observations"] = observations
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
    losses, times, noises, entropies = [], [], [], []
    for index in range(STEPS):
        cond = {"state": observations[index]}
        if isinstance(model, DiffusionModel):
            time = torch.randint(0, model.denoising_steps, (BATCH,))
            with RecordedNoise() as noise:
                loss = model.p_losses(actions[index], cond, time)
            times.append(time)
            noises.append(noise.draws[0])
        else:
            loss, information = model.loss(actions[index], cond, ent_coef=ent_coef)
            entropies.append(information["entropy"].item())
        loss.backward()
        losses.append(loss.item())
        if index == 0:
            put_gradients(f"{name}/gradient.network", model.network)
        optimizer.step()
        optimizer.zero_grad()
        decay = 0.9
        for value, mean in zip(model.parameters(), average.parameters()):
            mean.data = mean.data * decay + (1 - decay) * value.data
    goldens[f"{name}/loss"] = torch.tensor(losses)
    if times:
        goldens[f"{name}/times"] = torch.stack(times)
        goldens[f"{name}/noise"] = torch.stack(noises)
    else:
        goldens[f"{name}/entropy"] = torch.tensor(entropies)
    put(f"{name}/after.network", model.network)
    put(f"{name}/average.network", average.network)
    print(f"{name}: loss {losses[0]:.3f} to {losses[-1]:.3f}")


if __name__ == "__main__":
    torch.manual_seed(11)
    model = diffusion(4, denoising_steps=6)
    data = begin("ddpm", model, N * 4)
    variant("ddpm/default", model, data)
    variant("ddpm/value-clip", model, data, {"clip_vloss_coef": 0.2})
    variant("ddpm/behaviour-cloning", model, data, bc_coef=0.1)
    variant("ddpm/clip-schedule", model, data, {
        "clip_ploss_coef": 0.05, "clip_ploss_coef_base": 0.005, "gamma_denoising": 0.8})
    variant("ddpm/advantage-quantiles", model, data, {
        "clip_advantage_lower_quantile": 0.1, "clip_advantage_upper_quantile": 0.9})
    variant("ddpm/raw-advantages", model, data, {"norm_adv": False})
    variant("ddpm/gradient-clip", model, data, max_grad_norm=0.05, weight_decay=0.1)

    torch.manual_seed(12)
    model = diffusion(6, denoising_steps=6)
    variant("ddpm-all-steps/default", model, begin("ddpm-all-steps", model, N * 6))

    torch.manual_seed(13)
    model = diffusion(3, denoising_steps=20, use_ddim=True, ddim_steps=5,
                      eta=EtaAction(DA, base_eta=0.4), learn_eta=True)
    variant("ddim/learned-eta", model, begin("ddim", model, N * 3), ent_coef=0.1)

    torch.manual_seed(14)
    for name, options in [("fixed", {}), ("learned", {"learn_fixed_std": True, "std_max": 0.2})]:
        model = PPO_Gaussian(
            actor=gaussian(**options), critic=critic(), clip_ploss_coef=0.05, device="cpu",
            horizon_steps=TP, randn_clip_value=3)
        group = f"gaussian-{name}"
        data = begin(group, model, N)
        variant(f"{group}/default", model, data, ent_coef=0.02 if name == "learned" else 0.0)
        if name == "fixed":
            variant(f"{group}/behaviour-cloning", model, data, {"clip_vloss_coef": 0.2}, bc_coef=0.1)

    torch.manual_seed(15)
    pretraining("pretraining", DiffusionModel(
        network=mlp(), horizon_steps=TP, obs_dim=DO, action_dim=DA, device="cpu", denoising_steps=6))
    pretraining("gaussian-pretraining", GaussianModel(
        network=gaussian(learn_fixed_std=True), horizon_steps=TP, device="cpu"), ent_coef=0.01)

    save(goldens, "dppo-update.safetensors")
