"""Writes what Gymnasium's robots do on MuJoCo 2.2.2, the version that Debian ships.

    python3.10 -m venv v
    v/bin/pip install mujoco==2.2.2 gymnasium==1.0.0 imageio 'numpy<2'
    v/bin/python make_robot_goldens.py

For each task and version: `<task>-<version>-initial.npy`, float64 [seeds, positions + velocities],
and `<task>-<version>-steps.npy`, float32 [seeds, steps, action | observation | reward, terminated].
Steps go on after a termination. `models.json` holds every number of the compiled models that the
physics reads.
"""

import json
import warnings
from pathlib import Path

import gymnasium
import mujoco
import numpy as np

warnings.filterwarnings("ignore")
assert mujoco.__version__ == "2.2.2", mujoco.__version__

HERE = Path(__file__).parent
TASKS = {"hopper": "Hopper", "walker2d": "Walker2d", "half-cheetah": "HalfCheetah"}
# Version 5 differs for the two that can fall; a few seeds show it.
SEED_COUNTS = {"v4": 20, "v5": 4}
STEP_COUNT = 50

MODEL_FIELDS = """
qpos0 qpos_spring
body_parentid body_rootid body_weldid body_jntnum body_jntadr body_dofnum body_dofadr body_geomnum
body_geomadr body_simple body_sameframe body_pos body_quat body_ipos body_iquat body_mass
body_subtreemass body_inertia body_invweight0
jnt_type jnt_qposadr jnt_dofadr jnt_bodyid jnt_limited jnt_solref jnt_solimp jnt_pos jnt_axis
jnt_stiffness jnt_range jnt_margin
dof_bodyid dof_jntid dof_parentid dof_Madr dof_simplenum dof_solref dof_solimp dof_frictionloss
dof_armature dof_damping dof_invweight0 dof_M0
geom_type geom_contype geom_conaffinity geom_condim geom_bodyid geom_dataid geom_priority
geom_sameframe geom_solmix geom_solref geom_solimp geom_size geom_rbound geom_pos geom_quat
geom_friction geom_margin geom_gap geom_fluid
actuator_trntype actuator_dyntype actuator_gaintype actuator_biastype actuator_trnid
actuator_ctrllimited actuator_forcelimited actuator_actlimited actuator_dynprm actuator_gainprm
actuator_biasprm actuator_ctrlrange actuator_forcerange actuator_actrange actuator_gear
actuator_cranklength actuator_acc0 actuator_length0 actuator_lengthrange
""".split()
OPTION_FIELDS = """
timestep impratio tolerance noslip_tolerance mpr_tolerance gravity wind magnetic density viscosity
o_margin o_solref o_solimp integrator collision cone jacobian solver iterations noslip_iterations
mpr_iterations disableflags enableflags
""".split()
SIZE_FIELDS = "nq nv nu na nbody njnt ngeom nmocap npair nexclude neq ntendon nsensor".split()


def numbers(value):
    return np.asarray(value, dtype=np.float64).ravel().tolist()


def dump_model(model):
    dump = {name: numbers(getattr(model, name)) for name in SIZE_FIELDS + MODEL_FIELDS}
    dump |= {f"opt.{name}": numbers(getattr(model.opt, name)) for name in OPTION_FIELDS}
    # The solver's tolerance is relative to the mean inertia.
    return dump | {"stat.meaninertia": numbers(model.stat.meaninertia)}


def roll_out(environment, seed):
    environment.reset(seed=seed)
    data = environment.data
    initial = np.concatenate([data.qpos, data.qvel])
    # Actions beyond the range are clipped by the motors, not by the control cost.
    actions = np.random.default_rng(seed).uniform(-1.2, 1.2, (STEP_COUNT, environment.model.nu))
    rows = []
    for action in actions.astype(np.float32):
        observation, reward, terminated, truncated, _ = environment.step(action)
        assert not truncated
        rows.append(np.concatenate([action, observation, [reward, terminated]]))
    return initial, np.array(rows, dtype=np.float32)


def main():
    models = {}
    for task, gymnasium_name in TASKS.items():
        for version, seed_count in SEED_COUNTS.items():
            environment = gymnasium.make(f"{gymnasium_name}-{version}").unwrapped
            models[f"{task}-{version}"] = dump_model(environment.model)
            rollouts = [roll_out(environment, seed) for seed in range(seed_count)]
            np.save(HERE / f"{task}-{version}-initial.npy", np.array([r[0] for r in rollouts]))
            np.save(HERE / f"{task}-{version}-steps.npy", np.array([r[1] for r in rollouts]))
            ended = sum(r[1][:, -1].any() for r in rollouts)
            print(task, version, f"{ended} of {seed_count} episodes terminate")
    text = json.dumps(models, separators=(",", ":")).replace('],"', '],\n"')
    (HERE / "models.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
