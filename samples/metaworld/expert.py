"""The scripted policies that come with Meta-World, as an expert of `attune policy collect`."""

from metaworld.policies import ENV_POLICY_MAP


class Expert:
    """The policy of a task such as peg-insert-side-v3; it needs the observation only."""

    def __init__(self, task):
        if task not in ENV_POLICY_MAP:
            raise ValueError(f"no scripted policy of '{task}'; there are {', '.join(sorted(ENV_POLICY_MAP))}")
        self.make_policy = ENV_POLICY_MAP[task]

    def reset(self, seed):
        self.policy = self.make_policy()  # some count their steps

    def act(self, observation):
        return self.policy.get_action(observation)
